//! The venues whose protocols are played here, and how each spells a symbol.

use std::fmt;
use std::str::FromStr;

/// A venue that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Venue {
    /// Binance spot: diffs with `U` and `u`, the snapshot by REST.
    Binance,
    /// Coinbase Advanced Trade: one `sequence_num` over all of a connection.
    Coinbase,
    /// Kraken v2: a CRC32 over the ten best levels, numbers instead of texts.
    Kraken,
    /// OKX v5: a chain of `seqId` and `prevSeqId`, and pings that are no JSON.
    Okx,
    /// Bybit v5: `u` goes up by one, a snapshot may come at any time.
    Bybit,
}

impl Venue {
    /// Every venue.
    pub const ALL: [Self; 5] =
        [Self::Binance, Self::Coinbase, Self::Kraken, Self::Okx, Self::Bybit];

    /// Its name on the command line, the one that the adapters' configuration has too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
            Self::Okx => "okx",
            Self::Bybit => "bybit",
        }
    }

    /// The path of its WebSocket below its address; Binance's and Bybit's have others beside it.
    #[must_use]
    pub fn websocket_path(self) -> &'static str {
        match self {
            Self::Binance => "/stream",
            Self::Coinbase => "/",
            Self::Kraken => "/v2",
            Self::Okx => "/ws/v5/public",
            Self::Bybit => "/v5/public/linear",
        }
    }

    /// The symbol that all venues share as `BASE-USD`, spelt as the venue does. Those without a
    /// market in dollars have it in USDT.
    #[must_use]
    pub fn native(self, canonical: &str) -> String {
        let base = canonical.split_once('-').map_or(canonical, |(base, _)| base);
        match self {
            Self::Binance | Self::Bybit => format!("{base}USDT"),
            Self::Coinbase => format!("{base}-USD"),
            Self::Kraken => format!("{base}/USD"),
            Self::Okx => format!("{base}-USDT"),
        }
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no venue's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no venue that can be simulated; there are {names}", names = Venue::ALL.map(Venue::name).join(", "))]
pub struct UnknownVenue(String);

impl FromStr for Venue {
    type Err = UnknownVenue;

    fn from_str(name: &str) -> Result<Self, UnknownVenue> {
        let found = Self::ALL.into_iter().find(|venue| venue.name() == name);
        found.ok_or_else(|| UnknownVenue(name.chars().take(64).collect()))
    }
}
