//! The order flow of one symbol: what is placed, cancelled and traded, in ticks and lots.

use market::{Aggressor, BookSide};

use super::chance::Chance;
use super::fair::{FairPrice, Target};
use super::ladder::{Ladder, Rung};
use super::listing::Listing;

/// Most levels one aggressive order takes from.
const SWEEP_MAX: usize = 3;
/// A best price this many spacings behind its target is not taken whole: makers first return.
const RETREAT_MAX: i64 = 4;

/// An execution against one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fill {
    /// Who took.
    pub(super) aggressor: Aggressor,
    /// The touched level's price, and how much was taken of it.
    pub(super) taken: Rung,
}

/// The book of one symbol, and the traders that keep it moving.
///
/// Both sides hold `depth` levels after every action: a level that goes is replaced at the far
/// end, a level that comes pushes the furthest out. The book cannot cross: a bid is only ever
/// placed below the best ask, and the reverse.
#[derive(Debug)]
pub(super) struct OrderFlow {
    bids: Ladder,
    asks: Ladder,
    fair: FairPrice,
    depth: usize,
    spacing: i64,
    typical_lots: i64,
}

impl OrderFlow {
    /// A full book around the start price of `listing`; actions will be `action_gap` nanoseconds
    /// apart on average.
    pub(super) fn new(
        listing: &Listing,
        depth: usize,
        action_gap: u64,
        chance: &mut Chance,
    ) -> Self {
        let spacing = listing.spacing();
        let mut flow = Self {
            bids: Ladder::new(BookSide::Bid, depth),
            asks: Ladder::new(BookSide::Ask, depth),
            fair: FairPrice::new(listing.start_ticks, spacing, action_gap),
            depth,
            spacing,
            typical_lots: listing.typical_lots(),
        };
        let target = flow.fair.target();
        for (side, best) in [(BookSide::Bid, target.bid), (BookSide::Ask, target.ask)] {
            let lots = flow.draw_lots(0, chance);
            flow.side(side).set(best, lots);
            flow.restock(side, best, chance);
            flow.side(side).take_changes();
        }
        flow
    }

