//! The command line; each flag is a key of a plan file too.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use client::{Codec, OnSlow};
use serde::Deserialize;

use crate::assertion::Assertion;
use crate::ticks::TickKind;

mod file;
mod resolve;

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
  loadgen --plan config/load-storm.toml --seconds 30  a named scenario, one thing changed
  loadgen --data ticks --topics 60 --rhythm sim       quotes, books and trades of an exchange
  loadgen --rhythm recorded --recording day.jsonl.zst --topics 20
                                                      when the messages of a real day came
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

/// What events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DataKind {
    /// JSON of a fixed size.
    Fixed,
    /// Quotes, books and trades of a simulated exchange.
    Ticks,
}

/// When events are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Rhythm {
    /// At even intervals, or bursts at even intervals.
    Steady,
    /// As on a simulated exchange: at random, ten times as often for short times.
    Sim,
    /// When the messages of a recorded session came.
    Recorded,
}

/// A run: what is absent here and in the plan file has a default.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunArguments {
    /// Take what is not said here from this TOML file, whose keys are these flags with _ for -
    #[arg(long = "plan", value_name = "FILE")]
    #[serde(skip)]
    pub plan_file: Option<PathBuf>,

    /// The server's WebSocket [default: ws://127.0.0.1:8080/ws]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Subscribing sockets [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Subscribers")]
    pub subscribers: Option<usize>,

    /// Topics of each subscriber that names them [default: 1]
    #[arg(long, value_name = "N", help_heading = "Subscribers")]
    pub topics_per_subscriber: Option<usize>,

    /// This many of a hundred subscribe to a pattern over all topics (of one kind of ticks)
    #[arg(long, value_name = "P", help_heading = "Subscribers")]
    pub wildcard_percent: Option<f64>,

    /// How subscribers get their events [default: json]
    #[arg(long, value_parser = codec_parser(), help_heading = "Subscribers")]
    #[serde(deserialize_with = "file::parsed")]
    pub codec: Option<Codec>,

    /// Instead of --codec: this many of a hundred get MessagePack, the others JSON
    #[arg(long, value_name = "P", help_heading = "Subscribers")]
    pub msgpack_percent: Option<f64>,

    /// Ask for at most N events a second of each topic, merged between
    #[arg(long, value_name = "N", help_heading = "Subscribers")]
    pub max_rate: Option<f64>,

    /// This many of a hundred ask for --max-rate [default: 100]
    #[arg(long, value_name = "P", help_heading = "Subscribers")]
    pub max_rate_percent: Option<f64>,

    /// What is asked for in case a subscriber does not keep up; who is disconnected comes back
    #[arg(long, value_parser = on_slow_parser(), help_heading = "Subscribers")]
    #[serde(deserialize_with = "file::on_slow")]
    pub on_slow: Option<OnSlow>,

    /// This many of a hundred never read once they are subscribed
    #[arg(long, value_name = "P", help_heading = "Subscribers that misbehave")]
    pub slow_percent: Option<f64>,

    /// This many of a hundred read slowly
    #[arg(long, value_name = "P", help_heading = "Subscribers that misbehave")]
    pub trickle_percent: Option<f64>,

    /// Bytes that each of these reads in a second [default: 20000]
    #[arg(long, value_name = "BYTES", help_heading = "Subscribers that misbehave")]
    pub trickle_bytes: Option<u64>,

    /// This many of a hundred go away again and again, and come back with resume
    #[arg(long, value_name = "P", help_heading = "Subscribers that misbehave")]
    pub resume_percent: Option<f64>,

    /// Seconds between two times that one of these goes away [default: 2]
    #[arg(long, value_name = "N", help_heading = "Subscribers that misbehave")]
    pub resume_every: Option<f64>,

    /// This many of a hundred are cut at one moment, and all come back at once with resume
    #[arg(long, value_name = "P", help_heading = "Subscribers that misbehave")]
    pub storm_percent: Option<f64>,

    /// The second of the measured part in which that happens [default: in the middle]
    #[arg(long, value_name = "N", help_heading = "Subscribers that misbehave")]
    pub storm_at: Option<f64>,

    /// Topics that are published to [default: 1, of ticks one for each of --kinds]
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub topics: Option<usize>,

    /// Topics by Zipf's law with this exponent, the first the most popular; 0 is in turn
    /// [default: 0]
    #[arg(long, value_name = "S", help_heading = "Events")]
    pub zipf: Option<f64>,

    /// Events a second over all topics [default: 50; of --rhythm recorded, as many as there were]
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub rate: Option<f64>,

    /// Let the rate go from --rate to this over the measured part
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub rate_to: Option<f64>,

    /// Events due at the same moment; the rate stays the same [default: 1]
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub burst: Option<u64>,

    /// When events are due: steady; sim, as on a simulated exchange; or recorded, when the messages
    /// of --recording came [default: steady]
    #[arg(long, value_enum, hide_possible_values = true, help_heading = "Events")]
    pub rhythm: Option<Rhythm>,

    /// The session of --rhythm recorded: lines of {"ts_ns": 17…, "dir": "recv", …} or of a time in
    /// nanoseconds, or either compressed with zstd; again and again where the run is longer; as
    /// fast as it was, or with --rate events a second on average
    #[arg(long, value_name = "FILE", help_heading = "Events")]
    pub recording: Option<PathBuf>,

    /// What they carry: fixed, or ticks, which a part of the subscribers compares with what the
    /// exchange held [default: fixed]
    #[arg(long, value_enum, hide_possible_values = true, help_heading = "Events")]
    pub data: Option<DataKind>,

    /// Bytes of an event's data where that is fixed [default: 128]
    #[arg(long, value_name = "BYTES", help_heading = "Events")]
    pub payload: Option<usize>,

    /// Which ticks each symbol has [default: quote,book,trade]
    #[arg(long, value_enum, value_delimiter = ',', help_heading = "Events")]
    pub kinds: Option<Vec<TickKind>>,

    /// Levels on each side of a book [default: 10]
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub depth: Option<usize>,

    /// Another number, another day at the exchange [default: 1]
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub seed: Option<u64>,

    /// Every Nth subscriber of each kind verifies ticks, and every slow one
    /// [default: so that some 32 do]
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub verify_every: Option<usize>,

    /// First segment of the topics, for a server that treats some names differently; of ticks
    /// the beginning of the venue [default: load]
    #[arg(long, value_name = "SEGMENT", help_heading = "Events")]
    pub prefix: Option<String>,

    /// Publishing connections; a topic always uses the same one [default: 1]
    #[arg(long, value_name = "N", help_heading = "Events")]
    pub publishers: Option<usize>,

    /// Seconds to measure [default: 10]
    #[arg(long, value_name = "N")]
    pub seconds: Option<f64>,

    /// Seconds of the same load before [default: 2]
    #[arg(long, value_name = "N")]
    pub warmup: Option<f64>,

    /// Threads of subscribers [default: half of the processors, at most 4]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Process whose CPU time and memory are measured [default: who listens at the URL's port]
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,

    /// Write the figures as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write a page with plots, the same JSON and histograms for other tools into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,

    /// Fail (exit code 1) unless this holds: 'p99.9<20ms', 'healthy.p99<5ms', 'lost==0',
    /// 'spread.p99<10ms', 'cpu_us<2', 'rss_per_connection<4KiB'
    #[arg(long = "assert", value_name = "CONDITION")]
    #[serde(rename = "assert", deserialize_with = "file::all_parsed")]
    pub assertions: Vec<Assertion>,

    /// Seconds that connecting and subscribing may take [default: 60]
    #[arg(long, value_name = "N")]
    pub connect_timeout: Option<u64>,

    /// Seconds to wait for late events at the end [default: 5]
    #[arg(long, value_name = "N")]
    pub drain: Option<u64>,
}

fn codec_parser() -> impl clap::builder::TypedValueParser<Value = Codec> {
    PossibleValuesParser::new(["json", "msgpack"]).try_map(|name| name.parse::<Codec>())
}

fn on_slow_parser() -> impl clap::builder::TypedValueParser<Value = OnSlow> {
    PossibleValuesParser::new(["conflate", "disconnect"]).try_map(|name| file::on_slow_named(&name))
}
