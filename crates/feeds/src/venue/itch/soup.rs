//! SoupBinTCP: login, numbered messages over TCP, heartbeats, and going on after a break where it
//! was broken off.
//!
//! Source: Nasdaq SoupBinTCP specification, version 3.00. A packet is a 16-bit length, which counts
//! what follows it, a type and its payload. The number of a message is implied: the login's answer
//! says that of the first, and each sequenced packet is the next.
//!
//! After a break the login names the session and the next number, so that nothing is missing and
//! nothing comes twice. After the end of a session it asks for whichever there is now; if that is
//! another one, from its beginning.

use market::Nanos;

use super::transport::{Event, Receiver};
use crate::adapter::SECOND;

/// How to log in. The venue pads names with spaces and does not tell capitals from small letters.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Six characters at most.
    pub user: String,
    /// Ten characters at most.
    pub password: String,
    /// Ten characters at most; empty for the session that is going on.
    pub session: String,
    /// Number of the first message to ask for: 1 for all of the session, without which there are
    /// no books; 0 for what is new only. After a break the next one is asked for.
    pub sequence: u64,
}

impl Default for Login {
    fn default() -> Self {
        let (user, password, session) = Default::default();
        Self { user, password, session, sequence: 1 }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the password.
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A text that is no field of a login; it is not shown, as it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLogin {
    /// It would be cut off.
    #[error("too long")]
    TooLong,
    /// The protocol has no way to write it.
    #[error("a character that is no letter, digit or sign of ASCII")]
    Character,
}

impl Login {
    /// Longest [`Login::user`].
    pub const USER_LENGTH: usize = 6;
    /// Longest [`Login::password`].
    pub const PASSWORD_LENGTH: usize = 10;
    /// Longest [`Login::session`].
    pub const SESSION_LENGTH: usize = 10;

    /// Checks a text for a field of that `length`.
    ///
    /// # Errors
    /// When it does not fit into it.
    pub fn check(text: &str, length: usize) -> Result<(), BadLogin> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(BadLogin::Character)
        } else if text.len() > length {
            Err(BadLogin::TooLong)
        } else {
            Ok(())
        }
    }
}

/// We say that we are there when we said nothing for so long.
const HEARTBEAT: Nanos = SECOND;
/// A login that was not answered for so long never will be.
const ANSWER: Nanos = 10 * SECOND;

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
    /// The next login asks for whichever session there is: the last one ended, or is not there.
    elsewhere: bool,
    /// All of the last session came.
    complete: bool,
    /// Messages before this one came on an earlier connection.
    known_before: u64,
    asked_at: Nanos,
    said_at: Nanos,
}

impl Client {
    pub(super) fn new(login: Login) -> Self {
        Self {
            login,
            state: State::Closed,
            carry: Vec::new(),
            session: None,
            next: None,
            elsewhere: false,
            complete: false,
            known_before: 0,
            asked_at: 0,
            said_at: 0,
        }
    }

    /// The connection is open: asks for what is wanted at first, or goes on from where it was.
    pub(super) fn connected(&mut self, now: Nanos, to: &mut impl Receiver) {
        self.carry.clear();
        self.state = State::Asked;
        self.asked_at = now;
        let session = match self.session {
            Some(session) if !self.elsewhere => session,
            _ => padded_left(self.login.session.as_bytes()),
        };
        // What number the first session was to begin with means nothing in another.
        let first = match self.session {
            None => self.login.sequence,
            Some(_) => self.login.sequence.min(1),
        };
        let mut packet = vec![b'L'];
        packet.extend(padded_right::<{ Login::USER_LENGTH }>(self.login.user.as_bytes()));
        packet.extend(padded_right::<{ Login::PASSWORD_LENGTH }>(self.login.password.as_bytes()));
        packet.extend(session);
        packet.extend(padded_left::<20>(self.next.unwrap_or(first).to_string().as_bytes()));
        self.say(&packet, now, to);
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self) {
        self.carry.clear();
        self.state = State::Closed;
    }

    /// Whether messages may come.
    pub(super) fn is_in(&self) -> bool {
        self.state == State::In
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
        if self.state == State::Asked && now.saturating_sub(self.asked_at) >= ANSWER {
            self.end("the login was not answered", to);
        }
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

    /// Nothing more is to be had of this connection.
    fn end(&mut self, reason: &'static str, to: &mut impl Receiver) {
        self.state = State::Over;
        to.event(Event::Reconnect { reason });
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
            [b'S', message @ ..] => self.sequenced(message, to),
            // Before it lets us in, and after the end, it says nothing of the session.
            [b'H'] if matches!(self.state, State::Asked | State::Over) => {}
            [b'H'] => to.event(Event::Idle),
            [b'A', rest @ ..] => match accepted(rest) {
                Some((session, sequence)) => self.accepted(session, sequence, to),
                None => {
                    let expected = "a session and a number";
                    to.event(Event::Malformed { expected, bytes: packet });
                    self.end("the answer to the login cannot be read", to);
                }
            },
            [b'J', reason] => {
                let reason = match reason {
                    b'A' => "login refused: wrong user or password",
                    b'S' => {
                        self.no_such_session();
                        "login refused: there is no such session"
                    }
                    _ => "login refused",
                };
                to.event(Event::Rejected { reason });
                self.end(reason, to);
            }
            [b'Z'] => {
                (self.elsewhere, self.complete) = (true, true);
                to.event(Event::Ended);
                self.end("the venue ended the session", to);
            }
            // A text for people, which may come at any time.
            [b'+', ..] => {}
            [] => to.event(Event::Malformed { expected: "a packet type", bytes: packet }),
            _ => to.event(Event::Unknown),
        }
    }

    fn sequenced(&mut self, message: &[u8], to: &mut impl Receiver) {
        match self.state {
            State::In => {}
            // It belongs to what we have left already.
            State::Over => return,
            State::Closed | State::Asked => {
                // Cut out of a longer recording.
                self.state = State::In;
                (self.session, self.next) = (None, None);
                to.event(Event::Begins { whole: false });
            }
        }
        let sequence = self.next;
        self.next = sequence.map(|sequence| sequence.saturating_add(1));
        match sequence {
            Some(sequence) if sequence < self.known_before => to.event(Event::Repeated),
            _ => to.message(sequence, message),
        }
    }

    fn accepted(&mut self, session: [u8; 10], sequence: u64, to: &mut impl Receiver) {
        let complete = std::mem::take(&mut self.complete);
        self.elsewhere = false;
        let reached = self.next.map(|next| next.max(self.known_before));
        self.known_before = 0;
        match (self.session == Some(session), reached) {
            (true, Some(reached)) if sequence > reached => {
                to.event(Event::Lost { messages: sequence - reached });
            }
            (true, Some(reached)) => {
                // It may begin earlier than was asked.
                self.known_before = reached;
                to.event(Event::Resumed);
            }
            (false, Some(_)) if sequence != 1 => {
                // Another session, which was asked for the number of the last one.
                self.complete = complete;
                (self.session, self.next) = (Some(session), None);
                return self.end("another session began", to);
            }
            _ => {
                to.event(Event::Begins { whole: sequence == 1 });
                if complete && sequence == 1 {
                    to.event(Event::Resumed);
                }
            }
        }
        self.state = State::In;
        (self.session, self.next) = (Some(session), Some(sequence));
    }

    fn no_such_session(&mut self) {
        if self.elsewhere {
            // Not that one either, or not that number of it: the beginning, then.
            (self.session, self.next) = (None, None);
        }
        self.elsewhere = true;
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
mod tests;
