//! Publishing into the registry: numbering, history, telling the shard; nobody is written to.

use benches::fixtures::{World, book, names, opaque, quote};
use divan::Bencher;
use divan::counter::ItemsCount;
use wire::Payload;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// A stride that visits topics in no order the caches could guess; prime to all counts used.
const STRIDE: usize = 7_919;

fn worlds(topics: usize) -> (World, Vec<String>) {
    let world = World::new(16);
    let names: Vec<String> = names(topics, 1).collect();
    for name in &names {
        for number in 0..16 {
            world.publish(name, quote(number));
        }
    }
    (world, names)
}

/// By name, as a client's command does: look-up and publish.
#[divan::bench(args = [1, 100, 100_000], sample_size = 200)]
fn publish_by_name(bencher: Bencher<'_, '_>, topics: usize) {
    let (world, names) = worlds(topics);
    let mut at = 0;
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        at = (at + STRIDE) % topics;
        world.publish(&names[at], quote(at as i64));
    });
}

/// To a topic at hand, as a feed does.
#[divan::bench(args = [1, 100, 100_000], sample_size = 200)]
fn publish_to_topic(bencher: Bencher<'_, '_>, topics: usize) {
    let (world, names) = worlds(topics);
    let mut handles: Vec<_> = names.iter().map(|name| world.topic(name)).collect();
    let mut at = 0;
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        at = (at + STRIDE) % topics;
        world.registry.publish(&mut handles[at], quote(at as i64), benches::fixtures::NOW)
    });
}

fn publish_again(bencher: Bencher<'_, '_>, name: &str, payload: impl Fn(i64) -> Payload) {
    let world = World::new(1_024);
    let mut number = 0;
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        number += 1;
        world.publish(name, payload(number));
    });
}

/// A book diff of six levels: applied to the book, and the checksum computed.
#[divan::bench(sample_size = 200)]
fn publish_book_diff(bencher: Bencher<'_, '_>) {
    publish_again(bencher, "book.sim.A", book);
}

/// 128 bytes of opaque JSON.
#[divan::bench(sample_size = 200)]
fn publish_opaque(bencher: Bencher<'_, '_>) {
    let payload = opaque(128);
    publish_again(bencher, "chat.room", |_| payload.clone());
}
