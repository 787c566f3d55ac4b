//! Recordings of TotalView-ITCH: real packets, and a simulated day against a book built here.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use feeds::adapter::BookState;
use feeds::adapter::{Adapter as _, DeskOptions};
use feeds::venue::itch::message::{self, Message};
use feeds::venue::itch::mold::Packet;
use feeds::venue::itch::{Framing, ItchOptions, Pcap, Recording};
use market::{BookSide, Event, Level, Nanos};

const FOLDER: &str = "nasdaq_itch50";
const SIMULATED: &str = "nasdaq_itch50/ritch_simulated_ALC_BOB.itch";

fn recording() -> Recording {
    let desk = DeskOptions { venue: "nasdaq".into(), open: true, ..DeskOptions::default() };
    Recording::new(ItchOptions::new(Framing::BinaryFile, desk))
}

/// The one packet of a capture: its time, and its messages.
fn packet(path: &Path) -> (Nanos, String, u64, Vec<Vec<u8>>) {
    let mut packets = Vec::new();
    let mut pcap = Pcap::default();
    let taken = pcap.receive(&std::fs::read(path).unwrap(), |time, payload| {
        let packet = Packet::parse(payload).unwrap();
        let session = String::from_utf8(packet.session.to_vec()).unwrap();
        let messages = packet.messages().map(<[u8]>::to_vec).collect();
        packets.push((time, session, packet.sequence, messages));
    });
    assert_eq!((taken, pcap.is_torn(), packets.len()), (Ok(()), false, 1));
    packets.remove(0)
}

/// Midnight in New York on the day of the captures.
const MIDNIGHT: Nanos = 1_692_676_800_000_000_000;

#[test]
fn real_packets_are_read() {
    let Some(data) = common::recordings() else { return };
    let read = |name: &str| {
        let (time, session, sequence, messages) =
            packet(&data.join(FOLDER).join("pcap").join(name));
        let (header, message) = message::decode(&messages[0]).unwrap();
        let lag = (MIDNIGHT + header.timestamp).abs_diff(time);
        assert!(lag < 1_000_000_000, "{name}: {lag} ns between the venue's time and the capture's");
        (session, sequence, header.locate, message)
    };
    let (session, sequence, locate, add) = read("Nasdaq_AddOrderNoMpidAttributionMessage.pcap");
    assert_eq!((&*session, sequence, locate), ("000010059B", 14_757_721, 5_528));
    let Message::Add { reference, side, shares, stock, price } = add else { panic!("{add:?}") };
    assert_eq!((reference, side, shares, price), (23_508_286, BookSide::Bid, 1_600, 873_900));
    assert_eq!(stock.as_str(), Some("IVOO"));

    let (_, sequence, locate, message) = read("Nasdaq_OrderDeleteMessage.pcap");
    assert_eq!((sequence, locate), (14_757_722, 3_517));
    assert_eq!(message, Message::Delete { reference: 23_497_686 });

    let (_, sequence, locate, message) = read("Nasdaq_OrderReplaceMessage.pcap");
    assert_eq!((sequence, locate), (14_757_701, 7_603));
    let expected =
        Message::Replace { old: 15_108_479, new: 21_361_351, shares: 100, price: 1_062_600 };
    assert_eq!(message, expected);

    let (_, sequence, locate, message) = read("Nasdaq_StockTradingActionMessage.pcap");
    assert_eq!((sequence, locate), (34_147_961, 464));
    let Message::Action { stock, state, reason } = message else { panic!("{message:?}") };
    assert_eq!((stock.as_str(), state, &reason), (Some("AMC"), b'T', b"    "));

    let (session, sequence, locate, message) = read("Bx_OrderDeleteMessage.pcap");
    assert_eq!((&*session, sequence, locate), ("000010059D", 1_621_741, 4_135));
    assert_eq!(message, Message::Delete { reference: 2_902_330 });
}

