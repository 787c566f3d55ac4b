//! Reading a client's command, beside serde_json on the same text.

use benches::fixtures::{PUBLISH, SUBSCRIBE};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde::Deserialize;
use serde_json::value::RawValue;
use wire::{Codec, Command, CommandReader};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

fn read(bencher: Bencher<'_, '_>, text: &str) {
    let mut reader = CommandReader::new(1_000);
    bencher.counter(BytesCount::of_str(text)).bench_local(|| {
        reader.read(Codec::Json, black_box(text.as_bytes()), |command| match command {
            // Kept as the broker keeps it.
            Ok(Command::Publish { data, .. }) => data.opaque().as_str().len(),
            Ok(Command::Subscribe(subscribe)) => subscribe.topics.len(),
            other => panic!("it is a good command: {other:?}"),
        })
    });
}

#[divan::bench(sample_size = 200)]
fn subscribe(bencher: Bencher<'_, '_>) {
    read(bencher, SUBSCRIBE);
}

#[divan::bench(sample_size = 200)]
fn publish(bencher: Bencher<'_, '_>) {
    read(bencher, PUBLISH);
}

/// Every field that a command may have, as most would read it.
#[derive(Debug, Deserialize)]
struct Plain<'a> {
    op: &'a str,
    id: Option<u64>,
    topic: Option<&'a str>,
    topics: Option<Vec<String>>,
    max_rate: Option<f64>,
    on_slow: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn read_plainly(bencher: Bencher<'_, '_>, text: &str) {
    bencher.counter(BytesCount::of_str(text)).bench(|| {
        let plain: Plain<'_> =
            serde_json::from_slice(black_box(text.as_bytes())).expect("it is a good command");
        let Plain { op, id, topic, topics, max_rate, on_slow, data } = plain;
        let data: Option<Box<str>> = data.map(|data| data.get().into());
        black_box((op.len(), id, topic.map(str::len), max_rate, on_slow.map(str::len)));
        (topics, data)
    });
}

#[divan::bench(sample_size = 200)]
fn subscribe_with_serde_json(bencher: Bencher<'_, '_>) {
    read_plainly(bencher, SUBSCRIBE);
}

#[divan::bench(sample_size = 200)]
fn publish_with_serde_json(bencher: Bencher<'_, '_>) {
    read_plainly(bencher, PUBLISH);
}
