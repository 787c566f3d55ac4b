//! Follows one topic by the rules that every client may rely on, whatever the broker sends.

use serde_json::Value;

use super::{ClientBook, brief};

/// What a client knows of one topic.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    topic: String,
    /// The last event that it has.
    pub(crate) seq: u64,
    /// Events that stood for several.
    pub(crate) merged: u64,
    /// Gaps, as `(from, to, reason)`.
    pub(crate) gaps: Vec<(u64, u64, String)>,
    pub(crate) snapshots: u64,
    /// The data of the latest event or snapshot.
    pub(crate) data: Value,
    /// For books.
    pub(crate) book: ClientBook,
}

impl Follower {
    /// Of a client that has the events of `topic` up to `seq`.
    pub(crate) fn new(topic: &str, seq: u64) -> Self {
        Self { topic: topic.to_owned(), seq, ..Self::default() }
    }

    /// Of a client that was answered `line` to its subscription, after which the state comes for
    /// topics that have one.
    pub(crate) fn subscribed(line: &Value) -> Self {
        Self::new(line["topic"].as_str().unwrap(), line["seq"].as_u64().unwrap())
    }

    /// Takes in a message of its topic and checks that nothing is missing, doubled or reordered.
    /// Others are left alone: false.
    #[track_caller]
    pub(crate) fn take(&mut self, message: &Value) -> bool {
        if message["topic"] != *self.topic {
            return false;
        }
        let seq = message["seq"].as_u64();
        match (message["op"].as_str().unwrap(), seq) {
            ("event", Some(seq)) => {
                let from = message["from"].as_u64().unwrap_or(seq);
                assert_eq!(from, self.seq + 1, "{} came after {}", brief(message), self.seq);
                assert!(from <= seq, "{}", brief(message));
                let merged = message["merged"].as_u64();
                let stands_for = (seq > from).then_some(seq - from + 1);
                assert_eq!(merged, stands_for, "{}", brief(message));
                self.merged += u64::from(merged.is_some());
                self.seq = seq;
                self.data = message["data"].clone();
                if self.topic.starts_with("book.") {
                    self.book.apply(&self.data);
                }
            }
            ("snapshot", Some(seq)) => {
                assert!(seq >= self.seq, "{} came after {}", brief(message), self.seq);
                self.seq = seq;
                self.snapshots += 1;
                self.data = message["data"].clone();
                if self.topic.starts_with("book.") {
                    self.book = ClientBook::default();
                    self.book.apply(&self.data);
                }
            }
            ("gap", None) => {
                let (from, to) = (message["from"].as_u64(), message["to"].as_u64());
                let (from, to) = (from.unwrap(), to.unwrap());
                let reason = message["reason"].as_str().unwrap().to_owned();
                let expected = if reason == "restart" { 1 } else { self.seq + 1 };
                assert_eq!(from, expected, "{} came after {}", brief(message), self.seq);
                self.seq = to;
                self.gaps.push((from, to, reason));
            }
            _ => panic!("what is {}?", brief(message)),
        }
        true
    }
}
