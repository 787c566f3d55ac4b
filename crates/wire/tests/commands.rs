//! Commands: what is malformed is refused with the right code, naming the field, echoing the id.

#![expect(clippy::unwrap_used, reason = "a test's own commands can be written")]

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::command::{BadCommand, Command, Id, OnSlow, Position, Subscribe};
use wire::{Code, Codec, CommandReader};

const TOPICS_MAX: usize = 1_000;

fn bytes(codec: Codec, command: &Value) -> Vec<u8> {
    match codec {
        Codec::Json => command.to_string().into_bytes(),
        Codec::MessagePack => rmp_serde::to_vec_named(command).unwrap(),
    }
}

fn refusal(codec: Codec, command: &[u8]) -> Option<BadCommand> {
    CommandReader::new(TOPICS_MAX).read(codec, command, |command| command.err())
}

fn subscribe(command: &Value) -> Subscribe {
    CommandReader::new(TOPICS_MAX).read(Codec::Json, command.to_string().as_bytes(), |command| {
        match command {
            Ok(Command::Subscribe(subscribe)) => subscribe,
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn each_malformed_field_is_named_and_the_id_comes_back() {
    let subscribe = |field: &str, value: Value| {
        let mut command = json!({"op": "subscribe", "id": 7, "topics": ["a"]});
        command[field] = value;
        command
    };
    let position = |position: Value| subscribe("resume", json!({"a": position}));
    for (command, part) in [
        (json!({"id": 7}), "\"op\" is missing"),
        (json!({"id": 7, "op": 1}), "\"op\" must be"),
        (json!({"id": 7, "op": "shout"}), "\"op\":\"shout\" is unknown"),
        (json!({"id": 7, "op": "subscribe"}), "\"topics\""),
        (json!({"id": 7, "op": "unsubscribe"}), "\"topics\""),
        (subscribe("topics", json!("a")), "\"topics\""),
        (subscribe("topics", json!({})), "\"topics\""),
        (subscribe("topics", json!([])), "\"topics\" is empty"),
        (subscribe("topics", json!(["a", 5])), "[1] is no string"),
        (subscribe("snapshot", json!(1)), "\"snapshot\""),
        (subscribe("max_rate", json!("20")), "\"max_rate\""),
        (subscribe("max_rate", json!(0)), "\"max_rate\""),
        (subscribe("max_rate", json!(0.09)), "\"max_rate\""),
        (subscribe("max_rate", json!(1001)), "\"max_rate\""),
        (subscribe("max_rate", json!(-5)), "\"max_rate\""),
        (subscribe("on_slow", json!("wait")), "\"on_slow\""),
        (subscribe("on_slow", json!(true)), "\"on_slow\""),
        (subscribe("history", json!(-1)), "\"history\""),
        (subscribe("history", json!(1.5)), "\"history\""),
        (subscribe("resume", json!([])), "\"resume\""),
        (position(json!(5)), "\"resume\""),
        (position(json!({"epoch": "1"})), "\"resume\""),
        (position(json!({"epoch": 1, "seq": 1})), "\"resume\""),
        (position(json!({"epoch": "1", "seq": -1})), "\"resume\""),
        (json!({"id": 7, "op": "publish", "data": 1}), "\"topic\""),
        (json!({"id": 7, "op": "publish", "topic": 1, "data": 1}), "\"topic\""),
        (json!({"id": 7, "op": "publish", "topic": "a"}), "\"data\""),
    ] {
        for codec in Codec::ALL {
            let BadCommand { id, rejection } =
                refusal(codec, &bytes(codec, &command)).unwrap_or_else(|| panic!("{command}"));
            assert_eq!(rejection.code, Code::BadCommand, "{command}");
            assert!(rejection.message.contains(part), "{command}: {}", rejection.message);
            assert_eq!(id, Some(Id::Unsigned(7)), "{command}");
        }
    }
}

#[test]
fn an_id_comes_back_as_it_was_or_is_refused() {
    let long = "x".repeat(Id::TEXT_MAX);
    for (id, expected) in [
        (json!(u64::MAX), Id::Unsigned(u64::MAX)),
        (json!(i64::MIN), Id::Signed(i64::MIN)),
        (json!("a \"b\" é"), Id::Text("a \"b\" é".into())),
        (json!(long), Id::Text(long.as_str().into())),
    ] {
        for codec in Codec::ALL {
            let command = json!({"op": "shout", "id": id});
            assert_eq!(refusal(codec, &bytes(codec, &command)).unwrap().id, Some(expected.clone()));
            let written = match codec {
                Codec::Json => serde_json::from_str(&serde_json::to_string(&expected).unwrap()),
                Codec::MessagePack => {
                    Ok(rmp_serde::from_slice::<Value>(&rmp_serde::to_vec(&expected).unwrap())
                        .unwrap())
                }
            };
            assert_eq!(written.unwrap(), id);
        }
    }
    for id in [json!(1.5), json!([1]), json!({}), json!(true), json!("x".repeat(129))] {
        let bad = refusal(Codec::Json, json!({"op": "ping", "id": id}).to_string().as_bytes());
        let BadCommand { id, rejection } = bad.unwrap();
        assert_eq!((id, rejection.code), (None, Code::BadCommand));
        assert!(rejection.message.contains("\"id\""));
    }
    // Absent and null are the same.
    assert!(refusal(Codec::Json, br#"{"op":"ping","id":null}"#).is_none());
}

#[test]
fn what_is_no_json_and_no_messagepack_says_so() {
    for text in ["", "{", "{\"op\":}", "nul", "\u{feff}{}", "{\"op\":\"ping\"} x", "{'op':1}"] {
        let bad = refusal(Codec::Json, text.as_bytes()).unwrap();
        assert_eq!((bad.id, bad.rejection.code), (None, Code::BadJson), "{text}");
    }
    let bad = refusal(Codec::Json, b"{\"op\":\"\xff\"}").unwrap();
    assert_eq!(bad.rejection.code, Code::BadJson);
    for bytes in [&b""[..], &[0xC1], &[0x81, 0xA2, b'o', b'p'], &[0x80, 0x80], &[0xC4, 1, 0]] {
        let bad = refusal(Codec::MessagePack, bytes).unwrap();
        assert_eq!((bad.id, bad.rejection.code), (None, Code::BadMsgpack), "{bytes:02x?}");
    }
    for text in ["1", "[]", "null", "\"ping\""] {
        let bad = refusal(Codec::Json, text.as_bytes()).unwrap();
        assert_eq!(bad.rejection.code, Code::BadCommand, "{text}");
    }
}

#[test]
fn a_list_of_a_million_topics_is_too_many() {
    let topics = vec!["a"; 1_000_000];
    let resume: serde_json::Map<_, _> =
        (0..=TOPICS_MAX).map(|n| (n.to_string(), json!({"epoch": "1", "seq": 1}))).collect();
    for (command, part) in [
        (json!({"op": "subscribe", "id": "x", "topics": topics}), "1000000 topics"),
        (json!({"op": "unsubscribe", "id": "x", "topics": topics}), "1000000 topics"),
        (json!({"op": "subscribe", "id": "x", "topics": ["a"], "resume": resume}), "1001 topics"),
    ] {
        for codec in Codec::ALL {
            let BadCommand { id, rejection } = refusal(codec, &bytes(codec, &command)).unwrap();
            assert_eq!((id, rejection.code), (Some(Id::Text("x".into())), Code::TooMany));
            assert!(rejection.message.contains(part), "{}", rejection.message);
        }
    }
    let allowed = json!({"op": "subscribe", "topics": vec!["a"; TOPICS_MAX]});
    assert_eq!(subscribe(&allowed).topics.len(), TOPICS_MAX);
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_unknown_is_ignored() {
    let command = subscribe(&json!({"op": "subscribe", "topics": ["a"], "colour": "red"}));
    let expected = Subscribe {
        id: None,
        topics: vec!["a".into()],
        snapshot: true,
        interval: None,
        on_slow: OnSlow::Conflate,
        resume: Vec::new(),
        history: 0,
    };
    assert_eq!(command, expected);
    let null = json!({"op": "subscribe", "topics": ["a"], "id": null, "snapshot": null,
        "max_rate": null, "on_slow": null, "resume": null, "history": null});
    assert_eq!(subscribe(&null), expected);
}

#[test]
fn rates_become_intervals_that_are_never_too_short() {
    for (rate, interval) in [
        (json!(0.1), 10_000),
        (json!(1), 1_000),
        (json!(3), 334),
        (json!(20), 50),
        (json!(1000), 1),
    ] {
        let command = subscribe(&json!({"op": "subscribe", "topics": ["a"], "max_rate": rate}));
        assert_eq!(command.interval.map(u32::from), Some(interval));
    }
}

#[test]
fn a_position_of_an_epoch_that_was_never_ours_is_kept_as_unknown() {
    let resume = json!({"a": {"epoch": "77", "seq": 5}, "b": {"epoch": "abc", "seq": 6}});
    let command = json!({"op": "subscribe", "topics": ["a", "b"], "resume": resume});
    let expected: Vec<(Box<str>, Position)> = vec![
        ("a".into(), Position { epoch: Some(77), seq: 5 }),
        ("b".into(), Position { epoch: None, seq: 6 }),
    ];
    assert_eq!(subscribe(&command).resume, expected);
}

#[test]
fn a_reader_goes_on_after_bad_input_as_if_nothing_had_been() {
    let mut reader = CommandReader::new(TOPICS_MAX);
    let ping = br#"{"op":"ping","id":1}"#;
    let huge = format!("[{}", "1,".repeat(200_000));
    for bad in [b"{".as_slice(), b"\xff", huge.as_bytes(), &[b'['; 5_000]] {
        assert!(reader.read(Codec::Json, bad, |command| command.is_err()));
        assert!(reader.read(Codec::Json, ping, |command| command.is_ok()));
        assert!(reader.read(Codec::MessagePack, bad, |command| command.is_err()));
    }
}

/// Something close to a command, so that more than the first check is reached.
fn nearly_a_command() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec![
        "op", "id", "topics", "topic", "data", "snapshot", "max_rate", "on_slow", "resume",
        "history", "epoch", "seq",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "subscribe",
            "unsubscribe",
            "publish",
            "ping",
            "disconnect",
            ">"
        ])
        .prop_map(Value::from),
        ".{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((field.clone(), inner), 0..8).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, v)| (name.to_owned(), v)).collect())
            }),
        ]
    })
}

/// Reads and, where that works, uses every field.
fn exercise(codec: Codec, input: &[u8]) {
    CommandReader::new(5).read(codec, input, |command| {
        if let Ok(Command::Publish { data, .. }) = command {
            drop(data.opaque());
            drop(data.market(market::Kind::Book, 1));
            drop(data.market(market::Kind::Quote, 1));
        }
    });
    CommandReader::new(5).read_publication(input, |publication| drop(publication.err()));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        for codec in Codec::ALL {
            exercise(codec, &input);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(input in "[\\[\\]{}\",:0-9a-z\\\\ .é-]{0,80}") {
        exercise(Codec::Json, input.as_bytes());
    }

    #[test]
    fn what_is_nearly_a_command_never_panics_cut_short_or_not(
        command in nearly_a_command(),
        cut in any::<prop::sample::Index>(),
    ) {
        for codec in Codec::ALL {
            let input = bytes(codec, &command);
            exercise(codec, &input);
            exercise(codec, &input[..cut.index(input.len())]);
        }
    }
}
