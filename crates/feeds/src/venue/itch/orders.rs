//! Every live order by its number, in a table of which a look-up touches one line of memory as a
//! rule.
//!
//! A bucket is one line: four orders of 16 bytes. Numbers that follow each other lie side by side,
//! and blocks of them are scattered over the table: Nasdaq counts upwards and most changes are of
//! young orders, so what is needed next was mostly touched just before. An order whose bucket is
//! full lies in a later one, and each bucket on its way counts that; so a search knows where to
//! end, and a removal leaves nothing behind.

use std::collections::HashMap;

use market::BookSide;

use super::Order;

/// Bits of a number that an entry has room for. Nasdaq's are far below; others are held elsewhere.
const REFERENCE_BITS: u32 = 40;
const REFERENCE: u64 = (1 << REFERENCE_BITS) - 1;
/// Instead of the number of an order where there is none.
const NONE: u64 = REFERENCE;
const LOCATE_AT: u32 = REFERENCE_BITS;
const SIDE_AT: u32 = LOCATE_AT + 16;
/// Of a bucket's first entry: how many orders that belong here, or came by, lie further on. At its
/// highest it stays until the table grows.
const PASSED_AT: u32 = SIDE_AT + 1;
const PASSED_MAX: u64 = u64::MAX >> PASSED_AT;

/// Orders in a bucket.
const WIDTH: usize = 4;

/// Buckets that a block of neighbouring numbers fills.
const BLOCK: u64 = 16;

/// From a full bucket to where else an order may lie: out of its block, which may be full as a
/// whole. Odd, so that it comes by all of them.
const STEP: usize = BLOCK as usize + 1;

/// One order.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Number, locate and side.
    tag: u64,
    price: u32,
    shares: u32,
}

impl Entry {
    const NONE: Self = Self { tag: NONE, price: 0, shares: 0 };

    #[inline]
    fn order(&self) -> Order {
        Order {
            price: self.price,
            shares: self.shares,
            locate: (self.tag >> LOCATE_AT) as u16,
            side: if self.tag >> SIDE_AT & 1 == 0 { BookSide::Bid } else { BookSide::Ask },
        }
    }

    /// Puts an order here; what the bucket counts stays.
    #[inline]
    fn put(&mut self, reference: u64, order: Order) {
        let side = u64::from(order.side == BookSide::Ask);
        self.tag = (self.tag >> PASSED_AT << PASSED_AT)
            | side << SIDE_AT
            | u64::from(order.locate) << LOCATE_AT
            | reference;
        (self.price, self.shares) = (order.price, order.shares);
    }
}

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Bucket([Entry; WIDTH]);

impl Bucket {
    /// Which of its entries has this number, if any: all are looked at without a branch.
    #[inline]
    fn find(&self, reference: u64) -> Option<usize> {
        let has =
            |entry: usize| u32::from((self.0[entry].tag ^ reference) & REFERENCE == 0) << entry;
        let found = has(0) | has(1) | has(2) | has(3);
        (found != 0).then_some(found.trailing_zeros() as usize)
    }

    #[inline]
    fn passed(&self) -> u64 {
        self.0[0].tag >> PASSED_AT
    }

    #[cold]
    fn one_passed(&mut self) {
        if self.passed() < PASSED_MAX {
            self.0[0].tag += 1 << PASSED_AT;
        }
    }

    #[cold]
    fn one_less(&mut self) {
        if (1..PASSED_MAX).contains(&self.passed()) {
            self.0[0].tag -= 1 << PASSED_AT;
        }
    }
}

/// Where an order is, until anything is put in or removed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In which bucket, and which of its entries.
    Bucket(usize, usize),
    /// Its number does not fit an entry.
    Wide(u64),
}

/// The live orders.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// As many as a power of two, or none.
    buckets: Vec<Bucket>,
    /// How many orders are in buckets.
    held: usize,
    wide: HashMap<u64, Order>,
}

