//! The venues: which there are, and the adapter of each. One file, or one small folder, a venue.

#[cfg(test)]
mod bench;
mod binance;
mod bitstamp;
mod bybit;
mod coinbase;
pub mod itch;
pub mod kraken;
pub mod okx;
mod reading;
#[cfg(test)]
mod rig;
mod snapshot;
#[cfg(test)]
mod truth;

use std::fmt;
use std::str::FromStr;

use crate::adapter::{Adapter, DeskOptions, Transport};

use self::itch::{Framing, Itch, ItchOptions};

/// A venue whose protocol is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Venue {
    /// Bybit v5, spot.
    Bybit,
    /// Bybit v5, linear contracts.
    BybitLinear,
    /// Kraken spot, API v2.
    Kraken,
    /// Kraken spot, API v1, which older recordings hold.
    KrakenV1,
    /// OKX, API v5.
    Okx,
    /// Binance spot.
    Binance,
    /// Binance US.
    BinanceUs,
    /// Bitstamp v2.
    Bitstamp,
    /// Coinbase Advanced Trade.
    Coinbase,
    /// Nasdaq TotalView-ITCH 5.0, wrapped in one of three ways.
    Itch(Framing),
}

impl Venue {
    /// Every venue with the name it has in configurations and on the command line.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Bybit, "bybit"),
        (Self::BybitLinear, "bybit-linear"),
        (Self::Kraken, "kraken"),
        (Self::KrakenV1, "kraken-v1"),
        (Self::Okx, "okx"),
        (Self::Binance, "binance"),
        (Self::BinanceUs, "binance-us"),
        (Self::Bitstamp, "bitstamp"),
        (Self::Coinbase, "coinbase"),
        (Self::Itch(Framing::BinaryFile), "itch"),
        (Self::Itch(Framing::Mold), "itch-mold"),
        (Self::Itch(Framing::Soup), "itch-soup"),
    ];

    /// Its name in configurations and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(venue, _)| *venue == self).map_or("", |(_, name)| name)
    }

    /// Whether it has a stream of best bids and offers; of any other they are made from its books
    /// ([`DeriveOptions::quotes`](crate::derive::DeriveOptions::quotes)).
    #[must_use]
    pub fn gives_quotes(self) -> bool {
        !matches!(self, Self::Bybit | Self::Bitstamp | Self::Itch(_))
    }

    /// The depths of a book that it can be asked for.
    #[must_use]
    pub fn depths(self) -> Depths {
        match self {
            Self::Bybit | Self::BybitLinear => Depths::Steps(&bybit::DEPTHS),
            Self::Kraken | Self::KrakenV1 => Depths::Steps(&kraken::DEPTHS),
            Self::Okx => Depths::Steps(&okx::DEPTHS),
            Self::Binance | Self::BinanceUs => Depths::UpTo(binance::DEPTH_MAX),
            Self::Bitstamp | Self::Coinbase | Self::Itch(_) => {
                Depths::Own("it gives the whole book")
            }
        }
    }

    /// Whether it sends all it has, wanted or not, so that its symbols need not be named.
    #[must_use]
    pub fn gives_all_symbols(self) -> bool {
        self == Self::Itch(Framing::Soup)
    }

    /// Whether it can be connected to; of the others there are only recordings.
    #[must_use]
    pub fn is_live(self) -> bool {
        self.transport() != Transport::Files
    }

    /// What carries its bytes.
    #[must_use]
    pub fn transport(self) -> Transport {
        self.adapter(DeskOptions::default()).rules().transport
    }

    /// An adapter for one connection.
    #[must_use]
    pub fn adapter(self, options: DeskOptions) -> Box<dyn Adapter> {
        match self {
            Self::Bybit => Box::new(bybit::Bybit::new(bybit::Market::Spot, options)),
            Self::BybitLinear => Box::new(bybit::Bybit::new(bybit::Market::Linear, options)),
            Self::Kraken => Box::new(kraken::Kraken::new(kraken::Version::V2, options)),
            Self::KrakenV1 => Box::new(kraken::Kraken::new(kraken::Version::V1, options)),
            Self::Okx => Box::new(okx::Okx::new(options)),
            Self::Binance => Box::new(binance::Binance::new(options)),
            Self::BinanceUs => Box::new(binance::Binance::us(options)),
            Self::Bitstamp => Box::new(bitstamp::Bitstamp::new(options)),
            Self::Coinbase => Box::new(coinbase::Coinbase::new(options)),
            Self::Itch(framing) => Box::new(Itch::new(ItchOptions::new(framing, options))),
        }
    }
}

/// The depths of a book that a venue can be asked for, in levels a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depths {
    /// Its own only; why.
    Own(&'static str),
    /// These; of those that have as many levels as are asked for, the least is taken.
    Steps(&'static [usize]),
    /// Any up to this.
    UpTo(usize),
}

impl Depths {
    /// Whether it can be asked for `levels`.
    #[must_use]
    pub fn cover(self, levels: usize) -> bool {
        levels > 0 && levels <= self.most()
    }

    /// The most that it can be asked for; 0 where nothing can be chosen.
    #[must_use]
    pub fn most(self) -> usize {
        match self {
            Self::Own(_) => 0,
            Self::Steps(steps) => steps.iter().copied().max().unwrap_or(0),
            Self::UpTo(most) => most,
        }
    }
}

impl fmt::Display for Depths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(why) => write!(f, "no depth, as {why}"),
            Self::UpTo(most) => write!(f, "1 to {most}"),
            Self::Steps(steps) => {
                let steps: Vec<_> = steps.iter().map(usize::to_string).collect();
                write!(
                    f,
                    "1 to {}; it has {}, and the next is taken",
                    self.most(),
                    steps.join(", ")
                )
            }
        }
    }
}

impl FromStr for Venue {
    type Err = UnknownVenue;

    fn from_str(name: &str) -> Result<Self, UnknownVenue> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(venue, _)| *venue).ok_or_else(|| UnknownVenue(name.to_owned()))
    }
}

/// A name that is no venue's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no venue; there are {names}", names = Venue::ALL.map(|(_, name)| name).join(", "))]
pub struct UnknownVenue(String);
