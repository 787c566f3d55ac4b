//! Both codecs say the same: market events field by field, opaque JSON digit for digit.

#![expect(clippy::unwrap_used, reason = "a test's own literals parse")]

mod support;

use market::{
    Aggressor, Bar, BookDiff, Decimal, Event, Flags, Level, Quote, QuoteSide, Stamps, Status,
    Trade, VenueState,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{message, payload};
use wire::command::Command;
use wire::message::{EventHead, SnapshotHead};
use wire::{Codec, CommandReader, JsonText, Payload};

fn decimals() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0u32..19).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

fn stamps() -> impl Strategy<Value = Stamps> {
    let flags = prop::collection::vec(prop::sample::select(&Flags::ALL[1..]), 0..3);
    let flags =
        flags.prop_map(|flags| flags.iter().fold(Flags::none(), |all, flag| all.with(flag.0)));
    (any::<Option<u64>>(), any::<u64>(), any::<Option<u64>>(), flags)
        .prop_map(|(event, received, sequence, flags)| Stamps { event, received, sequence, flags })
}

fn levels() -> impl Strategy<Value = Vec<Level>> {
    let level = (decimals(), decimals()).prop_map(|(price, size)| Level { price, size });
    prop::collection::vec(level, 0..12)
}

fn events() -> impl Strategy<Value = Event> {
    let side = || {
        prop::option::of((decimals(), decimals()))
            .prop_map(|side| side.map(|(price, size)| QuoteSide { price, size }))
    };
    let aggressor = prop::sample::select(vec![Aggressor::Buy, Aggressor::Sell, Aggressor::Unknown]);
    let prices = [decimals(), decimals(), decimals(), decimals(), decimals()];
    prop_oneof![
        (decimals(), decimals(), aggressor, ".{0,40}", stamps()).prop_map(
            |(price, size, side, id, stamps)| Event::Trade(Trade {
                price,
                size,
                side,
                trade_id: id.into(),
                stamps
            })
        ),
        (side(), side(), stamps()).prop_map(|(bid, ask, stamps)| Event::Quote(Quote {
            bid,
            ask,
            stamps
        })),
        (any::<bool>(), levels(), levels(), stamps()).prop_map(|(reset, bids, asks, stamps)| {
            Event::Book(BookDiff { reset, bids, asks, stamps })
        }),
        (prices, any::<[u64; 2]>(), stamps()).prop_map(
            |([open, high, low, close, volume], [start, trades], stamps)| Event::Bar(Bar {
                start,
                open,
                high,
                low,
                close,
                volume,
                trades,
                stamps
            })
        ),
        (prop::sample::select(VenueState::ALL.to_vec()), ".{0,40}", stamps()).prop_map(
            |(state, reason, stamps)| Event::Status(Status {
                state,
                reason: reason.into(),
                stamps
            })
        ),
    ]
}

fn encode(codec: Codec, payload: &Payload, from: u64, seq: u64) -> Vec<u8> {
    let mut frame = Vec::new();
    let head = EventHead { topic: "a\"é.b", seq, from, published: u64::MAX };
    wire::message::append_event(codec, &mut frame, head, payload);
    frame
}

/// Stamps are integers in MessagePack, strings in JSON; else the two must be equal.
fn stamps_as_text(value: &mut Value, names: &[&str]) {
    for name in names {
        if let Some(stamp) = value.get_mut(*name) {
            *stamp = Value::String(stamp.as_u64().expect("an integer").to_string());
        }
    }
}

fn text(decimal: Decimal) -> Value {
    json!(decimal.to_string())
}

fn expected_levels(levels: &[Level]) -> Value {
    levels.iter().map(|level| json!([text(level.price), text(level.size)])).collect()
}

