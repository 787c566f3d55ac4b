//! The adapter as a whole: what messages become, and when a book is trusted.

mod books;
mod stories;

use market::{BookSide, Event, Kind, Nanos, VenueState};

use super::*;
use crate::Update;
use crate::adapter::BookState;
use crate::adapter::{Action, SymbolId};

/// Writes messages.
pub(super) struct Bytes(Vec<u8>);

/// The head and what follows it; the time is an hour after midnight.
fn begin(kind: u8, locate: u16) -> Bytes {
    let head = [&[kind][..], &locate.to_be_bytes(), &[0, 0]].concat();
    Bytes(head).raw(&3_600_000_000_000u64.to_be_bytes()[2..])
}

impl Bytes {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn n32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn n64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn stock(self, name: &str) -> Self {
        self.raw(format!("{name:<8}").as_bytes())
    }
}

pub(crate) fn system(event: u8) -> Vec<u8> {
    begin(b'S', 0).raw(&[event]).0
}

pub(crate) fn directory(locate: u16, stock: &str) -> Vec<u8> {
    begin(b'R', locate).stock(stock).raw(&[b' '; 20]).0
}

pub(crate) fn add(
    locate: u16,
    stock: &str,
    order: u64,
    side: u8,
    shares: u32,
    price: u32,
) -> Vec<u8> {
    begin(b'A', locate).n64(order).raw(&[side]).n32(shares).stock(stock).n32(price).0
}

pub(super) fn execute(locate: u16, order: u64, shares: u32, matched: u64) -> Vec<u8> {
    begin(b'E', locate).n64(order).n32(shares).n64(matched).0
}

pub(super) fn execute_at(
    locate: u16,
    order: u64,
    shares: u32,
    printable: u8,
    price: u32,
) -> Vec<u8> {
    begin(b'C', locate).n64(order).n32(shares).n64(77).raw(&[printable]).n32(price).0
}

pub(super) fn cancel(locate: u16, order: u64, shares: u32) -> Vec<u8> {
    begin(b'X', locate).n64(order).n32(shares).0
}

pub(super) fn delete(locate: u16, order: u64) -> Vec<u8> {
    begin(b'D', locate).n64(order).0
}

pub(super) fn replace(locate: u16, old: u64, new: u64, shares: u32, price: u32) -> Vec<u8> {
    begin(b'U', locate).n64(old).n64(new).n32(shares).n32(price).0
}

pub(super) fn hidden(locate: u16, stock: &str, side: u8, shares: u32, price: u32) -> Vec<u8> {
    begin(b'P', locate).n64(0).raw(&[side]).n32(shares).stock(stock).n32(price).n64(78).0
}

pub(super) fn cross(locate: u16, stock: &str, shares: u64, price: u32) -> Vec<u8> {
    begin(b'Q', locate).n64(shares).stock(stock).n32(price).n64(79).raw(b"O").0
}

pub(super) fn action(locate: u16, stock: &str, state: u8, reason: &str) -> Vec<u8> {
    begin(b'H', locate).stock(stock).raw(&[state, b' ']).raw(format!("{reason:<4}").as_bytes()).0
}

/// A message of a type that nothing comes of, or one that is not known.
pub(super) fn other(kind: u8, length: usize) -> Vec<u8> {
    let head = begin(kind, 1);
    let rest = length - head.0.len();
    head.raw(&vec![b' '; rest]).0
}

/// Wraps messages as they are in a file.
pub(crate) fn file(messages: &[Vec<u8>]) -> Vec<u8> {
    let prefixed = messages.iter().map(|m| [&(m.len() as u16).to_be_bytes()[..], m].concat());
    prefixed.collect::<Vec<_>>().concat()
}

/// Wraps messages as they are in a packet.
pub(super) fn packet(sequence: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let head = mold::request(*b"  DAY-0001", sequence, messages.len() as u16);
    [head, file(messages)].concat()
}

/// An adapter and all that came of it.
pub(super) struct Rig {
    pub(super) itch: Itch,
    pub(super) out: Output,
    pub(super) now: Nanos,
}

/// 2023-08-22, one hour and a bit after midnight in New York.
pub(super) const NOW: Nanos = 1_692_676_800_000_000_000 + 3_600_000_000_500;

pub(super) fn rig(framing: Framing) -> Rig {
    let desk = DeskOptions { venue: "nasdaq".into(), open: true, ..DeskOptions::default() };
    rig_with(ItchOptions::new(framing, desk))
}

pub(super) fn rig_with(options: ItchOptions) -> Rig {
    Rig { itch: Itch::new(options), out: Output::default(), now: NOW }
}

impl Rig {
    pub(super) fn input(&mut self, input: Input<'_>) {
        self.itch.handle(input, self.now, &mut self.out);
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) {
        self.input(Input::Binary(bytes));
    }

    /// A symbol that was met.
    pub(super) fn id(&self, native: &str) -> SymbolId {
        self.itch.desk().symbols().find(|(_, symbol)| &*symbol.native == native).unwrap().0
    }

