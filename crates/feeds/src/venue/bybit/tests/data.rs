//! Trades and tickers.

use market::{Aggressor, Event, Flags};

use super::*;

#[test]
fn each_trade_of_a_message_with_the_side_that_took() {
    let mut rig = Rig::new(Market::Linear, &["ABCUSDT"]);
    rig.text(
        r#"{"topic":"publicTrade.ABCUSDT","type":"snapshot","ts":1790000000500,"data":[
        {"T":1790000000480,"s":"ABCUSDT","S":"Sell","v":"0.40","p":"20.10","L":"MinusTick","i":"0b5c6a3e-5d61-5b8c-9d1a-1d7f3a3b9c11","BT":true,"RPI":true,"seq":7100},
        {"i":"2290000000000000007","T":1790000000481,"p":"20.05","v":"7","S":"Buy","seq":7101,"s":"ABCUSDT","BT":false,"RPI":false}]}"#,
    );
    let events = rig.events();
    let trades: Vec<_> = events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Trade(trade) => Some(trade),
            _ => None,
        })
        .collect();
    assert_eq!(trades.len(), 2);
    assert_eq!(trades[0].side, Aggressor::Sell);
    assert_eq!(
        (trades[0].price.to_string(), trades[0].size.to_string()),
        ("20.10".into(), "0.40".into())
    );
    assert_eq!(&*trades[0].trade_id, "0b5c6a3e-5d61-5b8c-9d1a-1d7f3a3b9c11");
    assert_eq!((trades[1].side, &*trades[1].trade_id), (Aggressor::Buy, "2290000000000000007"));
    assert_eq!(trades[1].stamps.event, Some(1_790_000_000_481_000_000));
    assert_eq!(trades[1].stamps.sequence, Some(7_101));
    assert_eq!(rig.symbol().counts.trades, 2);
    assert_eq!(rig.adapter.desk.counts.frames, 1);
}

#[test]
fn a_time_that_cannot_be_is_said_to_be_bad() {
    let mut rig = Rig::new(Market::Spot, &["ABCUSDT"]);
    for (id, time) in ["0", "12", "99999999999999999"].into_iter().enumerate() {
        rig.text(&format!(
            r#"{{"topic":"publicTrade.ABCUSDT","type":"snapshot","ts":1,"data":[{{"T":{time},"S":"Buy","v":"1","p":"2","i":"{id}"}}]}}"#
        ));
        let Some((_, Event::Trade(trade))) = rig.events().pop() else { panic!("no trade") };
        assert_eq!((trade.stamps.event, trade.stamps.flags), (None, Flags::BAD_TIMESTAMP));
    }
}

#[test]
fn linear_tickers_are_merged_and_spot_tickers_tell_no_quote() {
    let mut rig = Rig::new(Market::Linear, &["ABCUSDT"]);
    let quotes = |rig: &mut Rig| -> Vec<String> {
        let text = |(_, event)| match event {
            Event::Quote(Quote { bid, ask, .. }) => Some(
                [bid, ask]
                    .map(|side| side.map_or("-".into(), |s| format!("{}x{}", s.price, s.size)))
                    .join(" "),
            ),
            _ => None,
        };
        rig.events().into_iter().filter_map(text).collect()
    };
    // A change without the whole is not enough.
    rig.text(&ticker("delta", 9, r#","ask1Price":"20.30","ask1Size":"1""#));
    assert!(quotes(&mut rig).is_empty());
    let whole = r#","bid1Price":"20.10","bid1Size":"4","ask1Price":"20.20","ask1Size":"6""#;
    rig.text(&ticker("snapshot", 10, whole));
    rig.text(&ticker("delta", 11, r#","ask1Price":"20.19","ask1Size":"2""#));
    rig.text(&ticker("delta", 12, r#","markPrice":"20.14""#));
    rig.text(&ticker("delta", 13, r#","bid1Size":"5""#));
    assert_eq!(quotes(&mut rig), ["20.10x4 20.20x6", "20.10x4 20.19x2", "20.10x5 20.19x2"]);
    // Told in the wrong order: the earlier one comes too late.
    rig.text(&ticker("delta", 12, r#","bid1Size":"1""#));
    assert!(quotes(&mut rig).is_empty());
    assert_eq!(rig.symbol().counts.stale, 1);
    rig.text(&ticker("delta", 14, r#","bid1Price":"","bid1Size":"""#));
    rig.text(&ticker("delta", 15, r#","ask1Size":"0""#));
    assert_eq!(quotes(&mut rig), ["- 20.19x2", "- -"]);
    // A whole ticker leaves nothing of the former.
    rig.text(&ticker("snapshot", 16, r#","bid1Price":"20.10","bid1Size":"4""#));
    rig.text(&ticker("delta", 17, r#","bid1Size":"5""#));
    assert!(quotes(&mut rig).is_empty());
    rig.text(&ticker("delta", 18, r#","ask1Price":"20.20","ask1Size":"6""#));
    assert_eq!(quotes(&mut rig), ["20.10x5 20.20x6"]);
    // Another connection knows nothing of it.
    rig.input(Input::Disconnected { reason: "test" });
    rig.input(Input::Connected);
    rig.text(&ticker("delta", 19, r#","bid1Price":"20.11","bid1Size":"1""#));
    assert!(quotes(&mut rig).is_empty());

    let mut rig = Rig::new(Market::Spot, &["ABCUSDT"]);
    rig.text(&ticker("snapshot", 10, r#","volume24h":"100""#));
    assert_eq!(rig.topics(), ["status.bybit"]);
    assert_eq!(rig.adapter.desk.counts.unknown, 0);
}

#[test]
fn a_ticker_that_cannot_be_read_is_had_anew() {
    let mut rig = Rig::live(Market::Linear);
    rig.now += 2 * SECOND;
    let whole = r#","bid1Price":"20.10","bid1Size":"4","ask1Price":"20.20","ask1Size":"6""#;
    rig.text(&ticker("snapshot", 10, whole));
    rig.text(&ticker("delta", 11, r#","bid1Price":true"#));
    let sent = rig.sent();
    assert_eq!(sent[0], r#"{"op":"unsubscribe","args":["tickers.ABCUSDT"]}"#);
    assert_eq!(sent[1], r#"{"req_id":"2","op":"subscribe","args":["tickers.ABCUSDT"]}"#);
    rig.events();
    rig.text(&ticker("delta", 12, r#","bid1Size":"5""#));
    assert!(rig.topics().is_empty());
    rig.text(&ticker("snapshot", 13, whole));
    assert_eq!(rig.topics(), ["quote.bybit.ABC-USDT-PERP"]);
    // The book does not suffer from it.
    assert_eq!(rig.symbol().state(), BookState::Verified);
}
