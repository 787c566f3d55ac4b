//! Readers of files and of texts: whatever the bytes are, they come to an end, with an error or
//! without one, and give no more events than the bytes can hold.

use std::io::Read as _;
use std::sync::OnceLock;

use dbn::encode::{DbnMetadataEncoder, DbnRecordEncoder, EncodeRecord as _};
use dbn::{FlagSet, MboMsg, Metadata, Publisher, RecordHeader, SType, Schema, TradeMsg, rtype};
use feeds::adapter::json::Reader;
use feeds::adapter::{DeskOptions, exponent, time};
use feeds::recording::{Entry, Frames, Header, Republish, pack};
use feeds::replay::{
    Cell, CsvSource, DbnSource, Mapping, Naming, RecordingSource, SessionSource, Shape, Source,
    TimeColumn, TimeFormat,
};
use feeds::session::Record;
use feeds::venue::Venue;
use feeds::venue::itch::{Framing, ItchOptions, Recording};
use feeds::zstandard;
use market::Decimal;

use crate::damage;
use crate::dice::Dice;
use crate::session::Tape;

/// Bytes that are unpacked at most: a few bytes can stand for very many.
const UNPACKED_MAX: u64 = 1 << 22;

/// One of `texts`, damaged, or what is left of the input as it is.
fn some(texts: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let which = dice.below(texts.len() + 1);
    let Some(text) = texts.get(which) else { return dice.bytes(usize::MAX >> 1).to_vec() };
    let mut text = text.clone();
    while !dice.is_empty() {
        damage::anything(&mut text, dice);
    }
    text
}

/// Takes all events of a source that reads so many bytes.
fn drain(mut source: impl Source, bytes: usize) {
    let (mut events, mut ended) = (0, false);
    while let Some(event) = source.next() {
        assert!(!ended, "something after the end: {event:?}");
        events += 1;
        assert!(events <= 64 + bytes * 4, "{events} events of {bytes} bytes");
        match event {
            Ok(timed) => assert!(timed.update.channel < source.channels().len(), "{timed:?}"),
            Err(error) => ended = error.is_final(),
        }
    }
    assert!(source.next().is_none(), "something after the end");
}

/// The reader of JSON, by itself and beside another one.
///
/// # Panics
/// When it does, or when it refuses what is JSON.
pub fn json(data: &[u8]) {
    let mut dice = Dice::new(data);
    let calls: Vec<u8> = dice.bytes(8).to_vec();
    let texts = [
        br#"{"a":[["64000.10","0.25"],["1e-8",-3]],"b":{"c":null,"d":true},"e":"text"}"#.to_vec(),
        b"[1,-2.5,\"3\",1.5E+3,[],{}]".to_vec(),
    ];
    let text = some(&texts, &mut dice);
    let whole = Reader::all(&text, Reader::skip);
    let raw = Reader::all(&text, Reader::raw);
    assert_eq!(whole.is_ok(), raw.is_ok());
    let deep = text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 60;
    let utf8 = std::str::from_utf8(&text).unwrap_or_default();
    if !deep && serde_json::from_str::<serde::de::IgnoredAny>(utf8).is_ok() {
        assert!(whole.is_ok(), "refused what is JSON: {whole:?}");
    }
    let mut reader = Reader::new(&text);
    for call in calls {
        let before = reader.rest().len();
        one(&mut reader, call);
        assert!(reader.rest().len() <= before, "it went back");
    }
    if let Ok(text) = std::str::from_utf8(&text) {
        for read in [exponent::decimal(text), Decimal::parse(text).ok()].into_iter().flatten() {
            assert_eq!(Decimal::parse(&read.to_string()).ok(), Some(read));
        }
        for time in [time::rfc3339(text), time::seconds(text)] {
            std::hint::black_box(time);
        }
    }
}

