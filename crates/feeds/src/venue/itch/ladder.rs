//! One side of a stock: what lies at each of its prices.
//!
//! Prices near the best have a place each, found by their distance in ticks, whether or not
//! anything lies there: neither a search nor a move, and two lines of memory. Those further away
//! are a sorted list. A side that does not fit this, as one with prices between two ticks, is
//! that list as a whole.

use std::iter::Rev;
use std::slice;

/// Places near the best.
const PLACES: u32 = 64;

/// Where a price that is the best by far is put: some room for better ones, more for worse ones.
const BEST_AT: u32 = 47;

/// When the best is below this place, the places are laid lower, as far as anything lies there.
const BEST_MIN: u32 = 16;

/// Units of 0.0001 in a cent, the tick of all stocks but the cheapest.
const CENT: u32 = 100;

/// One side of a stock. Prices are keys, which are the higher the better.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    /// The key of the first place; no key in the list is above it.
    base: u32,
    tick: Tick,
    /// At which places something lies.
    used: u64,
    near: Option<Box<[u32; PLACES as usize]>>,
    far: Option<Box<Far>>,
}

/// From place to place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tick {
    /// Nothing was seen yet.
    #[default]
    Unknown,
    One,
    Cent,
    /// There are no places: all is in the list.
    None,
}

/// The list of levels that have no place, ascending by key.
#[derive(Debug, Default)]
struct Far(Vec<Level>);

/// A level in 12 bytes. They are aligned to 4.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(4))]
struct Level {
    key: u32,
    shares: u64,
}

/// Where a key belongs.
enum Spot {
    Place(u32),
    /// Worse than all places.
    Far,
    /// So many places from the first, which is beyond the last.
    Above(u32),
    /// Between two places.
    Off,
}

impl Ladder {
    /// A side without orders.
    pub(super) const EMPTY: Self =
        Self { base: 0, tick: Tick::Unknown, used: 0, near: None, far: None };

    /// Keys and shares, best first.
    pub(super) fn levels(&self) -> Levels<'_> {
        Levels { ladder: self, used: self.used, far: self.far().iter().rev() }
    }

    fn far(&self) -> &[Level] {
        self.far.as_ref().map_or(&[], |far| &far.0)
    }

    #[inline]
    fn ticks(&self, distance: u32) -> (u32, u32) {
        if self.tick == Tick::Cent { (distance / CENT, distance % CENT) } else { (distance, 0) }
    }

    #[inline]
    fn step(&self) -> u32 {
        if self.tick == Tick::Cent { CENT } else { 1 }
    }

    #[inline]
    fn spot(&self, key: u32) -> Spot {
        let Some(distance) = key.checked_sub(self.base) else { return Spot::Far };
        match self.ticks(distance) {
            (_, 1..) => Spot::Off,
            (place, 0) if place < PLACES => Spot::Place(place),
            (place, 0) => Spot::Above(place),
        }
    }

    /// Adds shares to a level, which may be new; gives what lies there then. `price` is what the
    /// key was made of.
    #[inline]
    pub(super) fn grow(&mut self, key: u32, price: u32, shares: u32) -> u64 {
        if let (Spot::Place(place), Some(near)) = (self.spot(key), &mut self.near) {
            let held = &mut near[place as usize];
            if let Some(sum) = held.checked_add(shares) {
                *held = sum;
                self.used |= 1 << place;
                return sum.into();
            }
        }
        self.grow_elsewhere(key, price, shares)
    }

    #[inline(never)]
    fn grow_elsewhere(&mut self, key: u32, price: u32, shares: u32) -> u64 {
        if self.tick == Tick::Unknown {
            self.tick = if price.is_multiple_of(CENT) { Tick::Cent } else { Tick::One };
            self.near = Some(Box::new([0; PLACES as usize]));
            self.place_best(key);
            return self.grow(key, price, shares);
        }
        if self.tick != Tick::None {
            match self.spot(key) {
                _ if self.used == 0 && self.far().is_empty() && !self.has_place(key) => {
                    self.place_best(key);
                    return self.grow(key, price, shares);
                }
                Spot::Far => {}
                Spot::Above(place) => {
                    self.raise(place - BEST_AT);
                    return self.grow(key, price, shares);
                }
                // Between two places, or more than a place can hold.
                Spot::Place(_) | Spot::Off => self.give_up(),
            }
        }
        self.far.get_or_insert_default().grow(key, shares)
    }

    /// Takes shares from a level, and with the last of them its place; gives what is left.
    #[inline]
    pub(super) fn shrink(&mut self, key: u32, shares: u32) -> u64 {
        if let (Spot::Place(place), Some(near)) = (self.spot(key), &mut self.near) {
            // Every live order's shares are in its level.
            let left = near[place as usize].saturating_sub(shares);
            near[place as usize] = left;
            self.used &= !(u64::from(left == 0) << place);
            if self.used >> BEST_MIN == 0 && !self.far().is_empty() {
                self.lower();
            }
            return left.into();
        }
        self.far.as_mut().map_or(0, |far| far.shrink(key, shares))
    }

    fn has_place(&self, key: u32) -> bool {
        matches!(self.spot(key), Spot::Place(_))
    }

    fn near_at(&self, place: u32) -> u32 {
        self.near.as_ref().map_or(0, |near| near[place as usize])
    }

    /// Lays the places so that `key`, the best, has one. None of them is used.
    fn place_best(&mut self, key: u32) {
        let step = self.step();
        self.base = key - step * BEST_AT.min(key / step);
    }

    /// Lays the places so much higher; what lies at the lowest goes into the list.
    fn raise(&mut self, places: u32) {
        let step = self.step();
        let Some(near) = &mut self.near else { return };
        let leaving = places.min(PLACES);
        for place in 0..leaving {
            let shares = near[place as usize];
            if shares > 0 {
                let level = Level { key: self.base + place * step, shares: shares.into() };
                self.far.get_or_insert_default().0.push(level);
            }
        }
        near.copy_within(leaving as usize.., 0);
        near[(PLACES - leaving) as usize..].fill(0);
        self.used = self.used.checked_shr(leaving).unwrap_or(0);
        // Whoever gives up needs no base any more, and may be at the end of numbers.
        self.base = self.base.wrapping_add(places * step);
    }

    /// The best of the places is one of the lowest, or there is none: more of the list come there.
    #[inline(never)]
    fn lower(&mut self) {
        let (Some(near), Some(best)) =
            (&mut self.near, self.far.as_ref().and_then(|far| far.0.last()))
        else {
            return;
        };
        if self.used == 0 {
            self.place_best(best.key);
        } else {
            let step = if self.tick == Tick::Cent { CENT } else { 1 };
            let places = (BEST_AT - self.used.ilog2()).min(self.base / step);
            near.copy_within(..(PLACES - places) as usize, places as usize);
            near[..places as usize].fill(0);
            self.used <<= places;
            self.base -= places * step;
        }
        while let Some(&level) = self.far().last() {
            match (self.spot(level.key), u32::try_from(level.shares)) {
                (Spot::Place(place), Ok(shares)) => {
                    if let (Some(near), Some(far)) = (&mut self.near, &mut self.far) {
                        near[place as usize] = shares;
                        self.used |= 1 << place;
                        far.0.pop();
                    }
                }
                (Spot::Far, _) => return,
                _ => return self.give_up(),
            }
        }
    }

    /// All of it becomes a list, for good.
    #[cold]
    fn give_up(&mut self) {
        self.raise(PLACES);
        (self.tick, self.near, self.used) = (Tick::None, None, 0);
    }
}

