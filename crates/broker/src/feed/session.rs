//! One connection to a venue: it gives an adapter its messages, answers and timers, carries out
//! what the adapter wants, publishes what it says, and connects again when the connection ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fanout::Millis;
use feeds::Update;
use feeds::adapter::{Action, Adapter, BookState, Input, Output, Rules};
use feeds::derive::{Derive, DeriveOptions};
use market::{BookDiff, BookSide, Event, Flags, Kind, Nanos, Stamps, Status, VenueState};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::address::Endpoint;
use super::demand::Demand;
use super::dial::Dialler;
use super::figures::{Figures, Row, Tally};
use super::health::Health;
use super::journal::Journal;
use super::line::{End, Line};
use super::pace::{Backoff, Chance, Window};
use super::rest::Rest;
use super::sink::Sink;
use super::socket::{self, Outgoing, Socket};
use crate::clock::{Clock, millis};

/// How often is looked at what is subscribed, where upstream follows demand, and how old what
/// others can read of a session may be.
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// A connection that lived so long was a good one: the next failure counts as the first.
const PROVEN: Millis = 10_000;
/// The venue's status is a desk's first channel.
const STATUS: usize = 0;

/// What the connections of one feed share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) venue: String,
    pub(super) rules: &'static Rules,
    pub(super) endpoint: Endpoint,
    pub(super) dialler: Dialler,
    pub(super) rest: Option<Arc<Rest>>,
    /// Of all feeds of one host.
    pub(super) connects: Arc<Mutex<Window>>,
    pub(super) health: Mutex<Health>,
    pub(super) figures: Figures,
    pub(super) derive: DeriveOptions,
    pub(super) clock: Clock,
}

/// One connection of a feed, over all its lives.
#[derive(Debug)]
pub(super) struct Session<S> {
    pub(super) index: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) adapter: Box<dyn Adapter>,
    pub(super) demand: Option<Demand>,
    pub(super) sink: S,
    pub(super) stopped: watch::Receiver<()>,
    pub(super) renewal: watch::Receiver<u64>,
    pub(super) chance: Chance,
    pub(super) wake_at: Option<Nanos>,
    pub(super) tally: Tally,
    /// Where others read what was counted.
    row: Arc<Row>,
    /// When that was last brought up to date.
    noted: Option<Millis>,
    out: Output,
    /// Makes bars, and quotes where the venue has none.
    derive: Derive,
    derived: Vec<Update>,
    backoff: Backoff,
    /// When was last looked at what is subscribed.
    looked: Option<Millis>,
    interest_seen: Option<u64>,
    /// It is not connected because nobody wants it to be.
    idle: bool,
    journal: Journal,
}

impl<S: Sink> Session<S> {
    pub(super) fn new(
        index: usize,
        shared: Arc<Shared>,
        adapter: Box<dyn Adapter>,
        demand: Option<Demand>,
        sink: S,
        chance: Chance,
        stopped: watch::Receiver<()>,
    ) -> Self {
        let renewal = sink.renewal();
        let row = shared.figures.connection(&shared.venue);
        let journal = Journal::new(&shared.venue, index);
        let derive = Derive::new(&shared.venue, shared.derive.clone());
        Self {
            index,
            shared,
            adapter,
            demand,
            sink,
            stopped,
            renewal,
            chance,
            wake_at: None,
            tally: Tally::default(),
            row,
            noted: None,
            out: Output::default(),
            derive,
            derived: Vec::new(),
            backoff: Backoff::new(),
            looked: None,
            interest_seen: None,
            idle: false,
            journal,
        }
    }

    /// Runs until it is stopped.
    pub(super) async fn run(mut self) {
        let waiting = if self.demand.is_some() { None } else { Some("connecting") };
        self.say(waiting.map(|reason| (VenueState::Down, reason)));
        while let Some(stream) = self.next_connection().await {
            let Ok((stream, ahead)) = stream else { continue };
            let Rules { transport, message_bytes, .. } = *self.shared.rules;
            let mut socket = Socket::new(transport, stream, ahead, message_bytes);
            let mut line =
                Line::new(self.shared.rules, self.shared.clock.millis(), &mut self.chance);
            let end = self.serve(&mut socket, &mut line).await;
            if line.was_good(self.shared.clock.millis(), PROVEN) {
                self.backoff.forget();
            }
            if !matches!(end, End::Lost(_) | End::Asked(_)) {
                self.log_out(&socket);
            }
            self.ended(&end);
            // Requests of this life are of no use to the next.
            drop(line);
            socket.close(socket::NORMAL).await;
            match end {
                End::Stopped => return,
                End::Lost(_) | End::Asked(_) => {
                    let pause = self.backoff.next(&mut self.chance);
                    if self.pause(pause).await.is_break() {
                        break;
                    }
                }
                End::Idle | End::Renewed => {}
            }
        }
        self.ended(&End::Stopped);
    }

