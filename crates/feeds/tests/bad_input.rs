//! Bad input, the same for the adapter of every venue that speaks JSON: what is unknown, what has
//! another type than it should, a clock that is wrong, more symbols than there is room for. What a
//! venue refuses is in the tests of each adapter, as is ITCH; a message that is too long is for
//! the owner of the connection.

use std::collections::HashMap;

use feeds::adapter::{Action, Adapter, BookState, DeskOptions, Input, Output, SECOND, SymbolId};
use feeds::venue::Venue;
use market::{Book, BookDiff, Decimal, Event, Level, Nanos, Trade, VenueState};

/// 2026-09-22T10:00:00Z.
const NOW: Nanos = 1_790_071_200 * SECOND;
/// 2026-09-22T11:00:00Z.
const LATER: Nanos = NOW + 3_600 * SECOND;
/// Bitstamp's time of the first message of a book, in microseconds.
const MICROS: u64 = NOW / 1_000;

fn venues() -> impl Iterator<Item = Venue> {
    Venue::ALL.into_iter().map(|(venue, _)| venue).filter(|venue| !matches!(venue, Venue::Itch(_)))
}

/// A venue's adapter, and what the venue says to it.
struct Rig {
    venue: Venue,
    adapter: Box<dyn Adapter>,
    now: Nanos,
    wake_at: Option<Nanos>,
    /// Messages of each book so far.
    books: HashMap<String, u64>,
    /// Messages of the connection so far.
    messages: u64,
    events: Vec<(String, Event)>,
    reports: Vec<String>,
    /// Whether it asked the venue for anything.
    asked: bool,
}

impl Rig {
    fn new(venue: Venue, options: DeskOptions) -> Self {
        let adapter = venue.adapter(DeskOptions { venue: "x".into(), ..options });
        let mut rig = Self {
            venue,
            adapter,
            now: NOW,
            wake_at: None,
            books: HashMap::new(),
            messages: 0,
            events: Vec::new(),
            reports: Vec::new(),
            asked: false,
        };
        rig.give(Input::Connected);
        rig
    }

    /// With books of two symbols.
    fn live(venue: Venue) -> (Self, [String; 2]) {
        let symbols = [native(venue, 0), native(venue, 1)];
        let options = DeskOptions { symbols: symbols.to_vec(), ..DeskOptions::default() };
        let mut rig = Self::new(venue, options);
        for symbol in &symbols {
            rig.book(symbol, "1.00");
            // Where the snapshot comes by REST.
            rig.wait(2 * SECOND);
            rig.book(symbol, "2.00");
        }
        for at in 0..2 {
            assert_ne!(rig.state(at), BookState::Resyncing, "{venue:?}");
        }
        rig.clear();
        (rig, symbols)
    }

    fn clear(&mut self) {
        self.events.clear();
        self.reports.clear();
        self.asked = false;
    }

