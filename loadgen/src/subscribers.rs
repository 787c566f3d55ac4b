//! A thread of subscribers: one poll over its share of the sockets.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use mio::{Events, Interest, Poll, Token};

use crate::accounting::Totals;
use crate::clock::Clock;
use crate::plan::Plan;
use crate::shared::{Latencies, Phase, Shared};
use crate::socket::{Context, Socket, Stage};

/// Sockets of a thread that are being connected at the same time.
const CONNECTING_MAX: usize = 64;
/// Longest wait: then the phase is looked at.
const WAIT: Duration = Duration::from_millis(20);
/// Between two looks at what only people see.
const SHOW_EVERY: u64 = 200_000_000;

/// What a thread found out.
#[derive(Debug)]
pub struct Outcome {
    /// Its books.
    pub totals: Totals,
    /// Its latencies.
    pub latencies: Latencies,
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
    /// By their token. `None`: not connected yet, or over.
    sockets: Vec<Option<Socket>>,
    /// Sockets that are subscribed and are never read again.
    stalled: Vec<Socket>,
    /// Over before their time; their books are still to be closed.
    over: Vec<Socket>,
    ended: BTreeMap<String, usize>,
    next: usize,
    connecting: usize,
    ready: usize,
    shown: u64,
}

/// Runs thread `number`: subscribers `number`, `number + threads`, … until the run stops.
///
/// # Errors
/// When there can be no poll at all; what happens to a socket is in the outcome.
pub fn run(
    plan: &Arc<Plan>,
    shared: &Arc<Shared>,
    clock: Clock,
    number: usize,
) -> anyhow::Result<Outcome> {
    let share = (plan.subscribers + plan.threads - 1 - number) / plan.threads;
    let mut worker = Worker {
        number,
        shared,
        clock,
        poll: Poll::new().context("cannot create a poll")?,
        context: Context::new(plan),
        sockets: (0..share).map(|_| None).collect(),
        stalled: Vec::new(),
        over: Vec::new(),
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
        match worker.poll.poll(&mut events, Some(WAIT)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(error).context("the poll failed");
            }
            _ => {}
        }
        let after = clock.now();
        let gauge = &shared.gauges[number];
        gauge.idle.fetch_add(after - before, Ordering::Relaxed);
        worker.context.measured =
            (shared.measured.0.load(Ordering::Relaxed), shared.measured.1.load(Ordering::Relaxed));
        for event in &events {
            worker.turn(event);
        }
        worker.show(after);
    }
    Ok(worker.close_books())
}

impl Worker<'_> {
    fn connect_more(&mut self) {
        while self.connecting < CONNECTING_MAX && self.next < self.sockets.len() {
            let index = self.next;
            self.next += 1;
            let subscriber = index * self.context.plan.threads + self.number;
            let opened = Socket::connect(self.context.plan, subscriber).and_then(|mut socket| {
                self.poll.registry().register(
                    &mut socket.stream,
                    Token(index),
                    Interest::READABLE | Interest::WRITABLE,
                )?;
                Ok(socket)
            });
            match opened {
                Ok(socket) => {
                    self.sockets[index] = Some(socket);
                    self.connecting += 1;
                }
                Err(error) => self.note(&error.to_string()),
            }
        }
    }

    fn turn(&mut self, event: &mio::event::Event) {
        let index = event.token().0;
        let Some(socket) = self.sockets.get_mut(index).and_then(Option::as_mut) else { return };
        let was_live = socket.stage == Stage::Live;
        let mut result = Ok(());
        if event.is_writable() {
            result = socket.writable(&self.context);
        }
        if result.is_ok() && (event.is_readable() || event.is_read_closed()) {
            let clock = self.clock;
            result = socket.readable(&mut self.context, || clock.now());
        }
        let is_live = socket.stage == Stage::Live;
        if is_live && !was_live {
            self.connecting -= 1;
            self.ready += 1;
        }
        match result {
            Ok(()) if is_live && !was_live && self.is_stalled(index) => self.stall(index),
            Ok(()) => {}
            Err(why) => {
                if !is_live {
                    self.connecting -= 1;
                }
                self.note(&why);
                self.over.extend(self.sockets[index].take());
            }
        }
    }

    fn is_stalled(&self, index: usize) -> bool {
        let plan = self.context.plan;
        plan.is_stalled(index * plan.threads + self.number)
    }

    /// Reads no more from a socket, which stays open.
    fn stall(&mut self, index: usize) {
        let Some(mut socket) = self.sockets[index].take() else { return };
        match self.poll.registry().deregister(&mut socket.stream) {
            Ok(()) => self.stalled.push(socket),
            Err(error) => self.note(&error.to_string()),
        }
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
        if now - self.shown >= SHOW_EVERY && !self.context.interval.is_empty() {
            self.shown = now;
            self.shared.add_recent(&self.context.interval);
            self.context.interval.reset();
        }
        if self.shared.phase() == Phase::Draining && !gauge.complete.load(Ordering::Relaxed) {
            let (plan, published) = (self.context.plan, self.shared.published());
            let mut live = self.sockets.iter().flatten();
            let complete = live.all(|socket| socket.is_complete(plan, &published));
            gauge.complete.store(complete, Ordering::Release);
        }
    }

    fn close_books(self) -> Outcome {
        let published = self.shared.published();
        let mut totals = Totals { unasked: self.context.unasked, ..Totals::default() };
        for socket in self.sockets.iter().flatten().chain(&self.over) {
            socket.close_books(self.context.plan, &published, &mut totals);
        }
        Outcome { totals, latencies: self.context.total, ended: self.ended }
    }
}
