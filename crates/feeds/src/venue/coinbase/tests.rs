//! Coinbase's rules, one by one, on messages in its shape with numbers of our own.

mod any;
mod requests;

use market::{Aggressor, BookSide, Event, Flags, Quote, VenueState};

use super::*;
use crate::Update;
use crate::adapter::Action;

const T0: Nanos = 1_790_000_000_000_000_000;

/// An adapter, its time, and what it numbers its messages with.
struct Line {
    adapter: Coinbase,
    now: Nanos,
    next: u64,
    updates: Vec<Update>,
    sent: Vec<serde_json::Value>,
    reconnects: Vec<String>,
    reports: Vec<String>,
    wake_at: Option<Nanos>,
}

impl Line {
    fn of(options: DeskOptions) -> Self {
        Self {
            adapter: Coinbase::new(DeskOptions { venue: "coinbase".into(), ..options }),
            now: T0,
            next: 0,
            updates: Vec::new(),
            sent: Vec::new(),
            reconnects: Vec::new(),
            reports: Vec::new(),
            wake_at: None,
        }
    }

    /// Connected, for BTC-USD and ETH-USD.
    fn open() -> Self {
        let symbols = vec!["BTC-USD".to_owned(), "ETH-USD".to_owned()];
        let mut line = Self::of(DeskOptions { symbols, ..DeskOptions::default() });
        line.input(Input::Connected);
        line
    }

    fn input(&mut self, input: Input<'_>) -> &mut Self {
        if matches!(input, Input::Connected) {
            self.next = 0;
        }
        let mut out = Output::default();
        self.adapter.handle(input, self.now, &mut out);
        self.updates.append(&mut out.updates);
        self.wake_at = [self.wake_at, out.wake_at].into_iter().flatten().min();
        for action in out.actions {
            match action {
                Action::Send(text) => self.sent.push(serde_json::from_str(&text).unwrap()),
                Action::Reconnect { reason } => self.reconnects.push(reason),
                Action::Report(text) => self.reports.push(text),
                other => panic!("{other:?}"),
            }
        }
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.input(Input::Text(text.as_bytes()))
    }

    /// A message of a channel with the number that is due.
    fn message(&mut self, channel: &str, events: &str) -> &mut Self {
        let text = envelope(channel, self.next, events);
        self.next += 1;
        self.text(&text)
    }

    fn book(&mut self, kind: &str, product: &str, levels: &[(&str, &str, &str)]) -> &mut Self {
        let event = book(kind, product, levels);
        self.message("l2_data", &event)
    }

    /// Snapshots of both books.
    fn live(&mut self) -> &mut Self {
        self.book("snapshot", "BTC-USD", &BTC).book("snapshot", "ETH-USD", &ETH)
    }

