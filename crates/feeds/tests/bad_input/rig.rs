//! An adapter of any venue that speaks JSON, and what the venue says to it.

use std::collections::HashMap;

use feeds::adapter::{Action, Adapter, BookState, DeskOptions, Input, Output, SECOND, SymbolId};
use feeds::venue::Venue;
use market::{Book, BookDiff, Decimal, Event, Level, Nanos, Trade, VenueState};

/// 2026-09-22T10:00:00Z.
pub(crate) const NOW: Nanos = 1_790_071_200 * SECOND;
/// 2026-09-22T11:00:00Z.
pub(crate) const LATER: Nanos = NOW + 3_600 * SECOND;
/// Bitstamp's time of the first message of a book, in microseconds.
const MICROS: u64 = NOW / 1_000;

/// Those that speak JSON.
pub(crate) fn venues() -> impl Iterator<Item = Venue> {
    Venue::ALL.into_iter().map(|(venue, _)| venue).filter(|venue| !matches!(venue, Venue::Itch(_)))
}

/// A venue's adapter, and what the venue says to it.
pub(crate) struct Rig {
    pub(crate) venue: Venue,
    pub(crate) adapter: Box<dyn Adapter>,
    pub(crate) now: Nanos,
    wake_at: Option<Nanos>,
    /// Messages of each book so far.
    books: HashMap<String, u64>,
    /// Messages of the connection so far.
    pub(crate) messages: u64,
    pub(crate) events: Vec<(String, Event)>,
    pub(crate) reports: Vec<String>,
    /// Whether it asked the venue for anything.
    pub(crate) asked: bool,
}

