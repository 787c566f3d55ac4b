//! The figures of a run, and how they are shown: a table, JSON, a page, files for other tools.
//!
//! - [`timeline`]: what a run records over time, and its distributions; [`environment`] and [`server`]: where
//!   and when it ran.
//! - [`table`]: for the terminal. [`page`] and its [`chart`]s: for a browser. [`histograms`]: for
//!   the tools of the HdrHistogram family. [`files`] writes the last two to a folder.

pub mod chart;
pub mod environment;
pub mod files;
pub mod histograms;
pub mod page;
pub mod server;
pub mod table;
pub mod timeline;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::accounting::Totals;
use crate::books::BooksShown;
use crate::hops::HopSum;
use crate::plan::{Plan, Role, Schedule, Shares};
use crate::recorded::RecordedShown;
use crate::report::environment::Environment;
use crate::report::timeline::{Hop, Recording};
use crate::shared::Latencies;
use crate::system::Cpu;
use crate::ticks::verify::Verified;
use crate::written::WrittenShown;

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
    /// The same by role, of roles that were measured.
    pub groups: BTreeMap<String, LatencyShown>,
    /// From the first to the last subscriber of each event: healthy ones without a `max_rate`.
    pub spread: LatencyShown,
    /// Where the time went, at healthy subscribers; empty when the server does not tell.
    pub hops: Vec<Hop>,
    /// Whether that adds up.
    pub hop_sum: Option<HopSum>,
    /// The hops from published to arrived as one, with its percentiles.
    pub published_to_arrived: Option<Hop>,
    /// From publishing to having written, by the server's own account over the measured part.
    pub written: Option<WrittenShown>,
    /// From dialling to being subscribed.
    pub connect: LatencyShown,
    /// From dialling again to having caught up.
    pub resume: LatencyShown,
    /// Times that a socket was cut on purpose and came back.
    pub reconnects: u64,
    /// Attempts at that which failed, and were repeated.
    pub reconnect_failures: u64,
    /// What those found that compare ticks with the truth.
    pub verified: Verified,
    /// Messages received in the measured part.
    pub delivered: u64,
    /// The same by second.
    pub delivered_per_second: f64,
    /// Bytes received by second, framing included.
    pub bytes_per_second: f64,
    /// The books of the whole run, of those that read.
    pub totals: Totals,
    /// The same by role and by topic, and of those that never read.
    pub books: BooksShown,
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
    /// Where, when and by which version.
    pub environment: Environment,
    /// What the page and the histogram files are made of; in JSON the samples over time.
    #[serde(rename = "timeline", serialize_with = "timeline_only")]
    pub recording: Recording,
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
    /// Events are quotes, books and trades of a simulated exchange.
    pub ticks: bool,
    /// Events were due when that exchange had them.
    pub own_rhythm: bool,
    /// Events were due when the messages of this recorded session came.
    pub recorded: Option<RecordedShown>,
    /// Some topics were more popular than others.
    pub zipf: bool,
    /// How many subscribers of a hundred were what.
    pub shares: Shares,
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
#[derive(Debug, Clone, Copy, Default, Serialize)]
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
    /// How late events were handed to the kernel.
    pub lag_p50: u64,
    /// The same at the 99th percentile.
    pub lag_p99: u64,
    /// How long the kernel took them.
    pub send_p50: u64,
    /// The same at the 99th percentile.
    pub send_p99: u64,
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
            stalled: plan.count(Role::Stalled),
            topics: plan.topics,
            topics_per_subscriber: plan.topics_per_subscriber,
            schedule: plan.schedule,
            payload: plan.payload,
            ticks: plan.ticks,
            own_rhythm: plan.own_rhythm,
            recorded: plan.recorded.as_ref().map(|recorded| recorded.shown.clone()),
            zipf: !plan.popularity.is_empty(),
            shares: plan.shares,
            codec: match plan.shares.msgpack {
                0.0 | 100.0 => plan.codec.to_string(),
                share => format!("json, {share} % msgpack"),
            },
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

fn timeline_only<S: Serializer>(recording: &Recording, serializer: S) -> Result<S::Ok, S::Error> {
    recording.timeline.serialize(serializer)
}
