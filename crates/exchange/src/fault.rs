//! What can go wrong on purpose: the kinds of fault, how often or when each strikes, and how often
//! each did.

use std::fmt;
use std::str::FromStr;

use market::Nanos;

use crate::chance::Chance;
use crate::{ConnectionId, Venue};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// A message is not sent.
    Drop,
    /// A message is sent twice.
    Double,
    /// A message is sent after the one that follows it.
    Swap,
    /// Several messages in a row of one symbol's book are not sent.
    Gap,
    /// A book's checksum is that of another book. Only Kraken has checksums today.
    WrongChecksum,
    /// A snapshot is of an earlier moment than the diffs that follow it. Not on Coinbase, whose
    /// messages give nothing to notice it by.
    StaleSnapshot,
    /// The connection stays open, and nothing comes any more, not even an answer to a ping.
    Silence,
    /// The connection ends in the middle of a message.
    CutMidFrame,
    /// The venue closes the connection, as Binance does after 24 hours.
    Cut,
    /// In place of a message comes one of random bytes.
    Garbage,
    /// A member of a message has another type than it should.
    FieldType,
    /// A REST request is answered with 429, too many requests.
    Rest429,
    /// A REST request is answered with 503.
    Rest5xx,
    /// A REST request is answered late; what it says is as old as the request.
    RestSlow,
}

/// What a stream message is, as far as faults care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An answer to the client: never hit, or nobody could tell a fault from a refusal.
    Answer,
    /// A whole book.
    Snapshot,
    /// A change of a book.
    Book,
    /// Executions.
    Trade,
    /// Best bid and offer.
    Quote,
    /// Nothing but a sign of life.
    Beat,
}

/// Messages of a book that one [`Fault::Gap`] swallows.
pub const GAP_MESSAGES: u32 = 3;

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Drop,
        Self::Double,
        Self::Swap,
        Self::Gap,
        Self::WrongChecksum,
        Self::StaleSnapshot,
        Self::Silence,
        Self::CutMidFrame,
        Self::Cut,
        Self::Garbage,
        Self::FieldType,
        Self::Rest429,
        Self::Rest5xx,
        Self::RestSlow,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Double => "double",
            Self::Swap => "swap",
            Self::Gap => "gap",
            Self::WrongChecksum => "wrong-checksum",
            Self::StaleSnapshot => "stale-snapshot",
            Self::Silence => "silence",
            Self::CutMidFrame => "cut-mid-frame",
            Self::Cut => "cut",
            Self::Garbage => "garbage",
            Self::FieldType => "field-type",
            Self::Rest429 => "rest-429",
            Self::Rest5xx => "rest-5xx",
            Self::RestSlow => "rest-slow",
        }
    }

    /// What it does, in a few words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Drop => "a message is not sent",
            Self::Double => "a message is sent twice",
            Self::Swap => "a message is sent after the one that follows it",
            Self::Gap => "several messages in a row of one book are not sent",
            Self::WrongChecksum => "a book's checksum is wrong",
            Self::StaleSnapshot => "a snapshot is older than the diffs after it",
            Self::Silence => "the connection stays open, and nothing comes any more",
            Self::CutMidFrame => "the connection ends in the middle of a message",
            Self::Cut => "the venue closes the connection",
            Self::Garbage => "random bytes come in place of a message",
            Self::FieldType => "a member has another type than it should",
            Self::Rest429 => "REST answers 429",
            Self::Rest5xx => "REST answers 503",
            Self::RestSlow => "REST answers late",
        }
    }

    /// Whether it can happen at `venue` in a way that its protocol lets a client notice, or that
    /// a client need not notice.
    #[must_use]
    pub fn applies_to(self, venue: Venue) -> bool {
        match self {
            Self::WrongChecksum => venue == Venue::Kraken,
            Self::StaleSnapshot => venue != Venue::Coinbase,
            // Only Binance's books need REST.
            Self::Rest429 | Self::Rest5xx | Self::RestSlow => venue == Venue::Binance,
            _ => true,
        }
    }

    /// Whether it strikes REST requests instead of messages. [`Fault::StaleSnapshot`] does where
    /// snapshots come by REST.
    #[must_use]
    pub fn strikes_rest(self, venue: Venue) -> bool {
        match self {
            Self::Rest429 | Self::Rest5xx | Self::RestSlow => true,
            Self::StaleSnapshot => venue == Venue::Binance,
            _ => false,
        }
    }

    /// Whether it can strike a message of the stream.
    pub(crate) fn hits(self, class: Class, venue: Venue) -> bool {
        if class == Class::Answer || self.strikes_rest(venue) || !self.applies_to(venue) {
            return false;
        }
        match self {
            Self::Gap => class == Class::Book,
            Self::WrongChecksum => matches!(class, Class::Book | Class::Snapshot),
            Self::StaleSnapshot => class == Class::Snapshot,
            Self::FieldType => class != Class::Beat,
            _ => true,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(name: &str) -> Result<Self, FaultError> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| FaultError::Unknown(name.chars().take(64).collect()))
    }
}

