//! `scale`: what a publish costs among 100,000 topics and 10,000 patterns, against 100 and 10.
//!
//! Fails when the cost is more than twice that of the small world. A publish here is all of it:
//! the topic found by name, numbered and kept, the turn gathered, encoded and drained into the
//! one subscriber whose pattern matches.

use std::process::ExitCode;
use std::time::Instant;

use benches::fixtures::{CROWD_HISTORY, World, crowd, names, quote};
use benches::report::{Figure, Report, Spread, Verdict};
use benches::system::{self, CpuBooks};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SMALL: (usize, usize) = (100, 10);
const LARGE: (usize, usize) = (100_000, 10_000);
const BOUND: f64 = 2.0;

const ROUNDS: usize = 41;
const PUBLISHES: usize = 5_000;

/// Visits topics in no order the caches could guess; prime to both counts.
const STRIDE: usize = 7_919;

/// A world and its topics' names.
struct Side {
    world: World,
    names: Vec<String>,
    at: usize,
}

impl Side {
    fn of((topics, patterns): (usize, usize)) -> Self {
        let names = names(topics, patterns).collect();
        let mut side = Self { world: crowd(topics, patterns), names, at: 0 };
        // Until every history is full: from then on a publish frees as much as it takes, and
        // neither world grows while it is measured.
        for _ in 0..=topics * CROWD_HISTORY / PUBLISHES {
            side.publish(STRIDE);
        }
        side
    }

    /// Nanoseconds of one publish, `stride` topics on from the last.
    fn publish(&mut self, stride: usize) -> f64 {
        let start = Instant::now();
        let mut bytes = 0;
        for number in 0..PUBLISHES {
            self.at = (self.at + stride) % self.names.len();
            self.world.publish(&self.names[self.at], quote(number as i64));
            bytes += self.world.turn();
        }
        assert!(bytes > PUBLISHES * 100, "each publish had its one match");
        start.elapsed().as_nanos() as f64 / PUBLISHES as f64
    }
}

fn compare(small: &mut Side, large: &mut Side, stride: usize) -> [Spread; 3] {
    let (mut smalls, mut larges, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (a, b) = (small.publish(stride), large.publish(stride));
        smalls.push(a);
        larges.push(b);
        ratios.push(b / a);
    }
    [Spread::of(smalls), Spread::of(larges), Spread::of(ratios)]
}

fn told(figure: Figure, [small, large, ratio]: [Spread; 3]) -> Figure {
    figure
        .note(format!("ratio, min / median / max of {ROUNDS} rounds: {ratio}"))
        .note(format!("{} topics, {} patterns, ns a publish: {small}", SMALL.0, SMALL.1))
        .note(format!("{} topics, {} patterns, ns a publish: {large}", LARGE.0, LARGE.1))
}

fn main() -> ExitCode {
    let books = CpuBooks::read();
    let (mut small, mut large) = (Side::of(SMALL), Side::of(LARGE));
    let same = compare(&mut small, &mut large, 0);
    let any = compare(&mut small, &mut large, STRIDE);
    let name = "publish into 100,000 topics and 10,000 patterns, one match, against 100 and 10";
    let judged = Figure::at_most('g', name, BOUND, same[2].median, "×");
    let cold = Figure::told('g', "the same, each publish to another topic", any[2].median, "×")
        .note(
            "not judged: the topics of the small world fit the caches, those of the large do not",
        );
    let report = Report {
        machine: system::machine(),
        shards: 1,
        stolen_percent: books.and_then(|books| books.stolen_percent_since()).unwrap_or(0.0),
        figures: vec![told(judged, same), told(cold, any)],
    };
    print!("{report}");
    if report.figures.iter().any(|figure| figure.verdict == Verdict::Missed) {
        eprintln!("scale: a publish costs more than {BOUND} times what it costs in a small world");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
