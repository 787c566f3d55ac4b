//! The figures of a run: a table for people, JSON for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::accounting::Totals;
use crate::plan::{Plan, Schedule};
use crate::shared::Latencies;
use crate::system::Cpu;
use crate::units::{bytes, nanoseconds, whole_bytes};

/// What a run found. Times are in nanoseconds, sizes in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was run.
    pub plan: PlanShown,
    /// False: see `objections`; the figures are of this program or its host, not of the server.
    pub usable: bool,
    /// Why it is not usable.
    pub objections: Vec<String>,
    /// Receive time minus due time.
    pub latency: LatencyShown,
    /// Messages received in the measured part.
    pub delivered: u64,
    /// The same by second.
    pub delivered_per_second: f64,
    /// Bytes received by second, framing included.
    pub bytes_per_second: f64,
    /// The books of the whole run.
    pub totals: Totals,
    /// What the publishers did.
    pub publisher: PublisherShown,
    /// What the server used, where it could be seen.
    pub server: Option<ServerShown>,
    /// How busy each thread of subscribers was.
    pub busy_percent: Vec<f64>,
    /// Processor time that the host took away.
    pub steal_percent: Option<f64>,
    /// Sockets that ended early, by reason.
    pub ended: BTreeMap<String, usize>,
    /// Seconds until all were connected and subscribed.
    pub connect_seconds: f64,
    /// Seconds that were measured; fewer than planned after Ctrl-C.
    pub measured_seconds: f64,
}

/// The plan as it is reported.
#[derive(Debug, Clone, Serialize)]
pub struct PlanShown {
    /// Host and port.
    pub target: String,
    /// Subscribing sockets.
    pub subscribers: usize,
    /// Of these, those that never read.
    pub stalled: usize,
    /// Topics.
    pub topics: usize,
    /// Topics of each subscriber.
    pub topics_per_subscriber: usize,
    /// When events were due.
    pub schedule: Schedule,
    /// Bytes of data.
    pub payload: usize,
    /// Codec of the subscribers.
    pub codec: String,
    /// Rate limit asked for.
    pub max_rate: Option<f64>,
    /// Threads of subscribers.
    pub threads: usize,
    /// Publishing connections.
    pub publishers: usize,
}

/// A latency distribution.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "percentiles need no words")]
pub struct LatencyShown {
    /// How many were recorded.
    pub count: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub p99_99: u64,
    pub max: u64,
}

/// What the publishers did.
#[derive(Debug, Clone, Serialize)]
pub struct PublisherShown {
    /// Events that the plan has.
    pub planned: u64,
    /// Events that were sent.
    pub published: u64,
    /// Errors that came back.
    pub refused: u64,
    /// The first of them, or what ended a connection.
    pub problem: Option<String>,
    /// How late events were in the kernel's hands.
    pub lag_p50: u64,
    /// The same at the 99th percentile.
    pub lag_p99: u64,
}

/// What the server used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerShown {
    /// Its process.
    pub pid: u32,
    /// Processor time during the measured part.
    pub cpu: CpuShown,
    /// Microseconds of processor time for each delivered message.
    pub cpu_microseconds_per_delivered: f64,
    /// Resident before the subscribers came.
    pub resident_before: u64,
    /// Resident when they were subscribed.
    pub resident_connected: u64,
    /// Resident at the end.
    pub resident_end: u64,
    /// The growth for each connection.
    pub resident_per_connection: f64,
}

/// Processor time in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CpuShown {
    pub total: u64,
    pub user: u64,
    pub system: u64,
}

impl From<Cpu> for CpuShown {
    fn from(cpu: Cpu) -> Self {
        Self { total: cpu.total, user: cpu.user, system: cpu.system }
    }
}

impl From<&Plan> for PlanShown {
    fn from(plan: &Plan) -> Self {
        Self {
            target: plan.target.authority.clone(),
            subscribers: plan.subscribers,
            stalled: plan.stalled,
            topics: plan.topics,
            topics_per_subscriber: plan.topics_per_subscriber,
            schedule: plan.schedule,
            payload: plan.payload,
            codec: plan.codec.to_string(),
            max_rate: plan.max_rate,
            threads: plan.threads,
            publishers: plan.publishers,
        }
    }
}

impl From<&Latencies> for LatencyShown {
    fn from(histogram: &Latencies) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: histogram.max(),
        }
    }
}

impl Report {
    /// What assertions may be about.
    pub const FIGURES: [&'static str; 18] = [
        "p50",
        "p90",
        "p99",
        "p99.9",
        "p99.99",
        "max",
        "lag_p99",
        "lost",
        "doubled",
        "reordered",
        "merged",
        "announced",
        "published",
        "refused",
        "ended",
        "delivered_per_second",
        "cpu_microseconds_per_delivered",
        "resident_per_connection",
    ];

    /// Whether a figure is a time, in nanoseconds.
    #[must_use]
    pub fn is_time(figure: &str) -> bool {
        figure.starts_with('p') && figure != "published" || matches!(figure, "max" | "lag_p99")
    }

