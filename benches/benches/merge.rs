//! Merging for those that are not in step: many events given as one.

use benches::fixtures::{World, bar, book, diff, opaque, quote, status};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use market::{BookDiff, merge_diffs};
use wire::{Codec, Payload};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

const EVENTS: usize = 1_000;

/// A thousand book diffs of six levels folded into one.
#[divan::bench]
fn merge_of_1000_book_diffs(bencher: Bencher<'_, '_>) {
    let diffs: Vec<BookDiff> = (0..EVENTS as i64).map(|number| diff(number, 3)).collect();
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| merge_diffs(black_box(&diffs)));
}

fn merged_frame(bencher: Bencher<'_, '_>, name: &str, payload: impl Fn(i64) -> Payload) {
    let world = World::new(1_024);
    for number in 0..=EVENTS as i64 {
        world.publish(name, payload(number));
    }
    let topic = world.topic(name);
    let mut buffer = Vec::with_capacity(64 << 10);
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        buffer.clear();
        topic.log().append_merged(&topic, 2, Codec::Json, topics::Form::Event, &mut buffer)
    });
}

/// The same out of a topic's history, encoded and framed.
#[divan::bench]
fn merged_frame_of_1000_book_diffs(bencher: Bencher<'_, '_>) {
    merged_frame(bencher, "book.sim.A", book);
}

/// Each kind of which the latest counts: a thousand given as that one, encoded and framed.
/// Trades, and generic events elsewhere, are never merged.
#[divan::bench(
    args = ["quote.sim.A", "bar-1s.sim.A", "status.sim", "state.room"],
    sample_size = 200
)]
fn merged_frame_of_1000_of_which_the_latest_counts(bencher: Bencher<'_, '_>, name: &str) {
    merged_frame(bencher, name, |number| match name.split(['.', '-']).next() {
        Some("quote") => quote(number),
        Some("bar") => bar(number),
        Some("status") => status(number),
        _ => opaque(128),
    });
}