    pub(super) fn state(&self, native: &str) -> BookState {
        self.itch.desk().symbol(self.id(native)).state()
    }

    /// Best bid and offer as text, `-` where there is none.
    pub(super) fn best(&self, native: &str) -> String {
        let side = |side| {
            let best = self.itch.desk().best(self.id(native), side);
            best.map_or("-".to_owned(), |level| format!("{}x{}", level.size, level.price))
        };
        format!("{} {}", side(BookSide::Bid), side(BookSide::Ask))
    }

    /// The updates since this was last asked, in short.
    pub(super) fn news(&mut self) -> Vec<String> {
        let updates = std::mem::take(&mut self.out.updates);
        updates.into_iter().map(|update| self.short(update)).collect()
    }

    fn short(&self, update: Update) -> String {
        let topic = &self.itch.desk().channels()[update.channel].topic;
        let name = topic.rsplit('.').next().unwrap();
        match update.event {
            Event::Trade(trade) => {
                let (size, price, side) = (trade.size, trade.price, trade.side.as_str());
                let flags: Vec<_> = trade.stamps.flags.names().collect();
                format!("{name} {side} {size}x{price} {}{flags:?}", trade.trade_id)
            }
            Event::Book(diff) => {
                let levels = |levels: &[market::Level]| {
                    let all = levels.iter().map(|level| format!("{}x{}", level.size, level.price));
                    all.collect::<Vec<_>>().join(",")
                };
                let (bids, asks) = (levels(&diff.bids), levels(&diff.asks));
                let mark = if diff.reset { "=" } else { "~" };
                let flags: Vec<_> = diff.stamps.flags.names().collect();
                format!("{name} {mark} {bids}|{asks}{flags:?}")
            }
            Event::Status(status) => format!("{name} {} {}", status.state.as_str(), status.reason),
            Event::Quote(_) | Event::Bar(_) => panic!("nothing makes those"),
        }
    }
}

#[test]
fn every_type_of_the_specification_is_read_by_its_length() {
    // The table of the study, types in its order.
    let lengths = [
        (b'S', 12),
        (b'R', 39),
        (b'H', 25),
        (b'Y', 20),
        (b'L', 26),
        (b'V', 35),
        (b'W', 12),
        (b'K', 28),
        (b'J', 35),
        (b'h', 21),
        (b'A', 36),
        (b'F', 40),
        (b'E', 31),
        (b'C', 36),
        (b'X', 23),
        (b'D', 19),
        (b'U', 35),
        (b'P', 44),
        (b'Q', 40),
        (b'B', 19),
        (b'I', 50),
        (b'N', 20),
        (b'O', 48),
    ];
    for kind in 0..=u8::MAX {
        let known = lengths.iter().find(|(known, _)| *known == kind).map(|(_, length)| *length);
        assert_eq!(message::length(kind), known, "{kind}");
        let Some(length) = known else {
            assert_eq!(message::decode(&[kind; 30]), Err(message::DecodeError::Unknown(kind)));
            continue;
        };
        let mut bytes = vec![b'B'; length];
        (bytes[0], bytes[1], bytes[2]) = (kind, 1, 2);
        if kind == b'C' {
            bytes[31] = b'N';
        }
        let (header, _) = message::decode(&bytes).unwrap();
        assert_eq!((header.locate, header.tracking), (0x102, 0x4242));
        assert_eq!(header.timestamp, 0x4242_4242_4242);
        for wrong in [&bytes[..length - 1], &[&bytes[..], b"B"].concat()] {
            assert_eq!(message::decode(wrong), Err(message::DecodeError::Length), "{kind}");
        }
    }
}

#[test]
fn venues_have_names() {
    for (venue, name) in crate::venue::Venue::ALL {
        assert_eq!(name.parse::<crate::venue::Venue>(), Ok(venue));
    }
    let options = DeskOptions { venue: "x".into(), ..DeskOptions::default() };
    let adapter = crate::venue::Venue::Itch(Framing::Soup).adapter(options);
    assert_eq!(adapter.desk().channels()[0].topic, "status.x");
    assert_eq!(adapter.rules().dead_after, 15 * SECOND);
    let live = crate::venue::Venue::ALL.into_iter().filter(|(venue, _)| !venue.is_live());
    assert_eq!(live.map(|(_, name)| name).collect::<Vec<_>>(), ["itch", "itch-mold"]);
    assert!(adapter.desk().channels().iter().all(|channel| channel.kind == Kind::Status));
}

/// What was reported for people.
pub(super) fn reports(out: &Output) -> Vec<&str> {
    let reports = out.actions.iter().filter_map(|action| match action {
        Action::Report(text) => Some(&**text),
        _ => None,
    });
    reports.collect()
}

/// Every state that a status told of, in order.
pub(super) fn states(out: &Output) -> Vec<VenueState> {
    let states = out.updates.iter().filter_map(|update| match &update.event {
        Event::Status(status) => Some(status.state),
        _ => None,
    });
    states.collect()
}
