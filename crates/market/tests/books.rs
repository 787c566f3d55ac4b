//! Books and their merging, against a naive model and against checksums computed by hand.

#![expect(clippy::unwrap_used, reason = "a test's own literals parse")]

use std::collections::BTreeMap;

use market::{Book, BookDiff, BookError, BookSide, Decimal, Level, merge_diffs};
use proptest::prelude::*;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn level(price: &str, size: &str) -> Level {
    Level { price: decimal(price), size: decimal(size) }
}

fn diff(bids: &[(&str, &str)], asks: &[(&str, &str)]) -> BookDiff {
    let levels = |side: &[(&str, &str)]| side.iter().map(|(p, s)| level(p, s)).collect();
    BookDiff { bids: levels(bids), asks: levels(asks), ..BookDiff::default() }
}

#[test]
fn the_checksum_is_over_asks_then_bids_without_points_and_leading_zeros() {
    let mut book = Book::default();
    let mut first =
        diff(&[("0.05000", "0.00000500"), ("0.04995", "1.0")], &[("0.05005", "0.00000500")]);
    book.apply(&mut first, 100).unwrap();
    let written = crc32fast::hash(concat!("5005", "500", "5000", "500", "4995", "10").as_bytes());
    assert_eq!(book.checksum(), written);
}

#[test]
fn only_ten_levels_of_a_side_count() {
    let mut book = Book::default();
    for n in 0..12 {
        let price = (100 + n).to_string();
        book.apply(&mut diff(&[], &[(&price, "1")]), 100).unwrap();
    }
    let before = book.checksum();
    book.apply(&mut diff(&[], &[("111", "5")]), 100).unwrap();
    assert_eq!(book.checksum(), before);
    book.apply(&mut diff(&[], &[("109", "5")]), 100).unwrap();
    assert_ne!(book.checksum(), before);
}

#[test]
fn prices_of_one_book_are_written_at_one_scale() {
    let mut book = Book::default();
    book.apply(&mut diff(&[("100.50", "1")], &[]), 100).unwrap();
    let mut later = diff(&[("100.5", "0.000"), ("99", "2")], &[]);
    book.apply(&mut later, 100).unwrap();
    assert_eq!(later.bids[0].price.to_string(), "100.50");
    assert_eq!(later.bids[0].size.to_string(), "0");
    assert_eq!(book.best(BookSide::Bid).unwrap().price.to_string(), "99.00");
}

#[test]
fn a_refused_diff_changes_nothing() {
    let mut book = Book::default();
    book.apply(&mut diff(&[("1", "1"), ("2", "1")], &[]), 2).unwrap();
    let checksum = book.checksum();
    let error = book.apply(&mut diff(&[("1", "7"), ("3", "1")], &[]), 2).unwrap_err();
    assert_eq!(error, BookError::TooManyLevels { max: 2 });
    let negative = book.apply(&mut diff(&[("1", "-7")], &[]), 2).unwrap_err();
    assert_eq!(negative, BookError::NegativeSize { price: decimal("1") });
    assert_eq!((book.checksum(), book.len()), (checksum, 2));
    book.apply(&mut diff(&[("1", "0"), ("3", "1")], &[]), 2).unwrap();
    assert_eq!(book.len(), 2);
}

fn any_diff() -> impl Strategy<Value = BookDiff> {
    let levels = || {
        prop::collection::vec((90i64..110, 0i64..4), 0..6).prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(price, size)| Level {
                    price: Decimal::new(price, 1).unwrap(),
                    size: Decimal::new(size, 0).unwrap(),
                })
                .collect::<Vec<_>>()
        })
    };
    (levels(), levels(), prop::bool::weighted(0.05)).prop_map(|(bids, asks, reset)| BookDiff {
        reset,
        bids,
        asks,
        ..BookDiff::default()
    })
}

/// Prices that are equal at other scales, or too long for 64 bits.
fn any_price() -> impl Strategy<Value = Decimal> {
    let written = |range: std::ops::Range<i64>, scale| {
        range.prop_map(move |mantissa| Decimal::new(mantissa, scale).unwrap())
    };
    prop_oneof![
        written(-2..3, 0),
        written(-20..30, 1),
        written(-200..300, 2),
        written(1..3, 28),
        (1..3).prop_map(|last| decimal(&format!("1234567890123456789012345.{last}"))),
    ]
}

fn diff_of_any_prices() -> impl Strategy<Value = BookDiff> {
    let levels = || {
        let size = (0i64..4).prop_map(|size| Decimal::new(size, 0).unwrap());
        let level = (any_price(), size).prop_map(|(price, size)| Level { price, size });
        prop::collection::vec(level, 0..20)
    };
    (levels(), levels(), prop::bool::weighted(0.1)).prop_map(|(bids, asks, reset)| BookDiff {
        reset,
        bids,
        asks,
        ..BookDiff::default()
    })
}

type Sides = [BTreeMap<Decimal, Decimal>; 2];

