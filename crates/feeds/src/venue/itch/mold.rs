//! MoldUDP64: numbered messages in packets that may be lost, doubled or late, and asking again
//! for those that are missing.
//!
//! Source: Nasdaq MoldUDP64 Protocol Specification V 1.00. A packet is a session (10 letters), the
//! number of its first message, how many there are, and each behind its 16-bit length. A count of
//! 0 is a heartbeat, 0xFFFF the end of the session; both carry the number of the next message. A
//! request has the same first 20 bytes and goes to another address.

use std::collections::BTreeMap;

use market::Nanos;

use super::transport::{Event, Receiver};

/// Name of a session.
pub type SessionName = [u8; 10];

/// The count that ends a session.
const END: u16 = 0xffff;

const HEAD: usize = 20;

/// A packet of the venue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Of which session.
    pub session: SessionName,
    /// Number of its first message; of the next one, where there is none.
    pub sequence: u64,
    /// How many there are; 0xFFFF is the end of the session.
    pub count: u16,
    blocks: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet, whose messages must fill it exactly.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, blocks) = bytes.split_first_chunk::<HEAD>()?;
        let session = *head.first_chunk::<10>()?;
        let sequence = u64::from_be_bytes(*head[10..].first_chunk::<8>()?);
        let count = u16::from_be_bytes([head[18], head[19]]);
        let packet = Self { session, sequence, count, blocks };
        let mut rest = blocks;
        for _ in 0..packet.messages_count() {
            rest = split(rest)?.1;
        }
        // Numbers that pass the last one there is are no numbers.
        let fits = sequence.checked_add(packet.messages_count()).is_some();
        (rest.is_empty() && fits).then_some(packet)
    }

    /// How many messages it has: none, where it ends the session.
    #[must_use]
    pub fn messages_count(&self) -> u64 {
        if self.count == END { 0 } else { self.count.into() }
    }

    /// Its messages.
    pub fn messages(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.blocks;
        (0..self.messages_count()).map_while(move |_| {
            let (message, after) = split(rest)?;
            rest = after;
            Some(message)
        })
    }
}