fn expected(event: &Event) -> Value {
    match event {
        Event::Trade(trade) => json!({"price": text(trade.price), "size": text(trade.size),
            "side": trade.side.as_str(), "trade_id": trade.trade_id.as_str()}),
        Event::Quote(quote) => json!({
            "bid_price": quote.bid.map(|side| text(side.price)),
            "bid_size": quote.bid.map(|side| text(side.size)),
            "ask_price": quote.ask.map(|side| text(side.price)),
            "ask_size": quote.ask.map(|side| text(side.size))}),
        Event::Book(diff) => {
            json!({"bids": expected_levels(&diff.bids), "asks": expected_levels(&diff.asks)})
        }
        Event::Bar(bar) => json!({"start": bar.start.to_string(), "open": text(bar.open),
            "high": text(bar.high), "low": text(bar.low), "close": text(bar.close),
            "volume": text(bar.volume), "trades": bar.trades}),
        Event::Status(status) => json!({"state": status.state.as_str(), "reason": status.reason}),
    }
}

proptest! {
    #[test]
    fn any_market_event_says_the_same_in_both_codecs(
        event in events(),
        checksum in any::<u32>(),
        (from, more) in (1u64..1_000, 0u64..3),
    ) {
        let mut data = expected(&event);
        let stamps = event.stamps();
        data["ts_recv"] = json!(stamps.received.to_string());
        if let Some(time) = stamps.event {
            data["ts_event"] = json!(time.to_string());
        }
        if let Some(sequence) = stamps.sequence {
            data["venue_seq"] = json!(sequence.to_string());
        }
        if !stamps.flags.is_empty() {
            data["flags"] = stamps.flags.names().collect();
        }
        let payload = match event {
            Event::Book(diff) => {
                if diff.reset {
                    data["reset"] = json!(true);
                }
                data["checksum"] = json!(checksum);
                Payload::Book(diff, checksum)
            }
            other => Payload::Market(other),
        };
        let seq = from + more;
        let mut whole = json!({"op": "event", "topic": "a\"é.b", "seq": seq,
            "ts": u64::MAX.to_string(), "data": data});
        if more > 0 {
            whole["from"] = json!(from);
            whole["merged"] = json!(more + 1);
        }
        let json = message(Codec::Json, &encode(Codec::Json, &payload, from, seq));
        prop_assert_eq!(&json, &whole);
        let mut packed = message(Codec::MessagePack, &encode(Codec::MessagePack, &payload, from, seq));
        stamps_as_text(&mut packed, &["ts"]);
        stamps_as_text(&mut packed["data"], &["ts_event", "ts_recv", "start"]);
        prop_assert_eq!(&packed, &whole);
    }

    #[test]
    fn any_json_is_the_same_through_both_codecs_in_both_directions(value in any_json()) {
        let command = json!({"op": "publish", "topic": "x", "data": value});
        let packed = rmp_serde::to_vec_named(&command).unwrap();
        let inputs = [(Codec::Json, command.to_string().into_bytes()), (Codec::MessagePack, packed)];
        for (codec, input) in inputs {
            let text = opaque(codec, &input).unwrap();
            for out in Codec::ALL {
                let told = message(out, &encode(out, &Payload::Json(text.clone()), 1, 1));
                prop_assert_eq!(&told["data"], &value, "in {:?}, out {:?}", codec, out);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Any text of a number reads the same in every parser as long as it is short.
        (-1_000_000i32..1_000_000).prop_map(|n| json!(f64::from(n) / 8.0)),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(".{0,8}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The opaque data of a publish command.
fn opaque(codec: Codec, command: &[u8]) -> Result<JsonText, String> {
    CommandReader::new(1).read(codec, command, |command| match command {
        Ok(Command::Publish { data, .. }) => Ok(data.opaque()),
        Ok(other) => panic!("{other:?}"),
        Err(bad) => Err(bad.rejection.message),
    })
}

fn opaque_json(data: &str) -> Result<JsonText, String> {
    let command = format!("{{\"op\":\"publish\",\"topic\":\"x\",\"data\":{data}}}");
    opaque(Codec::Json, command.as_bytes())
}

fn snapshot(codec: Codec, payload: &Payload) -> Vec<u8> {
    let mut frame = Vec::new();
    let head = SnapshotHead { topic: "x", epoch: 9, seq: 3, published: 5 };
    wire::message::append_snapshot(codec, &mut frame, head, payload);
    frame
}

#[test]
fn opaque_numbers_keep_every_digit_in_json() {
    for data in [
        "18446744073709551615",
        "-9223372036854775808",
        "1.10",
        "1e3",
        "-0.0",
        "0.1000000000000000055511151231257827",
        "[1.10,{\"a\":1e3,\"b\":[\"1.10\",\"\\u00e9\\\"\"]}]",
    ] {
        let payload_in = Payload::Json(opaque_json(data).unwrap());
        let event = encode(Codec::Json, &payload_in, 1, 1);
        let told = std::str::from_utf8(payload(&event)).unwrap().to_owned();
        assert!(told.ends_with(&format!("\"data\":{data}}}")), "{told}");
        let state = snapshot(Codec::Json, &payload_in);
        let told = std::str::from_utf8(payload(&state)).unwrap().to_owned();
        let whole = format!(
            "{{\"op\":\"snapshot\",\"topic\":\"x\",\"epoch\":\"9\",\"seq\":3,\"ts\":\"5\",\"data\":{data}}}"
        );
        assert_eq!(told, whole);
    }
}

#[test]
fn whole_numbers_of_64_bits_survive_in_messagepack() {
    for (data, value) in
        [("18446744073709551615", json!(u64::MAX)), ("-9223372036854775808", json!(i64::MIN))]
    {
        let payload = Payload::Json(opaque_json(data).unwrap());
        let frames =
            [encode(Codec::MessagePack, &payload, 1, 1), snapshot(Codec::MessagePack, &payload)];
        for frame in frames {
            assert_eq!(message(Codec::MessagePack, &frame)["data"], value);
        }
    }
}

#[test]
fn deep_nesting_passes_or_is_refused_and_never_panics() {
    for (depth, passes) in [(100, true), (129, true), (500, true), (2_000, false)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let data = [&open.repeat(depth), "1", &close.repeat(depth)].concat();
            match opaque_json(&data) {
                Ok(text) => {
                    assert!(passes, "{depth}");
                    let payload_in = Payload::Json(text);
                    let frames = Codec::ALL.map(|codec| (codec, encode(codec, &payload_in, 1, 1)));
                    let [json, packed] = frames.map(|(codec, frame)| message(codec, &frame));
                    assert_eq!(json["data"], packed["data"]);
                    let state = snapshot(Codec::MessagePack, &payload_in);
                    assert_eq!(message(Codec::MessagePack, &state)["data"], json["data"]);
                }
                Err(message) => assert!(!passes && message.contains("Depth"), "{depth}: {message}"),
            }
        }
    }
}

#[test]
fn a_break_in_the_venues_stream_is_told_by_a_gap_before_the_event_and_loses_nothing_of_ours() {
    let stamps = Stamps { flags: Flags::GAP_BEFORE, ..Stamps::default() };
    let diff = BookDiff { reset: true, stamps, ..BookDiff::default() };
    let (mut alone, mut both) = (Vec::new(), Vec::new());
    wire::message::append_upstream_gap(Codec::Json, &mut alone, "book.v.X", 7);
    let gap = message(Codec::Json, &alone);
    assert_eq!(
        gap,
        json!({"op": "gap", "topic": "book.v.X", "from": 7, "to": 6, "reason": "upstream"})
    );
    let head = EventHead { topic: "book.v.X", seq: 9, from: 7, published: 1 };
    wire::message::append_event(Codec::Json, &mut both, head, &Payload::Book(diff, 0));
    assert_eq!(both[..alone.len()], alone, "the gap stands first");
    let event = message(Codec::Json, &both[alone.len()..]);
    assert_eq!((&event["seq"], &event["data"]["flags"]), (&json!(9), &json!(["gap_before"])));
}