fn one(reader: &mut Reader<'_>, call: u8) {
    let walk = |reader: &mut Reader<'_>, inner: u8| match inner % 6 {
        0 => reader.skip(),
        1 => reader.pair().map(drop),
        2 => reader.named_pair(["a", "b"]).map(drop),
        3 => reader.list(Reader::skip),
        4 => reader.digits().map(drop),
        _ => reader.string_or_null().map(drop),
    };
    // Errors are what they are here for.
    let read: bool = match call % 12 {
        0 => reader.object(|reader, _| walk(reader, call / 12)).is_ok(),
        1 => reader.list(|reader| walk(reader, call / 12)).is_ok(),
        2 => reader.decimal().is_ok(),
        3 => reader.unsigned().is_ok(),
        4 => reader.signed().is_ok(),
        5 => reader.boolean().is_ok(),
        6 => reader.null(),
        7 => reader.literal(b"{\"a\":"),
        8 => reader.raw().is_ok(),
        9 => reader.number().is_ok(),
        10 => reader.string().is_ok(),
        _ => walk(reader, call / 12).is_ok(),
    };
    std::hint::black_box(read);
}

/// Recordings of our own: their frames, their lines, and the data of their entries.
///
/// # Panics
/// When a reader does, or does not end.
pub fn recording(data: &[u8]) {
    static TEXTS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let lines = TEXTS.get_or_init(|| {
        let entries = [
            r#"{"ts":"5","topic":"trade.x.A","seq":1,"data":{"price":"1.5","size":"2","side":"buy","trade_id":"7","ts_event":"4","ts_recv":"5"}}"#,
            r#"{"ts":"6","topic":"book.x.A","seq":1,"snapshot":true,"data":{"bids":[["1","2"]],"asks":[["3","4"]],"ts_recv":"5"}}"#,
            r#"{"ts":"7","topic":"book.x.A","seq":4,"from":2,"data":{"bids":[["1","0"]],"asks":[],"flags":["gap_before"]}}"#,
            r#"{"topic":"quote.x.A","gap":{"from":1,"to":9,"reason":"slow"}}"#,
            r#"{"ts":"8","topic":"any.thing","seq":1,"data":null}"#,
            r#"{"resumed":"9"}"#,
        ];
        let mut text = Vec::new();
        Header { started: 5, topics: vec![">".into()] }.write(&mut text);
        text.extend_from_slice(entries.join("\n").as_bytes());
        text.push(b'\n');
        vec![text]
    });
    let mut dice = Dice::new(data);
    let flags = dice.byte();
    let text = some(lines, &mut dice);
    let file = match flags % 3 {
        0 => text.clone(),
        1 => pack(&text),
        _ => {
            // The damage is to the packed bytes.
            let mut dice = Dice::new(data);
            let mut file = pack(&lines[0]);
            damage::anything(&mut file, &mut dice);
            file
        }
    };
    if let Ok(source) = RecordingSource::new(&file[..]) {
        drain(source, text.len().max(lines[0].len()));
    }
    for frame in Frames::new(&file[..]).take(100) {
        std::hint::black_box(frame.is_ok());
    }
    std::hint::black_box(Frames::new(&file[..]).skip_all().is_ok());
    for line in String::from_utf8_lossy(&text).lines() {
        std::hint::black_box(Header::parse(line).is_ok());
        let Ok(entry) = Entry::parse(line) else { continue };
        let mut again = Vec::new();
        entry.write(&mut again);
        let again = String::from_utf8_lossy(&again).into_owned();
        assert_eq!(Entry::parse(again.trim_end()).as_ref(), Ok(&entry), "{line} became {again}");
        if let Entry::Event { topic, data, .. } | Entry::Snapshot { topic, data, .. } = &entry {
            let mut out = String::new();
            let shift = [None, Some(i64::MIN), Some(-1), Some(i64::MAX)][usize::from(flags >> 6)];
            let done =
                Republish { shift }.data(topic, data, flags & 4 != 0, flags & 8 != 0, &mut out);
            std::hint::black_box(done.is_ok());
        }
    }
}

