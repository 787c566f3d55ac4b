//! What an exchange is opened with.

use feeds::{SimError, SimOptions};
use market::Nanos;

use crate::{FaultError, FaultPlan, Venue};

/// The size of an exchange, and what goes wrong at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whose protocol it speaks.
    pub venue: Venue,
    /// Any number; a different one gives a different market and other faults.
    pub seed: u64,
    /// Symbols listed, 1 to 500.
    pub symbols: usize,
    /// Mean number of executions, book changes and quotes a second over all symbols together, 1 to
    /// 1 000 000.
    pub rate: u32,
    /// Levels on each side of a book, 1 to 400: OKX tells no more.
    pub depth: usize,
    /// Earlier states of each book that are kept, for [`Exchange::book_at`] and
    /// [`Exchange::held`] to find; some hundred bytes each.
    ///
    /// [`Exchange::book_at`]: crate::Exchange::book_at
    /// [`Exchange::held`]: crate::Exchange::held
    pub history: usize,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// After which time every connection is closed: the venue's 24 hours on a shorter clock.
    pub lifetime: Option<Nanos>,
    /// How late a REST answer comes that [`Fault::RestSlow`](crate::Fault::RestSlow) struck.
    pub slow_rest: Nanos,
}

impl Options {
    /// Deepest book, in levels a side.
    pub const DEPTH_MAX: usize = 400;

    /// Three symbols, 60 levels deep, 200 updates a second, seed 7, and no faults.
    #[must_use]
    pub fn new(venue: Venue) -> Self {
        Self {
            venue,
            seed: 7,
            symbols: 3,
            rate: 200,
            depth: 60,
            history: 16_384,
            faults: FaultPlan::none(),
            lifetime: None,
            slow_rest: 5_000_000_000,
        }
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// The first that is broken.
    pub fn validate(&self) -> Result<(), ExchangeError> {
        if !(1..=Self::DEPTH_MAX).contains(&self.depth) {
            return Err(ExchangeError::Depth { given: self.depth });
        }
        SimOptions {
            venue: self.venue.name().to_owned(),
            symbols: self.symbols,
            updates_per_second: self.rate,
            depth: self.depth,
            seed: self.seed,
        }
        .validate()?;
        self.faults.check(self.venue)?;
        Ok(())
    }
}

/// Why no exchange can be made of some [`Options`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No level, or more than every venue tells.
    #[error("depth is {given}: it must be 1 to {max} levels a side", max = Options::DEPTH_MAX)]
    Depth {
        /// The refused depth.
        given: usize,
    },
    /// The market cannot be made.
    #[error(transparent)]
    Market(#[from] SimError),
    /// A fault cannot happen there.
    #[error(transparent)]
    Fault(#[from] FaultError),
}
