//! One topic as a client sees it: what may come next, and whether what came is true.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::truth::{Kind, Levels, Told, TopicTruth, kind_of};

type Message = Map<String, Value>;

/// A book as a client holds it: texts as they were received.
#[derive(Debug, Clone, Default)]
struct TextBook {
    bids: BTreeMap<String, String>,
    asks: BTreeMap<String, String>,
}

/// What a client knows of one topic.
#[derive(Debug)]
pub(crate) struct View {
    /// The last event it has.
    pub(crate) last: u64,
    /// A gap that says so must come before anything else, and end here.
    restart: Option<u64>,
    /// A snapshot must come before any event.
    snapshot_first: bool,
    /// A snapshot was asked for and has not come.
    pub(crate) snapshot_due: bool,
    /// Where a resume began that has brought nothing yet.
    resumed: Option<u64>,
    book: Option<TextBook>,
    /// When its last message began to arrive, at its present rate.
    pub(crate) told_at: Option<u64>,
}

/// How a subscription begins in one topic.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// What follows begins after this event.
    pub(crate) start: u64,
    pub(crate) head: u64,
    pub(crate) restart: bool,
    pub(crate) resumed: bool,
    /// The current state comes first.
    pub(crate) snapshot: bool,
}

impl View {
    pub(crate) fn new(topic: &str, begun: &Begun, truth: Option<&TopicTruth>) -> Self {
        // Who returns has the book it had; who is there from the first event builds it.
        let known = begun.resumed || begun.start == 0;
        let held = truth.filter(|_| begun.start > 0).map(|truth| &truth.at(begun.start).book);
        Self {
            last: begun.start,
            restart: begun.restart.then_some(begun.start),
            snapshot_first: begun.snapshot,
            snapshot_due: begun.snapshot,
            resumed: begun.resumed.then_some(begun.start),
            book: (known && kind_of(topic) == Kind::Book)
                .then(|| held.map(TextBook::of).unwrap_or_default()),
            told_at: None,
        }
    }

    /// Covered by a pattern from before the topic's first event on.
    pub(crate) fn from_the_first() -> Self {
        let begun = Begun { start: 0, head: 0, restart: false, resumed: false, snapshot: false };
        Self { book: Some(TextBook::default()), ..Self::new("", &begun, None) }
    }

    /// Whether everything promised so far has come.
    pub(crate) fn is_whole(&self) -> bool {
        self.restart.is_none() && !self.snapshot_due
    }

    /// A further subscription of a topic that is covered already.
    pub(crate) fn asked_again(&mut self, snapshot: bool) {
        self.snapshot_due |= snapshot;
        self.told_at = None;
    }

    pub(crate) fn event(&mut self, topic: &str, message: &Message, truth: &TopicTruth) {
        assert_eq!(self.restart, None, "the restart comes first");
        assert!(!self.snapshot_first, "the snapshot comes first");
        let seq = number(message, "seq");
        let from = message.get("from").map_or(seq, |_| number(message, "from"));
        assert_eq!(from, self.last + 1, "nothing missing, doubled or out of order");
        assert!(from <= seq && seq <= truth.head(), "{from}..={seq} of {}", truth.head());
        if from == seq {
            assert_keys(message, &["op", "topic", "seq", "ts", "data"]);
        } else {
            assert_keys(message, &["op", "topic", "seq", "ts", "from", "merged", "data"]);
            assert_eq!(number(message, "merged"), seq - from + 1);
            assert_ne!(kind_of(topic), Kind::Each, "every event counts");
        }
        self.check_data(topic, message, truth.at(seq), false);
        self.last = seq;
        self.resumed = None;
    }

    pub(crate) fn snapshot(&mut self, topic: &str, message: &Message, truth: &TopicTruth) {
        assert_eq!(self.restart, None, "the restart comes first");
        assert_keys(message, &["op", "topic", "epoch", "seq", "ts", "data"]);
        let seq = number(message, "seq");
        assert!(self.last <= seq && seq <= truth.head(), "{seq} after {}", self.last);
        match kind_of(topic) {
            Kind::Each => panic!("there is no state"),
            Kind::Latest => assert!(self.snapshot_due, "nobody asked"),
            // It may be shorter than the diffs, or all that is left.
            Kind::Book => {}
        }
        self.check_data(topic, message, truth.at(seq), true);
        (self.snapshot_first, self.snapshot_due) = (false, false);
        self.last = seq;
        self.resumed = None;
    }

