//! Samples over time while a run goes on: what was delivered, and what it cost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::plan::{Plan, Role};
use crate::report::LatencyShown;
use crate::report::timeline::{ALL, Recording, Sample};
use crate::shared::{Reading, Shared, latencies};
use crate::system::{Cpu, Host, Process};

/// Takes a sample at the end of each interval.
pub(super) struct Sampler {
    /// What was recorded so far.
    pub(super) recording: Recording,
    server: Option<Process>,
    start: u64,
    interval: u64,
    /// The roles that read.
    roles: Vec<Role>,
    last: Look,
}

/// Everything that only grows, at one moment.
struct Look {
    at: u64,
    reading: Reading,
    cpu: Option<Cpu>,
    host: Option<Host>,
}

impl Look {
    fn now(at: u64, shared: &Shared, server: Option<Process>) -> Self {
        let cpu = server.and_then(Process::cpu);
        Self { at, reading: shared.read(), cpu, host: Host::now() }
    }
}

impl Sampler {
    /// For a run of `length` whose first event is due at `start`, with the time `now`.
    pub(super) fn new(
        plan: &Plan,
        shared: &Shared,
        server: Option<Process>,
        (now, start): (u64, u64),
        length: Duration,
    ) -> Self {
        let reads = |role: &Role| *role != Role::Stalled && plan.count(*role) > 0;
        let ahead = Duration::from_nanos(start.saturating_sub(now));
        Self {
            recording: Recording {
                started: std::time::SystemTime::now() + ahead,
                ..Recording::default()
            },
            server,
            start,
            interval: crate::clock::nanoseconds(Recording::interval(length)),
            roles: Role::ALL.into_iter().filter(reads).collect(),
            last: Look::now(now, shared, server),
        }
    }

    /// The last sample, if the interval is over.
    pub(super) fn look(&mut self, now: u64, shared: &Shared, measured: bool) -> Option<&Sample> {
        if now.saturating_sub(self.last.at.max(self.start)) < self.interval {
            return None;
        }
        let look = Look::now(now, shared, self.server);
        let by_role = shared.take_recent();
        let mut all = latencies();
        for part in by_role.iter().filter(|part| !part.is_empty()) {
            all.add(part).expect("all histograms of a run have the same bounds");
        }
        let healthy = &by_role[Role::Healthy as usize];
        let others = self.roles.iter().any(|role| *role != Role::Healthy);
        // Before the first event there was nothing to deliver.
        let length = Duration::from_nanos(now - self.last.at.max(self.start));
        let watched = Duration::from_nanos(now - self.last.at);
        let percent = |nanoseconds: u64| percent(nanoseconds, watched);
        let idle = self.last.reading.idle.iter().zip(&look.reading.idle);
        let busy = idle.map(|(before, after)| 100.0 - percent(after - before));
        let sample = Sample {
            elapsed: Duration::from_nanos(now.saturating_sub(self.start)),
            length,
            measured,
            latency: LatencyShown::from(&all),
            healthy: others.then(|| LatencyShown::from(healthy)),
            delivered: look.reading.delivered - self.last.reading.delivered,
            bytes: look.reading.bytes - self.last.reading.bytes,
            server_cpu_percent: look
                .cpu
                .zip(self.last.cpu)
                .map(|(after, before)| percent(after.since(before).total)),
            server_resident: self.server.and_then(Process::resident),
            busiest_percent: busy.fold(0.0, f64::max),
            publisher_lag: Some(shared.publisher_lag.swap(0, Ordering::Relaxed)),
            steal_percent: look
                .host
                .zip(self.last.host)
                .map(|(after, before)| after.steal_percent_since(before)),
        };
        self.last = look;
        let mut tagged = vec![(ALL, &all)];
        tagged.extend(self.roles.iter().map(|role| (role.name(), &by_role[*role as usize])));
        self.recording.push(sample, &tagged);
        self.recording.timeline.samples.last()
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
fn percent(nanoseconds: u64, of: Duration) -> f64 {
    nanoseconds as f64 / 1e9 / of.as_secs_f64().max(1e-9) * 100.0
}