#[test]
fn a_capture_from_the_middle_of_a_day_gives_no_book() {
    let Some(data) = common::recordings() else { return };
    let mut recording = recording();
    let path = data.join(FOLDER).join("pcap/Nasdaq_AddOrderNoMpidAttributionMessage.pcap");
    let mut books = 0;
    let mut count = |updates: &[feeds::Update]| {
        books += updates.iter().filter(|update| matches!(update.event, Event::Book(_))).count();
    };
    for byte in std::fs::read(path).unwrap().chunks(11) {
        recording.push(byte, |_, out| count(&out.updates)).unwrap();
    }
    recording.finish(|_, out| count(&out.updates));
    assert_eq!(books, 0);
    let adapters: Vec<_> = recording.adapters().collect();
    assert_eq!(adapters.len(), 1);
    let desk = adapters[0].desk();
    assert_eq!((desk.counts.frames, desk.counts.malformed, desk.counts.unknown), (1, 0, 0));
    let (_, symbol) = desk.symbols().next().unwrap();
    assert_eq!((&*symbol.native, symbol.counts.book_events), ("IVOO", 1));
    assert_eq!(symbol.state(), BookState::Resyncing);
}

/// A book built with nothing of ours: what lies where is summed up from the orders at the end.
#[derive(Default)]
struct Witness {
    /// Locate, side, shares, price.
    orders: BTreeMap<u64, (u16, u8, u64, u64)>,
    /// By type.
    counts: BTreeMap<char, u64>,
    executions: BTreeMap<u16, u64>,
    book_messages: BTreeMap<u16, u64>,
    unknown_orders: u64,
}

impl Witness {
    fn read(file: &[u8]) -> Self {
        let mut witness = Self::default();
        let mut rest = file;
        while !rest.is_empty() {
            let length = usize::from(rest[0]) * 256 + usize::from(rest[1]);
            witness.take(&rest[2..2 + length]);
            rest = &rest[2 + length..];
        }
        witness
    }

    fn take(&mut self, m: &[u8]) {
        let number = |from: usize, length: usize| {
            m[from..from + length].iter().fold(0u64, |sum, &byte| sum * 256 + u64::from(byte))
        };
        *self.counts.entry(m[0].into()).or_default() += 1;
        let locate = number(1, 2) as u16;
        if b"AFEXDU".contains(&m[0]) {
            *self.book_messages.entry(locate).or_default() += 1;
        }
        match m[0] {
            b'A' | b'F' => {
                let order = (locate, m[19], number(20, 4), number(32, 4));
                assert_eq!(self.orders.insert(number(11, 8), order), None);
            }
            b'E' | b'X' | b'D' => {
                let reference = number(11, 8);
                let Some(order) = self.orders.get_mut(&reference) else {
                    self.unknown_orders += 1;
                    return;
                };
                order.2 -= if m[0] == b'D' { order.2 } else { number(19, 4) };
                if order.2 == 0 {
                    self.orders.remove(&reference);
                }
                if m[0] == b'E' {
                    *self.executions.entry(locate).or_default() += 1;
                }
            }
            b'U' => {
                let Some((locate, side, ..)) = self.orders.remove(&number(11, 8)) else {
                    self.unknown_orders += 1;
                    return;
                };
                self.orders.insert(number(19, 8), (locate, side, number(27, 4), number(31, 4)));
            }
            b'P' => *self.executions.entry(locate).or_default() += 1,
            _ => {}
        }
    }

    /// Price and shares of each level, the lowest price first.
    fn levels(&self, locate: u16, side: u8) -> Vec<(u64, u64)> {
        let mut levels = BTreeMap::new();
        for order in self.orders.values().filter(|order| order.0 == locate && order.1 == side) {
            *levels.entry(order.3).or_insert(0) += order.2;
        }
        levels.into_iter().collect()
    }
}

