//! Whatever clients send, the exchange answers in its protocol or not at all.

use exchange::{Effect, Exchange, Options, Venue};
use proptest::prelude::*;
use serde_json::Value;

use crate::client::{MS, START};
use crate::faults::subscribe_all;

/// A valid command with some of its bytes changed, or none.
fn mutated(venue: Venue) -> impl Strategy<Value = Vec<u8>> {
    let commands = subscribe_all(venue);
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (0..commands.len(), prop::collection::vec(change, 0..4)).prop_map(move |(which, changes)| {
        let mut bytes = commands[which].clone().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

fn message() -> impl Strategy<Value = (Venue, Vec<u8>)> {
    prop::sample::select(Venue::ALL.to_vec()).prop_flat_map(|venue| {
        let bytes = prop_oneof![mutated(venue), prop::collection::vec(any::<u8>(), 0..200)];
        bytes.prop_map(move |bytes| (venue, bytes))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_message_is_answered_in_json_or_not_at_all(
        (venue, bytes) in message(),
        path in "/[ -~]{0,60}",
    ) {
        let mut exchange = Exchange::new(Options::new(venue), START).unwrap();
        let id = exchange.connect(&path, START);
        exchange.receive(id, &bytes, START);
        exchange.receive(id, &bytes, START + MS);
        exchange.advance(START + 300 * MS);
        for delivery in exchange.take_deliveries() {
            let Effect::Text(text) = delivery.effect else { continue };
            let text = String::from_utf8(text).unwrap();
            prop_assert!(
                text == "pong" || serde_json::from_str::<Value>(&text).is_ok(),
                "{venue}: {text}"
            );
        }
    }

    #[test]
    fn any_request_has_an_answer(target in "/(api/v3/(depth|exchangeInfo))?[ -~]{0,60}") {
        for venue in Venue::ALL {
            let mut exchange = Exchange::new(Options::new(venue), START).unwrap();
            let reply = exchange.request(&target, START);
            prop_assert!((200..500).contains(&reply.status));
            prop_assert!(serde_json::from_str::<Value>(&reply.body).is_ok(), "{}", reply.body);
        }
    }
}
