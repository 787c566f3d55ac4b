//! Each dialect on byte sequences as its server sends them, broken at every byte.

use super::*;

const DATA: &[u8] = b"{\"due\":\"0000000000000042\",\"slot\":3,\"seq\":7,\"pad\":\"x\"}";
const SEEN: Stamp = Stamp { topic: 3, seq: 7, due: 42 };

/// What is heard when `bytes` come in the given pieces.
fn heard(dialect: &dyn Dialect, side: Side, pieces: &[&[u8]]) -> Vec<String> {
    let (mut carry, mut all) = (Vec::new(), Vec::new());
    for piece in pieces {
        hear_all(dialect, side, &mut carry, piece, |heard| {
            all.push(format!("{heard:?}"));
            Ok(())
        })
        .unwrap();
    }
    assert!(carry.is_empty(), "{carry:?} is left");
    all
}

/// Whole, broken at every byte, and byte by byte, a stream says the same.
fn check_stream(dialect: &dyn Dialect, side: Side, bytes: &[u8], expected: &[Heard<'_>]) {
    let expected: Vec<String> = expected.iter().map(|heard| format!("{heard:?}")).collect();
    for at in 0..=bytes.len() {
        let pieces = [&bytes[..at], &bytes[at..]];
        assert_eq!(heard(dialect, side, &pieces), expected, "broken at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(heard(dialect, side, &single), expected);
}

fn topics() -> [String; 2] {
    ["load.1.0".into(), "load.1.1".into()]
}

fn published(dialect: &dyn Dialect, base: &str) -> Vec<u8> {
    let mut out = Vec::new();
    dialect.publish(base, "h:1", Event { topic: "load.1.0", data: b"{}" }, &mut out);
    out
}

#[test]
fn nats_lines_break_anywhere() {
    let mut bytes = b"INFO {\"server_id\":\"N\",\"max_payload\":1048576} \r\nPONG\r\n".to_vec();
    let size = DATA.len();
    bytes.extend_from_slice(format!("MSG load.1.3 1 {size}\r\n").as_bytes());
    bytes.extend_from_slice(DATA);
    bytes.extend_from_slice(format!("\r\nMSG load.1.3 1 _INBOX.x {size}\r\n").as_bytes());
    bytes.extend_from_slice(DATA);
    bytes.extend_from_slice(b"\r\nPING\r\n+OK\r\nMSG other 2 5\r\nPING\n\r\n-ERR 'Stale'\r\n");
    let event = Heard::Event(SEEN);
    let expected = [
        Heard::Welcome,
        Heard::Ready,
        event,
        event,
        Heard::Ask(b"PONG\r\n"),
        Heard::Nothing,
        Heard::Nothing,
        Heard::Refused(b"-ERR 'Stale'"),
    ];
    check_stream(&nats::Nats, Side::Subscriber, &bytes, &expected);
    assert!(nats::Nats.hear(b"HELLO\r\n").is_err());
    assert!(nats::Nats.hear(b"MSG a 1 x\r\n").is_err());
    assert!(nats::Nats.hear(b"MSG a 1 99999999999999999999\r\n").is_err());
    assert!(nats::Nats.hear(&[b'x'; 70_000]).is_err());
    let opening = nats::Nats.subscriber("/", 0, &topics());
    assert!(opening.wishes.ends_with(b"}\r\nSUB load.1.0 1\r\nSUB load.1.1 2\r\nPING\r\n"));
    assert_eq!(published(&nats::Nats, "/"), b"PUB load.1.0 2\r\n{}\r\n");
}

#[test]
fn mqtt_packets_break_anywhere() {
    let mut bytes = vec![0x20, 2, 0, 0, 0x90, 4, 0, 1, 0, 0];
    let publish = |data: &[u8]| {
        let mut out = Vec::new();
        mqtt::Mqtt.publish("/", "h", Event { topic: "load.1.3", data }, &mut out);
        out
    };
    bytes.extend_from_slice(&publish(DATA));
    // Longer than 127 bytes: the length takes two.
    let mut long = Vec::new();
    stamp::write(&mut long, 3, 7, 42, 300);
    bytes.extend_from_slice(&publish(&long));
    bytes.extend_from_slice(&[0xd0, 0, 0x90, 4, 0, 1, 0, 0x80, 0x20, 2, 0, 5]);
    let event = Heard::Event(SEEN);
    let expected = [
        Heard::Welcome,
        Heard::Ready,
        event,
        event,
        Heard::Nothing,
        Heard::Refused(b"SUBSCRIBE was not granted"),
        Heard::Refused(b"CONNECT was not accepted"),
    ];
    check_stream(&mqtt::Mqtt, Side::Subscriber, &bytes, &expected);
    assert!(mqtt::Mqtt.hear(&[0x30, 0x80, 0x80, 0x80, 0x80]).is_err());
    assert!(mqtt::Mqtt.hear(&[0x30, 3, 0, 9, b'a']).is_err());
    assert!(mqtt::Mqtt.hear(&[0, 0]).is_err());
    assert_eq!(published(&mqtt::Mqtt, "/"), b"\x30\x0c\x00\x08load.1.0{}");
    let opening = mqtt::Mqtt.subscriber("/", 0, &topics());
    assert_eq!(opening.wishes, b"\x82\x18\x00\x01\x00\x08load.1.0\x00\x00\x08load.1.1\x00");
    let hello = &opening.hello;
    assert_eq!((hello[0], usize::from(hello[1])), (0x10, hello.len() - 2));
    assert_eq!(hello[2..12], *b"\x00\x04MQTT\x04\x02\x00\x00");
}

#[test]
fn nchan_answers_to_publishers_break_anywhere() {
    let bytes = b"HTTP/1.1 202 Accepted\r\nServer: nginx\r\nContent-Length: 5\r\n\r\nqueueHTTP/1.1 \
        201 Created\r\ncontent-length:0\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let expected = [Heard::Nothing, Heard::Nothing, Heard::Refused(b"HTTP/1.1 403 Forbidden")];
    check_stream(&nchan::Nchan, Side::Publisher, bytes, &expected);
    let odd = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(nchan::Nchan.hear_publisher(odd).is_err());
    assert!(nchan::Nchan.hear_publisher(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
    assert_eq!(nchan::Nchan.subscriber("/", 0, &topics()).path, "/sub/load.1.0,load.1.1");
    let request = "POST /pub/load.1.0 HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/json\r\n\
        Content-Length: 2\r\n\r\n{}";
    assert_eq!(String::from_utf8(published(&nchan::Nchan, "/")).unwrap(), request);
}

#[test]
fn messages_that_are_frames_are_read_whole() {
    let event = (DATA.len(), Heard::Event(SEEN));
    assert_eq!(nchan::Nchan.hear(DATA), Ok(Some(event)));
    assert_eq!(broadcast::Broadcast.hear(DATA), Ok(Some(event)));
    assert_eq!(broadcast::Broadcast.hear(b"hi"), Ok(Some((2, Heard::Nothing))));
    assert_eq!(published(&broadcast::Broadcast, "/"), b"load.1.0 {}");
    let subscriber = broadcast::Broadcast.subscriber("/x/", 0, &topics());
    assert_eq!(subscriber.path, "/x/sub/load.1.0,load.1.1");
}

#[test]
fn socket_io_is_understood() {
    let said = |text: &'static [u8]| socketio::SocketIo.hear(text).map(|heard| heard.unwrap().1);
    let mut event = b"42[\"event\",".to_vec();
    event.extend_from_slice(DATA);
    event.push(b']');
    let heard = socketio::SocketIo.hear(&event).unwrap();
    assert_eq!(heard, Some((event.len(), Heard::Event(SEEN))));
    assert_eq!(said(b"0{\"sid\":\"a\",\"pingInterval\":25000}"), Ok(Heard::Nothing));
    assert_eq!(said(b"40{\"sid\":\"b\"}"), Ok(Heard::Welcome));
    assert_eq!(said(b"430[]"), Ok(Heard::Ready));
    assert_eq!(said(b"2"), Ok(Heard::Ask(b"3")));
    assert_eq!(said(b"44{\"message\":\"no\"}"), Ok(Heard::Refused(b"44{\"message\":\"no\"}")));
    assert!(said(b"9").is_err());
    assert_eq!(published(&socketio::SocketIo, "/"), b"42[\"publish\",\"load.1.0\",{}]");
    let wishes = socketio::SocketIo.subscriber("/", 0, &topics()).wishes;
    assert_eq!(wishes, b"420[\"subscribe\",[\"load.1.0\",\"load.1.1\"]]");
}

#[test]
fn the_scheme_says_who_it_is() {
    for name in ["nats", "mqtt", "nchan", "broadcast", "socketio"] {
        let url = format!("{name}+ws://127.0.0.1:1/");
        let (_, rest) = of_url(&url).unwrap();
        assert_eq!(rest, "ws://127.0.0.1:1/");
    }
    assert!(of_url("ws://127.0.0.1:1/").is_none());
    assert!(of_url("other+ws://127.0.0.1:1/").is_none());
}

#[test]
fn nothing_is_allocated_for_a_message() {
    let mut batch = Vec::new();
    for _ in 0..100 {
        batch.extend_from_slice(format!("MSG load.1.3 1 {}\r\n", DATA.len()).as_bytes());
        batch.extend_from_slice(DATA);
        batch.extend_from_slice(b"\r\n");
    }
    let mut packets = Vec::new();
    for _ in 0..100 {
        let event = Event { topic: "load.1.3", data: DATA };
        mqtt::Mqtt.publish("/", "h", event, &mut packets);
    }
    // Each of its frames is one message, and so are those of the two before it.
    let single = [b"42[\"event\",", DATA, b"]"].concat();
    let cases: [(&dyn Dialect, &[u8]); 5] = [
        (&nats::Nats, &batch),
        (&mqtt::Mqtt, &packets),
        (&nchan::Nchan, DATA),
        (&broadcast::Broadcast, DATA),
        (&socketio::SocketIo, &single),
    ];
    for (dialect, bytes) in cases {
        // The room for broken messages is made once.
        let mut carry = Vec::with_capacity(bytes.len());
        let framed = bytes == DATA || bytes == single;
        let mut events = 0;
        let counted = allocation_counter::measure(|| {
            for piece in [bytes, &bytes[..7], &bytes[7..]] {
                if piece.len() < bytes.len() && framed {
                    continue;
                }
                let heard = hear_all(dialect, Side::Subscriber, &mut carry, piece, |heard| {
                    events += u32::from(matches!(heard, Heard::Event(SEEN)));
                    Ok(())
                });
                assert_eq!(heard, Ok(()));
            }
        });
        assert_eq!(counted.count_total, 0, "{dialect:?}");
        assert_eq!(events, if framed { 1 } else { 200 }, "{dialect:?}");
    }
}