    /// Waits until a connection is wanted and allowed, and opens it; `None` when it is stopped.
    async fn next_connection(&mut self) -> Option<Result<Opened, ()>> {
        while !self.is_wanted() {
            if self.pause(LOOK).await.is_break() {
                return None;
            }
        }
        self.idle = false;
        loop {
            let wait = {
                let mut connects = self.shared.connects.lock();
                let now = self.shared.clock.millis();
                let wait = connects.wait(now);
                if wait == 0 {
                    connects.note(now);
                }
                wait
            };
            if wait == 0 {
                break;
            }
            let jitter = self.chance.between(0, wait / 10);
            if self.pause(Duration::from_millis(wait + jitter)).await.is_break() {
                return None;
            }
        }
        let transport = self.shared.rules.transport;
        let opened = tokio::select! {
            opened = self.shared.dialler.open(&self.shared.endpoint, transport) => opened,
            _ = self.stopped.changed() => return None,
        };
        self.tally.dialled(opened.is_ok());
        self.journal.opened(self.adapter.desk().counts, self.shared.clock.millis());
        self.note_figures();
        match opened {
            Ok(opened) => Some(Ok(opened)),
            Err(problem) => {
                let pause = self.backoff.next(&mut self.chance);
                self.journal.failed(&problem, self.backoff.failures());
                self.say(Some((VenueState::Down, &problem)));
                if self.pause(pause).await.is_break() { None } else { Some(Err(())) }
            }
        }
    }

    /// Waits, or breaks off when it is stopped.
    async fn pause(&mut self, time: Duration) -> std::ops::ControlFlow<()> {
        // Bars end by the clock, connected or not.
        self.tick();
        tokio::select! {
            () = tokio::time::sleep(time) => std::ops::ControlFlow::Continue(()),
            _ = self.stopped.changed() => std::ops::ControlFlow::Break(()),
        }
    }

    /// Says goodbye in the venue's own words, where it has any.
    fn log_out(&mut self, socket: &Socket) {
        self.adapter.log_out(self.shared.clock.wall(), &mut self.out);
        for action in std::mem::take(&mut self.out.actions) {
            if let Action::SendBinary(bytes) = action {
                // A venue that reads nothing any more does not hear it either.
                drop(socket.outbound.try_send(Outgoing::binary(bytes)));
            }
        }
    }

    /// Tells the adapter and everybody that the connection is over.
    fn ended(&mut self, end: &End) {
        let reason = end.reason();
        let counts = self.adapter.desk().counts;
        self.journal.ended(end, &counts, self.shared.clock.millis());
        self.idle = matches!(end, End::Idle);
        self.tally.ended(end);
        self.give(Input::Disconnected { reason }, None);
        self.tick();
        self.sink.flush();
        if matches!(end, End::Idle) {
            self.say(None);
        } else {
            self.say(Some((VenueState::Down, reason)));
        }
        self.note_figures();
    }

    /// Publishes the venue's state, if this connection's changes it.
    fn say(&mut self, own: Option<(VenueState, &str)>) {
        let stamps = Stamps { received: self.shared.clock.wall(), ..Stamps::default() };
        let channel = &self.adapter.desk().channels()[STATUS];
        let (state, reason) = own.unwrap_or((VenueState::Down, "nobody subscribes"));
        let status = Status { state, reason: reason.into(), stamps };
        self.sink.connection_state(&channel.topic, &status);
        if let Some((state, reason)) = self.shared.health.lock().set(self.index, own) {
            let status = Event::Status(Status { state, reason: reason.into(), stamps });
            self.tally.events += 1;
            self.sink.publish(STATUS, channel, status);
        }
        self.sink.flush();
    }

    /// Gives one input to the adapter and publishes what it says of it; what it wants done goes to
    /// `line`, if there is one.
    pub(super) fn give(&mut self, input: Input<'_>, mut line: Option<&mut Line>) {
        let now = self.shared.clock.wall();
        self.adapter.handle(input, now, &mut self.out);
        self.publish();
        if let Some(wake_at) = self.out.wake_at.take() {
            self.wake_at = Some(self.wake_at.map_or(wake_at, |earlier| earlier.min(wake_at)));
        }
        for action in std::mem::take(&mut self.out.actions) {
            match action {
                Action::Report(text) => self.journal.report(text),
                action => {
                    if let Some(line) = &mut line {
                        line.take(action, self.shared.rest.as_ref());
                    }
                }
            }
        }
    }

    fn publish(&mut self) {
        let desk = self.adapter.desk();
        for update in self.out.updates.drain(..) {
            let channel = &desk.channels()[update.channel];
            self.derive.update(desk.channels(), &update, &mut self.derived);
            match update.event {
                Event::Status(status) if update.channel == STATUS => {
                    self.sink.connection_state(&channel.topic, &status);
                    let state = (!self.idle).then_some((status.state, &*status.reason));
                    let said = self.shared.health.lock().set(self.index, state);
                    if let Some((state, reason)) = said {
                        self.journal.state(state, &reason);
                        let status = Status { state, reason: reason.into(), ..status };
                        self.tally.events += 1;
                        self.sink.publish(STATUS, channel, Event::Status(status));
                    }
                }
                event => {
                    self.tally.published(&event);
                    self.sink.publish(own(update.channel), channel, event);
                }
            }
            self.tally.events += self.derived.len() as u64;
            for Update { channel, event } in self.derived.drain(..) {
                self.sink.publish(derived(channel), &self.derive.channels()[channel], event);
            }
        }
    }

