//! Encoding an event as a whole frame, beside plain serializers on an equal struct without frame.

use benches::fixtures::{NOW, opaque, quote, trade};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use serde::Serialize;
use wire::message::{EventHead, append_event};
use wire::{Codec, Payload};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

const CODECS: [Codec; 2] = [Codec::Json, Codec::MessagePack];

fn encode(bencher: Bencher<'_, '_>, codec: Codec, payload: &Payload) {
    let head = EventHead { topic: "trade.sim.BTC-USD", seq: 125, from: 125, published: NOW };
    let mut buffer = Vec::with_capacity(1024);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        buffer.clear();
        append_event(codec, &mut buffer, black_box(head), black_box(payload));
        buffer.len()
    });
}

#[divan::bench(args = CODECS, sample_size = 200)]
fn trade_event(bencher: Bencher<'_, '_>, codec: Codec) {
    encode(bencher, codec, &trade());
}

#[divan::bench(args = CODECS, sample_size = 200)]
fn quote_event(bencher: Bencher<'_, '_>, codec: Codec) {
    encode(bencher, codec, &quote(1));
}

#[divan::bench(args = CODECS, sample_size = 200)]
fn opaque_event(bencher: Bencher<'_, '_>, codec: Codec) {
    encode(bencher, codec, &opaque(128));
}

/// The trade as most would write it: texts that are there already, nothing left to format.
#[derive(Serialize)]
struct PlainEvent<'a> {
    op: &'a str,
    topic: &'a str,
    seq: u64,
    ts: &'a str,
    data: PlainTrade<'a>,
}

#[derive(Serialize)]
struct PlainTrade<'a> {
    price: &'a str,
    size: &'a str,
    side: &'a str,
    trade_id: &'a str,
    ts_event: &'a str,
    ts_recv: &'a str,
}

const PLAIN: PlainEvent<'_> = PlainEvent {
    op: "event",
    topic: "trade.sim.BTC-USD",
    seq: 125,
    ts: "1790000000000000000",
    data: PlainTrade {
        price: "64000.10",
        size: "0.25000000",
        side: "buy",
        trade_id: "991234567",
        ts_event: "1789999999995000000",
        ts_recv: "1790000000000000000",
    },
};

#[divan::bench(sample_size = 200)]
fn trade_with_serde_json_to_vec(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(1usize)).bench(|| serde_json::to_vec(black_box(&PLAIN)));
}

#[divan::bench(sample_size = 200)]
fn trade_with_rmp_serde_to_vec_named(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(1usize)).bench(|| rmp_serde::to_vec_named(black_box(&PLAIN)));
}