fn naive(diffs: &[BookDiff]) -> Sides {
    let mut sides = Sides::default();
    for diff in diffs {
        if diff.reset {
            sides = Sides::default();
        }
        for (side, levels) in sides.iter_mut().zip([&diff.bids, &diff.asks]) {
            for level in levels {
                side.insert(level.price, level.size);
                side.retain(|_, size| !size.is_zero());
            }
        }
    }
    sides
}

fn held(book: &Book) -> Sides {
    [BookSide::Bid, BookSide::Ask]
        .map(|side| book.levels(side).map(|l| (l.price, l.size)).collect())
}

proptest! {
    #[test]
    fn a_book_equals_the_naive_one(mut diffs in prop::collection::vec(any_diff(), 0..40)) {
        let mut book = Book::default();
        for diff in &mut diffs {
            book.apply(diff, 1_000).unwrap();
        }
        prop_assert_eq!(held(&book), naive(&diffs));
        prop_assert!(book.levels(BookSide::Bid).is_sorted_by(|a, b| a.price > b.price));
        prop_assert!(book.levels(BookSide::Ask).is_sorted_by(|a, b| a.price < b.price));
    }

    #[test]
    fn many_levels_at_once_do_what_one_after_the_other_does(
        before in prop::collection::vec((0i64..150, 0i64..3), 0..150),
        at_once in prop::collection::vec((0i64..150, 0i64..3), 0..150),
        order in 0..3,
        reset: bool,
    ) {
        let level = |&(price, size): &(i64, i64)| Level {
            price: Decimal::new(price, 1).unwrap(),
            size: Decimal::new(size, 0).unwrap(),
        };
        let mut at_once: Vec<Level> = at_once.iter().map(level).collect();
        match order {
            0 => at_once.sort_by_key(|level| level.price),
            1 => at_once.sort_by_key(|level| std::cmp::Reverse(level.price)),
            _ => {}
        }
        let mut one_by_one = Book::default();
        for level in before.iter().map(level) {
            let (bids, asks) = (vec![level], vec![level]);
            one_by_one.apply(&mut BookDiff { bids, asks, ..BookDiff::default() }, 1_000).unwrap();
        }
        let mut whole = one_by_one.clone();
        if reset {
            one_by_one = Book::default();
        }
        let mut unknown = 0;
        for level in &at_once {
            let (bids, asks) = (vec![*level], vec![*level]);
            let mut diff = BookDiff { bids, asks, ..BookDiff::default() };
            unknown += one_by_one.apply(&mut diff, 1_000).unwrap().deletes_unknown;
        }
        let (bids, asks) = (at_once.clone(), at_once);
        let mut diff = BookDiff { reset, bids, asks, ..BookDiff::default() };
        prop_assert_eq!(whole.apply(&mut diff, 1_000).unwrap().deletes_unknown, unknown);
        for side in [BookSide::Bid, BookSide::Ask] {
            prop_assert!(whole.levels(side).eq(one_by_one.levels(side)));
        }
    }

    #[test]
    fn one_merged_diff_leads_to_the_same_book(
        mut diffs in prop::collection::vec(any_diff(), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut step_by_step = Book::default();
        for diff in &mut diffs {
            step_by_step.apply(diff, 1_000).unwrap();
        }
        let cut = cut.index(diffs.len());
        let mut merged_at_once = Book::default();
        for diff in &mut diffs[..cut] {
            merged_at_once.apply(diff, 1_000).unwrap();
        }
        let mut merged = merge_diffs(&diffs[cut..]).unwrap();
        merged_at_once.apply(&mut merged, 1_000).unwrap();
        prop_assert_eq!(held(&merged_at_once), held(&step_by_step));
        prop_assert_eq!(merged_at_once.checksum(), step_by_step.checksum());
    }

    #[test]
    fn merged_is_the_last_word_on_each_price_however_it_was_written(
        diffs in prop::collection::vec(diff_of_any_prices(), 1..20),
    ) {
        let mut expected = Sides::default();
        for diff in &diffs {
            if diff.reset {
                expected = Sides::default();
            }
            for (side, levels) in expected.iter_mut().zip([&diff.bids, &diff.asks]) {
                side.extend(levels.iter().map(|level| (level.price, level.size)));
            }
        }
        let merged = merge_diffs(&diffs).unwrap();
        prop_assert_eq!(merged.reset, diffs.iter().any(|diff| diff.reset));
        if merged.reset {
            expected.iter_mut().for_each(|side| side.retain(|_, size| !size.is_zero()));
        }
        prop_assert!(merged.bids.is_sorted_by(|a, b| a.price > b.price));
        prop_assert!(merged.asks.is_sorted_by(|a, b| a.price < b.price));
        let held: Sides = [&merged.bids, &merged.asks]
            .map(|side| side.iter().map(|level| (level.price, level.size)).collect());
        prop_assert_eq!(held, expected);
    }
}
