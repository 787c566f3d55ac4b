//! SoupBinTCP: login, numbered messages over TCP, heartbeats, and going on after a break where it
//! was broken off.
//!
//! Source: Nasdaq SoupBinTCP specification, version 3.00. A packet is a 16-bit length, which counts
//! what follows it, a type and its payload. The number of a message is implied: the login's answer
//! says that of the first, and each sequenced packet is the next.

use market::Nanos;

use super::transport::{Event, Receiver};
use crate::adapter::SECOND;

/// How to log in. The venue pads names with spaces and does not tell capitals from small letters.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// Six letters at most.
    pub user: String,
    /// Ten letters at most.
    pub password: String,
    /// Ten letters at most; empty for the session that is going on.
    pub session: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the password.
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// We say that we are there when we said nothing for so long.
const HEARTBEAT: Nanos = SECOND;

/// Where the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Nobody talked yet, or not any more.
    #[default]
    Closed,
    /// We asked to be let in.
    Asked,
    /// Messages come.
    In,
    /// Nothing more comes.
    Over,
}

/// One end of a conversation, which outlives its connections.
#[derive(Debug)]
pub(super) struct Client {
    login: Login,
    state: State,
    carry: Vec<u8>,
    session: Option<[u8; 10]>,
    /// Number of the next message; `None` when no answer to a login said it.
    next: Option<u64>,
    said_at: Nanos,
}

impl Client {
    pub(super) fn new(login: Login) -> Self {
        let (state, carry) = (State::Closed, Vec::new());
        Self { login, state, carry, session: None, next: None, said_at: 0 }
    }

    /// The connection is open: asks for all messages from the first on, or from where it was.
    pub(super) fn connected(&mut self, now: Nanos, to: &mut impl Receiver) {
        self.carry.clear();
        self.state = State::Asked;
        let mut packet = vec![b'L'];
        let session = match self.session {
            Some(session) => session,
            None => padded_left(self.login.session.as_bytes()),
        };
        packet.extend(padded_right::<6>(self.login.user.as_bytes()));
        packet.extend(padded_right::<10>(self.login.password.as_bytes()));
        packet.extend(session);
        packet.extend(padded_left::<20>(self.next.unwrap_or(1).to_string().as_bytes()));
        self.say(&packet, now, to);
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self) {
        self.carry.clear();
        self.state = State::Closed;
    }

    /// Says that we leave, if we are in.
    pub(super) fn log_out(&mut self, now: Nanos, to: &mut impl Receiver) {
        if self.state == State::In {
            self.state = State::Over;
            self.say(b"O", now, to);
        }
    }

    /// Says that we are there, if it is time.
    pub(super) fn timer(&mut self, now: Nanos, to: &mut impl Receiver) {
        if matches!(self.state, State::Asked | State::In) {
            if now.saturating_sub(self.said_at) >= HEARTBEAT {
                self.say(b"R", now, to);
            } else {
                to.event(Event::Wake(self.said_at.saturating_add(HEARTBEAT)));
            }
        }
    }

    fn say(&mut self, packet: &[u8], now: Nanos, to: &mut impl Receiver) {
        let length = (packet.len() as u16).to_be_bytes();
        to.event(Event::Send([&length[..], packet].concat()));
        self.said_at = now;
        if self.state != State::Over {
            to.event(Event::Wake(now.saturating_add(HEARTBEAT)));
        }
    }

    pub(super) fn receive(&mut self, mut chunk: &[u8], to: &mut impl Receiver) {
        while !self.carry.is_empty() {
            let needed = whole(&self.carry).unwrap_or(2);
            let missing = needed.saturating_sub(self.carry.len());
            let (more, rest) = chunk.split_at(missing.min(chunk.len()));
            self.carry.extend_from_slice(more);
            chunk = rest;
            if more.len() < missing {
                return;
            }
            if whole(&self.carry) == Some(self.carry.len()) {
                let mut packet = std::mem::take(&mut self.carry);
                self.packet(&packet[2..], to);
                // Keeps its room.
                packet.clear();
                self.carry = packet;
                break;
            }
        }
        while let Some((packet, rest)) = whole(chunk).and_then(|end| chunk.split_at_checked(end)) {
            self.packet(&packet[2..], to);
            chunk = rest;
        }
        self.carry.extend_from_slice(chunk);
    }