    fn give(&mut self, input: Input<'_>) {
        let mut out = Output::default();
        self.adapter.handle(input, self.now, &mut out);
        self.wake_at = [self.wake_at, out.wake_at].into_iter().flatten().min();
        let topic = |channel: usize| self.adapter.desk().channels()[channel].topic.clone();
        self.events
            .extend(out.updates.into_iter().map(|update| (topic(update.channel), update.event)));
        for action in out.actions {
            match action {
                Action::Report(text) => self.reports.push(text),
                Action::Fetch { request, path } => {
                    self.asked = true;
                    let body = self.rest(&path);
                    let body = body.as_bytes();
                    self.give(Input::Answer { request, status: 200, retry_after: None, body });
                }
                Action::Send(_) | Action::SendBinary(_) | Action::Reconnect { .. } => {
                    self.asked = true;
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.messages += 1;
        self.give(Input::Text(text.as_bytes()));
    }

    fn wait(&mut self, time: Nanos) {
        let until = self.now + time;
        while let Some(at) = self.wake_at.take_if(|at| *at <= until) {
            self.now = self.now.max(at);
            self.give(Input::Timer);
        }
        self.now = until;
    }

    fn state(&self, symbol: u32) -> BookState {
        self.adapter.desk().symbol(SymbolId(symbol)).state()
    }

    /// The states and reasons of the statuses of a topic.
    fn statuses(&self, topic: &str) -> Vec<(VenueState, &str)> {
        let events = self.events.iter().filter(|(of, _)| of == topic);
        events
            .filter_map(|(_, event)| match event {
                Event::Status(status) => Some((status.state, &*status.reason)),
                _ => None,
            })
            .collect()
    }

    fn trades(&self) -> Vec<&Trade> {
        let events = self.events.iter();
        events
            .filter_map(|(_, event)| match event {
                Event::Trade(trade) => Some(trade),
                _ => None,
            })
            .collect()
    }

    /// The next message of a symbol's book: its one bid has that size now. The first is a snapshot
    /// where the stream has them.
    fn book(&mut self, symbol: &str, size: &str) {
        let text = self.next_of_book(symbol, size);
        self.text(&text);
    }

    /// The same as text, with `size` as it is in it.
    fn next_of_book(&mut self, symbol: &str, size: &str) -> String {
        let number = self.books.entry(symbol.to_owned()).or_default();
        *number += 1;
        let (number, first, messages) = (*number, *number == 1, self.messages);
        let quoted = if size.starts_with(|c: char| c.is_ascii_digit()) {
            format!("\"{size}\"")
        } else {
            size.to_owned()
        };
        let checksum = checksum(size);
        match self.venue {
            Venue::Binance | Venue::BinanceUs => format!(
                r#"{{"e":"depthUpdate","E":1790071200123,"s":"{symbol}","U":{number},"u":{number},"b":[["9.90",{quoted}]],"a":[]}}"#
            ),
            Venue::Bitstamp => format!(
                r#"{{"data":{{"timestamp":"0","microtimestamp":"{}","bids":[["9.90",{quoted}]],"asks":[]}},"channel":"diff_order_book_{symbol}","event":"data"}}"#,
                MICROS + number
            ),
            Venue::Coinbase => {
                let kind = if first { "snapshot" } else { "update" };
                let offer = r#"{"side":"offer","event_time":"2026-09-22T10:00:00Z","price_level":"10.10","new_quantity":"2.00"}"#;
                format!(
                    r#"{{"channel":"l2_data","timestamp":"2026-09-22T10:00:00Z","sequence_num":{messages},"events":[{{"type":"{kind}","product_id":"{symbol}","updates":[{{"side":"bid","event_time":"2026-09-22T10:00:00Z","price_level":"9.90","new_quantity":{quoted}}},{offer}]}}]}}"#
                )
            }
            Venue::Kraken => {
                let kind = if first { "snapshot" } else { "update" };
                format!(
                    r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{{"price":9.90,"qty":{size}}}],"asks":[{{"price":10.10,"qty":2.00}}],"checksum":{checksum},"timestamp":"2026-09-22T10:00:00.{number:06}Z"}}]}}"#
                )
            }
            Venue::KrakenV1 if first => format!(
                r#"[640,{{"as":[["10.10","2.00","1790071200.0"]],"bs":[["9.90",{quoted},"1790071200.0"]]}},"book-10","{symbol}"]"#
            ),
            Venue::KrakenV1 => format!(
                r#"[640,{{"b":[["9.90",{quoted},"1790071200.{number}"]],"c":"{checksum}"}},"book-10","{symbol}"]"#
            ),
            Venue::Okx => {
                let (kind, before) =
                    if first { ("snapshot", -1) } else { ("update", number as i64 - 1) };
                format!(
                    r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{kind}","data":[{{"asks":[["10.10","2.00","0","1"]],"bids":[["9.90",{quoted},"0","1"]],"ts":"1790071200001","checksum":0,"seqId":{number},"prevSeqId":{before}}}]}}"#
                )
            }
            Venue::Bybit | Venue::BybitLinear => {
                let kind = if first { "snapshot" } else { "delta" };
                format!(
                    r#"{{"topic":"orderbook.200.{symbol}","type":"{kind}","ts":1790071200100,"data":{{"s":"{symbol}","b":[["9.90",{quoted}]],"a":[["10.10","2.00"]],"u":{number},"seq":{number}}}}}"#
                )
            }
            Venue::Itch(_) => unreachable!("it speaks no JSON"),
        }
    }

    /// What REST answers: the book as it is now.
    fn rest(&self, path: &str) -> String {
        let symbol = self.books.keys().find(|symbol| path.contains(symbol.as_str()));
        let number = symbol.map_or(0, |symbol| self.books[symbol]);
        let levels = r#""bids":[["9.90","1.00"]],"asks":[["10.10","2.00"]]"#;
        match self.venue {
            Venue::Bitstamp => {
                format!(r#"{{"timestamp":"0","microtimestamp":"{}",{levels}}}"#, MICROS + number)
            }
            _ => format!(r#"{{"lastUpdateId":{number},{levels}}}"#),
        }
    }

    /// An execution an hour later than it is received.
    fn trade(&mut self, symbol: &str, id: u64) {
        let messages = self.messages;
        let (time, millis) = ("2026-09-22T11:00:00Z", LATER / 1_000_000);
        let text = match self.venue {
            Venue::Binance | Venue::BinanceUs => format!(
                r#"{{"e":"trade","E":{millis},"s":"{symbol}","t":{id},"p":"10.10","q":"0.5","T":{millis},"m":false,"M":true}}"#
            ),
            Venue::Bitstamp => format!(
                r#"{{"data":{{"id":{id},"timestamp":"0","amount":0.5,"amount_str":"0.5","price":10.1,"price_str":"10.10","type":0,"microtimestamp":"{}","buy_order_id":1,"sell_order_id":2}},"channel":"live_trades_{symbol}","event":"trade"}}"#,
                LATER / 1_000
            ),
            Venue::Coinbase => format!(
                r#"{{"channel":"market_trades","timestamp":"{time}","sequence_num":{messages},"events":[{{"type":"update","trades":[{{"product_id":"{symbol}","trade_id":"{id}","price":"10.10","size":"0.5","time":"{time}","side":"SELL"}}]}}]}}"#
            ),
            Venue::Kraken => format!(
                r#"{{"channel":"trade","type":"update","data":[{{"symbol":"{symbol}","side":"buy","price":10.10,"qty":0.5,"ord_type":"limit","trade_id":{id},"timestamp":"{time}"}}]}}"#
            ),
            Venue::KrakenV1 => format!(
                r#"[99,[["10.10","0.5","{}.000001","b","l",""]],"trade","{symbol}"]"#,
                LATER / SECOND
            ),
            Venue::Okx => format!(
                r#"{{"arg":{{"channel":"trades","instId":"{symbol}"}},"data":[{{"instId":"{symbol}","tradeId":"{id}","px":"10.10","sz":"0.5","side":"buy","ts":"{millis}"}}]}}"#
            ),
            Venue::Bybit | Venue::BybitLinear => format!(
                r#"{{"topic":"publicTrade.{symbol}","type":"snapshot","ts":{millis},"data":[{{"T":{millis},"s":"{symbol}","S":"Buy","v":"0.5","p":"10.10","i":"{symbol}-{id}"}}]}}"#
            ),
            Venue::Itch(_) => unreachable!("it speaks no JSON"),
        };
        self.text(&text);
    }

    /// A message of a type that nobody has heard of.
    fn unknown(&mut self, symbol: &str) {
        let messages = self.messages;
        let text = match self.venue {
            Venue::Binance | Venue::BinanceUs => {
                format!(r#"{{"e":"somethingNew","E":1,"s":"{symbol}","o":{{}}}}"#)
            }
            Venue::Bitstamp => format!(r#"{{"data":{{}},"channel":"new_{symbol}","event":"new"}}"#),
            Venue::Coinbase => format!(
                r#"{{"channel":"new","timestamp":"2026-09-22T10:00:00Z","sequence_num":{messages},"events":[{{"product_id":"{symbol}"}}]}}"#
            ),
            Venue::Kraken => format!(r#"{{"channel":"new","type":"update","data":["{symbol}"]}}"#),
            Venue::KrakenV1 => format!(r#"{{"event":"somethingNew","pair":"{symbol}"}}"#),
            Venue::Okx => {
                format!(r#"{{"arg":{{"channel":"new","instId":"{symbol}"}},"data":[{{}}]}}"#)
            }
            Venue::Bybit | Venue::BybitLinear => {
                format!(r#"{{"topic":"somethingNew.{symbol}","data":[]}}"#)
            }
            Venue::Itch(_) => unreachable!("it speaks no JSON"),
        };
        self.text(&text);
    }
}

/// How a venue would spell its symbol of that number.
fn native(venue: Venue, number: u32) -> String {
    match venue {
        Venue::Bitstamp => format!("s{number}usd"),
        Venue::Coinbase => format!("S{number}-USD"),
        Venue::Kraken | Venue::KrakenV1 => format!("S{number}/USD"),
        Venue::Okx => format!("S{number}-USDT"),
        _ => format!("S{number}USDT"),
    }
}

/// The checksum of the book with a bid of that size, if it is one.
fn checksum(size: &str) -> u32 {
    let level = |price: &str, size: &str| {
        Some(Level { price: price.parse().ok()?, size: size.parse::<Decimal>().ok()? })
    };
    let (bids, asks) = (level("9.90", size), level("10.10", "2.00"));
    let mut diff = BookDiff {
        reset: true,
        bids: bids.into_iter().collect(),
        asks: asks.into_iter().collect(),
        ..BookDiff::default()
    };
    let mut book = Book::default();
    book.apply(&mut diff, 10).expect("two levels");
    book.checksum()
}

/// A message with an unknown member in front.
fn with_member(text: &str, value: &str) -> String {
    text.replacen('{', &format!(r#"{{"unknown":{value},"#), 1)
}

#[test]
fn an_unknown_message_is_counted_and_skipped_and_an_unknown_member_too() {
    for venue in venues() {
        let (mut rig, [symbol, _]) = Rig::live(venue);
        rig.unknown(&symbol);
        rig.unknown(&symbol);
        let counts = rig.adapter.desk().counts;
        assert_eq!((counts.unknown, counts.malformed), (2, 0), "{venue:?}");
        assert!(rig.events.is_empty() && rig.reports.is_empty(), "{venue:?}: {:?}", rig.events);
        let text = rig.next_of_book(&symbol, "3.00");
        rig.text(&with_member(&text, r#"{"deep":[1,null,"x"]}"#));
        assert_eq!(rig.adapter.desk().counts.malformed, 0, "{venue:?}: {:?}", rig.reports);
        let best = rig.adapter.desk().best(SymbolId(0), market::BookSide::Bid);
        assert_eq!(best.map(|level| level.size.to_string()), Some("3.00".into()), "{venue:?}");
    }
}

#[test]
fn a_wrong_type_is_counted_reported_once_with_its_text_cut_and_resyncs_its_symbol_alone() {
    for venue in venues() {
        let (mut rig, [symbol, _]) = Rig::live(venue);
        let long = format!("\"{}\"", "y".repeat(1_000));
        for _ in 0..2 {
            let text = rig.next_of_book(&symbol, "true");
            let before = rig.messages;
            rig.text(&with_member(&text, &long));
            assert_eq!(rig.messages, before + 1);
        }
        assert_eq!(rig.adapter.desk().counts.malformed, 2, "{venue:?}");
        let [report] = &rig.reports[..] else { panic!("{venue:?}: {:?}", rig.reports) };
        assert!(report.contains(&"y".repeat(150)), "{venue:?}: {report}");
        assert!(!report.contains(&"y".repeat(200)), "{venue:?}: {report}");
        assert_eq!(rig.state(0), BookState::Resyncing, "{venue:?}");
        assert_ne!(rig.state(1), BookState::Resyncing, "{venue:?}");
        let canonical = &rig.adapter.desk().symbol(SymbolId(0)).canonical;
        let statuses = rig.statuses(&format!("status.x.{canonical}"));
        assert_eq!(statuses[0], (VenueState::Resync, "unreadable message"), "{venue:?}");
        let unreadable = |(state, reason): &(VenueState, &str)| {
            *state == VenueState::Up && reason.contains("unreadable message")
        };
        let of_venue = rig.statuses("status.x");
        assert!(of_venue.iter().all(unreadable) && of_venue.len() == 2, "{venue:?}: {of_venue:?}");
        rig.wait(120 * SECOND);
        assert!(rig.asked, "{venue:?} is not asked for the book");
    }
}

#[test]
fn a_clock_that_is_wrong_breaks_nothing() {
    for venue in venues() {
        let (mut rig, [symbol, _]) = Rig::live(venue);
        rig.trade(&symbol, 7);
        // Ours goes back by a day, too.
        rig.now -= 86_400 * SECOND;
        rig.trade(&symbol, 8);
        rig.book(&symbol, "4.00");
        let trades = rig.trades();
        assert_eq!(trades.len(), 2, "{venue:?}");
        for trade in trades {
            let event = trade.stamps.event.expect("a time");
            assert_eq!(event / SECOND, LATER / SECOND, "{venue:?}");
            assert!(trade.stamps.received < event && trade.stamps.flags.is_empty(), "{venue:?}");
        }
        assert_ne!(rig.state(0), BookState::Resyncing, "{venue:?}");
        assert!(rig.statuses("status.x").is_empty(), "{venue:?}");
        assert_eq!(rig.adapter.desk().troubles(), [], "{venue:?}");
        rig.give(Input::Timer);
        rig.now = Nanos::MAX;
        rig.give(Input::Timer);
        rig.trade(&symbol, 9);
        rig.give(Input::Disconnected { reason: "the end of time" });
        rig.give(Input::Connected);
    }
}

#[test]
fn a_flood_of_symbols_hits_the_limit_and_says_so() {
    for venue in venues() {
        // A million of one venue; of the others enough to see it.
        let many = if venue == Venue::Binance { 1_000_000 } else { 5_000 };
        let options = DeskOptions { open: true, symbols_max: 1_000, ..DeskOptions::default() };
        let mut rig = Rig::new(venue, options);
        for number in 0..many {
            rig.trade(&native(venue, number), u64::from(number) + 1);
            // They need not be kept here.
            rig.events.retain(|(_, event)| matches!(event, Event::Status(_)));
        }
        rig.trade(&native(venue, 0), 2);
        let desk = rig.adapter.desk();
        assert_eq!(desk.symbols().len(), 1_000, "{venue:?}");
        assert_eq!(desk.counts.symbols_refused, u64::from(many) - 1_000, "{venue:?}");
        let limit = "the limit of 1000 symbols is reached";
        let statuses = rig.statuses("status.x");
        let told = statuses.iter().filter(|(_, reason)| reason.contains(limit)).count();
        assert!((1..=21).contains(&told), "{venue:?}: {statuses:?}");
        let reports = rig.reports.iter().filter(|report| report.contains(limit));
        assert_eq!(reports.count(), 1, "{venue:?}: {:?}", rig.reports);
    }
}
