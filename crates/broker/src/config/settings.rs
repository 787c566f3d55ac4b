//! The table of all settings, and the plain typed [`Config`] that grows out of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use feeds::adapter::Streams;
use feeds::replay::{Mapping, Speed};
use feeds::venue::itch::{Login, TradeDate};
use topics::Pattern;

use super::adapter::{FeedAdapter, Format};
use super::rule::{
    Secret, Symbols, address, choice, columns, count, date, files, patterns, secret, size, speed,
    streams, switch, symbols, time, url, venue, word,
};
use super::table::{settings, tables};
use crate::feed::Scheme;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

settings! {
    /// The listener, its threads and the built-in feeds.
    [server] Server {
        /// IP address and port that clients connect to; port 0 lets the system choose one.
        listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080), address();
        /// Permits a `listen` address that other machines reach; without rights, whoever reaches
        /// the listener may publish to any topic.
        allow_remote: bool = false, switch();
        /// Threads that serve connections; 0 takes one for each core, but at most 4.
        shards: usize = 0, count(0..=64);
        /// Connections at one time; further ones are refused.
        connections_max: usize = 100_000, count(1..=10_000_000);
        /// Runs the feeds; false serves only what clients publish.
        feeds: bool = true, switch();
    }

    /// WebSocket connections: what one client may cost, and when it counts as gone.
    [websocket] WebSocket {
        /// Bytes of one inbound message, whole or in fragments; a larger one closes with 1009.
        message_bytes: usize = MIB, size(KIB..=64 * MIB);
        /// Time between the pings that the broker sends.
        ping_interval: Duration = 20 * SECOND, time(10 * MILLISECOND..=HOUR);
        /// Time without a byte from the peer after which it is closed; longer than
        /// `ping_interval`.
        idle_timeout: Duration = 60 * SECOND, time(20 * MILLISECOND..=24 * HOUR);
        /// Bytes of replies that wait to be sent to a connection, above which its commands are no
        /// longer read.
        unsent_bytes_max: usize = 256 * KIB, size(KIB..=64 * MIB);
        /// Bytes that the kernel may hold unsent for a socket (`TCP_NOTSENT_LOWAT`), so that
        /// events wait where they can still be merged; 0 leaves the system's own setting.
        notsent_lowat: usize = 16 * KIB, size(0..=16 * MIB);
        /// Errors within a minute that close a connection with 1008.
        errors_per_minute: usize = 100, count(1..=1_000_000);
    }

    /// What one connection may subscribe to.
    [subscriptions] Subscriptions {
        /// Topics and patterns in one command.
        topics_per_command: usize = 1_000, count(1..=1_000_000);
        /// Subscriptions of one connection; a pattern counts as one.
        per_connection: usize = 10_000, count(1..=10_000_000);
    }

    /// The registry of topics.
    [topics] Topics {
        /// Topics at one time; a publish that would make a further one is refused.
        topics_max: usize = 1_000_000, count(1..=100_000_000);
        /// Patterns of generic topics of which only the latest event matters, so that they have a
        /// snapshot and may be merged.
        latest_only: Vec<Pattern> = Vec::new(), patterns();
        /// Price levels that a book keeps on each side.
        book_levels_max: usize = 100_000, count(1..=1_000_000);
    }

    /// How much of each topic is kept for slow and returning clients; the oldest goes first.
    [history] History {
        /// Events kept of a topic in which each event counts: trades and generic topics.
        events: usize = 8_192, count(1..=10_000_000);
        /// Events kept of a book, and, until every shard has read them, of other topics that merge.
        merging_events: usize = 1_024, count(1..=10_000_000);
        /// Bytes kept of one topic.
        bytes: usize = 4 * MIB, size(KIB..=GIB);
        /// Time for which an event is kept.
        age: Duration = 10 * MINUTE, time(10 * MILLISECOND..=168 * HOUR);
        /// Bytes kept over all topics.
        total_bytes: usize = 256 * MIB, size(64 * KIB..=1024 * GIB);
    }

    /// HTTP requests, the WebSocket handshake among them.
    [http] Http {
        /// Bytes of a request's body; a larger one is answered with 413.
        body_bytes: usize = 8 * MIB, size(KIB..=GIB);
        /// Bytes of a request's line and headers.
        header_bytes: usize = 16 * KIB, size(8 * KIB..=MIB);
        /// Time within which a request's headers must be complete.
        header_timeout: Duration = 5 * SECOND, time(10 * MILLISECOND..=10 * MINUTE);
        /// Time within which a request's body must be complete.
        body_timeout: Duration = 30 * SECOND, time(10 * MILLISECOND..=HOUR);
    }

    /// The end of the process.
    [shutdown] Shutdown {
        /// Time that clients have to take what waits for them, before their sockets are closed;
        /// 0s closes at once.
        drain: Duration = 5 * SECOND, time(Duration::ZERO..=10 * MINUTE);
    }

    /// The log, written to standard error.
    [log] Log {
        /// The least severe lines that are written.
        level: LogLevel = LogLevel::Info, choice(&LogLevel::ALL);
        /// Readable lines, or one JSON object a line.
        format: LogFormat = LogFormat::Text, choice(&LogFormat::ALL);
    }
}