    fn acknowledge(&mut self, subscriptions: &str) -> &mut Self {
        self.message("subscriptions", &format!(r#"[{{"subscriptions":{subscriptions}}}]"#))
    }

    /// Lets the time pass until it wants to be woken.
    fn wake(&mut self) -> &mut Self {
        self.now = self.wake_at.take().unwrap();
        self.input(Input::Timer)
    }

    fn state(&self, symbol: usize) -> BookState {
        self.adapter.desk().symbols().nth(symbol).unwrap().1.state()
    }

    fn counts(&self, symbol: usize) -> crate::adapter::SymbolCounts {
        self.adapter.desk().symbols().nth(symbol).unwrap().1.counts
    }

    fn best(&self, symbol: u32) -> [Option<String>; 2] {
        [BookSide::Bid, BookSide::Ask].map(|side| {
            let level = self.adapter.desk().best(SymbolId(symbol), side)?;
            Some(format!("{} {}", level.price, level.size))
        })
    }

    /// The trades so far: id, side and whether some are missing before it.
    fn trades(&self) -> Vec<(String, Aggressor, bool)> {
        let trades = self.updates.iter().filter_map(|update| match &update.event {
            Event::Trade(trade) => Some(trade),
            _ => None,
        });
        trades
            .map(|trade| {
                let gap = trade.stamps.flags.has(Flags::GAP_BEFORE);
                (trade.trade_id.to_string(), trade.side, gap)
            })
            .collect()
    }

    /// The states of one topic so far.
    fn states(&self, topic: &str) -> Vec<VenueState> {
        let channels = self.adapter.desk().channels();
        let of_topic = self.updates.iter().filter(|update| channels[update.channel].topic == topic);
        of_topic
            .filter_map(|update| match &update.event {
                Event::Status(status) => Some(status.state),
                _ => None,
            })
            .collect()
    }
}

fn envelope(channel: &str, sequence: u64, events: &str) -> String {
    format!(
        r#"{{"channel":"{channel}","timestamp":"2026-09-21T14:13:20.5Z","sequence_num":{sequence},"events":{events}}}"#
    )
}

fn book(kind: &str, product: &str, levels: &[(&str, &str, &str)]) -> String {
    let levels: Vec<String> = levels
        .iter()
        .map(|(side, price, size)| {
            format!(
                r#"{{"side":"{side}","event_time":"2026-09-21T14:13:20.25Z","price_level":"{price}","new_quantity":"{size}"}}"#
            )
        })
        .collect();
    let levels = levels.join(",");
    format!(r#"[{{"type":"{kind}","product_id":"{product}","updates":[{levels}]}}]"#)
}

const BTC: [(&str, &str, &str); 4] = [
    ("bid", "64000.5", "0.25"),
    ("bid", "63999.99", "1"),
    ("offer", "64000.51", "2"),
    ("offer", "64001", "0.00000001"),
];

const ETH: [(&str, &str, &str); 2] = [("bid", "1900.1", "5"), ("offer", "1900.2", "6")];

fn trade(product: &str, id: u64, side: &str) -> String {
    format!(
        r#"{{"product_id":"{product}","trade_id":"{id}","price":"64000.5","size":"0.001","time":"2026-09-21T14:13:19.123456Z","side":"{side}"}}"#
    )
}

/// A message of `market_trades`; the venue writes the newest first.
fn trades(kind: &str, product: &str, ids: std::ops::RangeInclusive<u64>) -> String {
    let trades: Vec<String> = ids.rev().map(|id| trade(product, id, "SELL")).collect();
    format!(r#"[{{"type":"{kind}","trades":[{}]}}]"#, trades.join(","))
}

#[test]
fn a_book_is_its_snapshot_and_all_updates() {
    let mut line = Line::open();
    line.live().book(
        "update",
        "BTC-USD",
        &[("bid", "64000.5", "0"), ("offer", "64000.51", "1.5"), ("bid", "1", "0")],
    );
    line.book("update", "BTC-USD", &[]);
    assert_eq!(line.best(0), [Some("63999.99 1".into()), Some("64000.51 1.5".into())]);
    assert_eq!(line.state(0), BookState::Verified);
    let counts = line.counts(0);
    assert_eq!((counts.book_events, counts.snapshots, counts.deletes_unknown), (3, 1, 1));
    let Some(Update { event: Event::Book(diff), .. }) = line.updates.last() else { panic!() };
    assert_eq!(diff.stamps.event, Some(T0 + 250_000_000), "when it happened, not when it was sent");
    assert_eq!((diff.stamps.sequence, diff.stamps.received), (Some(2), T0));
    assert!(diff.stamps.flags.is_empty());
}

#[test]
fn fields_may_come_in_any_order_with_spaces_and_others_among_them() {
    let mut line = Line::open();
    line.text(
        r#" { "events" : [ { "updates" : [ { "new_quantity" : "1" , "price_level":"10","x":[{}],"event_time":"2026-09-21T14:13:20Z","side":"bid" },
        {"side":"offer","event_time":"0001-01-01T00:00:00Z","price_level":"11","new_quantity":"2","y":null} ],
        "product_id" : "BTC-USD", "type":"snapshot" } ], "client_id":"", "sequence_num": 7,
        "channel":"l2_data", "timestamp":"2026-09-21T14:13:20Z" } "#,
    );
    assert_eq!(line.best(0), [Some("10 1".into()), Some("11 2".into())]);
    let Some(Update { event: Event::Book(diff), .. }) = line.updates.last() else { panic!() };
    assert_eq!((diff.stamps.sequence, diff.stamps.event), (Some(7), None));
    assert!(diff.stamps.flags.has(Flags::BAD_TIMESTAMP));
    assert_eq!(line.adapter.desk().counts.malformed, 0);
}

#[test]
fn the_side_of_a_trade_is_turned_around() {
    let mut line = Line::open();
    let events = format!(
        r#"[{{"type":"update","trades":[{},{},{}]}}]"#,
        trade("BTC-USD", 12, "BUY"),
        trade("BTC-USD", 11, "SELL"),
        trade("BTC-USD", 10, "UNKNOWN_ORDER_SIDE"),
    );
    line.message("market_trades", &events);
    let expected = [("10", Aggressor::Unknown), ("11", Aggressor::Buy), ("12", Aggressor::Sell)];
    assert_eq!(line.trades(), expected.map(|(id, side)| (id.to_owned(), side, false)));
}

