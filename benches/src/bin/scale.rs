//! `scale`: what a publish costs among 100,000 topics and 10,000 patterns, against 100 and 10.
//!
//! Fails when the cost is more than twice that of the small world. A publish here is all that
//! the broker does for one in user space: the client's command read, the topic found by name, the
//! event numbered and kept, the turn gathered, encoded and drained into the one subscriber whose
//! pattern matches.

use std::process::ExitCode;
use std::time::Instant;

use benches::fixtures::{CROWD_HISTORY, NOW, World};
use benches::report::{Figure, Report, Spread, Verdict};
use benches::system::{self, CpuBooks};
use topics::TopicKind;
use wire::command::Command;
use wire::{Codec, CommandReader, Payload};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SMALL: (usize, usize) = (100, 10);
const LARGE: (usize, usize) = (100_000, 10_000);
const BOUND: f64 = 2.0;

const ROUNDS: usize = 41;
const PUBLISHES: usize = 5_000;

/// Visits topics in no order the caches could guess; prime to both counts.
const STRIDE: usize = 7_919;

/// What is published: the first segment of the topics, and the event's data.
const FEEDS: [(&str, &str); 2] = [
    (
        "quote",
        r#"{"bid_price":"64000.10","bid_size":"1.250000","ask_price":"64000.20","ask_size":"0.5"}"#,
    ),
    ("chat", r#"{"user":"someone","text":"nothing much, and you?","tags":["a","b"]}"#),
];

/// A world with one subscriber for each pattern, and the commands that are published to it.
struct Side {
    world: World,
    reader: CommandReader,
    topics: usize,
    patterns: usize,
    feed: (&'static str, &'static str),
    at: usize,
    /// Commands one after the other, as they come from a socket.
    commands: Vec<u8>,
    ends: Vec<usize>,
}

impl Side {
    fn of((topics, patterns): (usize, usize), feed: (&'static str, &'static str)) -> Self {
        let mut world = World::new(CROWD_HISTORY);
        for pattern in 0..patterns {
            world.subscriber(Codec::Json, &format!("{}.v{pattern}.*", feed.0));
        }
        let (commands, ends) = Default::default();
        let reader = CommandReader::new(1);
        let mut side = Self { world, reader, topics, patterns, feed, at: 0, commands, ends };
        // Until every history is full: from then on a publish frees as much as it takes, and
        // neither world grows while it is measured.
        for _ in 0..=topics * (CROWD_HISTORY + 1) / PUBLISHES {
            side.publish(STRIDE);
        }
        side
    }

    /// Nanoseconds of one publish, `stride` topics on from the last.
    fn publish(&mut self, stride: usize) -> f64 {
        use std::io::Write;
        let (prefix, data) = self.feed;
        self.commands.clear();
        self.ends.clear();
        for _ in 0..PUBLISHES {
            self.at = (self.at + stride) % self.topics;
            let (pattern, number) = (self.at % self.patterns, self.at / self.patterns);
            let topic = format_args!("{prefix}.v{pattern}.s{number}");
            write!(self.commands, r#"{{"op":"publish","topic":"{topic}","data":{data}}}"#)
                .expect("memory takes all");
            self.ends.push(self.commands.len());
        }
        let start = Instant::now();
        let (mut bytes, mut from) = (0, 0);
        for &end in &self.ends {
            let command = &self.commands[from..end];
            self.reader.read(Codec::Json, command, |command| publish(&self.world, command));
            bytes += self.world.turn();
            from = end;
        }
        let spent = start.elapsed();
        assert!(bytes > PUBLISHES * 100, "each publish had its one match");
        spent.as_nanos() as f64 / PUBLISHES as f64
    }
}

/// What a shard of the broker does with the command.
fn publish<E: std::fmt::Debug>(world: &World, command: Result<Command<'_>, E>) {
    let Ok(Command::Publish { topic, data, .. }) = command else {
        panic!("the command is well formed: {command:?}")
    };
    let payload = match TopicKind::of(topic) {
        TopicKind::Market(kind) => data.market(kind, NOW).map(Payload::Market),
        TopicKind::Generic => Ok(Payload::Json(data.opaque())),
    };
    let payload = payload.expect("the data is well formed");
    world.registry.publish(&mut world.topic(topic), payload, NOW).expect("there is room");
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

fn figure(name: &str, [small, large, ratio]: [Spread; 3]) -> Figure {
    Figure::at_most('g', name, BOUND, ratio.median, "×")
        .note(format!("ratio, min / median / max of {ROUNDS} rounds: {ratio}"))
        .note(format!("{} topics, {} patterns, ns a publish: {small}", SMALL.0, SMALL.1))
        .note(format!("{} topics, {} patterns, ns a publish: {large}", LARGE.0, LARGE.1))
}

fn main() -> ExitCode {
    let books = CpuBooks::read();
    let mut figures = Vec::new();
    for feed in FEEDS {
        let (mut small, mut large) = (Side::of(SMALL, feed), Side::of(LARGE, feed));
        for (stride, which) in [(0, "one topic"), (STRIDE, "another topic each time")] {
            let name = format!("publish to {} topics, {which}, large world against small", feed.0);
            figures.push(figure(&name, compare(&mut small, &mut large, stride)));
        }
    }
    let report = Report {
        machine: system::machine(),
        shards: 1,
        stolen_percent: books.and_then(|books| books.stolen_percent_since()).unwrap_or(0.0),
        figures,
    };
    print!("{report}");
    if report.figures.iter().any(|figure| figure.verdict == Verdict::Missed) {
        eprintln!("scale: a publish costs more than {BOUND} times what it costs in a small world");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
