//! The life of one open connection to a venue: what waits to be sent, which requests are under
//! way, since when it is silent, when it is renewed; and the loop that serves it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fanout::Millis;
use feeds::adapter::{Action, Input, Rules};
use market::Nanos;
use tokio::task::JoinSet;

use super::pace::{Chance, Window};
use super::rest::{Answer, Rest};
use super::session::Session;
use super::sink::Sink;
use super::socket::{Message, Outgoing, Socket};
use crate::clock::millis;

/// Messages to a venue that may wait for their turn.
const OUTBOX_MAX: usize = 4_096;
/// REST requests that may wait or be under way.
const FETCHES_MAX: usize = 16_384;
/// Messages of a venue handled before anything else has its turn.
const BURST: usize = 64;

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum End {
    /// The feed is told to stop.
    Stopped,
    /// Nobody wants anything of it.
    Idle,
    /// The venue would cut it soon.
    Renewed,
    /// It broke, or cannot be trusted.
    Lost(String),
    /// The adapter wants another one.
    Asked(String),
}

impl End {
    /// For a person.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Stopped => "the feed was stopped",
            Self::Idle => "nobody subscribes",
            Self::Renewed => "renewed before the venue cuts it",
            Self::Lost(reason) | Self::Asked(reason) => reason,
        }
    }
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Line {
    outbox: VecDeque<Outgoing>,
    pace: Window,
    fetches: JoinSet<(u32, Result<Answer, String>)>,
    /// Requests for which there was no room, with why not.
    unasked: Vec<(u32, &'static str)>,
    end: Option<End>,
    opened: Millis,
    /// When the last message came.
    heard: Millis,
    heard_any: bool,
    /// The adapter knows that it is silent.
    silent: bool,
    /// When the last byte came, as far as was looked.
    touched: Millis,
    stale_after: Millis,
    dead_after: Millis,
    renew_at: Option<Millis>,
}

fn whole_millis(time: Nanos) -> Millis {
    millis(Duration::from_nanos(time)).max(1)
}

impl Line {
    pub(super) fn new(rules: &Rules, now: Millis, chance: &mut Chance) -> Self {
        // Pongs and pings count at some venues, so one message is left for them; and clocks
        // differ, so a second is a little longer.
        let messages = rules.messages_per_second.min(1_000);
        let pace = Window::new(messages.saturating_sub(1), 1_050);
        let renew_at = rules.lifetime.map(whole_millis).map(|lifetime| {
            // Between 2 and 0.5 % before: not all connections at one time.
            now + lifetime - chance.between(lifetime.div_ceil(200), lifetime.div_ceil(50))
        });
        Self {
            outbox: VecDeque::new(),
            pace,
            fetches: JoinSet::new(),
            unasked: Vec::new(),
            end: None,
            opened: now,
            heard: now,
            heard_any: false,
            silent: false,
            touched: now,
            stale_after: whole_millis(rules.stale_after),
            dead_after: whole_millis(rules.dead_after),
            renew_at,
        }
    }

    /// Takes up what the adapter wants done.
    pub(super) fn take(&mut self, action: Action, rest: Option<&Arc<Rest>>) {
        match action {
            Action::Send(_) | Action::SendBinary(_) if self.outbox.len() >= OUTBOX_MAX => {
                let words = format!("more than {OUTBOX_MAX} messages wait to be sent");
                self.end.get_or_insert(End::Lost(words));
            }
            Action::Send(text) => self.outbox.push_back(Outgoing::text(text)),
            Action::SendBinary(bytes) => self.outbox.push_back(Outgoing::binary(bytes)),
            Action::Fetch { request, path } => match rest {
                None => self.unasked.push((request, "the venue has no REST address")),
                Some(_) if self.fetches.len() >= FETCHES_MAX => {
                    self.unasked.push((request, "too many requests wait"));
                }
                Some(rest) => {
                    let rest = Arc::clone(rest);
                    self.fetches.spawn(async move { (request, rest.get(&path).await) });
                }
            },
            Action::Reconnect { reason } => {
                self.end.get_or_insert(End::Asked(reason));
            }
            // The session has logged it.
            Action::Report(_) => {}
        }
    }

    /// Whether the venue said anything, and for so long.
    pub(super) fn was_good(&self, now: Millis, proven: Millis) -> bool {
        self.heard_any && now.saturating_sub(self.opened) >= proven
    }

    fn may_send(&self, now: Millis) -> bool {
        !self.outbox.is_empty() && self.pace.wait(now) == 0
    }

    /// How long until there is something to do unasked.
    pub(super) fn idle_for(&self, now: Millis) -> Millis {
        let mut until = self.touched + self.dead_after;
        if !self.silent {
            until = until.min(self.heard + self.stale_after);
        }
        if let Some(at) = self.renew_at {
            until = until.min(at);
        }
        let mut wait = until.saturating_sub(now);
        if !self.outbox.is_empty() {
            // Where the pace allows it now, room in the socket is waited for, and not time.
            wait = match self.pace.wait(now) {
                0 => wait,
                pace => wait.min(pace),
            };
        }
        wait
    }
}

impl<S: Sink> Session<S> {
    /// Serves one connection to its end.
    pub(super) async fn serve(&mut self, socket: &mut Socket, line: &mut Line) -> End {
        let mut burst: Vec<Result<Message, String>> = Vec::with_capacity(BURST);
        self.give(Input::Connected, Some(&mut *line));
        loop {
            self.answer_unasked(line);
            self.sink.flush();
            if let Some(end) = line.end.take().or_else(|| self.timers(socket, line)) {
                return end;
            }
            let now = self.shared.clock.millis();
            let (may_send, wait) = (line.may_send(now), self.idle_for(line));
            tokio::select! {
                _ = socket.inbound.recv_many(&mut burst, BURST) => {
                    if let Some(end) = self.hear(&mut burst, line) {
                        return end;
                    }
                }
                Some(done) = line.fetches.join_next() => match done {
                    Ok((request, Ok(answer))) => {
                        let Answer { status, retry_after, body } = answer;
                        self.tally.answered(Some(status));
                        let input = Input::Answer { request, status, retry_after, body: &body };
                        self.give(input, Some(&mut *line));
                    }
                    Ok((request, Err(reason))) => {
                        tracing::debug!(venue = self.shared.venue, request, reason, "no answer");
                        self.tally.answered(None);
                        let input = Input::NoAnswer { request, reason: &reason };
                        self.give(input, Some(&mut *line));
                    }
                    Err(error) => return End::Lost(format!("a request broke off: {error}")),
                },
                room = socket.outbound.reserve(), if may_send => match room {
                    Ok(room) => {
                        if let Some(message) = line.outbox.pop_front() {
                            line.pace.note(self.shared.clock.millis());
                            room.send(message);
                        }
                    }
                    Err(_) => {
                        // The reader knows why; without a word of it soon, that is the reason.
                        let last = tokio::time::timeout(Duration::from_secs(1), async {
                            while let Some(message) = socket.inbound.recv().await {
                                if let Err(reason) = message {
                                    return reason;
                                }
                            }
                            "the connection was lost".to_owned()
                        });
                        let lost = || "the connection takes no more messages".to_owned();
                        return End::Lost(last.await.unwrap_or_else(|_| lost()));
                    }
                },
                Ok(()) = self.renewal.changed() => self.renew(),
                _ = self.stopped.changed() => return End::Stopped,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Gives a burst of messages to the adapter.
    fn hear(&mut self, burst: &mut Vec<Result<Message, String>>, line: &mut Line) -> Option<End> {
        if burst.is_empty() {
            return Some(End::Lost("the connection was lost".to_owned()));
        }
        let now = self.shared.clock.millis();
        (line.heard, line.touched, line.silent) = (now, now, false);
        for message in burst.drain(..) {
            let message = match message {
                Ok(message) => message,
                Err(reason) => return Some(End::Lost(reason)),
            };
            line.heard_any = true;
            let bytes = &message.bytes[..];
            self.tally.heard(bytes.len(), now);
            let input = if message.text { Input::Text(bytes) } else { Input::Binary(bytes) };
            self.give(input, Some(&mut *line));
            if line.end.is_some() {
                break;
            }
        }
        burst.clear();
        line.end.take()
    }

    fn answer_unasked(&mut self, line: &mut Line) {
        // An adapter that asks again at once is answered in the next turn.
        for (request, reason) in std::mem::take(&mut line.unasked) {
            self.tally.answered(None);
            self.give(Input::NoAnswer { request, reason }, Some(&mut *line));
        }
    }

    /// Does what time alone makes due.
    fn timers(&mut self, socket: &Socket, line: &mut Line) -> Option<End> {
        let now = self.shared.clock.millis();
        if self.wake_at.is_some_and(|at| at <= self.shared.clock.wall()) {
            self.wake_at = None;
            self.give(Input::Timer, Some(&mut *line));
        }
        self.tick();
        if socket.take_touched() {
            line.touched = now;
        }
        if now >= line.touched + line.dead_after {
            let seconds = line.dead_after.div_ceil(1_000);
            return Some(End::Lost(format!("nothing came for {seconds} s")));
        }
        if !line.silent && now >= line.heard + line.stale_after {
            line.silent = true;
            self.give(Input::Silent, Some(&mut *line));
            // Whoever is there answers; whoever is not is dead soon. If there is no room for it,
            // other messages wait to be answered.
            if socket.outbound.try_send(Outgoing::ping()).is_ok() {
                line.pace.note(now);
            }
        }
        if line.renew_at.is_some_and(|at| at <= now) {
            return Some(End::Renewed);
        }
        self.look_after();
        self.follow_demand(Some(&mut *line));
        if self.demand.as_ref().is_some_and(|demand| !demand.any()) {
            return Some(End::Idle);
        }
        self.sink.flush();
        line.end.take()
    }
}
