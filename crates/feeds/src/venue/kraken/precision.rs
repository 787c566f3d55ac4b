//! How Kraken writes the numbers of a pair: all prices with the same digits after the point, and
//! all quantities too. The checksum leaves the point out, so this is what proves its place.

use market::{BookDiff, Level};

/// How the numbers of one pair's book were written since its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Precision {
    /// There were none.
    #[default]
    Unknown,
    /// All alike.
    Alike {
        /// Digits after the point of prices.
        price: u32,
        /// Digits after the point of quantities.
        quantity: u32,
    },
    /// Not alike: a checksum that is right does not prove such a book.
    Mixed,
}

impl Precision {
    /// What it is after `diff`; `None` where that is not written like all before it.
    pub(super) fn after(self, diff: &BookDiff) -> Option<Self> {
        match if diff.reset { Self::Unknown } else { self } {
            // Removals may be written shorter.
            Self::Unknown => match levels(diff).find(|level| !level.size.is_zero()) {
                None => Some(Self::Unknown),
                Some(level) => {
                    let (price, quantity) = (level.price.scale(), level.size.scale());
                    let alike = Self::Alike { price, quantity };
                    Some(alike.after_change(diff).unwrap_or(Self::Mixed))
                }
            },
            known => known.after_change(diff),
        }
    }

    fn after_change(self, diff: &BookDiff) -> Option<Self> {
        let Self::Alike { price, quantity } = self else { return Some(self) };
        let fits = |level: &Level| {
            level.price.scale() == price && (level.size.is_zero() || level.size.scale() == quantity)
        };
        levels(diff).all(fits).then_some(self)
    }
}

fn levels(diff: &BookDiff) -> impl Iterator<Item = &Level> {
    diff.bids.iter().chain(&diff.asks)
}