    fn packet(&mut self, packet: &[u8], to: &mut impl Receiver) {
        match packet {
            [b'S', message @ ..] => {
                if self.state != State::In {
                    // Cut out of a longer recording.
                    self.state = State::In;
                    to.event(Event::Begins { whole: false });
                }
                let sequence = self.next;
                self.next = sequence.map(|sequence| sequence.saturating_add(1));
                to.message(sequence, message);
            }
            [b'H'] => to.event(Event::Idle),
            [b'A', rest @ ..] => match accepted(rest) {
                Some((session, sequence)) => self.accepted(session, sequence, to),
                None => {
                    to.event(Event::Malformed { expected: "a session and a number", bytes: packet })
                }
            },
            [b'J', reason] => {
                self.state = State::Over;
                let reason = match reason {
                    b'A' => "login refused: wrong user or password",
                    b'S' => "login refused: there is no such session",
                    _ => "login refused",
                };
                to.event(Event::Rejected { reason });
            }
            [b'Z'] => {
                self.state = State::Over;
                to.event(Event::Ended);
            }
            // A text for people, which may come at any time.
            [b'+', ..] => {}
            [] => to.event(Event::Malformed { expected: "a packet type", bytes: packet }),
            _ => to.event(Event::Unknown),
        }
    }

    fn accepted(&mut self, session: [u8; 10], sequence: u64, to: &mut impl Receiver) {
        self.state = State::In;
        match self.next.filter(|_| self.session == Some(session)) {
            Some(next) if sequence > next => to.event(Event::Lost { messages: sequence - next }),
            Some(next) if sequence == next => {}
            // Another session, or this one from an earlier message on than was asked for.
            _ => to.event(Event::Begins { whole: sequence == 1 }),
        }
        self.session = Some(session);
        self.next = Some(sequence);
    }
}

/// How long the packet is that bytes begin with, its length included.
fn whole(bytes: &[u8]) -> Option<usize> {
    let length = u16::from_be_bytes(*bytes.first_chunk::<2>()?);
    Some(2 + usize::from(length))
}

fn accepted(rest: &[u8]) -> Option<([u8; 10], u64)> {
    let (session, number) = rest.split_first_chunk::<10>()?;
    let number = std::str::from_utf8(number).ok().filter(|number| number.len() == 20)?;
    // The next message; there is none before the first.
    Some((*session, number.trim().parse::<u64>().ok()?.max(1)))
}

fn padded_left<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut field = [b' '; N];
    let text = &text[..text.len().min(N)];
    field[N - text.len()..].copy_from_slice(text);
    field
}

