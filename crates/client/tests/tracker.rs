//! The tracker against the rules of the protocol: what is in order, what is a fault.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use client::{Codec, Fault, Message, Position, RawMessage, Subscribe, SubscriptionTracker};
use serde_json::{Value, json};

/// A tracker, and short ways to show it messages.
#[derive(Default)]
struct Driven(SubscriptionTracker);

impl Driven {
    fn see(&mut self, value: Value) -> Option<Fault> {
        let raw = RawMessage { codec: Codec::Json, bytes: value.to_string().into() };
        self.0.observe(&raw.decode().unwrap())
    }

    fn subscribed(&mut self, topic: &str, seq: u64) {
        let entry = json!({"topic": topic, "epoch": "e1", "seq": seq});
        assert_eq!(self.see(json!({"op": "subscribed", "topics": [entry]})), None);
    }

    fn event(&mut self, topic: &str, seq: u64) -> Option<Fault> {
        self.see(json!({"op": "event", "topic": topic, "seq": seq, "ts": 1, "data": {}}))
    }

    fn merged(&mut self, topic: &str, from: u64, seq: u64) -> Option<Fault> {
        let merged = seq - from + 1;
        self.see(json!({"op": "event", "topic": topic, "seq": seq, "ts": 1, "data": {},
            "from": from, "merged": merged}))
    }

    fn snapshot(&mut self, topic: &str, epoch: &str, seq: u64) -> Option<Fault> {
        self.see(json!({"op": "snapshot", "topic": topic, "epoch": epoch, "seq": seq, "ts": 1, "data": {}}))
    }

    fn gap(&mut self, value: Value) -> Option<Fault> {
        let mut gap = json!({"op": "gap", "topic": "t", "reason": "slow"});
        gap.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        self.see(gap)
    }
}

#[test]
fn snapshot_then_live_then_merged_then_a_gap() {
    let mut driven = Driven::default();
    driven.subscribed("t", 88);
    assert_eq!(driven.snapshot("t", "e1", 88), None);
    assert_eq!(driven.event("t", 89), None);
    assert_eq!(driven.merged("t", 90, 99), None);
    assert_eq!(driven.gap(json!({"from": 100, "to": 140})), None);
    assert_eq!(driven.event("t", 141), None);
    let (_, sequence) = driven.0.sequences().next().unwrap();
    assert_eq!((sequence.expected(), sequence.merged(), sequence.announced()), (53, 9, 41));
}

#[test]
fn faults_are_named() {
    let mut driven = Driven::default();
    driven.subscribed("t", 10);
    let lost = Fault::Lost { topic: "t".into(), count: 2, seq: 13 };
    assert_eq!(driven.event("t", 13), Some(lost));
    assert_eq!(driven.event("t", 13), Some(Fault::Doubled { topic: "t".into(), seq: 13 }));
    assert_eq!(driven.event("t", 12), Some(Fault::Reordered { topic: "t".into(), seq: 12 }));
    let bad = json!({"op": "event", "topic": "t", "seq": 20, "from": 14, "merged": 3, "ts": 1, "data": 0});
    assert!(matches!(driven.see(bad), Some(Fault::BadRange { .. })));
    assert!(matches!(driven.gap(json!({"from": 20, "to": 15})), Some(Fault::BadRange { .. })));
    assert!(matches!(driven.snapshot("t", "e2", 3), Some(Fault::EpochChanged { .. })));
    assert_eq!(driven.event("t", 4), None);
}

#[test]
fn topics_of_a_pattern_start_where_they_are_first_seen() {
    let mut driven = Driven::default();
    let entry = json!({"pattern": "t.*", "matched": 1, "epoch": "e9"});
    assert_eq!(driven.see(json!({"op": "subscribed", "topics": [entry]})), None);
    assert_eq!(driven.event("t.a", 500), None);
    assert_eq!(driven.merged("t.b", 7, 9), None);
    assert!(driven.event("t.a", 502).is_some());
    let position = Position { epoch: "e9".into(), seq: 9 };
    assert_eq!(driven.0.positions().get("t.b"), Some(&position));
}

#[test]
fn history_sets_the_cursor_back_and_no_further_than_asked_is_checked() {
    let mut driven = Driven::default();
    driven.0.subscribing(&Subscribe { history: Some(20), ..Subscribe::to(["t"]) });
    driven.subscribed("t", 100);
    assert_eq!(driven.event("t", 95), None);
    assert_eq!(driven.event("t", 96), None);
    assert!(driven.event("t", 98).is_some());
    // An empty history does not excuse a hole in front of the first live event.
    let mut driven = Driven::default();
    driven.0.subscribing(&Subscribe { history: Some(20), ..Subscribe::to(["t"]) });
    driven.subscribed("t", 100);
    assert!(driven.event("t", 102).is_some());
}

#[test]
fn resuming_goes_on_where_it_was() {
    let mut driven = Driven::default();
    driven.subscribed("t", 10);
    driven.subscribed("other", 70);
    driven.event("t", 11);
    driven.0.disconnected();
    let mut resume = driven.0.positions();
    assert_eq!(resume.remove("other"), Some(Position { epoch: "e1".into(), seq: 70 }));
    assert_eq!(resume.get("t"), Some(&Position { epoch: "e1".into(), seq: 11 }));
    driven.0.subscribing(&Subscribe { resume, ..Subscribe::to(["t", "other"]) });
    driven.subscribed("t", 20);
    driven.subscribed("other", 90);
    assert_eq!(driven.event("t", 12), None);
    assert_eq!(driven.event("other", 91), None);
    assert!(driven.event("t", 14).is_some());
}

#[test]
fn a_restart_is_announced_with_the_new_epoch() {
    let mut driven = Driven::default();
    driven.subscribed("t", 1_000);
    let restart = json!({"from": 1, "to": 5, "reason": "restart", "epoch": "e2"});
    assert_eq!(driven.gap(restart), None);
    assert_eq!(driven.snapshot("t", "e2", 6), None);
    assert_eq!(driven.event("t", 7), None);
    assert_eq!(driven.0.positions()["t"], Position { epoch: "e2".into(), seq: 7 });
}

#[test]
fn other_messages_are_nothing_to_it() {
    let mut tracker = SubscriptionTracker::new();
    assert_eq!(tracker.observe(&Message::Unknown { op: "x".into() }), None);
    assert_eq!(tracker.observe(&Message::Pong { id: None, ts: None }), None);
    assert!(tracker.positions().is_empty());
}