/// CSV, with the mappings that have names and with others.
///
/// # Panics
/// When the reader does, or does not end.
pub fn csv(data: &[u8]) {
    let texts = [
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\nx,A/B,1700000000000001,1700000000000002,1,sell,100.50,2\nx,A/B,1700000000000003,1700000000000004,2,buy,1e-7,1.0\n",
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\nx,A,1000,2000,7,10.5,10.25,3\nx,A,1000,2000,,,10.25,3\n",
        "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount\nx,A,1000,2000,10.5,1,10.25,3\n",
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\nx,A,1000,2000,true,bid,10.5,1\nx,A,1000,2000,true,ask,10.75,1\nx,A,1001,2001,false,ask,10.75,0\n",
        "EUR/USD,20240102 00:00:00.123,1.10427,1.10432\n",
        "a;b;c\n1;2;3\n\"4\n;5\";6;7\n",
    ]
    .map(|text| text.as_bytes().to_vec());
    let mut dice = Dice::new(data);
    let column = |dice: &mut Dice| ["a", "b", "c", "price", "amount", ""][dice.below(6)].to_owned();
    let formats = [
        TimeFormat::Seconds,
        TimeFormat::Millis,
        TimeFormat::Micros,
        TimeFormat::Nanos,
        TimeFormat::Text,
    ];
    let mapping = match dice.below(7) {
        0 => Mapping::tardis_trades(),
        1 => Mapping::tardis_quotes(),
        2 => Mapping::tardis_book_snapshots(),
        3 => Mapping::tardis_book_changes(),
        4 => Mapping::truefx_quotes(),
        _ => Mapping {
            shape: Shape::Levels {
                side: column(&mut dice),
                price: column(&mut dice),
                size: column(&mut dice),
                snapshot: None,
                message: column(&mut dice),
            },
            symbol: Cell::Column(column(&mut dice)),
            event_time: Some(TimeColumn {
                column: column(&mut dice),
                format: formats[dice.below(5)],
            }),
            received_time: None,
            sequence: Some(column(&mut dice)),
            header: dice.once_in(2).then(|| vec!["a".into(), "b".into(), "c".into()]),
            delimiter: dice.pick(b",;\t\"\n\x00").unwrap_or(b','),
        },
    };
    let text = some(&texts, &mut dice);
    if let Ok(source) = CsvSource::new(&text[..], &mapping, Naming::plain("x")) {
        drain(source, text.len());
    }
}

/// Databento's files.
///
/// # Panics
/// When the reader does, or does not end.
pub fn dbn(data: &[u8]) {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let files = FILES.get_or_init(|| vec![orders(), trades()]);
    let mut dice = Dice::new(data);
    let file = some(files, &mut dice);
    if let Ok(source) = DbnSource::new(&file[..], Naming::plain("x")) {
        drain(source, file.len());
    }
}

fn metadata(schema: Schema, out: &mut Vec<u8>) {
    let metadata = Metadata::builder()
        .dataset(dbn::Dataset::GlbxMdp3)
        .schema(Some(schema))
        .start(1_700_000_000_000_000_000)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .build();
    let written = DbnMetadataEncoder::new(out).encode(&metadata);
    assert!(written.is_ok(), "memory takes all");
}

fn head<M: dbn::HasRType>(rtype: u8) -> RecordHeader {
    RecordHeader::new::<M>(rtype, Publisher::GlbxMdp3Glbx as u16, 7, 1_700_000_000_000_000_000)
}

fn orders() -> Vec<u8> {
    let mut out = Vec::new();
    metadata(Schema::Mbo, &mut out);
    let mut encoder = DbnRecordEncoder::new(&mut out);
    let messages = [
        (b'R', b'N', 0, 0),
        (b'A', b'B', 1, 100),
        (b'A', b'A', 2, 101),
        (b'M', b'A', 2, 102),
        (b'C', b'B', 1, 100),
    ];
    for (action, side, order_id, price) in messages {
        let mut flags = FlagSet::empty();
        flags.set_last();
        let message = MboMsg {
            hd: head::<MboMsg>(rtype::MBO),
            order_id,
            price: price * 1_000_000_000,
            size: 3,
            flags,
            channel_id: 0,
            action: action as i8 as _,
            side: side as i8 as _,
            ts_recv: 1_700_000_000_000_000_005,
            ts_in_delta: 0,
            sequence: 9,
        };
        let written = encoder.encode_record(&message);
        assert!(written.is_ok(), "memory takes all");
    }
    out
}

fn trades() -> Vec<u8> {
    let mut out = Vec::new();
    metadata(Schema::Trades, &mut out);
    let mut encoder = DbnRecordEncoder::new(&mut out);
    for sequence in 0..3 {
        let message = TradeMsg {
            hd: head::<TradeMsg>(rtype::MBP_0),
            price: 100_000_000_000,
            size: 3,
            action: b'T' as _,
            side: b'A' as _,
            flags: FlagSet::empty(),
            depth: 0,
            ts_recv: 1_700_000_000_000_000_005,
            ts_in_delta: 0,
            sequence,
        };
        let written = encoder.encode_record(&message);
        assert!(written.is_ok(), "memory takes all");
    }
    out
}

