//! Files in Databento's form, written by its own crate.

use ::dbn::encode::{DbnEncodable, DbnMetadataEncoder, DbnRecordEncoder, EncodeRecord as _};
use ::dbn::{BidAskPair, Metadata, Publisher, RecordHeader, SType, Schema};
use proptest::prelude::*;

use super::*;

const T: u64 = 1_700_000_000_000_000_000;

fn file<M: DbnEncodable>(schema: Schema, records: &[M]) -> Vec<u8> {
    let metadata = Metadata::builder()
        .dataset(::dbn::Dataset::GlbxMdp3)
        .schema(Some(schema))
        .start(T)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .build();
    let mut out = Vec::new();
    DbnMetadataEncoder::new(&mut out).encode(&metadata).unwrap();
    let mut encoder = DbnRecordEncoder::new(&mut out);
    for record in records {
        encoder.encode_record(record).unwrap();
    }
    out
}

fn head<M: ::dbn::HasRType>(rtype: u8) -> RecordHeader {
    RecordHeader::new::<M>(rtype, Publisher::GlbxMdp3Glbx as u16, 7, T)
}

fn read(bytes: &[u8]) -> (Vec<Result<Timed, String>>, Vec<String>) {
    let mut source = DbnSource::new(bytes, Naming::plain("cme")).unwrap();
    let events = source.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
    (events, source.channels().iter().map(|channel| channel.topic.clone()).collect())
}

fn shown(event: &Event) -> String {
    let levels = |levels: &[market::Level]| {
        levels.iter().map(|l| format!("{}x{}", l.price, l.size)).collect::<Vec<_>>().join(" ")
    };
    match event {
        Event::Trade(trade) => format!("{} {}x{}", trade.side.as_str(), trade.price, trade.size),
        Event::Book(diff) => {
            let mark = if diff.reset { "reset " } else { "" };
            let flags: Vec<_> = diff.stamps.flags.names().collect();
            format!("{mark}{} | {} {}", levels(&diff.bids), levels(&diff.asks), flags.join(","))
        }
        Event::Quote(quote) => {
            let side = |side: Option<QuoteSide>| {
                side.map_or("-".into(), |side| format!("{}x{}", side.price, side.size))
            };
            format!("{} {}", side(quote.bid), side(quote.ask))
        }
        other => format!("{other:?}"),
    }
}

fn all(bytes: &[u8]) -> Vec<String> {
    read(bytes).0.iter().map(|event| shown(&event.as_ref().unwrap().update.event)).collect()
}

fn mbo(action: u8, side: u8, id: u64, price: i64, size: u32, last: bool) -> MboMsg {
    let mut flags = FlagSet::empty();
    if last {
        flags.set_last();
    }
    MboMsg {
        hd: head::<MboMsg>(rtype::MBO),
        order_id: id,
        price,
        size,
        flags,
        channel_id: 0,
        action: action as i8 as _,
        side: side as i8 as _,
        ts_recv: T + 5,
        ts_in_delta: 0,
        sequence: 9,
    }
}

#[test]
fn orders_are_added_up_and_a_message_is_one_event() {
    let unit = 1_000_000_000;
    let records = [
        mbo(b'R', b'N', 0, UNDEF_PRICE, 0, false),
        mbo(b'A', b'B', 1, 100 * unit, 3, false),
        mbo(b'A', b'B', 2, 100 * unit, 4, false),
        mbo(b'A', b'A', 3, 101 * unit + unit / 4, 5, true),
        // A trade changes nothing by itself; the cancels that come with it do.
        mbo(b'T', b'A', 0, 100 * unit, 5, false),
        mbo(b'F', b'B', 1, 100 * unit, 3, false),
        mbo(b'C', b'B', 1, 100 * unit, 3, false),
        mbo(b'C', b'B', 2, 100 * unit, 2, true),
        mbo(b'M', b'A', 3, 102 * unit, 5, true),
        mbo(b'C', b'B', 77, 100 * unit, 2, true),
    ];
    let bytes = file(Schema::Mbo, &records);
    assert_eq!(
        all(&bytes),
        ["reset 100x7 | 101.25x5 ", "sell 100x5", "100x2 |  ", " | 101.25x0 102x5 ",]
    );
    assert_eq!(read(&bytes).1, ["book.cme.7", "trade.cme.7"]);
    // Without the beginning nobody knows what is missing.
    assert_eq!(all(&file(Schema::Mbo, &records[3..4])), ["reset  | 101.25x5 unverified"]);
}

