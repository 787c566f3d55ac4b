//! Matching a topic's name against all patterns, which happens when a topic is first seen.

use divan::{Bencher, black_box};
use topics::{Pattern, PatternIndex, TopicName};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

const COUNTS: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// A third each with a `*` at the end, a `*` in the middle, and a `>`.
fn pattern(number: usize) -> Pattern {
    let text = match number % 3 {
        0 => format!("quote.v{number}.*"),
        1 => format!("quote.*.s{number}"),
        _ => format!("quote.v{number}.>"),
    };
    Pattern::parse(&text).expect("the pattern is well formed")
}

fn index(count: usize) -> PatternIndex<usize> {
    let mut index = PatternIndex::default();
    for number in 0..count {
        index.get_or_insert_with(&pattern(number), || number);
    }
    index
}

fn name(text: &str) -> TopicName {
    TopicName::parse(text).expect("the name is well formed")
}

/// Two patterns of all match.
#[divan::bench(args = COUNTS)]
fn two_matches(bencher: Bencher<'_, '_>, count: usize) {
    let index = index(count);
    let name = name("quote.v3.s1");
    bencher.bench(|| {
        let mut found = 0;
        index.for_each_match(black_box(&name), |_| found += 1);
        found
    });
}

/// None matches.
#[divan::bench(args = COUNTS)]
fn no_match(bencher: Bencher<'_, '_>, count: usize) {
    let index = index(count);
    let name = name("trade.v3.s1");
    bencher.bench(|| {
        let mut found = 0;
        index.for_each_match(black_box(&name), |_| found += 1);
        found
    });
}

/// What the index saves: all patterns one by one.
#[divan::bench(args = COUNTS)]
fn one_by_one(bencher: Bencher<'_, '_>, count: usize) {
    let patterns: Vec<Pattern> = (0..count).map(pattern).collect();
    let name = name("quote.v3.s1");
    bencher.bench(|| patterns.iter().filter(|pattern| pattern.matches(black_box(&name))).count());
}
