//! The reader against what JSON says, and its quick ways against its general ones.

use proptest::prelude::*;

use super::*;

#[test]
fn a_message_is_read_in_its_own_order_and_numbers_keep_their_digits() {
    let message = br#" { "s" : "BTC-USD", "b":[["1.50","0"],[2,3.0,"0","7"]], "x":{"y":[null,"\"",true,-1e5]},"u":18446744073709551615 } "#;
    let (mut symbol, mut levels, mut id) = ("", Vec::new(), 0);
    Reader::all(message, |reader| {
        reader.object(|reader, key| {
            match key {
                "s" => symbol = reader.string()?,
                "b" => reader.list(|reader| {
                    levels.push(reader.pair()?);
                    Ok(())
                })?,
                "u" => id = reader.unsigned()?,
                _ => reader.skip()?,
            }
            Ok(())
        })
    })
    .unwrap();
    assert_eq!((symbol, id), ("BTC-USD", u64::MAX));
    let texts: Vec<_> = levels.iter().map(|(price, size)| format!("{price} {size}")).collect();
    assert_eq!(texts, ["1.50 0", "2 3.0"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (message, at) in [
        ("", 0),
        ("{", 1),
        ("{}x", 2),
        ("[1,]", 3),
        (r#"{"a"}"#, 4),
        (r#"{"a":1,}"#, 7),
        (r#"["a"#, 2),
        ("[tru]", 1),
        ("[1 2]", 3),
        ("[nul]", 1),
    ] {
        let error = Reader::all(message.as_bytes(), Reader::skip).unwrap_err();
        assert_eq!(error.at, at, "{message}: {error}");
    }
    let deep = "[".repeat(100_000);
    assert!(Reader::all(deep.as_bytes(), Reader::skip).is_err());
}

#[test]
fn what_is_common_is_taken_at_once_and_all_else_all_the_same() {
    let message = br#"[{"price":1.50,"qty":0.25},{ "qty" : 2, "x":[], "price":"3.0"},{"price":4,"qty":5,"n":6}]"#;
    let mut pairs = Vec::new();
    Reader::all(message, |reader| {
        reader.list(|reader| {
            pairs.push(reader.named_pair(["price", "qty"])?);
            Ok(())
        })
    })
    .unwrap();
    let texts: Vec<_> = pairs.iter().map(|(price, size)| format!("{price} {size}")).collect();
    assert_eq!(texts, ["1.50 0.25", "3.0 2", "4 5"]);
    for message in [r#"{"price":1}"#, r#"{"price":1,"qty":"x"}"#, r#"{"price":1,"qty":2"#, "[]"] {
        let read = Reader::all(message.as_bytes(), |reader| reader.named_pair(["price", "qty"]));
        assert!(read.is_err(), "{message}");
    }
    let mut reader = Reader::new(b"{\"a\":\"1\"}");
    assert!(!reader.literal(b"{\"b\":"));
    assert!(reader.literal(b"{\"a\":\""));
    assert_eq!(reader.rest(), b"1\"}");
}

#[test]
fn a_text_may_be_long_or_short_and_end_anywhere() {
    for length in 0..70 {
        for (inside, good) in [("", true), ("é", true), ("\\n", false), ("\\\"", false)] {
            for tail in ["", ",1", "]]]]]]]]]]]]]]]]"] {
                let text = format!("{}{inside}{}", "x".repeat(length), "y".repeat(length / 3));
                let message = format!("\"{text}\"{tail}");
                let mut reader = Reader::new(message.as_bytes());
                let read = reader.string().ok();
                assert_eq!(read, good.then_some(text.as_str()), "{message}");
                let mut reader = Reader::new(message.as_bytes());
                reader.skip().unwrap();
                assert_eq!(reader.rest(), tail.as_bytes(), "{message}");
            }
        }
        let open = format!("\"{}", "x".repeat(length));
        assert!(Reader::new(open.as_bytes()).string().is_err());
        assert!(Reader::new(open.as_bytes()).skip().is_err());
    }
}

#[test]
fn a_text_that_is_not_utf8_is_an_error_only_where_it_is_asked_for() {
    for filler in [0, WHOLE_BYTES] {
        let mut message = b"[\"a\xFFb\",\"good\",\"".to_vec();
        message.extend(std::iter::repeat_n(b'x', filler));
        message.extend(b"\"]");
        let mut good = "";
        Reader::all(&message, |reader| {
            let mut number = 0;
            reader.list(|reader| {
                number += 1;
                if number != 2 {
                    return reader.skip();
                }
                good = reader.string()?;
                Ok(())
            })
        })
        .unwrap();
        assert_eq!(good, "good");
        let first = |reader: &mut Reader<'_>| reader.list(|reader| reader.string().map(drop));
        assert_eq!(Reader::all(&message, first).unwrap_err().expected, "a text in UTF-8");
    }
}

/// Any JSON value as serde_json writes it.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,40}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec(("[a-z\"é]{0,12}", inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_number_is_read_the_same_on_both_ways(
        number in prop_oneof![
            "-?[0-9]{1,25}(\\.[0-9]{1,25})?",
            "[0-9]{1,8}\\.[0-9]{1,8}",
            "[-+0-9.eE]{0,12}",
        ],
        quoted: bool,
        tail in "[,\\]} \"5.x]{0,20}",
    ) {
        let text = if quoted { format!("\"{number}\"{tail}") } else { number + &tail };
        let reader = Reader::new(text.as_bytes());
        let both = |read: &dyn Fn(&mut Reader<'_>) -> Result<String>| {
            let mut reader = reader.clone();
            read(&mut reader).map(|value| (value, reader.rest().len()))
        };
        let slow = |reader: &mut Reader<'_>| reader.any_decimal().map(|value| value.to_string());
        prop_assert_eq!(
            both(&|reader| reader.decimal().map(|value| value.to_string())),
            both(&slow)
        );
        let whole = |reader: &mut Reader<'_>| {
            let number = reader.digits()?.parse::<u64>();
            number.map(|value| value.to_string()).map_err(|_| reader.wrong("a whole number"))
        };
        let quick = both(&|reader| reader.unsigned().map(|value| value.to_string()));
        prop_assert_eq!(quick.ok(), both(&whole).ok());
    }

    #[test]
    fn whatever_serde_json_writes_is_passed_over_whole(value in any_json(), pretty: bool) {
        let text = if pretty {
            serde_json::to_string_pretty(&value).unwrap()
        } else {
            value.to_string()
        };
        prop_assert_eq!(Reader::all(text.as_bytes(), Reader::skip), Ok(()));
        prop_assert_eq!(Reader::new(text.as_bytes()).raw(), Ok(text.as_bytes()));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[\\[{\\]},:\"\\\\0-9.etruflsn -]{0,60}") {
        for message in [&bytes[..], text.as_bytes()] {
            let reader = Reader::new(message);
            let read = [
                reader.clone().skip().is_ok(),
                reader.clone().pair().is_ok(),
                reader.clone().named_pair(["a", "b"]).is_ok(),
                reader.clone().decimal().is_ok(),
                reader.clone().unsigned().is_ok(),
                reader.clone().string().is_ok(),
                reader.clone().object(|reader, _| reader.skip()).is_ok(),
            ];
            prop_assert!(read.iter().filter(|good| **good).count() < read.len());
        }
    }
}

#[test]
fn a_member_that_comes_twice_is_an_error_where_it_is_read() {
    let read = |text: &str| Reader::all(text.as_bytes(), |r| r.object(|r, _| r.skip()));
    assert_eq!(read(r#"{"b":[],"a":[],"B":1,"A":2,"bb":3}"#), Ok(()));
    let again = read(r#"{"b":[],"a":[],"b":[1]}"#).unwrap_err();
    assert_eq!(again.expected, "each member once");
    // What nobody reads may say what it likes.
    assert_eq!(read(r#"{"x":{"b":1,"b":2}}"#), Ok(()));
    let mut pair = Reader::new(br#"{"price":1,"qty":2,"price":3}"#);
    assert!(pair.named_pair(["price", "qty"]).is_err());
    // Far more members than are looked at.
    let many: Vec<_> = (0..1000).map(|n| format!("\"{n}\":0")).collect();
    assert_eq!(read(&format!("{{{}}}", many.join(","))), Ok(()));
}

#[test]
fn a_pair_of_so_many_elements_has_no_fewer_and_no_more() {
    let read = |text: &str| Reader::all(text.as_bytes(), |reader| reader.pair_of(4)).is_ok();
    assert!(read(r#"["1","2","0","5"]"#));
    for bad in [r#"["2","0","5"]"#, r#"["1","2","0","5","6"]"#, r#"["1"]"#] {
        assert!(!read(bad), "{bad}");
    }
}
