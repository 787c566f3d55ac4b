//! What the tests are told with: brokers, clients, bytes, and the books of clients.

mod book;
mod broker;
mod client;
mod follower;
mod process;
mod raw;
pub(crate) mod soup;
mod venue;

pub(crate) use book::ClientBook;
pub(crate) use broker::{Answer, Broker, ask};
pub(crate) use client::Client;
pub(crate) use follower::Follower;
pub(crate) use process::{Tickwire, run, run_with_input, spawn};
pub(crate) use raw::{BINARY, CLOSE, PING, PONG, Raw, TEXT, frame, frame_head};
pub(crate) use venue::{RULES, ScriptedVenue};

use std::time::Duration;

use serde_json::{Value, json};

/// Far longer than anything here takes; what has not come by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What comes of `future`, which is `what` to whoever reads the failure.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("within {PATIENCE:?} there was no {what}"),
    }
}

/// The beginning of a message, for the text of a failure.
pub(crate) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Data of a topic, for each number different.
pub(crate) type Data = fn(u64) -> Value;

/// The data of a trade.
pub(crate) fn trade(number: u64) -> Value {
    json!({"price": format!("{}.50", 100 + number), "size": "0.25", "side": "buy",
           "trade_id": number.to_string(), "ts_event": "1790000000000000001"})
}

/// The data of a quote.
pub(crate) fn quote(number: u64) -> Value {
    json!({"bid_price": format!("{number}.10"), "bid_size": "1", "ask_price":
           format!("{number}.20"), "ask_size": "2.5"})
}

/// The data of a book event that moves levels around: what is set, changed and removed depends on
/// `number` alone. The first ones bring levels that stay, so that a diff is shorter than the book.
pub(crate) fn book(number: u64) -> Value {
    let moving = |base: u64, step: u64| {
        let price = format!("{}.{:02}", base + number * step % 9, number % 2 * 50);
        let size = if number.is_multiple_of(3) {
            "0".to_owned()
        } else {
            format!("0.0{}", number % 9 + 1)
        };
        json!([price, size])
    };
    let side = |base: u64, step: u64, far: u64| {
        let staying =
            (0..40).filter(|_| number <= 1).map(|n| json!([format!("{}.00", far + n), "3"]));
        let changing = json!([format!("{far}.00"), format!("{number}.5")]);
        staying.chain([moving(base, step), changing]).collect::<Vec<_>>()
    };
    json!({"bids": side(80, 5, 10), "asks": side(101, 2, 200)})
}

/// The data of a bar.
pub(crate) fn bar(number: u64) -> Value {
    json!({"start": "1790000000000000000", "open": "1", "high": "2.5", "low": "0.5",
           "close": number.to_string(), "volume": "10", "trades": number})
}

/// Data of about `bytes` bytes for a generic topic.
pub(crate) fn bulk(number: u64, bytes: usize) -> Value {
    json!({"n": number, "filling": "x".repeat(bytes)})
}