#[test]
fn trades_of_a_snapshot_are_never_published_twice_and_fill_what_was_missed() {
    let ids =
        |line: &Line| line.trades().into_iter().map(|(id, _, gap)| (id.parse().unwrap(), gap));
    let mut line = Line::open();
    line.message("market_trades", &trades("snapshot", "BTC-USD", 100..=103));
    // The stream may repeat what the snapshot had.
    line.message("market_trades", &trades("update", "BTC-USD", 103..=104));
    line.input(Input::Disconnected { reason: "cut" }).input(Input::Connected);
    line.message("market_trades", &trades("snapshot", "BTC-USD", 102..=106));
    line.message("market_trades", &trades("update", "BTC-USD", 107..=107));
    let expected: Vec<(u64, bool)> = (100..=107).map(|id| (id, false)).collect();
    assert!(ids(&line).eq(expected), "{:?}", line.trades());

    // This one does not reach back.
    line.input(Input::Disconnected { reason: "cut" }).input(Input::Connected);
    line.message("market_trades", &trades("snapshot", "BTC-USD", 200..=201));
    let last: Vec<(u64, bool)> = ids(&line).skip(8).collect();
    assert_eq!(last, [(200, true), (201, false)]);
}

#[test]
fn trades_of_two_products_in_one_message_come_oldest_first_each() {
    let mut line = Line::open();
    let (btc, eth) =
        (trades("snapshot", "BTC-USD", 900..=901), trades("snapshot", "ETH-USD", 5..=6));
    let both = format!("{},{}", eth.trim_end_matches(']'), btc.trim_start_matches('['));
    let both = both.replace(r#"SELL"}},"#, r#"SELL"}]},"#);
    line.message("market_trades", &format!("{}]}}]", both.trim_end_matches("]}]")));
    let ids: Vec<String> = line.trades().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, ["900", "901", "5", "6"], "{:?}", line.reports);
}