/// Why a text names no fault, or none that can happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No kind has this name.
    #[error("\"{0}\" is no fault; there are {names}", names = Fault::ALL.map(Fault::name).join(", "))]
    Unknown(String),
    /// No share of all messages.
    #[error("\"{0}\" is no rate: KIND=RATE with a rate from 0 to 1, such as drop=0.001")]
    Rate(String),
    /// No number of a message.
    #[error("\"{0}\" is no time for a fault: KIND@N with a number from 1 on, such as gap@500")]
    Schedule(String),
    /// The venue's protocol has nothing that could be wrong in this way.
    #[error("{fault} does not apply to {venue}")]
    NotHere {
        /// Which fault.
        fault: Fault,
        /// Which venue.
        venue: Venue,
    },
}

/// How often, or when, each kind strikes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultPlan {
    /// Of a million messages that a kind can hit, so many are hit, in the order of [`Fault::ALL`].
    rates: [u32; Fault::ALL.len()],
    /// Kinds to strike at the message of this number, or at the first after it that they can hit.
    schedule: Vec<(Fault, u64)>,
    /// Spares every message that is not of a book.
    books_only: bool,
}

impl FaultPlan {
    /// No fault at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Strikes so many of a million messages, or REST requests.
    #[must_use]
    pub fn with_rate(mut self, fault: Fault, per_million: u32) -> Self {
        self.rates[fault as usize] = per_million.min(1_000_000);
        self
    }

    /// Strikes once: at the message of this number, counted from 1 over all connections, or at
    /// the first after it that it can hit. For faults of REST requests are counted instead.
    #[must_use]
    pub fn with_strike(mut self, fault: Fault, number: u64) -> Self {
        self.schedule.push((fault, number));
        self
    }

    /// Spares executions, quotes and signs of life: only messages of books are hit. They are
    /// where a fault does harm that lasts, and few among all others.
    #[must_use]
    pub fn on_books_only(mut self) -> Self {
        self.books_only = true;
        self
    }

    /// Whether it spares a message like this.
    pub(crate) fn spares(&self, class: Class) -> bool {
        self.books_only && !matches!(class, Class::Book | Class::Snapshot)
    }

    /// Adds `KIND=RATE`, such as `drop=0.001`: a share with at most six digits after the point.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn add_rate(self, text: &str) -> Result<Self, FaultError> {
        let refused = || FaultError::Rate(text.chars().take(64).collect());
        let (fault, rate) = text.split_once('=').ok_or_else(refused)?;
        let fault = fault.parse()?;
        let (whole, fraction) = rate.split_once('.').unwrap_or((rate, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 6 || whole.len() > 1 {
            return Err(refused());
        }
        let millionths = format!("{whole}{fraction:0<6}").parse().map_err(|_| refused())?;
        if millionths > 1_000_000 { Err(refused()) } else { Ok(self.with_rate(fault, millionths)) }
    }

    /// Adds `KIND@N`, such as `gap@500`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn add_strike(self, text: &str) -> Result<Self, FaultError> {
        let refused = || FaultError::Schedule(text.chars().take(64).collect());
        let (fault, number) = text.split_once('@').ok_or_else(refused)?;
        let fault = fault.parse()?;
        let number: u64 = number.parse().map_err(|_| refused())?;
        if number == 0 { Err(refused()) } else { Ok(self.with_strike(fault, number)) }
    }