tables! {
    /// One feed that the broker runs itself.
    [[feed]] Feed {
        /// What speaks: `sim` is a simulated exchange inside the broker, `replay` plays recorded
        /// files, any other name is the protocol of that venue; a key that means nothing for it is
        /// refused.
        adapter: FeedAdapter = FeedAdapter::Sim, choice(&FeedAdapter::ALL);
        /// The second segment of the feed's topics, as in `trade.sim.BTC-USD`; no two feeds share
        /// one, and without it a feed takes the name of its adapter. The topics of a replayed
        /// `recording` stay as they are, and only `status.` has this name.
        venue: String = "sim".to_owned(), venue();
        /// Symbols: for `sim` how many are traded, for a venue which ones, as it spells them; for
        /// `replay` the one of files in which no column has it. `itch-soup` needs none, and then
        /// has all stocks up to `symbols_max`.
        symbols: Symbols = Symbols::Count(20), symbols();
        /// What a venue is asked for.
        streams: Streams = Streams::ALL, streams();
        /// Price levels of a book on each side; 0 is what the venue gives unasked, and 25 for
        /// `sim`, which has at most 500. In a replayed session, what the recorder had asked for.
        depth: usize = 0, count(0..=10_000);
        /// The venue's WebSocket; empty for the real one, and without a path it takes that of the
        /// real one. For `itch-soup` host and port, which come with the subscription to the venue.
        url: String = String::new(), url(&[Scheme::Socket, Scheme::Stream]);
        /// The venue's REST interface; empty for the host of `url`, or where that is empty too for
        /// the real one.
        rest_url: String = String::new(), url(&[Scheme::Http]);
        /// Asks a venue only for what somebody subscribes to.
        on_demand: bool = false, switch();
        /// Time for which a venue's stream stays open after its last subscriber, with `on_demand`.
        linger: Duration = 30 * SECOND, time(Duration::ZERO..=HOUR);
        /// Symbols that a venue's feed or a replay may have at most.
        symbols_max: usize = 10_000, count(1..=1_000_000);
        /// Updates per second of `sim` over all symbols: trades, quotes and books together.
        updates_per_second: u32 = 1_000, count(1..=1_000_000);
        /// Seed of the prices of `sim`: the same seed gives the same events. For a venue, of the
        /// jitter in its waits, so that a test knows them; there 0, or none, is another each time.
        seed: u64 = 1, count(0..=i64::MAX.unsigned_abs());
        /// What `replay` plays, one file after the other, compressed with zstd or not; a relative
        /// name counts from the folder of the configuration file.
        files: Vec<PathBuf> = Vec::new(), files();
        /// What the files are: `recording` is what `tickwire record` writes, `csv` has its
        /// `columns` named here, `tardis-…` and `truefx-…` are CSV of known columns, `databento` is
        /// DBN; the name of a venue is a recorded session of it, and for `itch…` its messages or
        /// captured packets.
        format: Format = Format::Recording, choice(&Format::ALL);
        /// How many times as fast as it was recorded a replay is; `"max"` waits for nothing.
        speed: Speed = Speed::NORMAL, speed();
        /// Which column of `csv` means what.
        columns: Option<Mapping> = None, columns();
        /// The day in New York on which the messages of an ITCH file or of `itch-soup` were sent; not
        /// needed for captured packets, which have the time, nor for a stream of today.
        date: Option<TradeDate> = None, date();
        /// Who logs in to the venue, with `itch-soup`.
        username: String = String::new(), word(Login::USER_LENGTH);
        /// The password of `username`; never logged or shown.
        password: Secret = Secret::default(), secret(Login::PASSWORD_LENGTH);
        /// The session of `itch-soup`; empty for the one that is going on.
        session: String = String::new(), word(Login::SESSION_LENGTH);
        /// Number of the first message of a session that `itch-soup` asks for: 1 for all of the
        /// day, without which there are no books, and 0 for what is new only. After a cut it goes
        /// on where it was.
        sequence: u64 = 1, count(0..=i64::MAX.unsigned_abs());
    }
}

impl Feed {
    /// Gives what was not set and has no fixed default its value; `set` says what was set.
    pub(super) fn settle(&mut self, set: impl Fn(&str) -> bool) {
        if self.adapter != FeedAdapter::Sim && !set("venue") {
            self.venue = self.adapter.name().to_owned();
        }
        if matches!(self.adapter, FeedAdapter::Venue(_)) && !set("seed") {
            self.seed = 0;
        }
        if let FeedAdapter::Venue(venue) = self.adapter
            && venue.gives_all_symbols()
            && !set("symbols")
        {
            self.symbols = Symbols::Listed(Vec::new());
        }
    }

    /// How it logs in, where the venue wants that.
    #[must_use]
    pub fn login(&self) -> Login {
        Login {
            user: self.username.clone(),
            password: self.password.expose().to_owned(),
            session: self.session.clone(),
            sequence: self.sequence,
        }
    }

    /// Levels a side of a simulated book.
    #[must_use]
    pub fn simulated_depth(&self) -> usize {
        if self.depth == 0 { SIMULATED_DEPTH } else { self.depth }
    }
}

/// Levels a side of a simulated book, unless set otherwise.
const SIMULATED_DEPTH: usize = 25;

/// The feeds of a broker whose configuration names none: two venues, so that a client has
/// something to compare.
pub(super) fn default_feeds() -> Vec<Feed> {
    vec![Feed::default(), Feed { venue: "simx".to_owned(), seed: 2, ..Feed::default() }]
}

impl Config {
    /// The feeds to run: none where [`Server::feeds`] is off.
    #[must_use]
    pub fn running_feeds(&self) -> &[Feed] {
        if self.server.feeds { &self.feeds } else { &[] }
    }
}

impl Server {
    /// How many shards to run on a machine with that many cores.
    #[must_use]
    pub fn shard_count(&self, cores: usize) -> usize {
        match self.shards {
            0 => cores.clamp(1, 4),
            set => set,
        }
    }
}

/// How severe a line of the log must be at least to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed that the operator must know of.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What the broker does, once.
    Info,
    /// What it does for each connection.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// Every level with its name, the most severe first.
    pub const ALL: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl LogFormat {
    /// Every format with its name.
    pub const ALL: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}
