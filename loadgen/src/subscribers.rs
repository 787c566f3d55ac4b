//! A thread of subscribers: one poll over its share of the sockets.

mod departures;
mod unruly;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use mio::{Events, Interest, Poll, Token};

use self::departures::Departures;
use crate::books::Books;
use crate::clock::Clock;
use crate::hops::Hops;
use crate::plan::{Plan, Role};
use crate::shared::{Latencies, Phase, Shared};
use crate::socket::{Context, Socket, Stage};
use crate::spread::Spread;
use crate::ticks::verify::Verified;

/// Sockets of a thread that are being connected at the same time, but for a storm.
const CONNECTING_MAX: usize = 64;
/// Longest wait: then the phase is looked at.
const WAIT: Duration = Duration::from_millis(20);
/// Between two looks at what only people see.
const SHOW_EVERY: u64 = 100_000_000;

/// What a thread found out.
#[derive(Debug)]
pub struct Outcome {
    /// Its books.
    pub books: Books,
    /// Its latencies, by role.
    pub groups: Vec<Latencies>,
    /// Where the time went.
    pub hops: Hops,
    /// First and last arrivals.
    pub spread: Spread,
    /// From dialling to being subscribed.
    pub connect: Latencies,
    /// From dialling again to having caught up.
    pub resume: Latencies,
    /// Times that a socket came back, and attempts that failed.
    pub reconnects: (u64, u64),
    /// What those found that verify.
    pub verified: Verified,
    /// Why sockets ended early, and how many for each reason.
    pub ended: BTreeMap<String, usize>,
}

/// The thread's state.
struct Worker<'p> {
    number: usize,
    shared: &'p Shared,
    clock: Clock,
    poll: Poll,
    context: Context<'p>,
    /// The number in the run of each of its sockets.
    subscribers: Vec<usize>,
    /// By their token. `None`: not connected yet, or over.
    sockets: Vec<Option<Socket>>,
    /// Sockets that are subscribed and are never read again.
    stalled: Vec<Socket>,
    /// Sockets that are subscribed and are read slowly: by token.
    trickling: Vec<usize>,
    trickled: u64,
    /// Over before their time; their books are still to be closed.
    over: Vec<Socket>,
    departures: Departures,
    reconnects: (u64, u64),
    ended: BTreeMap<String, usize>,
    next: usize,
    connecting: usize,
    ready: usize,
    shown: u64,
}

/// Runs thread `number` with its share of the subscribers until the run stops.
///
/// # Errors
/// When there can be no poll at all; what happens to a socket is in the outcome.
pub fn run(
    plan: &Arc<Plan>,
    shared: &Arc<Shared>,
    clock: Clock,
    number: usize,
) -> anyhow::Result<Outcome> {
    let subscribers = plan.subscribers_of_thread(number);
    let mut worker = Worker {
        number,
        shared,
        clock,
        poll: Poll::new().context("cannot create a poll")?,
        context: Context::new(plan),
        sockets: subscribers.iter().map(|_| None).collect(),
        subscribers,
        stalled: Vec::new(),
        trickling: Vec::new(),
        trickled: 0,
        over: Vec::new(),
        departures: Departures::default(),
        reconnects: (0, 0),
        ended: BTreeMap::new(),
        next: 0,
        connecting: 0,
        ready: 0,
        shown: 0,
    };
    let mut events = Events::with_capacity(1024);
    while shared.phase() != Phase::Stopped {
        worker.connect_more();
        let before = clock.now();
        let wait = worker
            .departures
            .next()
            .map_or(WAIT, |due| WAIT.min(Duration::from_nanos(due.saturating_sub(before))));
        match worker.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(error).context("the poll failed");
            }
            _ => {}
        }
        let after = clock.now();
        let gauge = &shared.gauges[number];
        gauge.idle.fetch_add(after - before, Ordering::Relaxed);
        worker.learn_times();
        for event in &events {
            worker.turn(event);
        }
        worker.trickle(after);
        worker.depart(after);
        worker.show(after);
    }
    Ok(worker.close_books())
}