    /// The levels of one side.
    pub(super) fn levels(&self, side: BookSide) -> &Ladder {
        match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        }
    }

    /// The levels of one side that the last action changed.
    pub(super) fn take_changes(&mut self, side: BookSide) -> Vec<Rung> {
        self.side(side).take_changes()
    }

    /// One action of one trader. Appends what was executed to `fills`, in order; at least one
    /// level of the book changes.
    pub(super) fn act(&mut self, chance: &mut Chance, fills: &mut Vec<Fill>) {
        self.fair.step(chance);
        let target = self.fair.target();
        let side = if chance.percent(50) { BookSide::Bid } else { BookSide::Ask };
        if self.is_best_within(BookSide::Ask, target.bid) {
            self.sweep(BookSide::Ask, target.bid, chance, fills);
        } else if self.is_best_within(BookSide::Bid, target.ask) {
            self.sweep(BookSide::Bid, target.ask, chance, fills);
        } else {
            match chance.below(100) {
                0..12 => self.take(side, target, chance, fills),
                12..42 => self.requote(side, target, chance),
                42..55 => self.resize(side, 0, chance),
                _ => self.change_depth(side, chance),
            }
        }
        if !self.bids.has_changed() && !self.asks.has_changed() {
            self.resize(side, 0, chance);
        }
    }

    /// Takes whole levels that the fair price has left behind, the last of them perhaps partly.
    fn sweep(&mut self, side: BookSide, limit: i64, chance: &mut Chance, fills: &mut Vec<Fill>) {
        let Some(worst) = self.levels(side).worst() else { return };
        for _ in 0..SWEEP_MAX {
            if !self.is_best_within(side, limit) {
                break;
            }
            let Some(best) = self.levels(side).best() else { break };
            let whole = chance.percent(75);
            let wanted = if whole { best.lots } else { self.draw_lots(0, chance) };
            self.fill(side, best, wanted.min(best.lots), fills);
            if wanted < best.lots {
                break;
            }
        }
        self.restock(side, worst.ticks, chance);
    }

    /// Takes a drawn size from the best levels, whatever the fair price is.
    fn take(&mut self, side: BookSide, target: Target, chance: &mut Chance, fills: &mut Vec<Fill>) {
        let Some(worst) = self.levels(side).worst() else { return };
        let mut wanted = self.draw_lots(0, chance) / 3 + 1;
        for _ in 0..SWEEP_MAX {
            let Some(best) = self.levels(side).best() else { break };
            let behind = self.levels(side).advantage(wish(target, side), best.ticks);
            let spare = i64::from(behind > RETREAT_MAX * self.spacing);
            let taken = wanted.min(best.lots - spare);
            if taken <= 0 {
                break;
            }
            self.fill(side, best, taken, fills);
            wanted -= taken;
            if wanted == 0 {
                break;
            }
        }
        self.restock(side, worst.ticks, chance);
    }

    fn fill(&mut self, side: BookSide, best: Rung, lots: i64, fills: &mut Vec<Fill>) {
        let aggressor = match side {
            BookSide::Ask => Aggressor::Buy,
            BookSide::Bid => Aggressor::Sell,
        };
        fills.push(Fill { aggressor, taken: Rung { ticks: best.ticks, lots } });
        self.side(side).set(best.ticks, best.lots - lots);
    }

    /// Moves the best price to its target: a better one is placed, one too good is cancelled.
    fn requote(&mut self, side: BookSide, target: Target, chance: &mut Chance) {
        let (Some(best), Some(worst)) = (self.levels(side).best(), self.levels(side).worst())
        else {
            return;
        };
        let wish = wish(target, side);
        let behind = self.levels(side).advantage(wish, best.ticks);
        if behind > 0 {
            let lots = self.draw_lots(0, chance);
            self.side(side).set(wish, lots);
            self.trim(side);
        } else if behind < 0 {
            self.side(side).set(best.ticks, 0);
            self.restock(side, worst.ticks, chance);
        } else {
            self.change_depth(side, chance);
        }
    }

    /// Changes something behind the best price: fills a hole, thins out a crowd, or gives a
    /// level another size.
    fn change_depth(&mut self, side: BookSide, chance: &mut Chance) {
        let behind_best = (self.levels(side).len() as u64).saturating_sub(1);
        if behind_best == 0 {
            return self.resize(side, 0, chance);
        }
        // Most orders are near the best price.
        let rank = 1 + chance.exponential(1 + behind_best / 6).min(behind_best - 1) as usize;
        let (Some(better), Some(rung), Some(worst)) =
            (self.levels(side).at(rank - 1), self.levels(side).at(rank), self.levels(side).worst())
        else {
            return;
        };
        let gap = self.levels(side).advantage(better.ticks, rung.ticks);
        if gap > 2 * self.spacing && chance.percent(60) {
            let distance = chance.between(1, (gap - 1).unsigned_abs()).cast_signed();
            let ticks = self.levels(side).worse_by(better.ticks, distance);
            let lots = self.draw_lots(rank, chance);
            self.side(side).set(ticks, lots);
            self.trim(side);
        } else if gap <= self.spacing && chance.percent(20) {
            self.side(side).set(rung.ticks, 0);
            self.restock(side, worst.ticks, chance);
        } else {
            self.resize(side, rank, chance);
        }
    }

    /// Gives the level at `rank` another size.
    fn resize(&mut self, side: BookSide, rank: usize, chance: &mut Chance) {
        if let Some(rung) = self.levels(side).at(rank) {
            let lots = self.draw_lots(rank, chance);
            let lots = if lots == rung.lots { lots + 1 } else { lots };
            self.side(side).set(rung.ticks, lots);
        }
    }

    /// Adds levels at the far end, behind `worst`, until the side is full again. Prices stay
    /// above zero, whatever that costs in depth.
    fn restock(&mut self, side: BookSide, worst: i64, chance: &mut Chance) {
        let mut ticks = worst;
        while self.levels(side).len() < self.depth {
            let distance = chance.between(1, (2 * self.spacing - 1).unsigned_abs()).cast_signed();
            ticks = self.levels(side).worse_by(ticks, distance);
            if ticks < 1 {
                break;
            }
            let lots = self.draw_lots(self.levels(side).len(), chance);
            self.side(side).set(ticks, lots);
        }
    }

    /// Drops the furthest levels beyond the depth.
    fn trim(&mut self, side: BookSide) {
        while self.levels(side).len() > self.depth {
            let Some(worst) = self.levels(side).worst() else { break };
            self.side(side).set(worst.ticks, 0);
        }
    }

    /// A size for the level at `rank`: further back lies more.
    fn draw_lots(&self, rank: usize, chance: &mut Chance) -> i64 {
        let mean = self.typical_lots.unsigned_abs() * (4 + rank.min(12) as u64) / 8;
        1 + chance.exponential(mean).cast_signed()
    }

    /// True when the best price of `side` is `limit` or better for who takes from it.
    fn is_best_within(&self, side: BookSide, limit: i64) -> bool {
        let ladder = self.levels(side);
        ladder.best().is_some_and(|best| ladder.advantage(best.ticks, limit) >= 0)
    }

    fn side(&mut self, side: BookSide) -> &mut Ladder {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }
}

