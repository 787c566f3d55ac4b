//! What each fault does to the bytes, message by message against the same run without it.

use exchange::{Effect, Fault, FaultPlan, GAP_MESSAGES, Options, Venue};
use serde_json::Value;

use crate::client::Client;

/// Subscribes to the book, the executions and the quotes of the first symbol.
pub(crate) fn subscribe_all(venue: Venue) -> Vec<String> {
    let symbol = venue.native("BTC-USD");
    match venue {
        Venue::Binance => {
            let name = symbol.to_lowercase();
            vec![format!(
                r#"{{"method":"SUBSCRIBE","params":["{name}@depth@100ms","{name}@trade","{name}@bookTicker"],"id":1}}"#
            )]
        }
        Venue::Coinbase => ["level2", "market_trades", "ticker", "heartbeats"]
            .map(|channel| {
                format!(r#"{{"type":"subscribe","product_ids":["{symbol}"],"channel":"{channel}"}}"#)
            })
            .to_vec(),
        Venue::Kraken => ["book", "trade", "ticker"]
            .map(|channel| {
                format!(
                    r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":["{symbol}"]}}}}"#
                )
            })
            .to_vec(),
        Venue::Okx => ["books", "trades", "tickers"]
            .map(|channel| {
                format!(r#"{{"op":"subscribe","args":[{{"channel":"{channel}","instId":"{symbol}"}}]}}"#)
            })
            .to_vec(),
        Venue::Bybit => vec![format!(
            r#"{{"op":"subscribe","args":["orderbook.50.{symbol}","publicTrade.{symbol}","tickers.{symbol}"]}}"#
        )],
    }
}

/// What reaches a client that subscribes after two seconds, and the client.
fn played(venue: Venue, plan: FaultPlan) -> (Vec<Effect>, Client) {
    let options = Options { faults: plan, ..Options::new(venue) };
    let mut client = Client::connect(options, venue.websocket_path());
    client.run(2000);
    for command in subscribe_all(venue) {
        client.send(&command);
    }
    client.run(4000);
    let effects =
        std::mem::take(&mut client.deliveries).into_iter().map(|delivery| delivery.effect);
    (effects.collect(), client)
}

/// Those that strike the stream there.
fn on_stream(venue: Venue) -> impl Iterator<Item = Fault> {
    Fault::ALL
        .into_iter()
        .filter(move |fault| fault.applies_to(venue) && !fault.strikes_rest(venue))
}

fn json(effect: &Effect) -> Option<Value> {
    match effect {
        Effect::Text(text) => serde_json::from_slice(text).ok(),
        _ => None,
    }
}

#[test]
fn a_fault_changes_what_it_says_and_nothing_else() {
    for venue in Venue::ALL {
        let (right, _) = played(venue, FaultPlan::none());
        for fault in on_stream(venue) {
            let (wrong, client) = played(venue, FaultPlan::none().with_strike(fault, 12));
            // A snapshot is the first message of all, and Bybit's may come anew.
            let told = if fault == Fault::StaleSnapshot {
                let (wrong, client) = played(venue, FaultPlan::none().with_strike(fault, 1));
                check(venue, fault, &right, &wrong);
                client
            } else {
                check(venue, fault, &right, &wrong);
                client
            };
            let context = format!("{fault} at {venue}");
            assert_eq!(told.exchange.faults().of(fault), 1, "{context}");
            assert_eq!(told.exchange.faults().total(), 1, "{context}");
            let strikes = told.exchange.strikes();
            assert_eq!((strikes.len(), strikes[0].fault), (1, fault), "{context}");
        }
    }
}

fn check(venue: Venue, fault: Fault, right: &[Effect], wrong: &[Effect]) {
    let context = format!("{fault} at {venue}");
    let same = right.iter().zip(wrong).take_while(|(right, wrong)| right == wrong).count();
    assert!(same < right.len(), "{context}: nothing changed");
    let (right, wrong) = (&right[same..], &wrong[same..]);
    match fault {
        Fault::Drop => assert!(right[1..] == *wrong, "{context}"),
        // The second of the two is what differs first.
        Fault::Double => assert!(right[..] == wrong[1..], "{context}"),
        Fault::Swap => {
            assert!(right[0] == wrong[1] && right[1] == wrong[0], "{context}");
            assert!(right[2..] == wrong[2..], "{context}");
        }
        Fault::Gap => {
            assert_eq!(wrong.len() + GAP_MESSAGES as usize, right.len(), "{context}");
            let mut left = right.iter();
            assert!(wrong.iter().all(|kept| left.any(|sent| sent == kept)), "{context}");
        }
        Fault::WrongChecksum | Fault::FieldType | Fault::StaleSnapshot => {
            assert_eq!(wrong.len(), right.len(), "{context}");
            assert!(right[1..] == wrong[1..], "{context}");
            assert!(json(&wrong[0]).is_some(), "{context}: still a message");
        }
        Fault::Garbage => {
            assert!(right[1..] == wrong[1..], "{context}");
            assert!(json(&wrong[0]).is_none(), "{context}");
        }
        Fault::Silence => assert_eq!(wrong, [Effect::Silence], "{context}"),
        Fault::Cut => {
            assert!(matches!(wrong, [Effect::Close { code: 1001, .. }]), "{context}");
        }
        Fault::CutMidFrame => {
            let [Effect::CutMidFrame { message, sent }] = wrong else { panic!("{context}") };
            assert!(*sent < message.len(), "{context}");
            assert!(right[0] == Effect::Text(message.clone()), "{context}");
        }
        Fault::Rest429 | Fault::Rest5xx | Fault::RestSlow => unreachable!("not on the stream"),
    }
}

#[test]
fn an_outdated_snapshot_has_an_outdated_number() {
    for (venue, key) in [(Venue::Okx, "seqId"), (Venue::Bybit, "u")] {
        let number = |effects: &[Effect]| {
            effects.iter().filter_map(json).find_map(|message| {
                message["data"][key].as_u64().or_else(|| message["data"][0][key].as_u64())
            })
        };
        let (right, _) = played(venue, FaultPlan::none());
        let plan = FaultPlan::none().with_strike(Fault::StaleSnapshot, 1);
        let (wrong, _) = played(venue, plan);
        assert!(number(&wrong) < number(&right), "{venue}");
    }
}

#[test]
fn rest_fails_as_it_is_told_to() {
    let plan = FaultPlan::none()
        .with_strike(Fault::Rest429, 1)
        .with_strike(Fault::Rest5xx, 2)
        .with_strike(Fault::RestSlow, 3)
        .with_strike(Fault::StaleSnapshot, 4);
    let options = Options { faults: plan, ..Options::new(Venue::Binance) };
    let mut client = Client::connect(options, "/ws");
    client.run(5000);
    let mut get = || client.exchange.request("/api/v3/depth?symbol=BTCUSDT&limit=5000", client.now);
    let replies: Vec<_> = (0..5).map(|_| get()).collect();
    let told: Vec<_> = replies.iter().map(|reply| (reply.status, reply.delay > 0)).collect();
    let expected = [(429, false), (503, false), (200, true), (200, false), (200, false)];
    assert_eq!(told, expected);
    assert_eq!(replies[0].retry_after, Some(1));
    let number =
        |body: &str| serde_json::from_str::<Value>(body).unwrap()["lastUpdateId"].as_u64().unwrap();
    assert!(number(&replies[3].body) < number(&replies[4].body));
    assert_eq!(client.exchange.faults().total(), 4);
}

#[test]
fn a_rate_strikes_about_as_often_as_it_says() {
    let (_, client) = played(Venue::Kraken, FaultPlan::none().with_rate(Fault::Drop, 250_000));
    let (messages, dropped) =
        (client.exchange.messages(), client.exchange.faults().of(Fault::Drop));
    assert!(messages > 150, "{messages}");
    assert!((messages / 6..messages / 3).contains(&dropped), "{dropped} of {messages}");
}

#[test]
fn a_lifetime_ends_every_connection() {
    let options = Options { lifetime: Some(1_500_000_000), ..Options::new(Venue::Bybit) };
    let mut client = Client::connect(options, "/v5/public/linear");
    client.run(3000);
    assert!(matches!(client.deliveries.last().unwrap().effect, Effect::Close { code: 1001, .. }));
    assert_eq!(client.exchange.connections(), 0);
    assert_eq!(client.exchange.faults().of(Fault::Cut), 1);
}

#[test]
fn what_does_not_apply_is_refused() {
    let plan = FaultPlan::none().with_rate(Fault::Rest429, 1);
    let options = Options { faults: plan, ..Options::new(Venue::Okx) };
    let refused = exchange::Exchange::new(options, 0).unwrap_err();
    assert_eq!(refused.to_string(), "rest-429 does not apply to okx");
}