#[test]
fn a_ticker_is_a_quote_and_a_side_without_orders_is_none() {
    let mut line = Line::open();
    let ticker = |sides: &str| {
        format!(
            r#"[{{"type":"update","tickers":[{{"type":"ticker","product_id":"BTC-USD","price":"1",{sides}}}]}}]"#
        )
    };
    line.message(
        "ticker",
        &ticker(r#""best_bid":"64000","best_bid_quantity":"0.5","best_ask":"64000.01","best_ask_quantity":"2""#),
    );
    line.message(
        "ticker_batch",
        &ticker(r#""best_bid":"","best_bid_quantity":"","best_ask":"0","best_ask_quantity":"0""#),
    );
    let quotes: Vec<&Quote> = line
        .updates
        .iter()
        .filter_map(|update| match &update.event {
            Event::Quote(quote) => Some(quote),
            _ => None,
        })
        .collect();
    assert_eq!(quotes[0].bid.unwrap().price.to_string(), "64000");
    assert_eq!(quotes[0].ask.unwrap().size.to_string(), "2");
    assert_eq!(quotes[0].stamps.event, Some(T0 + 500_000_000));
    assert_eq!((quotes[1].bid, quotes[1].ask), (None, None));
    assert_eq!(line.counts(0).quotes, 2);
}

#[test]
fn a_missing_number_ends_the_trust_in_all_books_and_the_connection() {
    let mut line = Line::open();
    line.live();
    line.message(
        "heartbeats",
        r#"[{"current_time":"2026-09-21 14:13:20.25 +0000 UTC m=+4.5","heartbeat_counter":4}]"#,
    );
    assert_eq!(line.next, 3);
    // Lost: a message of any channel.
    line.next += 1;
    line.book("update", "ETH-USD", &[("bid", "1900", "1")]);
    assert_eq!([line.state(0), line.state(1)], [BookState::Resyncing; 2]);
    assert_eq!(line.reconnects, ["gap in sequence_num"]);
    assert_eq!((line.counts(0).gaps, line.counts(1).gaps), (1, 1));
    assert_eq!(line.states("status.coinbase.BTC-USD"), [VenueState::Resync]);
    let before = line.updates.len();
    line.book("update", "BTC-USD", &[("bid", "63000", "1")]);
    assert_eq!(line.updates.len(), before, "nothing of a book that is not trusted");
    assert_eq!(line.best(0), [None, None]);

    line.input(Input::Disconnected { reason: "we left" }).input(Input::Connected).live();
    assert_eq!([line.state(0), line.state(1)], [BookState::Verified; 2]);
    let gaps = line.updates.iter().filter(
        |update| matches!(&update.event, Event::Book(diff) if diff.stamps.flags.has(Flags::GAP_BEFORE)),
    );
    assert_eq!(gaps.count(), 2);
    let states = [VenueState::Resync, VenueState::Up];
    assert_eq!(line.states("status.coinbase.BTC-USD"), states);
}

#[test]
fn a_doubled_message_changes_nothing_and_counting_anew_is_a_gap() {
    let mut line = Line::open();
    line.live().book("update", "BTC-USD", &[("bid", "64000.5", "3")]);
    line.next -= 1;
    line.book("update", "BTC-USD", &[("bid", "64000.5", "9")]);
    line.message("market_trades", &trades("update", "BTC-USD", 7..=7));
    line.next -= 1;
    line.message("market_trades", &trades("update", "BTC-USD", 7..=7));
    assert_eq!(line.best(0)[0].as_deref(), Some("64000.50 3"));
    assert_eq!((line.counts(0).stale, line.counts(0).trades), (1, 1));
    assert_eq!(line.state(0), BookState::Verified);
    line.message("heartbeats", "[]").next = 0;
    line.message("heartbeats", "[]");
    assert_eq!(line.state(0), BookState::Verified);
    line.message("heartbeats", "[]");
    assert_eq!(line.state(0), BookState::Resyncing);
    assert_eq!(line.reconnects.len(), 1);
}

#[test]
fn a_recording_that_counts_anew_has_another_connection_in_it() {
    let options = DeskOptions { open: true, recorded: true, ..DeskOptions::default() };
    let mut adapter = Coinbase::new(options);
    let mut out = Output::default();
    adapter.handle(Input::Connected, 1, &mut out);
    for (sequence, kind, price) in
        [(0, "snapshot", "1.5"), (1, "update", "1.6"), (0, "snapshot", "1.5"), (1, "update", "1.7")]
    {
        let text = format!(
            r#"{{"channel":"l2_data","timestamp":"2026-01-01T00:00:00Z","sequence_num":{sequence},"events":[{{"type":"{kind}","product_id":"A-USD1","updates":[{{"side":"bid","price_level":"{price}","new_quantity":"1"}}]}}]}}"#
        );
        adapter.handle(Input::Text(text.as_bytes()), 1, &mut out);
    }
    let (_, symbol) = adapter.desk().symbols().next().unwrap();
    let best = symbol.book().best(market::BookSide::Bid).map(|level| level.price.to_string());
    assert_eq!((symbol.state(), best.as_deref()), (BookState::Verified, Some("1.7")));
    assert_eq!(symbol.book().len(), 2);
    let counts = symbol.counts;
    assert_eq!((counts.snapshots, counts.gaps, counts.stale, counts.book_events), (2, 1, 0, 4));
}

#[test]
fn one_bad_book_event_costs_its_product_only() {
    for bad in [
        r#"{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"","price_level":64000.5e3,"new_quantity":"1"}]}"#,
        r#"{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","price_level":"1","new_quantity":"0.-10000"}]}"#,
        r#"{"type":"update","product_id":"BTC-USD","updates":[{"side":"up","price_level":"1","new_quantity":"1"}]}"#,
        r#"{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","price_level":"1"}]}"#,
        r#"{"type":"other","product_id":"BTC-USD","updates":[]}"#,
        r#"{"type":"update","updates":{},"product_id":"BTC-USD"}"#,
        r#"{"type":"update","product_id":"BTC-USD"}"#,
        r#"{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"","price_level":"1","new_quantity":"-1"}]}"#,
        r#"{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"","price_level":"64000.51","new_quantity":"1"}]}"#,
    ] {
        let mut line = Line::open();
        line.live();
        line.sent.clear();
        let good = book("update", "ETH-USD", &[("bid", "1900.15", "1")]);
        line.message("l2_data", &format!("[{bad},{}", good.trim_start_matches('[')));
        assert_eq!(
            [line.state(0), line.state(1)],
            [BookState::Resyncing, BookState::Verified],
            "{bad}"
        );
        assert_eq!(line.best(1)[0].as_deref(), Some("1900.15 1"));
        assert!(line.reconnects.is_empty());
        let asked: Vec<_> =
            line.sent.iter().map(|command| command["type"].as_str().unwrap()).collect();
        assert_eq!(asked, ["unsubscribe", "subscribe"], "{bad}");
        line.book("snapshot", "BTC-USD", &BTC);
        assert_eq!(line.state(0), BookState::Verified);
    }
}

#[test]
fn what_cannot_be_told_whose_it_is_ends_the_trust_in_all_books() {
    let whole = envelope("l2_data", 2, &book("update", "BTC-USD", &[("bid", "1", "1")]));
    for bad in [
        // Cut within the events.
        whole[..whole.len() - 12].to_owned(),
        envelope("l2_data", 2, r#"[{"type":"update","product_id":17,"updates":[]}]"#),
        envelope("l2_data", 2, "[7]"),
        r#"{"channel":"l2_data","timestamp":"2026-09-21T14:13:20Z","sequence_num":2}"#.to_owned(),
        r#"{"timestamp":"2026-09-21T14:13:20Z","sequence_num":2,"events":[]}"#.to_owned(),
    ] {
        let mut line = Line::open();
        line.live().text(&bad);
        assert_eq!([line.state(0), line.state(1)], [BookState::Resyncing; 2], "{bad}");
        assert_eq!(line.reconnects, ["unreadable message"], "{bad}");
        assert_eq!(line.adapter.desk().counts.malformed, 1, "{bad}");
        assert_eq!(line.reports.len(), 1);
    }
}

#[test]
fn garbage_counts_and_only_a_missing_number_proves_a_loss() {
    let mut line = Line::open();
    line.live().text("\u{1}garbage").input(Input::Binary(b"\xFF\xFE")).text("[]");
    assert_eq!(line.adapter.desk().counts.malformed, 3);
    assert_eq!(line.state(0), BookState::Verified);
    line.book("update", "BTC-USD", &[("bid", "64000.5", "3")]);
    assert_eq!(line.best(0)[0].as_deref(), Some("64000.50 3"));
    // It stood for a message.
    line.next += 1;
    line.text("{").message("heartbeats", "[]");
    assert_eq!(line.state(0), BookState::Resyncing);
}

#[test]
fn unknown_channels_are_counted_known_ones_without_use_are_not() {
    let mut line = Line::open();
    line.message("candles", r#"[{"type":"snapshot","candles":[{}]}]"#).message("status", "[]");
    assert_eq!(line.adapter.desk().counts.unknown, 0);
    line.message("futures_balance_summary", "[{}]").text(r#"{"type":"news"}"#).text("{}");
    assert_eq!(line.adapter.desk().counts.unknown, 3);
    assert_eq!(line.adapter.desk().counts.malformed, 0);
}

#[test]
fn a_bad_trade_or_ticker_is_passed_over_and_told_of() {
    let mut line = Line::open();
    let bad = trade("BTC-USD", 11, "SELL").replace("\"0.001\"", "[]");
    let events = format!(
        r#"[{{"type":"update","trades":[{},{bad},{}]}}]"#,
        trade("BTC-USD", 12, "SELL"),
        trade("BTC-USD", 10, "SELL")
    );
    line.message("market_trades", &events)
        .message("ticker", r#"[{"tickers":[{"product_id":"BTC-USD"}]}]"#);
    let ids: Vec<_> = line.trades().into_iter().map(|(id, _, gap)| (id, gap)).collect();
    assert_eq!(ids, [("10".to_owned(), true), ("12".to_owned(), false)]);
    assert_eq!((line.counts(0).malformed, line.adapter.desk().counts.malformed), (2, 2));
    assert!(line.reports.iter().all(|report| report.len() < 400), "{:?}", line.reports);
}

#[test]
fn silence_is_told_and_symbols_that_nobody_asked_for_are_counted() {
    let mut line = Line::open();
    line.message("heartbeats", "[]").input(Input::Silent).message("heartbeats", "[]");
    line.input(Input::Disconnected { reason: "gone" });
    let states = [VenueState::Up, VenueState::Stale, VenueState::Up, VenueState::Down];
    assert_eq!(line.states("status.coinbase"), states);
    line.input(Input::Connected).book("snapshot", "SOL-USD", &BTC);
    assert_eq!(line.adapter.desk().counts.symbols_refused, 1);
}