fn split(blocks: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = blocks.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// The packet that asks for `count` messages from number `sequence` on.
#[must_use]
pub fn request(session: SessionName, sequence: u64, count: u16) -> Vec<u8> {
    [&session[..], &sequence.to_be_bytes(), &count.to_be_bytes()].concat()
}

/// A message that is so far beyond the last is none of this session: a day has fewer.
const AHEAD_MAX: u64 = 1 << 31;

/// Most bytes that are held back while messages before them are missing.
const HELD_BYTES_MAX: usize = 8 << 20;

/// A missing message is asked for so often, twice as long apart each time.
const ATTEMPTS: u32 = 5;

/// How long an answer is waited for at first.
const PATIENCE: Nanos = 100_000_000;

/// One session's packets put in order.
#[derive(Debug, Default)]
pub(super) struct Line {
    session: Option<SessionName>,
    /// Number of the next message.
    next: u64,
    /// Every message before this number was sent.
    sent_to: u64,
    /// Packets beyond the gap, by the number of their first message.
    held: BTreeMap<u64, Box<[u8]>>,
    held_bytes: usize,
    /// Requests since messages last came from the gap.
    attempts: u32,
    /// When to ask again; 0 while there is no gap that was asked for.
    ask_at: Nanos,
    /// The venue ended the session.
    last_seen: bool,
    /// And that was told, which waits until all messages came.
    ended: bool,
}

impl Line {
    pub(super) fn receive(&mut self, bytes: &[u8], now: Nanos, to: &mut impl Receiver) {
        let Some(packet) = Packet::parse(bytes) else {
            // Its messages are missed soon enough.
            to.event(Event::Malformed { expected: "a MoldUDP64 packet", bytes });
            return;
        };
        if self.session != Some(packet.session) {
            self.begin(&packet, to);
        }
        if packet.sequence.saturating_sub(self.next) > AHEAD_MAX {
            to.event(Event::Malformed { expected: "a number of a message near the last", bytes });
            return;
        }
        let (had_gap, before) = (self.next < self.sent_to, self.next);
        self.sent_to = self.sent_to.max(packet.sequence + packet.messages_count());
        self.last_seen |= packet.count == END;
        if packet.messages_count() == 0 && !self.ended {
            to.event(Event::Idle);
        } else if packet.sequence < self.next {
            to.event(Event::Repeated);
        }
        if packet.sequence <= self.next {
            self.take(&packet, to);
        } else if packet.messages_count() > 0 {
            self.hold(packet.sequence, bytes);
        }
        self.release(to);
        if had_gap && self.next > before {
            // An answer is one packet: the rest is asked for next.
            self.attempts = 0;
            self.ask_at = 0;
        }
        while self.held_bytes > HELD_BYTES_MAX {
            self.give_up(to);
        }
        self.look(now, to);
    }

    /// Asks if there is a gap that was not asked for, and ends if there is none and it is time.
    fn look(&mut self, now: Nanos, to: &mut impl Receiver) {
        if self.next < self.sent_to {
            if self.ask_at == 0 {
                self.ask(now, to);
            } else {
                to.event(Event::Wake(self.ask_at));
            }
            return;
        }
        self.attempts = 0;
        self.ask_at = 0;
        if self.last_seen && !self.ended {
            self.ended = true;
            to.event(Event::Ended);
        }
    }

    /// Asks again for what is missing, or gives it up.
    pub(super) fn timer(&mut self, now: Nanos, to: &mut impl Receiver) {
        if self.next < self.sent_to && now >= self.ask_at {
            if self.attempts < ATTEMPTS {
                return self.ask(now, to);
            }
            self.give_up(to);
        }
        self.look(now, to);
    }

    /// Nothing more comes: what is held is used, with what is missing told.
    pub(super) fn finish(&mut self, to: &mut impl Receiver) {
        while self.next < self.sent_to {
            self.give_up(to);
        }
        self.look(0, to);
    }

    fn begin(&mut self, packet: &Packet<'_>, to: &mut impl Receiver) {
        if self.session.is_some() {
            self.finish(to);
        }
        *self = Self {
            session: Some(packet.session),
            next: packet.sequence,
            sent_to: packet.sequence,
            ..Self::default()
        };
        to.event(Event::Begins { whole: packet.sequence == 1 });
    }

    /// Takes those messages of a packet that are not known yet; it begins no later than the next.
    fn take(&mut self, packet: &Packet<'_>, to: &mut impl Receiver) {
        for (sequence, message) in (packet.sequence..).zip(packet.messages()) {
            if sequence >= self.next {
                to.message(Some(sequence), message);
                self.next = sequence + 1;
            }
        }
    }

    /// Keeps a packet for later; of two that begin alike the longer one.
    fn hold(&mut self, sequence: u64, bytes: &[u8]) {
        if let Some(held) = self.held.get(&sequence) {
            if held.len() >= bytes.len() {
                return;
            }
            self.held_bytes -= held.len();
        }
        self.held_bytes += bytes.len();
        self.held.insert(sequence, bytes.into());
    }

    /// Takes what is held, as far as nothing is missing before it.
    fn release(&mut self, to: &mut impl Receiver) {
        while let Some(first) = self.held.first_entry().filter(|held| *held.key() <= self.next) {
            let bytes = first.remove();
            self.held_bytes -= bytes.len();
            if let Some(packet) = Packet::parse(&bytes) {
                self.take(&packet, to);
            }
        }
    }

    /// Where the gap that comes first ends.
    fn gap_end(&self) -> u64 {
        self.held.keys().next().copied().unwrap_or(self.sent_to)
    }

    fn ask(&mut self, now: Nanos, to: &mut impl Receiver) {
        let Some(session) = self.session else { return };
        let missing = self.gap_end() - self.next;
        let count = u16::try_from(missing).unwrap_or(u16::MAX).min(END - 1);
        to.event(Event::Send(request(session, self.next, count)));
        self.ask_at = now.saturating_add(PATIENCE << self.attempts);
        self.attempts += 1;
        to.event(Event::Wake(self.ask_at));
    }

    fn give_up(&mut self, to: &mut impl Receiver) {
        let end = self.gap_end();
        to.event(Event::Lost { messages: end - self.next });
        self.next = end;
        self.attempts = 0;
        self.ask_at = 0;
        self.release(to);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::transport::Notes;
    use super::*;

    const DAY: SessionName = *b"  DAY-0001";

    fn packet(session: SessionName, sequence: u64, messages: &[&[u8]]) -> Vec<u8> {
        let mut bytes = request(session, sequence, messages.len() as u16);
        for message in messages {
            bytes.extend((message.len() as u16).to_be_bytes());
            bytes.extend_from_slice(message);
        }
        bytes
    }

    /// A packet of messages that hold their own numbers.
    fn numbered(from: u64, to: u64) -> Vec<u8> {
        let messages: Vec<[u8; 8]> = (from..to).map(u64::to_be_bytes).collect();
        packet(DAY, from, &messages.iter().map(|message| &message[..]).collect::<Vec<_>>())
    }

    fn end(sequence: u64) -> Vec<u8> {
        request(DAY, sequence, END)
    }

    #[test]
    fn what_comes_twice_or_overlaps_is_taken_once() {
        let (mut line, mut notes) = (Line::default(), Notes::default());
        for bytes in [numbered(1, 4), numbered(1, 4), numbered(3, 6), numbered(2, 3)] {
            line.receive(&bytes, 0, &mut notes);
        }
        assert_eq!(notes.numbers(), [1, 2, 3, 4, 5]);
        let expected = ["Begins { whole: true }", "Repeated", "Repeated", "Repeated"];
        assert_eq!(notes.events, expected);
        assert!(notes.sent.is_empty());
    }

    #[test]
    fn a_gap_is_asked_for_and_what_comes_meanwhile_waits() {
        let (mut line, mut notes) = (Line::default(), Notes::default());
        line.receive(&numbered(1, 3), 10, &mut notes);
        line.receive(&numbered(6, 8), 20, &mut notes);
        line.receive(&numbered(8, 9), 30, &mut notes);
        assert_eq!(notes.numbers(), [1, 2]);
        assert_eq!(notes.sent, [request(DAY, 3, 3)]);
        // An answer is one packet: what did not fit is asked for anew.
        line.receive(&numbered(3, 5), 40, &mut notes);
        assert_eq!(notes.numbers(), [1, 2, 3, 4]);
        assert_eq!(notes.sent.last(), Some(&request(DAY, 5, 1)));
        line.receive(&numbered(5, 6), 50, &mut notes);
        assert_eq!(notes.numbers(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(notes.events, ["Begins { whole: true }"]);
    }

    #[test]
    fn what_nobody_has_any_more_is_told_as_lost() {
        let (mut line, mut notes) = (Line::default(), Notes::default());
        line.receive(&numbered(5, 6), 0, &mut notes);
        line.receive(&numbered(9, 10), 0, &mut notes);
        let mut waits = Vec::new();
        while notes.numbers().len() < 2 {
            let wake = notes.wake.unwrap();
            waits.push(wake);
            line.timer(wake - 1, &mut notes);
            assert_eq!(notes.wake, Some(wake), "asked before its time");
            line.timer(wake, &mut notes);
        }
        assert_eq!(notes.sent, vec![request(DAY, 6, 3); ATTEMPTS as usize]);
        assert!(waits.windows(3).all(|w| w[2] - w[1] == 2 * (w[1] - w[0])), "{waits:?}");
        assert_eq!(notes.numbers(), [5, 9]);
        assert_eq!(notes.events, ["Begins { whole: false }", "Lost { messages: 3 }"]);
    }

    #[test]
    fn a_heartbeat_tells_of_a_gap_and_the_end_waits_for_what_is_missing() {
        let (mut line, mut notes) = (Line::default(), Notes::default());
        line.receive(&request(DAY, 1, 0), 0, &mut notes);
        line.receive(&request(DAY, 3, 0), 0, &mut notes);
        assert_eq!(notes.sent, [request(DAY, 1, 2)]);
        line.receive(&end(3), 0, &mut notes);
        assert_eq!(notes.events, ["Begins { whole: true }"]);
        line.receive(&numbered(1, 3), 0, &mut notes);
        line.receive(&end(3), 0, &mut notes);
        assert_eq!(notes.numbers(), [1, 2]);
        assert_eq!(notes.events, ["Begins { whole: true }", "Ended"]);
    }

    #[test]
    fn another_session_begins_anew() {
        let (mut line, mut notes) = (Line::default(), Notes::default());
        line.receive(&numbered(1, 2), 0, &mut notes);
        line.receive(&numbered(4, 5), 0, &mut notes);
        line.receive(&packet(*b"  DAY-0002", 1, &[b"x"]), 0, &mut notes);
        assert_eq!(notes.numbers(), [1, 4, 1]);
        let expected = ["Begins { whole: true }", "Lost { messages: 2 }", "Begins { whole: true }"];
        assert_eq!(notes.events, expected);
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let (mut line, mut notes) = (Line::default(), Notes::default());
        let big = vec![0; 60_000];
        line.receive(&packet(DAY, 1, &[&big]), 0, &mut notes);
        for sequence in 3..200 {
            line.receive(&packet(DAY, sequence, &[&big]), 0, &mut notes);
            assert!(line.held_bytes <= HELD_BYTES_MAX);
        }
        assert_eq!(notes.events, ["Begins { whole: true }", "Lost { messages: 1 }"]);
        assert_eq!(notes.numbers().len(), 198);
    }

    #[test]
    fn what_is_no_packet_is_told() {
        let (mut line, mut notes) = (Line::default(), Notes::default());
        let mut longer = numbered(1, 2);
        longer.push(0);
        for bytes in [&b""[..], &numbered(1, 3)[..30], &longer] {
            line.receive(bytes, 0, &mut notes);
        }
        line.receive(&numbered(7, 8), 0, &mut notes);
        line.receive(&request(DAY, u64::MAX, 0), 0, &mut notes);
        assert_eq!(notes.events.len(), 5, "{:?}", notes.events);
        assert_eq!(notes.numbers(), [7]);
    }

    proptest! {
        /// Whatever the network does, messages come in order, and those that do not are told of.
        #[test]
        fn in_order_or_told(order in proptest::collection::vec((1u64..30, 1u64..4), 0..60)) {
            let (mut line, mut notes) = (Line::default(), Notes::default());
            line.receive(&numbered(1, 2), 0, &mut notes);
            let end = order.iter().map(|(from, length)| from + length).max().unwrap_or(2);
            for (time, (from, length)) in order.into_iter().enumerate() {
                let now = time as Nanos * PATIENCE;
                line.receive(&numbered(from, from + length), now, &mut notes);
                if notes.wake.is_some_and(|at| at <= now) {
                    notes.wake = None;
                    line.timer(now, &mut notes);
                }
            }
            line.finish(&mut notes);
            let numbers = notes.numbers();
            prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
            for (sequence, message) in &notes.messages {
                prop_assert_eq!(sequence.unwrap().to_be_bytes().to_vec(), message.clone());
            }
            let lost = notes.events.iter().filter_map(|event| {
                event.strip_prefix("Lost { messages: ")?.strip_suffix(" }")?.parse::<u64>().ok()
            });
            prop_assert_eq!(lost.sum::<u64>() + numbers.len() as u64, end - 1);
        }

        #[test]
        fn any_bytes_are_taken(
            packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..9),
            counts in proptest::collection::vec(0u16..3, 9),
        ) {
            let (mut line, mut notes) = (Line::default(), Notes::default());
            for (mut bytes, count) in packets.into_iter().zip(counts) {
                if bytes.len() >= HEAD {
                    bytes[18..20].copy_from_slice(&count.to_be_bytes());
                }
                line.receive(&bytes, 0, &mut notes);
                line.timer(u64::MAX, &mut notes);
            }
            line.finish(&mut notes);
        }
    }
}