    /// `lost` is the latest event that the topic's history no longer holds.
    pub(crate) fn gap(&mut self, topic: &str, message: &Message, lost: u64) {
        let (from, to) = (number(message, "from"), number(message, "to"));
        match (text(message, "reason"), self.restart.take()) {
            ("restart", Some(end)) => {
                assert_keys(message, &["op", "topic", "from", "to", "reason", "epoch"]);
                assert_eq!((from, to), (1, end));
                return;
            }
            ("history", None) => assert_eq!(self.resumed, Some(self.last), "it was connected"),
            ("slow", None) => {}
            (reason, restart) => panic!("gap {reason}, restart {restart:?}"),
        }
        assert_keys(message, &["op", "topic", "from", "to", "reason"]);
        assert_eq!(from, self.last + 1);
        assert!(from <= to && from <= lost, "{from} is not lost, only {lost}");
        match kind_of(topic) {
            Kind::Each => assert!(to <= lost, "{to} is not lost, only {lost}"),
            Kind::Latest => panic!("the latest is never lost"),
            Kind::Book => (self.snapshot_first, self.snapshot_due) = (true, true),
        }
        self.last = to;
        self.resumed = None;
    }

    fn check_data(&mut self, topic: &str, message: &Message, told: &Told, whole: bool) {
        assert_eq!(text(message, "ts"), told.ts);
        if kind_of(topic) != Kind::Book {
            assert_eq!(message["data"], told.data);
            return;
        }
        let mut data = message["data"].as_object().expect("a map").clone();
        let reset = data.remove("reset").is_some();
        if let Some(expected) = told.data.get("reset").filter(|_| !message.contains_key("from")) {
            assert!(whole || reset == *expected, "a reset is said");
        }
        if whole || reset {
            self.book = Some(TextBook::default());
        }
        let (bids, asks) = (data.remove("bids"), data.remove("asks"));
        let checksum = data.remove("checksum").and_then(|sum| sum.as_u64());
        if let Some(book) = &mut self.book {
            apply(&mut book.bids, bids.as_ref(), whole);
            apply(&mut book.asks, asks.as_ref(), whole);
            assert_eq!(book.levels(), told.book, "the book at {}", message["seq"]);
            assert_eq!(checksum, Some(book.checksum()));
        }
        for (stamp, value) in &data {
            assert_eq!(told.data.get(stamp), Some(value), "{stamp}");
        }
    }
}

fn apply(side: &mut BTreeMap<String, String>, changed: Option<&Value>, whole: bool) {
    for level in changed.and_then(Value::as_array).expect("a list of levels") {
        let [price, size] = [0, 1].map(|at| level[at].as_str().expect("a text").to_owned());
        if size != "0" {
            side.insert(price, size);
        } else {
            assert!(!whole, "a snapshot has no empty levels");
            side.remove(&price);
        }
    }
}

impl TextBook {
    fn of(levels: &Levels) -> Self {
        let texts = |side: &BTreeMap<i64, String>| {
            let text = |(at, size): (&i64, &String)| {
                (format!("{}.{:02}", at / 100, at % 100), size.clone())
            };
            side.iter().map(text).collect()
        };
        Self { bids: texts(&levels.bids), asks: texts(&levels.asks) }
    }

    fn levels(&self) -> Levels {
        let numbers = |side: &BTreeMap<String, String>| {
            let number = |price: &str| price.replace('.', "").parse().expect("two decimals");
            side.iter().map(|(price, size)| (number(price), size.clone())).collect()
        };
        Levels { bids: numbers(&self.bids), asks: numbers(&self.asks) }
    }

    /// As a client computes it, from nothing but the texts.
    fn checksum(&self) -> u64 {
        let mut digits = String::new();
        let mut add = |text: &str| digits += text.replace('.', "").trim_start_matches('0');
        let levels = self.levels();
        let (asks, bids) = (levels.asks.iter().take(10), levels.bids.iter().rev().take(10));
        for (price, size) in asks.chain(bids) {
            add(&price.to_string());
            add(size);
        }
        u64::from(crc32fast::hash(digits.as_bytes()))
    }
}

pub(crate) fn number(message: &Message, field: &str) -> u64 {
    message[field].as_u64().unwrap_or_else(|| panic!("{field} in {message:?}"))
}

pub(crate) fn text<'a>(message: &'a Message, field: &str) -> &'a str {
    message[field].as_str().unwrap_or_else(|| panic!("{field} in {message:?}"))
}

fn assert_keys(message: &Message, expected: &[&str]) {
    let mut expected: Vec<&str> = expected.to_vec();
    let mut keys: Vec<&str> = message.keys().map(String::as_str).collect();
    expected.sort_unstable();
    keys.sort_unstable();
    assert_eq!(keys, expected);
}
