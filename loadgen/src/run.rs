//! A run from beginning to end: connect, publish and measure, drain, close the books.

mod assemble;
mod sampler;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use self::sampler::Sampler;
use crate::clock::Clock;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::publisher::{self, Publisher};
use crate::report::timeline::Recording;
use crate::report::{Report, ServerShown};
use crate::shared::{Reading, Shared};
use crate::system::{Cpu, Host, Process};
use crate::written::Written;
use crate::{limits, subscribers, verdict};

/// Between two looks at the gauges.
const LOOK: Duration = Duration::from_millis(20);
/// From the order to publish until the first event is due: publishers are awake by then.
const HEAD_START: Duration = Duration::from_millis(100);

/// Everything that is read at the edges of the measured part.
struct Edge {
    at: Instant,
    reading: Reading,
    cpu: Option<Cpu>,
    host: Option<Host>,
}

/// Carries out `plan`. When `interrupted` is set meanwhile, what was measured so far is reported.
///
/// # Errors
/// When the server cannot be reached or refuses, or the system's limits are too low.
pub fn run(
    plan: &Plan,
    server: Option<u32>,
    interrupted: &Arc<AtomicBool>,
) -> anyhow::Result<Report> {
    limits::raise(plan.subscribers + plan.publishers)?;
    let plan = Arc::new(plan.clone());
    let publishers = (0..plan.publishers)
        .map(|number| Publisher::connect(&plan, number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let server = match server {
        Some(pid) => Some(Process { pid }),
        None => Process::listening_at(plan.target.address),
    };
    let resident_before = server.and_then(Process::resident);
    let clock = Clock::start();
    let shared = Arc::new(Shared::new(plan.threads));
    let mut running = Running { plan, shared, clock, threads: Vec::new(), started: Instant::now() };
    running.spawn();
    running.connect(interrupted)?;
    let connect_seconds = running.started.elapsed().as_secs_f64();
    let resident_connected = server.and_then(Process::resident);
    let (edges, recording, published, written) = running.measure(publishers, server, interrupted);
    let resident_end = server.and_then(Process::resident);
    running.drain(&published, interrupted);
    let outcomes = running.join()?;
    let mut report = assemble::report(
        &running.plan,
        (&edges.0, &edges.1),
        recording,
        written.as_ref(),
        &published,
        &outcomes,
    );
    report.connect_seconds = connect_seconds;
    report.environment.server = crate::report::server::version(&running.plan.target);
    report.server = server.and_then(|process| {
        let cpu = edges.1.cpu?.since(edges.0.cpu?);
        let (before, connected) = (resident_before?, resident_connected?);
        Some(ServerShown {
            pid: process.pid,
            cpu: cpu.into(),
            cpu_microseconds_per_delivered: ratio(cpu.total, report.delivered) / 1e3,
            resident_before: before,
            resident_connected: connected,
            resident_end: resident_end?,
            resident_per_connection: ratio(connected, running.plan.subscribers as u64)
                - ratio(before, running.plan.subscribers as u64),
        })
    });
    report.objections = verdict::objections(&report);
    report.usable = report.objections.is_empty();
    Ok(report)
}

/// The threads of subscribers.
struct Running {
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    clock: Clock,
    threads: Vec<JoinHandle<anyhow::Result<subscribers::Outcome>>>,
    started: Instant,
}

impl Running {
    fn spawn(&mut self) {
        for number in 0..self.plan.threads {
            let (plan, shared) = (Arc::clone(&self.plan), Arc::clone(&self.shared));
            let clock = self.clock;
            self.threads
                .push(std::thread::spawn(move || subscribers::run(&plan, &shared, clock, number)));
        }
    }

    /// Waits until every socket is subscribed.
    fn connect(&mut self, interrupted: &AtomicBool) -> anyhow::Result<()> {
        let progress = Progress::connecting(self.plan.subscribers);
        loop {
            let reading = self.shared.read();
            progress.position(reading.ready);
            if reading.ready == self.plan.subscribers && reading.ended == 0 {
                progress.finish();
                return Ok(());
            }
            let late = self.started.elapsed() > self.plan.connect;
            let dead = self.threads.iter().any(JoinHandle::is_finished);
            let stopped = interrupted.load(Ordering::Relaxed);
            if reading.ended > 0 || late || dead || stopped {
                progress.finish();
                let mut reasons = BTreeMap::new();
                for outcome in self.join()? {
                    merge(&mut reasons, outcome.ended);
                }
                let (ready, all) = (reading.ready, self.plan.subscribers);
                match reasons.into_iter().max_by_key(|(_, count)| *count) {
                    Some((reason, count)) => {
                        bail!("{ready} of {all} sockets subscribed, but {count} failed: {reason}")
                    }
                    None if stopped => bail!("interrupted before all sockets were subscribed"),
                    None => bail!(
                        "only {ready} of {all} sockets were subscribed within {} s \
                         (--connect-timeout)",
                        self.plan.connect.as_secs()
                    ),
                }
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Publishes everything; reads what there is to read at both edges of the measured part.
    fn measure(
        &self,
        publishers: Vec<Publisher>,
        server: Option<Process>,
        interrupted: &Arc<AtomicBool>,
    ) -> ((Edge, Edge), Recording, Vec<publisher::Outcome>, Option<Written>) {
        let start = self.clock.now() + crate::clock::nanoseconds(HEAD_START);
        let measured = self.plan.schedule.measured();
        self.shared.measured.0.store(start + measured.start, Ordering::Relaxed);
        self.shared.measured.1.store(start + measured.end, Ordering::Relaxed);
        let publishers: Vec<_> = publishers
            .into_iter()
            .map(|publisher| {
                let (plan, stop) = (Arc::clone(&self.plan), Arc::clone(interrupted));
                let (clock, shared) = (self.clock, Arc::clone(&self.shared));
                std::thread::spawn(move || publisher.run(&plan, &shared, clock, start, &stop))
            })
            .collect();
        let length = Duration::from_nanos(measured.end);
        let progress = Progress::running(length);
        let mut sampler =
            Sampler::new(&self.plan, &self.shared, server, (self.clock.now(), start), length);
        self.watch(&progress, &mut sampler, start, measured.start, interrupted);
        let first = self.edge(server);
        let written_before = self.ask_written();
        self.watch(&progress, &mut sampler, start, measured.end, interrupted);
        let last = self.edge(server);
        let written_after = written_before.and_then(|before| self.written_since(before));
        progress.finish();
        let publish = |thread: JoinHandle<publisher::Outcome>| {
            thread.join().expect("a publisher returns its problems, it does not panic")
        };
        let outcomes = publishers.into_iter().map(publish).collect();
        let written = written_after.and_then(|thread| thread.join().ok().flatten());
        ((first, last), sampler.recording, outcomes, written)
    }

    /// Asks what the server has written so far, without waiting for the answer.
    fn ask_written(&self) -> Option<JoinHandle<Option<Written>>> {
        let target = self.plan.target.clone();
        target.dialect.is_none().then(|| std::thread::spawn(move || Written::ask(&target)))
    }

    /// The same, and the difference; nothing for a server that did not say it the first time.
    fn written_since(
        &self,
        before: JoinHandle<Option<Written>>,
    ) -> Option<JoinHandle<Option<Written>>> {
        if !before.is_finished() {
            return None;
        }
        let before = before.join().ok().flatten()?;
        let target = self.plan.target.clone();
        Some(std::thread::spawn(move || Written::ask(&target)?.since(&before)))
    }

    /// Samples and shows what is going on until `until` after the start, or until it is
    /// interrupted.
    fn watch(
        &self,
        progress: &Progress,
        sampler: &mut Sampler,
        start: u64,
        until: u64,
        interrupted: &AtomicBool,
    ) {
        let measured = until > self.plan.schedule.measured().start;
        let part = if measured { "measuring" } else { "warm-up" };
        while self.clock.now() < start + until && !interrupted.load(Ordering::Relaxed) {
            let left = Duration::from_nanos((start + until).saturating_sub(self.clock.now()));
            std::thread::sleep(LOOK.min(left));
            let now = self.clock.now();
            progress.elapsed(Duration::from_nanos(now.saturating_sub(start)), part);
            if let Some(sample) = sampler.look(now, &self.shared, measured) {
                progress.sample(sample);
            }
        }
    }

    fn edge(&self, server: Option<Process>) -> Edge {
        Edge {
            at: Instant::now(),
            reading: self.shared.read(),
            cpu: server.and_then(Process::cpu),
            host: Host::now(),
        }
    }

    /// Waits for late events, as long as the plan allows.
    fn drain(&self, published: &[publisher::Outcome], interrupted: &AtomicBool) {
        let mut sums = vec![0; self.plan.topics];
        for outcome in published {
            for (sum, count) in sums.iter_mut().zip(&outcome.published) {
                *sum += count;
            }
        }
        // After Ctrl-C nobody wants to wait, but what is on its way is not lost either.
        let patience = if interrupted.load(Ordering::Relaxed) {
            self.plan.drain.min(Duration::from_secs(1))
        } else {
            self.plan.drain
        };
        self.shared.drain(sums);
        let began = Instant::now();
        while !self.shared.read().complete && began.elapsed() < patience {
            std::thread::sleep(LOOK);
        }
    }

    fn join(&mut self) -> anyhow::Result<Vec<subscribers::Outcome>> {
        self.shared.stop();
        let join = |thread: JoinHandle<anyhow::Result<subscribers::Outcome>>| {
            thread.join().map_err(|_| anyhow!("a thread of subscribers panicked"))?
        };
        self.threads.drain(..).map(join).collect()
    }
}

fn merge(all: &mut BTreeMap<String, usize>, more: BTreeMap<String, usize>) {
    for (reason, count) in more {
        *all.entry(reason).or_default() += count;
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
fn ratio(value: u64, by: u64) -> f64 {
    value as f64 / by.max(1) as f64
}
