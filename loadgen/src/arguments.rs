//! The command line, and how it becomes a plan.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use client::Codec;

use crate::assertion::Assertion;
use crate::plan::{Plan, Schedule, Target};

/// Open-loop load on a WebSocket broker, and latency that can be believed.
///
/// Publishes on a fixed timetable whatever the server does, counts every delivery of every
/// subscriber, and measures latency from the moment an event was due, so that waiting is never
/// hidden. Says when this program or its host, not the server, was the bottleneck.
#[derive(Debug, clap::Parser)]
#[command(
    name = "loadgen",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  loadgen                                             1,000 subscribers of one topic, 50 events/s
  loadgen --rate 800 --burst 16                       the same, 16 events at a time
  loadgen --subscribers 5000 --topics 60 --topics-per-subscriber 3 --rate 600
  loadgen --slow-percent 5 --assert 'p99.9<20ms' --assert 'lost==0'
  loadgen floor --listen 127.0.0.1:9100               the bare send loop, to compare with
  loadgen --url ws://127.0.0.1:9100/ws                … driven with the same plan

Exit code: 0 when all went well, 1 when an --assert failed, 2 when it could not run."
)]
pub struct Arguments {
    /// What to do instead of a run.
    #[command(subcommand)]
    pub action: Option<Action>,

    /// The run.
    #[command(flatten)]
    pub run: RunArguments,
}

/// What there is beside a run.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Serve the bare send loop: accept, upgrade, and for each event one send to every subscriber
    Floor(FloorArguments),
}

/// The bare send loop.
#[derive(Debug, clap::Args)]
pub struct FloorArguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9100")]
    pub listen: SocketAddr,

    /// All events read in one wake-up go out in one write for each socket
    #[arg(long)]
    pub coalesce: bool,
}

/// A run.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// The server's WebSocket
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub url: String,

    /// Subscribing sockets
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub subscribers: usize,

    /// Topics that are published to, in turn
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub topics: usize,

    /// Topics of each subscriber
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub topics_per_subscriber: usize,

    /// Events a second over all topics
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    pub rate: f64,

    /// Events due at the same moment; the rate stays the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub burst: u64,

    /// Bytes of an event's data
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    pub payload: usize,

    /// Seconds to measure
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub seconds: f64,

    /// Seconds of the same load before
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    pub warmup: f64,

    /// How subscribers get their events
    #[arg(long, default_value = "json", value_parser = codec_parser())]
    pub codec: Codec,

    /// Threads of subscribers [default: half of the processors, at most 4]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Publishing connections; a topic always uses the same one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub publishers: usize,

    /// Ask for at most N events a second of each topic, merged between
    #[arg(long, value_name = "N")]
    pub max_rate: Option<f64>,

    /// This many of a hundred subscribers never read once they are subscribed
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub slow_percent: f64,

    /// First segment of the topics, for a server that treats some names differently
    #[arg(long, value_name = "SEGMENT", default_value = "load")]
    pub prefix: String,

    /// Process whose CPU time and memory are measured [default: who listens at the URL's port]
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,

    /// Write the figures as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Fail (exit code 1) unless this holds: 'p99.9<20ms', 'lost==0', 'delivered_per_second>1000'
    #[arg(long = "assert", value_name = "CONDITION")]
    pub assertions: Vec<Assertion>,

    /// Seconds that connecting and subscribing may take
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub connect_timeout: u64,

    /// Seconds to wait for late events at the end
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub drain: u64,
}

fn codec_parser() -> impl clap::builder::TypedValueParser<Value = Codec> {
    PossibleValuesParser::new(["json", "msgpack"]).try_map(|name| name.parse::<Codec>())
}

impl RunArguments {
    /// The checked plan.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        anyhow::ensure!(
            (0.0..=99.9).contains(&self.slow_percent),
            "--slow-percent: from 0 to 99.9, for somebody has to read"
        );
        let whole = !self.prefix.is_empty()
            && self
                .prefix
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        anyhow::ensure!(whole, "--prefix: one segment of letters, digits, - and _");
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let plan = Plan {
            target: Target::parse(&self.url)?,
            subscribers: self.subscribers,
            stalled: stalled(self.subscribers, self.slow_percent),
            topics: self.topics,
            topics_per_subscriber: self.topics_per_subscriber,
            prefix: format!("{}.{}.", self.prefix, run_name()),
            schedule: Schedule {
                rate: self.rate,
                burst: self.burst,
                warmup: self.warmup,
                seconds: self.seconds,
            },
            payload: self.payload,
            codec: self.codec,
            max_rate: self.max_rate,
            threads: self.threads.unwrap_or((processors / 2).clamp(1, 4)),
            publishers: self.publishers,
            connect: Duration::from_secs(self.connect_timeout),
            drain: Duration::from_secs(self.drain),
        };
        plan.check()?;
        Ok(plan)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a number of sockets"
)]
fn stalled(subscribers: usize, percent: f64) -> usize {
    (subscribers as f64 * percent / 100.0).round() as usize
}

/// A segment that no other run has: topics of this run begin without history.
fn run_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("r{:x}-{:x}", now.as_millis(), std::process::id())
}