    /// A figure by its name; `None` when it was not measured.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "compared and shown, exact below 2^53")]
    pub fn figure(&self, name: &str) -> Option<f64> {
        let latency = |value: u64| (self.latency.count > 0).then_some(value as f64);
        match name {
            "p50" => latency(self.latency.p50),
            "p90" => latency(self.latency.p90),
            "p99" => latency(self.latency.p99),
            "p99.9" => latency(self.latency.p99_9),
            "p99.99" => latency(self.latency.p99_99),
            "max" => latency(self.latency.max),
            "lag_p99" => Some(self.publisher.lag_p99 as f64),
            "lost" => Some(self.totals.lost as f64),
            "doubled" => Some(self.totals.doubled as f64),
            "reordered" => Some(self.totals.reordered as f64),
            "merged" => Some(self.totals.merged as f64),
            "announced" => Some(self.totals.announced as f64),
            "published" => Some(self.publisher.published as f64),
            "refused" => Some(self.publisher.refused as f64),
            "ended" => Some(self.ended.values().sum::<usize>() as f64),
            "delivered_per_second" => Some(self.delivered_per_second),
            "cpu_microseconds_per_delivered" => {
                self.server.map(|server| server.cpu_microseconds_per_delivered)
            }
            "resident_per_connection" => self.server.map(|server| server.resident_per_connection),
            _ => None,
        }
    }

    /// For a person.
    #[must_use]
    pub fn table(&self) -> String {
        let mut lines = Vec::new();
        let mut row = |name: &str, text: String| lines.push(format!("{name:<12} {text}"));
        let PlanShown { target, subscribers, stalled, topics, topics_per_subscriber, .. } =
            &self.plan;
        let Schedule { rate, burst, .. } = self.plan.schedule;
        let mut plan = format!(
            "{target}: {subscribers} subscribers × {topics_per_subscriber} of {topics} topics, \
             {rate} events/s",
        );
        if burst > 1 {
            plan = format!("{plan} in bursts of {burst}");
        }
        if *stalled > 0 {
            plan = format!("{plan}, {stalled} never read");
        }
        row("plan", format!("{plan}, {} B, {}", self.plan.payload, self.plan.codec));
        let LatencyShown { count, p50, p90, p99, p99_9, p99_99, max } = self.latency;
        if count > 0 {
            let [p50, p90, p99, p99_9, p99_99, max] =
                [p50, p90, p99, p99_9, p99_99, max].map(nanoseconds);
            row(
                "latency",
                format!(
                    "p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p99_9}  p99.99 {p99_99}  max {max}"
                ),
            );
        }
        row(
            "delivered",
            format!(
                "{} in {:.1} s: {:.0}/s, {}/s",
                self.delivered,
                self.measured_seconds,
                self.delivered_per_second,
                bytes(self.bytes_per_second)
            ),
        );
        row("books", self.books());
        self.rest_of_table(&mut row);
        lines.join("\n") + "\n"
    }

    fn books(&self) -> String {
        let Totals { expected, received, merged, announced, lost, doubled, reordered, .. } =
            self.totals;
        let books = format!(
            "expected {expected} = received {received} + merged {merged} + announced gaps \
             {announced} + lost {lost}; doubled {doubled}, reordered {reordered}",
        );
        match self.totals.missing_at_end {
            0 => books,
            missing => format!(
                "{books}; {missing} of the lost were missing when waiting ended (--drain): was the \
                 server behind?"
            ),
        }
    }

    fn rest_of_table(&self, row: &mut impl FnMut(&str, String)) {
        let PublisherShown { planned, published, refused, lag_p50, lag_p99, problem } =
            &self.publisher;
        let mut publisher = format!(
            "{published} of {planned} events, lag p50 {} p99 {}",
            nanoseconds(*lag_p50),
            nanoseconds(*lag_p99)
        );
        if *refused > 0 {
            publisher = format!("{publisher}, {refused} refused");
        }
        if let Some(problem) = problem {
            publisher = format!("{publisher}: {problem}");
        }
        row("publisher", publisher);
        if let Some(server) = &self.server {
            let CpuShown { user, system, .. } = server.cpu;
            row(
                "server",
                format!(
                    "pid {}: {:.2} CPU-µs a delivered message (by ticks {} user, {} system), {} a \
                     connection, resident {}",
                    server.pid,
                    server.cpu_microseconds_per_delivered,
                    nanoseconds(user),
                    nanoseconds(system),
                    bytes(server.resident_per_connection),
                    [server.resident_before, server.resident_connected, server.resident_end]
                        .map(whole_bytes)
                        .join(" → "),
                ),
            );
        }
        let busy: Vec<_> = self.busy_percent.iter().map(|busy| format!("{busy:.0} %")).collect();
        let busy = busy.join(" ");
        let steal = self.steal_percent.map_or_else(|| "unknown".into(), |s| format!("{s:.1} %"));
        row("loadgen", format!("threads busy {busy}, stolen by the host {steal}"));
        for (reason, count) in &self.ended {
            row("ended early", format!("{count} sockets: {reason}"));
        }
        if self.usable {
            row("result", "usable".into());
        }
        for objection in &self.objections {
            row("NOT USABLE", objection.clone());
        }
    }
}
