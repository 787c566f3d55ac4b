//! Replies and half-written frames: what a socket takes first when it takes anything again.

use serde_json::json;

use crate::rig::Rig;

#[test]
fn a_half_written_frame_is_finished_first_and_replies_come_right_after_it() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X"]);
    rig.takes(who, 10);
    rig.publish("trade.sim.X", 2);
    rig.turn();
    rig.say(who, json!({"op": "ping", "id": 1}));
    rig.publish("trade.sim.X", 1);
    rig.turn();
    rig.takes_all(who);
    rig.turn();
    assert_eq!(
        rig.heard(who),
        ["event trade.sim.X 1", "pong", "event trade.sim.X 2", "event trade.sim.X 3"]
    );
}

#[test]
fn bytes_taken_one_by_one_make_the_same_stream() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X", "quote.sim.X"]);
    rig.stalls(who);
    rig.publish("trade.sim.X", 3);
    rig.publish("quote.sim.X", 2);
    rig.turn();
    for _ in 0..2_000 {
        rig.takes(who, 1);
        rig.turn();
    }
    assert_eq!(
        rig.heard(who),
        [
            "event trade.sim.X 1",
            "event trade.sim.X 2",
            "event trade.sim.X 3",
            "event quote.sim.X 1..2"
        ]
    );
}

#[test]
fn replies_wait_for_a_socket_that_takes_nothing_and_keep_their_order() {
    let mut rig = Rig::new();
    let who = rig.listener(&["chat.x"]);
    rig.stalls(who);
    rig.publish("chat.x", 1);
    rig.turn();
    rig.say(who, json!({"op": "ping", "id": 1}));
    rig.say(who, json!({"op": "subscribe", "id": 2, "topics": ["quote.sim.X"]}));
    rig.say(who, json!({"op": "nonsense", "id": 3}));
    rig.turn();
    assert!(rig.hub.unsent(who) > 0);
    rig.takes_all(who);
    rig.turn();
    assert_eq!(rig.heard(who), ["pong", "subscribed", "error bad_command", "event chat.x 1"]);
    assert_eq!(rig.hub.unsent(who), 0);
}

#[test]
fn a_muted_subscriber_still_gets_its_replies_and_nothing_else() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X"]);
    rig.publish("trade.sim.X", 2);
    rig.say(who, json!({"op": "ping", "id": 1}));
    rig.hub.gather();
    rig.hub.mute(who);
    rig.hub.reply(who, |bytes| wire::append_close(bytes, 4001, "slow"));
    rig.turn();
    rig.publish("trade.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["pong", "close 4001"]);
    let ledger = rig.ledger();
    assert_eq!((ledger.published, ledger.dropped), (2, 2));
}

#[test]
fn a_muted_subscriber_finishes_its_half_written_frame_before_the_close() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X"]);
    rig.takes(who, 10);
    rig.publish("trade.sim.X", 2);
    rig.turn();
    rig.hub.mute(who);
    rig.hub.reply(who, |bytes| wire::append_close(bytes, 1001, "bye"));
    rig.turn();
    rig.takes_all(who);
    rig.turn();
    assert_eq!(rig.heard(who), ["event trade.sim.X 1", "close 1001"]);
}

#[test]
fn each_ready_subscriber_is_named_once_in_a_turn() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X", "chat.x"]);
    rig.publish("trade.sim.X", 1);
    rig.publish("chat.x", 1);
    rig.hub.gather();
    rig.say(who, json!({"op": "unsubscribe", "topics": ["chat.x"]}));
    assert_eq!(rig.hub.next_ready(), Some(who));
    let length = rig.hub.pending(who).map(<[u8]>::len).sum();
    rig.hub.wrote(who, length);
    assert_eq!(rig.hub.next_ready(), None);
    rig.hub.end_turn();
}
