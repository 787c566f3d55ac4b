//! What the threads of a run tell each other: a phase, and gauges that only their owner writes.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use hdrhistogram::Histogram;

use crate::plan::Role;

/// Latencies from 1 ns to 60 s at three digits; longer ones count as 60 s.
pub type Latencies = Histogram<u64>;

/// An empty histogram of latencies.
#[must_use]
pub fn latencies() -> Latencies {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are constants that fit")
}

fn by_role() -> Vec<Latencies> {
    Role::ALL.iter().map(|_| latencies()).collect()
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Sockets connect and subscribe; then events flow.
    Running = 0,
    /// No more events; late ones are waited for.
    Draining = 1,
    /// Everybody stops.
    Stopped = 2,
}

/// The state of one run.
#[derive(Debug)]
pub struct Shared {
    phase: AtomicU8,
    /// Events sent to each topic, set before draining.
    published: RwLock<Vec<u64>>,
    /// Latencies since somebody looked last, by role.
    recent: Mutex<Vec<Latencies>>,
    /// One for each thread of subscribers.
    pub gauges: Vec<Gauge>,
    /// The latest that an event was handed to the kernel since somebody looked last, in nanoseconds.
    pub publisher_lag: AtomicU64,
    /// Start and end of the measurement on the run's clock; set when the publishers start.
    pub measured: (AtomicU64, AtomicU64),
}

/// What a thread of subscribers shows of itself. Alone in its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Gauge {
    /// Sockets that are subscribed.
    pub ready: AtomicUsize,
    /// Sockets that are over, for whatever reason.
    pub ended: AtomicUsize,
    /// Messages received.
    pub delivered: AtomicU64,
    /// Bytes received, framing included.
    pub bytes: AtomicU64,
    /// Nanoseconds spent waiting for something to do.
    pub idle: AtomicU64,
    /// While draining: everything published has arrived.
    pub complete: AtomicBool,
}

/// Sums over all gauges at one moment.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Sockets that are subscribed.
    pub ready: usize,
    /// Sockets that are over.
    pub ended: usize,
    /// Messages received.
    pub delivered: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Idle nanoseconds of each thread.
    pub idle: Vec<u64>,
    /// Every thread has everything.
    pub complete: bool,
}

impl Shared {
    /// For `threads` threads of subscribers.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Running as u8),
            published: RwLock::new(Vec::new()),
            recent: Mutex::new(by_role()),
            gauges: (0..threads).map(|_| Gauge::default()).collect(),
            publisher_lag: AtomicU64::new(0),
            measured: (AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX)),
        }
    }

    /// Where the run stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// The publishers are done, having sent so many events to each topic.
    pub fn drain(&self, published: Vec<u64>) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = published;
        self.phase.store(Phase::Draining as u8, Ordering::Release);
    }

    /// Everybody stops.
    pub fn stop(&self) {
        self.phase.store(Phase::Stopped as u8, Ordering::Release);
    }

    /// Events sent to each topic; empty before draining.
    #[must_use]
    pub fn published(&self) -> Vec<u64> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Moves what an interval has, by role, to what the live view shows.
    pub fn add_recent(&self, interval: &mut [Latencies]) {
        if interval.iter().all(Histogram::is_empty) {
            return;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        for (sum, part) in recent.iter_mut().zip(interval) {
            if !part.is_empty() {
                sum.add(&*part).expect("all histograms of a run have the same bounds");
                part.reset();
            }
        }
    }

    /// What came since the last call, by role.
    #[must_use]
    pub fn take_recent(&self) -> Vec<Latencies> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *recent, by_role())
    }

    /// All gauges now.
    #[must_use]
    pub fn read(&self) -> Reading {
        let mut reading = Reading { complete: true, ..Reading::default() };
        for gauge in &self.gauges {
            reading.ready += gauge.ready.load(Ordering::Relaxed);
            reading.ended += gauge.ended.load(Ordering::Relaxed);
            reading.delivered += gauge.delivered.load(Ordering::Relaxed);
            reading.bytes += gauge.bytes.load(Ordering::Relaxed);
            reading.idle.push(gauge.idle.load(Ordering::Relaxed));
            reading.complete &= gauge.complete.load(Ordering::Acquire);
        }
        reading
    }
}