    fn publish_derived(&mut self) {
        self.tally.events += self.derived.len() as u64;
        for Update { channel, event } in self.derived.drain(..) {
            self.sink.publish(derived(channel), &self.derive.channels()[channel], event);
        }
    }

    /// Finishes bars whose time is over.
    pub(super) fn tick(&mut self) {
        let now = self.shared.clock.wall();
        if self.derive.next_due().is_some_and(|due| due <= now) {
            self.derive.tick(now, &mut self.derived);
            self.publish_derived();
            self.sink.flush();
        }
    }

    /// Lets others read what was counted.
    fn note_figures(&mut self) {
        self.noted = Some(self.shared.clock.millis());
        self.row.note(&self.tally, self.adapter.desk());
    }

    /// What only has to be looked at now and then.
    pub(super) fn look_after(&mut self) {
        let now = self.shared.clock.millis();
        if self.noted.is_none_or(|noted| now.saturating_sub(noted) >= millis(LOOK)) {
            self.note_figures();
        }
        self.journal.look(&self.adapter.desk().counts, self.tally.resyncs(), now);
    }

    /// Opens and closes streams as they are subscribed, where upstream follows that.
    pub(super) fn follow_demand(&mut self, mut line: Option<&mut Line>) {
        let Some(demand) = &mut self.demand else { return };
        let now = self.shared.clock.millis();
        if self.looked.is_some_and(|looked| now.saturating_sub(looked) < millis(LOOK)) {
            return;
        }
        self.looked = Some(now);
        let interest = self.sink.interest();
        if self.interest_seen == Some(interest) && !demand.lingers() {
            return;
        }
        self.interest_seen = Some(interest);
        let sink = &self.sink;
        let changes = demand.look(now, |topic| sink.is_wanted(topic));
        for change in changes {
            let super::demand::Change { symbol, stream, wanted } = change;
            self.give(Input::Demand { symbol, stream, wanted }, line.as_deref_mut());
        }
        self.sink.flush();
    }

    /// Whether there is reason to be connected.
    pub(super) fn is_wanted(&mut self) -> bool {
        self.follow_demand(None);
        self.demand.as_ref().is_none_or(Demand::any)
    }

    /// Publishes every book whole: what the other side holds of them is not to be built on.
    pub(super) fn renew(&mut self) {
        self.sink.renew();
        let desk = self.adapter.desk();
        let received = self.shared.clock.wall();
        let books = desk.channels().iter().enumerate();
        let books = books.filter(|(_, channel)| channel.kind == Kind::Book);
        let books: HashMap<_, _> =
            books.map(|(index, channel)| (channel.topic.as_str(), index)).collect();
        for (id, symbol) in desk.symbols() {
            let topic = format!("book.{}.{}", desk.options().venue, symbol.canonical);
            let channel = books.get(topic.as_str()).copied();
            let flags = match symbol.state() {
                BookState::Resyncing => continue,
                BookState::Verified => Flags::GAP_BEFORE,
                BookState::Unverifiable => Flags::GAP_BEFORE.with(Flags::UNVERIFIED),
            };
            let Some(channel) = channel else { continue };
            let levels = |side| desk.symbol(id).book().levels(side).copied().collect();
            let (bids, asks) = (levels(BookSide::Bid), levels(BookSide::Ask));
            let stamps = Stamps { received, flags, ..Stamps::default() };
            let diff = BookDiff { reset: true, bids, asks, stamps };
            self.tally.events += 1;
            self.sink.publish(own(channel), &desk.channels()[channel], Event::Book(diff));
        }
        self.sink.flush();
    }

    /// How long until there is something to do unasked.
    pub(super) fn idle_for(&self, line: &Line) -> Duration {
        // Wall clocks jump: a wake-up is looked for at least so often.
        let mut wait = 1_000;
        for at in [self.wake_at, self.derive.next_due()].into_iter().flatten() {
            let left = Duration::from_nanos(at.saturating_sub(self.shared.clock.wall()));
            wait = wait.min(millis(left) + 1);
        }
        if self.demand.is_some() {
            wait = wait.min(millis(LOOK));
        }
        Duration::from_millis(wait.min(line.idle_for(self.shared.clock.millis())))
    }
}

/// The sink's number of a desk's channel. The desk's and those derived share one sink.
fn own(channel: usize) -> usize {
    channel * 2
}

/// The sink's number of a derived channel.
fn derived(channel: usize) -> usize {
    channel * 2 + 1
}

type Opened = (super::dial::BoxedStream, bytes::Bytes);