#[test]
fn ten_levels_give_what_changed() {
    let unit = 1_000_000_000;
    let pair = |bid: i64, ask: i64, size: u32| BidAskPair {
        bid_px: bid * unit,
        ask_px: ask * unit,
        bid_sz: size,
        ask_sz: size,
        bid_ct: 1,
        ask_ct: 1,
    };
    let message = |action: u8, levels: &[BidAskPair]| {
        let none = BidAskPair { bid_px: UNDEF_PRICE, ask_px: UNDEF_PRICE, ..pair(0, 0, 0) };
        let level = |index: usize| levels.get(index).unwrap_or(&none).clone();
        Mbp10Msg {
            hd: head::<Mbp10Msg>(rtype::MBP_10),
            price: 10 * unit,
            size: 1,
            action: action as i8 as _,
            side: b'B' as i8 as _,
            flags: FlagSet::empty(),
            depth: 0,
            ts_recv: T,
            ts_in_delta: 0,
            sequence: 1,
            levels: std::array::from_fn(level),
        }
    };
    let bytes = file(
        Schema::Mbp10,
        &[
            message(b'A', &[pair(9, 11, 1), pair(8, 12, 2)]),
            message(b'T', &[pair(9, 11, 1), pair(8, 12, 2)]),
            message(b'C', &[pair(8, 11, 2)]),
        ],
    );
    assert_eq!(all(&bytes), ["reset 8x2 9x1 | 11x1 12x2 ", "buy 10x1", "9x0 | 11x2 12x0 "]);
}

#[test]
fn bars_are_due_when_they_are_finished() {
    let message = OhlcvMsg {
        hd: head::<OhlcvMsg>(rtype::OHLCV_1M),
        open: 1_500_000_000,
        high: 2_000_000_000,
        low: 1,
        close: 1_000_000_010,
        volume: 12,
    };
    let (events, topics) = read(&file(Schema::Ohlcv1M, &[message]));
    assert_eq!(topics, ["bar-1m.cme.7"]);
    let timed = events[0].as_ref().unwrap();
    assert_eq!(timed.at, T + 60_000_000_000);
    let Event::Bar(bar) = &timed.update.event else { panic!("{timed:?}") };
    let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| price.to_string());
    assert_eq!(prices, ["1.5", "2", "0.000000001", "1.00000001"]);
}

#[test]
fn another_file_is_refused() {
    for bytes in [&b""[..], b"exchange,symbol\n", b"DBN\xff1234"] {
        let error = DbnSource::new(bytes, Naming::plain("x")).unwrap_err();
        assert!(error.is_final(), "{error}");
    }
}

#[test]
fn a_record_that_is_shorter_than_its_kind_ends_in_an_error() {
    let record = mbo(b'A', b'B', 1, 5_000_000_000, 3, true);
    let good = file(Schema::Mbo, &[record.clone(), record]);
    let second = good.len() - size_of::<MboMsg>();
    // In units of four bytes: only the head, no head, and one after which nothing is aligned.
    for (length, events) in [(4, 1), (2, 1), (0, 1), (15, 1)] {
        let mut bytes = good.clone();
        bytes[second] = length;
        bytes.truncate(second + 4 * usize::from(length).max(4));
        let (read, _) = read(&bytes);
        assert_eq!(read.iter().filter(|event| event.is_ok()).count(), events, "{read:?}");
        assert!(read.last().unwrap().is_err(), "{length}: {read:?}");
    }
}

proptest! {
    #[test]
    fn no_change_of_bytes_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let records = [mbo(b'A', b'B', 1, 5, 3, false), mbo(b'C', b'B', 1, 5, 3, true)];
        let mut bytes = file(Schema::Mbo, &records);
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(source) = DbnSource::new(&bytes[..], Naming::plain("x")) {
            source.for_each(drop);
        }
    }
}

#[test]
fn a_file_that_was_cut_off_says_so_behind_all_that_is_whole() {
    let records = [1, 2].map(|id| mbo(b'A', b'B', id, 1_000_000_000, 1, true));
    let whole = file(Schema::Mbo, &records);
    let (events, _) = read(&whole);
    assert!(events.len() == 2 && events.iter().all(Result::is_ok), "{events:?}");
    for cut in 1..size_of::<MboMsg>() {
        let (events, _) = read(&whole[..whole.len() - cut]);
        assert_eq!(events.len(), 2, "cut by {cut}");
        assert!(events[0].is_ok(), "{events:?}");
        let error = events[1].as_ref().unwrap_err();
        assert!(error.contains("ends within a record"), "{error}");
    }
}
