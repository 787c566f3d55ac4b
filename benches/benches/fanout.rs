//! The fan-out turn and the resume, into sockets that take everything; allocations are counted.

use std::cell::RefCell;

use benches::fixtures::{World, crowd, opaque, quote};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use mimalloc::MiMalloc;
use wire::Codec;

#[global_allocator]
static ALLOCATOR: AllocProfiler<MiMalloc> = AllocProfiler::new(MiMalloc);

fn main() {
    divan::main();
}

const SUBSCRIBERS: usize = 1_000;

/// What one turn costs, in items that are subscribers: all in step, so many events at once.
/// Publishing is not part of it, encoding is.
#[divan::bench(args = [1, 16], sample_size = 1, sample_count = 1000)]
fn turn_for_each_subscriber(bencher: Bencher<'_, '_>, events: usize) {
    let mut world = World::new(1_024);
    for _ in 0..SUBSCRIBERS {
        world.subscriber(Codec::Json, "chat.room");
    }
    let payload = opaque(128);
    let world = RefCell::new(world);
    bencher
        .counter(ItemsCount::new(SUBSCRIBERS))
        .with_inputs(|| {
            for _ in 0..events {
                world.borrow().publish("chat.room", payload.clone());
            }
        })
        .bench_local_values(|()| world.borrow_mut().turn());
}

/// The same, a hundred of a thousand subscribers each on one of ten topics that all moved.
#[divan::bench(sample_size = 1, sample_count = 1000)]
fn turn_of_ten_topics(bencher: Bencher<'_, '_>) {
    let mut world = World::new(1_024);
    for index in 0..SUBSCRIBERS {
        world.subscriber(Codec::Json, &format!("chat.room{}", index % 10));
    }
    let payload = opaque(128);
    let world = RefCell::new(world);
    bencher
        .counter(ItemsCount::new(SUBSCRIBERS))
        .with_inputs(|| {
            for room in 0..10 {
                world.borrow().publish(&format!("chat.room{room}"), payload.clone());
            }
        })
        .bench_local_values(|()| world.borrow_mut().turn());
}

/// One publish with one subscriber through one pattern, published and written.
#[divan::bench(args = [(100, 10), (100_000, 10_000)], sample_size = 100)]
fn publish_with_one_match(bencher: Bencher<'_, '_>, (topics, patterns): (usize, usize)) {
    let mut world = crowd(topics, patterns);
    let mut number = 0;
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        number += 1;
        world.publish("quote.v7.s3", quote(number));
        world.turn()
    });
}

/// A client returns and gets 10,000 events that it missed, in as many turns as that takes.
#[divan::bench(sample_size = 1, sample_count = 50)]
fn resume_of_10000_events(bencher: Bencher<'_, '_>) {
    const MISSED: usize = 10_000;
    let world = World::new(MISSED);
    let payload = opaque(128);
    for _ in 0..MISSED {
        world.publish("chat.room", payload.clone());
    }
    let world = RefCell::new(world);
    bencher
        .counter(ItemsCount::new(MISSED))
        .with_inputs(|| world.borrow_mut().returning(Codec::Json, "chat.room", 0))
        .bench_local_values(|id| {
            let world = &mut *world.borrow_mut();
            let mut bytes = world.turn();
            while world.hub.has_work() {
                bytes += world.turn();
            }
            assert!(bytes > MISSED * 128, "all of it came");
            world.hub.remove(id);
            world.hub.end_turn();
        });
}