impl Rig {
    pub(crate) fn new(venue: Venue, options: DeskOptions) -> Self {
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
    pub(crate) fn live(venue: Venue) -> (Self, [String; 2]) {
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

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.reports.clear();
        self.asked = false;
    }

    pub(crate) fn give(&mut self, input: Input<'_>) {
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

    pub(crate) fn text(&mut self, text: &str) {
        self.messages += 1;
        self.give(Input::Text(text.as_bytes()));
    }

    pub(crate) fn wait(&mut self, time: Nanos) {
        let until = self.now + time;
        while let Some(at) = self.wake_at.take_if(|at| *at <= until) {
            self.now = self.now.max(at);
            self.give(Input::Timer);
        }
        self.now = until;
    }

    pub(crate) fn state(&self, symbol: u32) -> BookState {
        self.adapter.desk().symbol(SymbolId(symbol)).state()
    }

    /// The states and reasons of the statuses of a topic.
    pub(crate) fn statuses(&self, topic: &str) -> Vec<(VenueState, &str)> {
        let events = self.events.iter().filter(|(of, _)| of == topic);
        events
            .filter_map(|(_, event)| match event {
                Event::Status(status) => Some((status.state, &*status.reason)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn trades(&self) -> Vec<&Trade> {
        let events = self.events.iter();
        events
            .filter_map(|(_, event)| match event {
                Event::Trade(trade) => Some(trade),
                _ => None,
            })
            .collect()
    }

    /// The next message of a symbol's book: its bid of 9.90 has that size now. The first is a
    /// snapshot where the stream has them.
    pub(crate) fn book(&mut self, symbol: &str, size: &str) {
        let text = self.next_of_book(symbol, size);
        self.text(&text);
    }

    /// The same as text, with `size` as it is in it.
    pub(crate) fn next_of_book(&mut self, symbol: &str, size: &str) -> String {
        let first = !self.books.contains_key(symbol);
        self.book_message(symbol, ("9.90", size), first, &[("9.90", size)])
    }

    /// A message that crosses the book, which has `size` at 9.90: nothing else is wrong with it.
    pub(crate) fn cross(&mut self, symbol: &str, size: &str) {
        let (above, below) = (("10.50", "1.00"), ("9.90", size));
        let text = self.book_message(symbol, above, false, &[above, below]);
        self.text(&text);
    }

    /// The book whole, where the stream has that.
    pub(crate) fn snapshot(&mut self, symbol: &str, size: &str) {
        let bid = ("9.90", size);
        let text = self.book_message(symbol, bid, true, &[bid]);
        self.text(&text);
    }

    /// The next message of a book: the bid that it changes, and the bids that there are then.
    fn book_message(
        &mut self,
        symbol: &str,
        (price, size): (&str, &str),
        first: bool,
        bids: &[(&str, &str)],
    ) -> String {
        let number = self.books.entry(symbol.to_owned()).or_default();
        *number += 1;
        let (number, messages) = (*number, self.messages);
        let quoted = if size.starts_with(|c: char| c.is_ascii_digit()) {
            format!("\"{size}\"")
        } else {
            size.to_owned()
        };
        let checksum = checksum(bids);
        match self.venue {
            Venue::Binance | Venue::BinanceUs => format!(
                r#"{{"e":"depthUpdate","E":1790071200123,"s":"{symbol}","U":{number},"u":{number},"b":[["{price}",{quoted}]],"a":[]}}"#
            ),
            Venue::Bitstamp => format!(
                r#"{{"data":{{"timestamp":"0","microtimestamp":"{}","bids":[["{price}",{quoted}]],"asks":[]}},"channel":"diff_order_book_{symbol}","event":"data"}}"#,
                MICROS + number
            ),
            Venue::Coinbase => {
                let kind = if first { "snapshot" } else { "update" };
                let offer = r#"{"side":"offer","event_time":"2026-09-22T10:00:00Z","price_level":"10.10","new_quantity":"2.00"}"#;
                format!(
                    r#"{{"channel":"l2_data","timestamp":"2026-09-22T10:00:00Z","sequence_num":{messages},"events":[{{"type":"{kind}","product_id":"{symbol}","updates":[{{"side":"bid","event_time":"2026-09-22T10:00:00Z","price_level":"{price}","new_quantity":{quoted}}},{offer}]}}]}}"#
                )
            }
            Venue::Kraken => {
                let kind = if first { "snapshot" } else { "update" };
                format!(
                    r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{{"price":{price},"qty":{size}}}],"asks":[{{"price":10.10,"qty":2.00}}],"checksum":{checksum},"timestamp":"2026-09-22T10:00:00.{number:06}Z"}}]}}"#
                )
            }
            Venue::KrakenV1 if first => format!(
                r#"[640,{{"as":[["10.10","2.00","1790071200.0"]],"bs":[["{price}",{quoted},"1790071200.0"]]}},"book-10","{symbol}"]"#
            ),
            Venue::KrakenV1 => format!(
                r#"[640,{{"b":[["{price}",{quoted},"1790071200.{number}"]],"c":"{checksum}"}},"book-10","{symbol}"]"#
            ),
            Venue::Okx => {
                let (kind, before) =
                    if first { ("snapshot", -1) } else { ("update", number as i64 - 1) };
                format!(
                    r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{kind}","data":[{{"asks":[["10.10","2.00","0","1"]],"bids":[["{price}",{quoted},"0","1"]],"ts":"1790071200001","checksum":0,"seqId":{number},"prevSeqId":{before}}}]}}"#
                )
            }
            Venue::Bybit | Venue::BybitLinear => {
                let kind = if first { "snapshot" } else { "delta" };
                format!(
                    r#"{{"topic":"orderbook.200.{symbol}","type":"{kind}","ts":1790071200100,"data":{{"s":"{symbol}","b":[["{price}",{quoted}]],"a":[["10.10","2.00"]],"u":{number},"seq":{number}}}}}"#
                )
            }
            Venue::Itch(_) => unreachable!("it speaks no JSON"),
        }
    }

    /// What REST answers: the book as it is now.
    pub(crate) fn rest(&self, path: &str) -> String {
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
    pub(crate) fn trade(&mut self, symbol: &str, id: u64) {
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
    pub(crate) fn unknown(&mut self, symbol: &str) {
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
pub(crate) fn native(venue: Venue, number: u32) -> String {
    match venue {
        Venue::Bitstamp => format!("s{number}usd"),
        Venue::Coinbase => format!("S{number}-USD"),
        Venue::Kraken | Venue::KrakenV1 => format!("S{number}/USD"),
        Venue::Okx => format!("S{number}-USDT"),
        _ => format!("S{number}USDT"),
    }
}

/// The checksum of the book with these bids, as far as they are numbers.
fn checksum(bids: &[(&str, &str)]) -> u32 {
    let level = |(price, size): &(&str, &str)| {
        Some(Level { price: price.parse().ok()?, size: size.parse::<Decimal>().ok()? })
    };
    let mut diff = BookDiff {
        reset: true,
        bids: bids.iter().filter_map(level).collect(),
        asks: level(&("10.10", "2.00")).into_iter().collect(),
        ..BookDiff::default()
    };
    let mut book = Book::default();
    book.apply(&mut diff, 10).expect("a few levels");
    book.checksum()
}