    /// Checks that every kind in it can happen at `venue`.
    ///
    /// # Errors
    /// The first kind that cannot.
    pub fn check(&self, venue: Venue) -> Result<(), FaultError> {
        let rated = Fault::ALL.into_iter().filter(|fault| self.rates[*fault as usize] > 0);
        let planned = self.schedule.iter().map(|(fault, _)| *fault);
        match rated.chain(planned).find(|fault| !fault.applies_to(venue)) {
            Some(fault) => Err(FaultError::NotHere { fault, venue }),
            None => Ok(()),
        }
    }

    /// Whether the message, or REST request, of this number is struck, and by what. Each kind that
    /// has a rate and `can` strike takes one number of `chance`, whatever comes of it.
    pub(crate) fn strike(
        &mut self,
        number: u64,
        chance: &mut Chance,
        can: impl Fn(Fault) -> bool,
    ) -> Option<Fault> {
        let mut struck = None;
        for fault in Fault::ALL {
            let rate = self.rates[fault as usize];
            if rate > 0 && can(fault) && chance.happens(rate) && struck.is_none() {
                struck = Some(fault);
            }
        }
        let due = self.schedule.iter().position(|&(fault, at)| at <= number && can(fault));
        due.map(|at| self.schedule.remove(at).0).or(struck)
    }
}

/// How often each kind has struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts([u64; Fault::ALL.len()]);

impl FaultCounts {
    /// How often `fault` has struck.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }
}

/// One fault that struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Which kind.
    pub fault: Fault,
    /// When.
    pub at: Nanos,
    /// Which connection; `None` for a REST request.
    pub connection: Option<ConnectionId>,
    /// The number of the message or REST request.
    pub number: u64,
    /// What the message was; `None` for a REST request, or where there was no message.
    pub class: Option<Class>,
    /// The symbol it was about, as the venue spells it, if it was about one.
    pub symbol: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Purpose;

    #[test]
    fn a_plan_is_read_and_refused_with_reason() {
        let plan = FaultPlan::none().add_rate("drop=0.25").unwrap();
        let plan = plan.add_rate("gap=1").unwrap().add_strike("silence@7").unwrap();
        let expected = FaultPlan::none()
            .with_rate(Fault::Drop, 250_000)
            .with_rate(Fault::Gap, 1_000_000)
            .with_strike(Fault::Silence, 7);
        assert_eq!(plan, expected);
        for bad in ["drop", "drop=", "drop=2", "drop=-1", "drop=0.0000001", "drop=1.1", "drop=.5"] {
            assert!(matches!(FaultPlan::none().add_rate(bad), Err(FaultError::Rate(_))), "{bad}");
        }
        for bad in ["gap", "gap@", "gap@0", "gap@x"] {
            let refused = FaultPlan::none().add_strike(bad);
            assert!(matches!(refused, Err(FaultError::Schedule(_))), "{bad}");
        }
        let unknown = FaultPlan::none().add_rate("flood=1").unwrap_err();
        assert!(unknown.to_string().contains("cut-mid-frame"));
        let plan = FaultPlan::none().with_rate(Fault::WrongChecksum, 1);
        assert_eq!(plan.check(Venue::Kraken), Ok(()));
        assert_eq!(
            plan.check(Venue::Okx).unwrap_err().to_string(),
            "wrong-checksum does not apply to okx"
        );
    }

    #[test]
    fn names_lead_back() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(fault as usize, index);
            assert!(Venue::ALL.into_iter().any(|venue| fault.applies_to(venue)));
        }
    }

    #[test]
    fn a_strike_waits_for_a_message_that_it_can_hit_and_comes_once() {
        let mut chance = Chance::new(1, Purpose::Faults);
        let mut plan = FaultPlan::none().with_strike(Fault::Gap, 2);
        let mut strike = |number, possible| plan.strike(number, &mut chance, |_| possible);
        assert_eq!(strike(1, true), None);
        assert_eq!(strike(2, false), None);
        assert_eq!(strike(9, true), Some(Fault::Gap));
        assert_eq!(strike(10, true), None);
    }
}