/// The file holds two of the three stocks that its author simulated, and what is about none. Some
/// orders in it were never added, and bids cross offers in the end, as in no real market.
#[test]
fn a_simulated_day_leads_to_the_orders_that_a_naive_book_has() {
    let Some(data) = common::recordings() else { return };
    let file = std::fs::read(data.join(SIMULATED)).unwrap();
    let witness = Witness::read(&file);
    let counts: Vec<_> = witness.counts.iter().map(|(&kind, &count)| (kind, count)).collect();
    let expected = [
        ('A', 3_429),
        ('D', 1_161),
        ('E', 180),
        ('F', 3),
        ('H', 2),
        ('P', 3_543),
        ('R', 2),
        ('S', 6),
        ('U', 11),
        ('X', 45),
    ];
    assert_eq!(counts, expected);

    // As it is, and as its author wrote it: with every length 0.
    let mut without_lengths = file.clone();
    let mut at = 0;
    while at < file.len() {
        let length = usize::from(u16::from_be_bytes([file[at], file[at + 1]]));
        without_lengths[at..at + 2].fill(0);
        at += 2 + length;
    }
    for bytes in [&file, &without_lengths] {
        let mut recording = recording();
        for chunk in bytes.chunks(4_099) {
            recording.push(chunk, |_, _| {}).unwrap();
        }
        recording.finish(|_, _| {});
        let adapter = recording.adapters().next().unwrap();
        let desk = adapter.desk();
        assert_eq!((desk.counts.frames, desk.counts.malformed, desk.counts.unknown), (8_382, 0, 0));
        assert_eq!(adapter.orders().len(), witness.orders.len());
        assert_eq!(adapter.counts().orders_unknown, witness.unknown_orders);
        for (locate, name) in [(1, "ALC"), (2, "BOB")] {
            let (_, symbol) = desk.symbols().find(|(_, s)| &*s.native == name).unwrap();
            assert_eq!(symbol.counts.trades, witness.executions[&locate]);
            assert_eq!(symbol.counts.book_events, witness.book_messages[&locate], "{name}");
            for (side, letter) in [(BookSide::Bid, b'B'), (BookSide::Ask, b'S')] {
                let held = adapter.orders().levels(locate, side);
                let mut held: Vec<_> =
                    held.map(|rung| (u64::from(rung.price), rung.shares)).collect();
                held.sort_unstable();
                assert_eq!(held, witness.levels(locate, letter), "{name}");
            }
            // A crossed book is nobody's truth.
            assert_eq!(symbol.state(), BookState::Resyncing);
        }
    }
}

/// The same orders, with all offers raised above all bids.
fn uncrossed(file: &[u8]) -> Vec<u8> {
    let mut sells = std::collections::BTreeSet::new();
    let mut raised = file.to_vec();
    let mut at = 2;
    while at < file.len() {
        let m = &file[at..];
        let reference = m.get(11..19).unwrap_or_default().to_vec();
        let price = match m[0] {
            b'A' | b'F' if m[19] == b'S' => {
                sells.insert(reference);
                Some(32)
            }
            b'U' if sells.contains(&reference) => {
                sells.insert(m[19..27].to_vec());
                Some(31)
            }
            _ => None,
        };
        if let Some(offset) = price {
            // By 655.3600.
            raised[at + offset + 1] += 100;
        }
        at += 2 + usize::from(u16::from_be_bytes([file[at - 2], file[at - 1]]));
    }
    raised
}

#[test]
fn what_is_published_is_the_naive_book_after_every_message() {
    let Some(data) = common::recordings() else { return };
    let file = uncrossed(&std::fs::read(data.join(SIMULATED)).unwrap());
    let (mut recording, mut witness) = (recording(), Witness::default());
    let mut books: BTreeMap<usize, market::Book> = BTreeMap::new();
    let (mut rest, mut compared) = (&file[..], 0);
    while !rest.is_empty() {
        let end = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        let (one, after) = rest.split_at(end);
        witness.take(&one[2..]);
        let mut changed = None;
        recording
            .push(one, |_, out| {
                for update in out.updates.drain(..) {
                    if let Event::Book(mut diff) = update.event {
                        let book = books.entry(update.channel).or_default();
                        book.apply(&mut diff, 10_000).unwrap();
                        changed = Some(update.channel);
                    }
                }
            })
            .unwrap();
        rest = after;
        let Some(channel) = changed else { continue };
        let locate = u16::from_be_bytes([one[3], one[4]]);
        for (side, letter) in [(BookSide::Bid, b'B'), (BookSide::Ask, b'S')] {
            let text = |level: &Level| (level.price.to_string(), level.size.to_string());
            let mut held: Vec<_> = books[&channel].levels(side).map(text).collect();
            if side == BookSide::Bid {
                held.reverse();
            }
            let naive = witness.levels(locate, letter).into_iter().map(|(price, shares)| {
                (format!("{}.{:04}", price / 10_000, price % 10_000), shares.to_string())
            });
            assert_eq!(held, naive.collect::<Vec<_>>());
        }
        compared += 1;
    }
    let messages: u64 = witness.book_messages.values().sum();
    assert_eq!(compared, messages - witness.unknown_orders);
    let adapter = recording.adapters().next().unwrap();
    for (_, symbol) in adapter.desk().symbols() {
        assert_eq!(symbol.state(), BookState::Unverifiable, "a file has no numbers");
    }
}
