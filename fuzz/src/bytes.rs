//! Any inputs in any order to an adapter, from bytes that nobody chose, and from messages of the
//! venue that nobody would send so.

use feeds::adapter::{Action, Adapter, DeskOptions, Input, Output, Stream, SymbolId};
use feeds::venue::Venue;
use market::Nanos;

use crate::client::{Client, assert_unverified};
use crate::damage;
use crate::dice::Dice;
use crate::session::{START, Tape};

/// Inputs of one run: enough for whatever a message can do to the one after the next.
const INPUTS_MAX: usize = 400;

/// Gives an adapter of `venue` whatever `data` says; `tape` holds messages that are sound.
///
/// # Panics
/// When the adapter does, when a client would hold another book than it, or when it wants more
/// than its inputs can be the reason for.
pub fn play(venue: Venue, tape: &Tape, data: &[u8]) {
    let mut dice = Dice::new(data);
    let flags = dice.byte();
    let options = DeskOptions {
        venue: "x".into(),
        symbols: tape.symbols.clone(),
        on_demand: flags & 1 != 0,
        open: flags & 2 != 0,
        symbols_max: 8,
        depth: [None, Some(10), Some(1), Some(usize::MAX)][usize::from(flags >> 2 & 3)],
        levels_max: if flags & 16 != 0 { 12 } else { 100_000 },
        ..DeskOptions::default()
    };
    let mut run = Run {
        venue,
        binary: matches!(venue, Venue::Itch(_)),
        adapter: venue.adapter(options),
        client: Client::default(),
        now: START,
        requests: Vec::new(),
        wake_at: None,
        connected: false,
    };
    run.input(Input::Connected);
    let mut next = 0;
    for _ in 0..INPUTS_MAX {
        if dice.is_empty() {
            break;
        }
        run.step(tape, &mut next, &mut dice);
    }
    run.input(Input::Disconnected { reason: "the end" });
}

struct Run {
    venue: Venue,
    binary: bool,
    adapter: Box<dyn Adapter>,
    client: Client,
    now: Nanos,
    requests: Vec<u32>,
    wake_at: Option<Nanos>,
    connected: bool,
}

impl Run {
    fn step(&mut self, tape: &Tape, next: &mut usize, dice: &mut Dice) {
        match dice.byte() {
            // The next message, as it was sent.
            0..=127 => {
                let text = tape.messages.get(*next % tape.messages.len().max(1));
                *next += 1;
                self.message(text.map_or(&b""[..], |text| text));
            }
            128..=191 => {
                let at = if dice.once_in(3) { dice.below(tape.messages.len()) } else { *next };
                *next += 1;
                let mut text = tape.messages.get(at).cloned().unwrap_or_default();
                damage::anything(&mut text, dice);
                self.message(&text);
            }
            192..=199 => *next = dice.below(tape.messages.len()),
            200..=211 => {
                let length = dice.below(300);
                let random = dice.bytes(length).to_vec();
                self.message(&random);
            }
            212..=217 => {
                let at = dice.below(tape.answers.len());
                let mut body = tape.answers.get(at).cloned().unwrap_or_default();
                if dice.once_in(2) {
                    damage::anything(&mut body, dice);
                }
                let status = if dice.once_in(4) { dice.word() } else { 200 };
                let request = self.request(dice);
                self.input(Input::Answer { request, status, retry_after: None, body: &body });
            }
            218 | 219 => {
                let request = self.request(dice);
                self.input(Input::NoAnswer { request, reason: "no answer" });
            }
            220..=229 => {
                if let Some(at) = self.wake_at.take() {
                    self.now = self.now.max(at);
                }
                self.timer();
            }
            230..=233 => {
                self.now = self.now.saturating_add(u64::from(dice.word()) << dice.below(36))
            }
            // A clock that is set back.
            234 => self.now = self.now.saturating_sub(u64::from(dice.word()) << dice.below(36)),
            235 => {
                self.now = dice.pick(&[0, 1, u64::MAX, u64::MAX - 1, i64::MAX as u64]).unwrap_or(0)
            }
            236..=238 => self.input(Input::Silent),
            239..=244 => self.demand(dice),
            245..=249 => {
                self.input(Input::Disconnected { reason: "cut" });
                if dice.once_in(2) {
                    self.input(Input::Connected);
                }
            }
            250 => self.input(Input::Connected),
            251 => self.message(&b"[{\"a\":".repeat(dice.word().into())),
            252 => {
                let length = dice.below(100);
                let random = dice.bytes(length).to_vec();
                let input = if self.binary { Input::Text(&random) } else { Input::Binary(&random) };
                self.input(input);
            }
            _ => self.timer(),
        }
    }

    fn message(&mut self, bytes: &[u8]) {
        self.input(if self.binary { Input::Binary(bytes) } else { Input::Text(bytes) });
    }

    /// Woken once, it must not want to be woken for ever without time passing.
    fn timer(&mut self) {
        for _ in 0..100 {
            self.wake_at = None;
            self.input(Input::Timer);
            if self.now == u64::MAX || self.wake_at.is_none_or(|at| at > self.now) {
                return;
            }
        }
        panic!("it wants to be woken at {:?}, and it is {}", self.wake_at, self.now);
    }

    fn request(&mut self, dice: &mut Dice) -> u32 {
        if self.requests.is_empty() || dice.once_in(8) {
            return dice.word().into();
        }
        self.requests.swap_remove(dice.below(self.requests.len()))
    }

    fn demand(&mut self, dice: &mut Dice) {
        let ids: Vec<SymbolId> = self.adapter.desk().ids().collect();
        let Some(symbol) = dice.pick(&ids) else { return };
        let stream = [Stream::Book, Stream::Trades, Stream::Quotes][dice.below(3)];
        let wanted = !self.adapter.desk().symbol(symbol).wanted().has(stream);
        self.input(Input::Demand { symbol, stream, wanted });
    }

    fn input(&mut self, input: Input<'_>) {
        // An owner opens no connection before the last one is gone.
        match input {
            Input::Connected if self.connected => {
                self.input(Input::Disconnected { reason: "another" });
                self.connected = true;
            }
            Input::Connected => self.connected = true,
            Input::Disconnected { .. } if !self.connected => return,
            Input::Disconnected { .. } => self.connected = false,
            Input::Text(_) | Input::Binary(_) | Input::Silent if !self.connected => return,
            _ => {}
        }
        let bytes = match input {
            Input::Text(bytes) | Input::Binary(bytes) | Input::Answer { body: bytes, .. } => {
                bytes.len()
            }
            _ => 0,
        };
        self.client.input(bytes);
        let mut out = Output::default();
        self.adapter.handle(input, self.now, &mut out);
        self.client.take_all(&*self.adapter, &out);
        if self.venue == Venue::Bitstamp {
            assert_unverified(&out.updates);
        }
        for action in &out.actions {
            if let Action::Fetch { request, .. } = action {
                assert!(!self.requests.contains(request), "request {request} is used twice");
                self.requests.push(*request);
            }
        }
        if !self.connected {
            // Answers to a connection that is gone may still come, but need not.
            self.requests.truncate(16);
        }
        self.wake_at = [self.wake_at, out.wake_at].into_iter().flatten().min();
    }
}