impl Orders {
    pub(super) fn len(&self) -> usize {
        self.held + self.wide.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The bucket that an order belongs in.
    #[inline]
    fn home(&self, reference: u64) -> usize {
        let block = (reference / (BLOCK * WIDTH as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let within = reference / WIDTH as u64 % BLOCK;
        ((block >> 32) * BLOCK + within) as usize & (self.buckets.len().wrapping_sub(1))
    }

    #[inline]
    fn next(&self, bucket: usize) -> usize {
        (bucket + STEP) & (self.buckets.len() - 1)
    }

    /// Where an order is, if it is live.
    #[inline]
    pub(super) fn find(&self, reference: u64) -> Option<Place> {
        if reference >= NONE {
            return self.find_wide(reference);
        }
        let mut at = self.home(reference);
        let mut bucket = self.buckets.get(at)?;
        // Ends for certain, should every bucket have counted as far as it can.
        for _ in 0..self.buckets.len() {
            if let Some(entry) = bucket.find(reference) {
                return Some(Place::Bucket(at, entry));
            }
            if bucket.passed() == 0 {
                return None;
            }
            at = self.next(at);
            bucket = &self.buckets[at];
        }
        None
    }

    #[cold]
    fn find_wide(&self, reference: u64) -> Option<Place> {
        self.wide.contains_key(&reference).then_some(Place::Wide(reference))
    }

    /// The order that is there.
    #[inline]
    pub(super) fn at(&self, place: Place) -> Order {
        match place {
            Place::Bucket(bucket, entry) => self.buckets[bucket].0[entry].order(),
            Place::Wide(reference) => self.wide[&reference],
        }
    }

    /// Leaves an order so many shares, at least one.
    #[inline]
    pub(super) fn set_shares(&mut self, place: Place, shares: u32) {
        match place {
            Place::Bucket(bucket, entry) => self.buckets[bucket].0[entry].shares = shares,
            Place::Wide(reference) => {
                if let Some(order) = self.wide.get_mut(&reference) {
                    order.shares = shares;
                }
            }
        }
    }

    /// Adds an order; false when there is one of that number.
    #[inline]
    pub(super) fn insert(&mut self, reference: u64, order: Order) -> bool {
        if self.find(reference).is_some() {
            return false;
        }
        if reference >= NONE {
            self.wide.insert(reference, order);
            return true;
        }
        // A quarter stays empty.
        if (self.held + 1) * 4 > self.buckets.len() * WIDTH * 3 {
            self.grow();
        }
        self.held += 1;
        self.put(reference, order);
        true
    }

    #[inline]
    fn put(&mut self, reference: u64, order: Order) {
        let mut at = self.home(reference);
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(entry) = bucket.find(NONE) {
                bucket.0[entry].put(reference, order);
                return;
            }
            bucket.one_passed();
            at = self.next(at);
        }
    }

    /// Removes the order that is there.
    #[inline]
    pub(super) fn remove(&mut self, place: Place) {
        match place {
            Place::Bucket(bucket, entry) => {
                self.held -= 1;
                let entry = &mut self.buckets[bucket].0[entry];
                let reference = entry.tag & REFERENCE;
                entry.tag |= NONE;
                let mut at = self.home(reference);
                while at != bucket {
                    self.buckets[at].one_less();
                    at = self.next(at);
                }
            }
            Place::Wide(reference) => drop(self.wide.remove(&reference)),
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let size = (self.buckets.len() * 2).max(BLOCK as usize);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket([Entry::NONE; WIDTH]); size]);
        for entry in
            old.iter().flat_map(|bucket| &bucket.0).filter(|entry| entry.tag & REFERENCE != NONE)
        {
            self.put(entry.tag & REFERENCE, entry.order());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn order(number: u32) -> Order {
        let side = if number.is_multiple_of(3) { BookSide::Ask } else { BookSide::Bid };
        Order { price: number, shares: number % 900 + 1, locate: number as u16, side }
    }

    /// Numbers: neighbours, numbers of one and the same bucket, and numbers beyond an entry.
    fn reference() -> impl Strategy<Value = u64> {
        prop_oneof![
            6 => 0u64..300,
            6 => (0u64..300).prop_map(|number| number << 30),
            1 => REFERENCE - 3..REFERENCE + 3,
            1 => u64::MAX - 3..=u64::MAX,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn orders_are_a_map(
            steps in prop::collection::vec((reference(), any::<u32>(), 0u32..9), 0..900),
        ) {
            let (mut orders, mut map) = (Orders::default(), HashMap::new());
            for (reference, number, what) in steps {
                let place = orders.find(reference);
                let held = place.map(|place| orders.at(place));
                prop_assert_eq!(held, map.get(&reference).copied());
                match (what, place) {
                    (0..3, Some(place)) => {
                        orders.remove(place);
                        map.remove(&reference);
                    }
                    (3, Some(place)) => {
                        orders.set_shares(place, 7);
                        map.entry(reference).and_modify(|order| order.shares = 7);
                    }
                    _ => {
                        prop_assert_eq!(orders.insert(reference, order(number)), held.is_none());
                        map.entry(reference).or_insert(order(number));
                    }
                }
                prop_assert_eq!(orders.len(), map.len());
            }
            for (reference, order) in &map {
                let place = orders.find(*reference);
                prop_assert_eq!(place.map(|place| orders.at(place)), Some(*order));
            }
            for reference in map.into_keys() {
                let place = orders.find(reference);
                orders.remove(place.expect("it was found before"));
                prop_assert!(orders.find(reference).is_none());
            }
            prop_assert_eq!(orders.len(), 0);
            // A removal leaves nothing behind, unless a bucket counted as far as it can.
            prop_assert!(orders.buckets.iter().all(|bucket| bucket.passed() == 0));
        }
    }
}