/// Where the best price of `side` should be.
fn wish(target: Target, side: BookSide) -> i64 {
    match side {
        BookSide::Bid => target.bid,
        BookSide::Ask => target.ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_changes_a_full_uncrossed_book_near_the_fair_price() {
        for (index, depth) in [(0, 25), (0, 1), (6, 500), (6, 2), (3, 10)] {
            let mut chance = Chance::new(7, "sim", index as u64);
            let listing = Listing::at(index, &mut chance);
            let mut flow = OrderFlow::new(&listing, depth, 20_000_000, &mut chance);
            let mut fills = Vec::new();
            for _ in 0..20_000 {
                flow.act(&mut chance, &mut fills);
                let (bid, ask) = (flow.bids.best().unwrap(), flow.asks.best().unwrap());
                assert!(bid.ticks < ask.ticks && bid.lots > 0 && ask.lots > 0);
                assert_eq!((flow.bids.len(), flow.asks.len()), (depth, depth));
                let target = flow.fair.target();
                let far = (target.bid - bid.ticks).abs().max((ask.ticks - target.ask).abs());
                assert!(far < 60 * flow.spacing, "{} is {far} ticks off", listing.name);
                let changed = [BookSide::Bid, BookSide::Ask].map(|side| flow.take_changes(side));
                assert!(changed.iter().any(|rungs| !rungs.is_empty()));
            }
            let share = fills.len() * 100 / 20_000;
            assert!((5..40).contains(&share), "{} trades {share} % of its actions", listing.name);
        }
    }

    #[test]
    fn fills_take_from_the_best_level_first() {
        let mut chance = Chance::new(8, "sim", 0);
        let listing = Listing::at(0, &mut chance);
        let mut flow = OrderFlow::new(&listing, 10, 20_000_000, &mut chance);
        for _ in 0..5_000 {
            let before: Vec<Vec<Rung>> =
                [&flow.bids, &flow.asks].map(|side| side.iter().collect()).into();
            let mut fills = Vec::new();
            flow.act(&mut chance, &mut fills);
            for (n, fill) in fills.iter().enumerate() {
                let side = usize::from(fill.aggressor == Aggressor::Buy);
                let level = before[side][n];
                assert_eq!(fill.taken.ticks, level.ticks);
                assert!((1..=level.lots).contains(&fill.taken.lots));
                assert!(n + 1 == fills.len() || fill.taken.lots == level.lots);
            }
            assert!(fills.len() <= SWEEP_MAX);
        }
    }
}