/// Recorded sessions of every venue, whose lines are what they are.
///
/// # Panics
/// When the reader or an adapter does, or it does not end.
pub fn session(venue: Venue, tape: &Tape, data: &[u8]) {
    let mut dice = Dice::new(data);
    let window = if dice.once_in(2) { 64 } else { 1 << 20 };
    let mut text = Vec::new();
    for _ in 0..64 {
        if dice.is_empty() {
            break;
        }
        let at = dice.below(tape.messages.len());
        let raw = tape.messages.get(at).map(Vec::as_slice).unwrap_or_default();
        let what = ["connect", "send", "recv", "recv", "http"][dice.below(5)];
        let connection = ["a", "b"][dice.below(2)];
        let line = serde_json::json!({
            "ts_ns": u64::from(dice.word()),
            "dir": what,
            "conn": connection,
            "url": "https://x/api/v3/depth?symbol=BTCUSDT",
            "raw": String::from_utf8_lossy(raw),
        });
        let mut line = line.to_string().into_bytes();
        if dice.once_in(4) {
            damage::anything(&mut line, &mut dice);
        }
        line.push(b'\n');
        text.extend_from_slice(&line);
    }
    let options = DeskOptions { venue: "x".into(), symbols_max: 16, ..DeskOptions::default() };
    drain(SessionSource::new(&text[..], window, venue, options), text.len());
    if let Ok(text) = std::str::from_utf8(&text) {
        std::hint::black_box(Record::parse_all(text).is_ok());
    }
}

/// Files of ITCH: bare messages, and captures of packets.
///
/// # Panics
/// When the reader does.
pub fn pcap(data: &[u8]) {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let packets = crate::itch::tape(Framing::Mold).messages;
        [[0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d]]
            .map(|magic| capture(magic, &packets))
            .into_iter()
            .chain([crate::itch::tape(Framing::BinaryFile).messages.concat()])
            .collect()
    });
    let mut dice = Dice::new(data);
    let framing = [Framing::BinaryFile, Framing::Mold, Framing::Soup][dice.below(3)];
    let chunk = 1 + dice.below(60_000);
    let file = some(files, &mut dice);
    let desk = DeskOptions { venue: "x".into(), open: true, ..DeskOptions::default() };
    let mut recording = Recording::new(ItchOptions::new(framing, desk));
    let mut updates = 0;
    for chunk in file.chunks(chunk) {
        if recording.push(chunk, |_, out| updates += out.updates.len()).is_err() {
            break;
        }
    }
    recording.finish(|_, out| updates += out.updates.len());
    assert!(updates <= 1024 + file.len(), "{updates} updates of {} bytes", file.len());
}

/// A capture of UDP packets; the magic number says how numbers are written.
fn capture(magic: [u8; 4], packets: &[Vec<u8>]) -> Vec<u8> {
    let little = magic[0] == 0xd4;
    let word = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let version = if little { [2, 0, 4, 0] } else { [0, 2, 0, 4] };
    let mut file = [&magic[..], &version, &[0; 8], &word(65_535), &word(1)].concat();
    for (at, payload) in packets.iter().enumerate() {
        let udp = (payload.len() + 8) as u16;
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[0x08, 0x00, 0x45, 0]);
        frame.extend_from_slice(&(udp + 20).to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 239, 0, 0, 1]);
        frame.extend_from_slice(&[0x12, 0x34, 0x12, 0x34]);
        frame.extend_from_slice(&udp.to_be_bytes());
        frame.extend_from_slice(&[0, 0]);
        frame.extend_from_slice(payload);
        let length = word(frame.len() as u32);
        let head = [word(1_700_000_000), word(at as u32), length, length].concat();
        file.extend_from_slice(&head);
        file.extend_from_slice(&frame);
    }
    file
}

/// Files that may be compressed.
///
/// # Panics
/// When the reader does.
pub fn compressed(data: &[u8]) {
    let mut dice = Dice::new(data);
    let texts = [pack(b"some text that is packed, and packed, and packed, and packed"), pack(&[])];
    let file = some(&texts, &mut dice);
    let mut plain = Vec::new();
    let read = zstandard::plain(&file[..]).take(UNPACKED_MAX).read_to_end(&mut plain);
    std::hint::black_box(read.is_ok());
}