impl Far {
    fn find(&self, key: u32) -> Result<usize, usize> {
        self.0.binary_search_by(|level| { level.key }.cmp(&key))
    }

    fn grow(&mut self, key: u32, shares: u32) -> u64 {
        let shares = u64::from(shares);
        match self.find(key) {
            Ok(at) => {
                // Each order has less than 2^32 shares, and there are less than 2^32 orders.
                let shares = self.0[at].shares + shares;
                self.0[at].shares = shares;
                shares
            }
            Err(at) => {
                self.0.insert(at, Level { key, shares });
                shares
            }
        }
    }

    fn shrink(&mut self, key: u32, shares: u32) -> u64 {
        let Ok(at) = self.find(key) else { return 0 };
        let left = self.0[at].shares.saturating_sub(u64::from(shares));
        if left == 0 {
            self.0.remove(at);
        } else {
            self.0[at].shares = left;
        }
        left
    }
}

/// The levels of one side, best first.
#[derive(Debug)]
pub(super) struct Levels<'a> {
    ladder: &'a Ladder,
    used: u64,
    far: Rev<slice::Iter<'a, Level>>,
}

impl Iterator for Levels<'_> {
    type Item = (u32, u64);

    fn next(&mut self) -> Option<(u32, u64)> {
        match self.used.checked_ilog2() {
            Some(place) => {
                self.used &= !(1 << place);
                let key = self.ladder.base + place * self.ladder.step();
                Some((key, self.ladder.near_at(place).into()))
            }
            None => self.far.next().map(|level| (level.key, level.shares)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.used.count_ones() as usize + self.far.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Levels<'_> {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Prices of a side: mostly within some ticks of a middle that moves, some far away, some
    /// between two ticks, and so many shares at times that a place cannot hold them.
    fn steps() -> impl Strategy<Value = Vec<(u32, u32, bool)>> {
        let price = prop_oneof![
            20 => (0u32..40).prop_map(|ticks| 500_000 + ticks * 100),
            10 => (0u32..400).prop_map(|ticks| 480_000 + ticks * 100),
            2 => (0u32..3_000).prop_map(|ticks| ticks * 100),
            2 => Just(u32::MAX / 100 * 100),
        ];
        let odd = prop_oneof![4 => price.clone(), 1 => 490_000u32..510_000, 1 => any::<u32>()];
        let shares = prop_oneof![20 => 1u32..300, 1 => Just(u32::MAX)];
        let step = |price| (price, shares.clone(), prop::bool::weighted(0.55));
        prop_oneof![
            3 => prop::collection::vec(step(price.boxed()), 0..400),
            1 => prop::collection::vec(step(odd.boxed()), 0..400),
        ]
    }

    proptest! {
        #[test]
        fn a_ladder_is_a_sorted_map(steps in steps(), bids in any::<bool>()) {
            let (mut ladder, mut map) = (Ladder::default(), BTreeMap::<u32, u64>::new());
            for (price, shares, add) in steps {
                let key = if bids { price } else { !price };
                let held = map.get(&key).copied().unwrap_or_default();
                if add {
                    map.insert(key, held + u64::from(shares));
                    prop_assert_eq!(ladder.grow(key, price, shares), held + u64::from(shares));
                } else if let Some((&key, &held)) = map.range(key..).next() {
                    let less = u64::from(shares).min(held) as u32;
                    let left = held - u64::from(less);
                    if left == 0 { map.remove(&key) } else { map.insert(key, left) };
                    prop_assert_eq!(ladder.shrink(key, less), left);
                }
                let best = map.last_key_value().map(|(key, shares)| (*key, *shares));
                prop_assert_eq!((ladder.levels().next(), ladder.levels().len()), (best, map.len()));
            }
            let all: Vec<_> = map.into_iter().rev().collect();
            prop_assert_eq!(ladder.levels().len(), all.len());
            prop_assert_eq!(ladder.levels().collect::<Vec<_>>(), all);
        }
    }
}