fn padded_right<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut field = [b' '; N];
    let text = &text[..text.len().min(N)];
    field[..text.len()].copy_from_slice(text);
    field
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::transport::Notes;
    use super::*;

    fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = (1 + payload.len() as u16).to_be_bytes();
        [&length[..], &[kind], payload].concat()
    }

    fn accepted_at(session: &[u8; 10], sequence: &str) -> Vec<u8> {
        packet(b'A', format!("{}{sequence:>20}", String::from_utf8_lossy(session)).as_bytes())
    }

    fn client() -> Client {
        let login =
            Login { user: "user".into(), password: "secret".into(), session: String::new() };
        Client::new(login)
    }

    #[test]
    fn it_logs_in_takes_messages_and_goes_on_after_a_break() {
        let (mut client, mut notes) = (client(), Notes::default());
        client.connected(5, &mut notes);
        let login = format!("Luser  secret    {:>10}{:>20}", "", 1);
        assert_eq!(notes.sent, [packet(b'L', &login.as_bytes()[1..])]);
        assert_eq!(notes.sent[0].len(), 49);
        client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
        client.receive(&packet(b'S', b"one"), &mut notes);
        client.receive(&packet(b'+', b"debug"), &mut notes);
        client.receive(&packet(b'H', b""), &mut notes);
        client.receive(&packet(b'S', b"two"), &mut notes);
        client.receive(&packet(b'S', b"cut")[..3], &mut notes);
        client.disconnected();
        client.connected(6, &mut notes);
        let login = format!("Luser  secret    {:>10}{:>20}", "SESSION", 3);
        assert_eq!(notes.sent[1], packet(b'L', &login.as_bytes()[1..]));
        client.receive(&accepted_at(b"   SESSION", "3"), &mut notes);
        client.receive(&packet(b'S', b"three"), &mut notes);
        client.receive(&packet(b'Z', b""), &mut notes);
        assert_eq!(notes.numbers(), [1, 2, 3]);
        assert_eq!(notes.events, ["Begins { whole: true }", "Ended"]);
    }

    #[test]
    fn what_the_venue_has_no_more_is_lost_and_another_session_begins() {
        let (mut client, mut notes) = (client(), Notes::default());
        client.connected(0, &mut notes);
        client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
        client.receive(&packet(b'S', b"one"), &mut notes);
        for (session, sequence) in
            [(b"   SESSION", "9"), (b"  SESSION2", "1"), (b"  SESSION2", "7")]
        {
            client.disconnected();
            client.connected(0, &mut notes);
            client.receive(&accepted_at(session, sequence), &mut notes);
        }
        let expected = [
            "Begins { whole: true }",
            "Lost { messages: 7 }",
            "Begins { whole: true }",
            "Lost { messages: 6 }",
        ];
        assert_eq!(notes.events, expected);
    }

    #[test]
    fn it_says_each_second_that_it_is_there() {
        let (mut client, mut notes) = (client(), Notes::default());
        client.timer(0, &mut notes);
        assert!(notes.sent.is_empty() && notes.wake.is_none());
        client.connected(5, &mut notes);
        assert_eq!(notes.wake, Some(5 + HEARTBEAT));
        client.timer(HEARTBEAT, &mut notes);
        assert_eq!(notes.sent.len(), 1);
        client.timer(5 + HEARTBEAT, &mut notes);
        assert_eq!(notes.sent[1], packet(b'R', b""));
        assert_eq!(notes.wake, Some(5 + 2 * HEARTBEAT));
        client.log_out(6 + HEARTBEAT, &mut notes);
        assert_eq!(notes.sent.len(), 2, "nobody is in yet");
        client.receive(&accepted_at(b"   SESSION", "1"), &mut notes);
        client.log_out(6 + HEARTBEAT, &mut notes);
        client.timer(9 * HEARTBEAT, &mut notes);
        assert_eq!(notes.sent[2..], [packet(b'O', b"")]);
    }

    #[test]
    fn a_refusal_and_what_cannot_be_read_are_told() {
        let (mut client, mut notes) = (client(), Notes::default());
        client.connected(0, &mut notes);
        client.receive(&packet(b'A', b"short"), &mut notes);
        client.receive(&packet(b'?', b"what"), &mut notes);
        client.receive(&[0, 0], &mut notes);
        client.receive(&packet(b'J', b"A"), &mut notes);
        client.timer(u64::MAX, &mut notes);
        assert_eq!(notes.sent.len(), 1, "it does not insist");
        let refused = "Rejected { reason: \"login refused: wrong user or password\" }";
        let expected = ["no a session and a number", "Unknown", "no a packet type", refused];
        assert_eq!(notes.events, expected);
        assert!(!format!("{client:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn chunks_change_nothing(cuts in proptest::collection::vec(0usize..30, 1..20)) {
            let mut bytes = accepted_at(b"   SESSION", "1");
            for number in 1..40u8 {
                bytes.extend(packet(b'S', &vec![number; usize::from(number)]));
            }
            let (mut client, mut notes, mut rest) = (client(), Notes::default(), &bytes[..]);
            for cut in cuts.iter().cycle().take(2_000) {
                let (chunk, after) = rest.split_at(rest.len().min(*cut));
                client.receive(chunk, &mut notes);
                rest = after;
            }
            client.receive(rest, &mut notes);
            prop_assert_eq!(notes.numbers(), (1..40).collect::<Vec<u64>>());
            prop_assert!(notes.messages.iter().all(|(n, m)| *n == Some(m.len() as u64)));
        }

        #[test]
        fn any_bytes_are_taken(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let (mut client, mut notes) = (client(), Notes::default());
            client.connected(0, &mut notes);
            for chunk in &chunks {
                client.receive(&packet(b'A', chunk), &mut notes);
                client.receive(chunk, &mut notes);
                client.timer(u64::MAX, &mut notes);
            }
        }
    }
}
