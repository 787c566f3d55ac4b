//! What a message of Bybit costs in memory, and what the topics made of it do: nothing but the
//! event itself.

use feeds::adapter::{DeskOptions, Input, Output};
use feeds::derive::{Consolidator, Derive, DeriveOptions};
use feeds::venue::Venue;

const START: u64 = 1_790_000_000_000_000_000;

/// Allocations of `turns` messages, each through the adapter and all that is made of it, after
/// one that fills what is kept.
fn allocations(message: &str, turns: u64) -> u64 {
    let options = DeskOptions {
        venue: "x".into(),
        symbols: vec!["ABCUSDT".into()],
        ..DeskOptions::default()
    };
    let mut adapter = Venue::BybitLinear.adapter(options);
    let mut derive = Derive::new("x", DeriveOptions::default());
    let mut all = Consolidator::new(10);
    let member = all.join("x");
    let (mut out, mut derived, mut best) = (Output::default(), Vec::new(), Vec::new());
    let mut turn = |now: u64| {
        adapter.handle(Input::Text(message.as_bytes()), now, &mut out);
        let channels = adapter.desk().channels();
        for update in out.updates.drain(..) {
            derive.update(channels, &update, &mut derived);
            all.update(member, &channels[update.channel].topic, &update.event, &mut best);
        }
        assert!(out.actions.is_empty());
        derived.clear();
        best.clear();
    };
    turn(START);
    allocation_counter::measure(|| (0..turns).for_each(|_| turn(START))).count_total
}

#[test]
fn a_quote_allocates_nothing() {
    let message = r#"{"topic":"tickers.ABCUSDT","type":"snapshot","data":{"symbol":"ABCUSDT","bid1Price":"20.10","bid1Size":"4","ask1Price":"20.20","ask1Size":"6"},"cs":7,"ts":1790000000000}"#;
    assert_eq!(allocations(message, 100), 0);
}

#[test]
fn a_trade_allocates_nothing_but_its_id() {
    let message = r#"{"topic":"publicTrade.ABCUSDT","type":"snapshot","ts":1790000000000,"data":[{"T":1790000000000,"s":"ABCUSDT","S":"Sell","v":"0.4","p":"20.10","i":"0b5c6a3e","seq":7},{"T":1790000000000,"s":"ABCUSDT","S":"Buy","v":"0.4","p":"20.20","i":"0b5c6a3f","seq":7}]}"#;
    assert_eq!(allocations(message, 100), 200);
}