impl Worker<'_> {
    fn connect_more(&mut self) {
        while self.connecting < CONNECTING_MAX && self.next < self.sockets.len() {
            let index = self.next;
            self.next += 1;
            let subscriber = self.subscribers[index];
            match Socket::connect(self.context.plan, subscriber, self.clock.now()) {
                Ok(socket) => {
                    self.sockets[index] = Some(socket);
                    self.connecting += 1;
                    if let Err(error) = self.register(index) {
                        self.end(index, &error.to_string());
                    }
                }
                Err(error) => self.note(&error.to_string()),
            }
        }
    }

    fn register(&mut self, index: usize) -> io::Result<()> {
        let Some(socket) = &mut self.sockets[index] else { return Ok(()) };
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket.stream, Token(index), interest)
    }

    /// The measured part is known once the publishers start; then departures can be planned.
    fn learn_times(&mut self) {
        let measured = (
            self.shared.measured.0.load(Ordering::Relaxed),
            self.shared.measured.1.load(Ordering::Relaxed),
        );
        if self.context.measured == measured || measured.1 == u64::MAX {
            return;
        }
        self.context.measured = measured;
        for (index, &subscriber) in self.subscribers.iter().enumerate() {
            self.departures.plan(self.context.plan, index, subscriber, measured);
        }
    }

    fn turn(&mut self, event: &mio::event::Event) {
        let index = event.token().0;
        let clock = self.clock;
        let Some(socket) = self.sockets.get_mut(index).and_then(Option::as_mut) else { return };
        let was_live = socket.stage == Stage::Live;
        let first_time = !socket.is_returning();
        let mut result = Ok(());
        if event.is_writable() {
            result = socket.writable(&self.context);
        }
        if result.is_ok() && (event.is_readable() || event.is_read_closed()) {
            result = socket.readable(&mut self.context, usize::MAX, || clock.now());
        }
        let (role, now_live) = (socket.member.role, socket.stage == Stage::Live && !was_live);
        if now_live && first_time {
            self.connecting -= 1;
            self.ready += 1;
        }
        match result {
            Err(why) => self.broken(index, &why),
            Ok(()) if now_live && role == Role::Stalled => self.stall(index),
            Ok(()) if now_live && role == Role::Slow => self.slow_down(index),
            Ok(()) => {}
        }
    }

    /// A socket is over; unless it is one that comes back.
    fn broken(&mut self, index: usize, why: &str) {
        let Some(socket) = &self.sockets[index] else { return };
        let told_off = self.context.plan.on_slow == Some(client::OnSlow::Disconnect)
            && why.starts_with("closed with 4001");
        if told_off || (socket.is_returning() && socket.stage != Stage::Live) {
            let count = if told_off { &mut self.reconnects.0 } else { &mut self.reconnects.1 };
            *count += 1;
            self.departures.retry(index, self.clock.now());
            if let Some(socket) = &mut self.sockets[index] {
                // It may be gone already.
                drop(self.poll.registry().deregister(&mut socket.stream));
                socket.stage = Stage::Connecting;
            }
            return;
        }
        self.end(index, why);
    }

    fn end(&mut self, index: usize, why: &str) {
        let Some(socket) = self.sockets[index].take() else { return };
        if socket.stage != Stage::Live && !socket.is_returning() {
            self.connecting -= 1;
        }
        self.note(why);
        self.trickling.retain(|known| *known != index);
        self.over.push(socket);
    }

    fn note(&mut self, why: &str) {
        *self.ended.entry(why.to_owned()).or_default() += 1;
        self.shared.gauges[self.number].ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Updates the gauges; now and then what costs more.
    fn show(&mut self, now: u64) {
        let gauge = &self.shared.gauges[self.number];
        gauge.ready.store(self.ready, Ordering::Relaxed);
        gauge.delivered.store(self.context.delivered, Ordering::Relaxed);
        gauge.bytes.store(self.context.bytes, Ordering::Relaxed);
        if now - self.shown >= SHOW_EVERY {
            self.shown = now;
            self.shared.add_recent(&mut self.context.interval);
        }
        if self.shared.phase() == Phase::Draining && !gauge.complete.load(Ordering::Relaxed) {
            let published = self.shared.published();
            let mut live = self.sockets.iter().flatten();
            let complete = live.all(|socket| socket.is_complete(&published));
            gauge.complete.store(complete, Ordering::Release);
        }
    }

    fn close_books(self) -> Outcome {
        let published = self.shared.published();
        let mut books = Books::new(self.context.plan.topics);
        for (role, count) in Role::ALL.into_iter().zip(self.context.unasked) {
            books.note_unasked(role, count);
        }
        let mut verified = Verified::default();
        for socket in self.sockets.iter().flatten().chain(&self.over).chain(&self.stalled) {
            socket.close_books(&published, &mut books);
            if let Some(verifier) = &socket.verifier
                && socket.member.role != Role::Stalled
            {
                verified.add(&verifier.found);
                verified.subscribers += 1;
            }
        }
        let Context { groups, hops, spread, connect, resume, .. } = self.context;
        let (reconnects, ended) = (self.reconnects, self.ended);
        Outcome { books, groups, hops, spread, connect, resume, reconnects, verified, ended }
    }
}
