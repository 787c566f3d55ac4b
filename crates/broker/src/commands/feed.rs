//! `tickwire feed`: a venue's feed as a process of its own, which publishes to a broker.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use feeds::adapter::{DeskOptions, Streams};
use feeds::venue::Venue;
use feeds::venue::itch::{Framing, Login, TradeDate};
use tokio::sync::watch;

use super::DEFAULT_SOCKET_URL;
use crate::clock::Clock;
use crate::config::{parse_streams, parse_venue_segment};
use crate::feed::{Endpoint, Figures, Gates, Link, Plan, Scheme, VenueFeed, run as run_feed};

/// Connect to a venue and publish its market data to a broker, as a feed inside the broker would.
///
/// Runs until Ctrl-C or SIGTERM. Connects again whenever the venue or the broker goes away. While
/// the broker is away trades wait for it (about 64 MiB of them; what does not fit is counted,
/// logged, and marked in the next trade), quotes replace each other, and books are sent whole
/// afterwards. Trades that the broker had not confirmed are sent again, so that one may come
/// twice after a cut, and none is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Venues: {}

Topics: trade., quote., book., bar-1s. and bar-1m.VENUE.SYMBOL, and status.VENUE, where SYMBOL is
BASE-QUOTE whatever the venue's own spelling is.

Examples:
  tickwire feed kraken --symbols BTC/USD,ETH/USD
  tickwire feed binance --symbols BTCUSDT,ETHUSDT --to ws://127.0.0.1:8080/ws
  tickwire feed coinbase --symbols BTC-USD --streams trades,quotes
  tickwire feed bitstamp --symbols BTC-USD=btcusd --as bitstamp2
  tickwire feed binance --symbols BTCUSDT --url ws://127.0.0.1:9000 --rest-url http://127.0.0.1:9000
  tickwire feed itch-soup --symbols AAPL,MSFT --url tcp://127.0.0.1:9100 --username me

Watch it: tickwire sub 'quote.kraken.*' 'status.kraken'", venues()))]
pub struct FeedArguments {
    /// The venue, by the name of its protocol
    #[arg(value_name = "VENUE")]
    pub venue: String,

    /// Symbols as the venue spells them, or NAME=SYMBOL to call one NAME in topics; itch-soup has
    /// all stocks without
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub symbols: Vec<String>,

    /// The broker to publish to
    #[arg(long, value_name = "URL", default_value = DEFAULT_SOCKET_URL)]
    pub to: String,

    /// What to ask for, of trades, quotes and book
    #[arg(long, value_name = "LIST", default_value = "trades,quotes,book")]
    pub streams: String,

    /// Price levels a side of the books, where the venue lets one choose [default: the venue's]
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,

    /// The venue's name in topics [default: VENUE]
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,

    /// The venue's WebSocket, if it is not the venue's own; for itch-soup tcp://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// The venue's REST address [default: the host of --url, else the venue's own]
    #[arg(long, value_name = "URL")]
    pub rest_url: Option<String>,

    /// How to be let in, with itch-soup
    #[command(flatten, next_help_heading = "Login, with itch-soup")]
    pub login: LoginArguments,
}

/// How to be let in where a venue wants that.
#[derive(Clone, clap::Args)]
pub struct LoginArguments {
    /// Who logs in, at most 6 characters
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,

    /// The password, at most 10 characters; others see it in the list of processes, but not in the
    /// variable TICKWIRE_FEED_PASSWORD
    #[arg(long, value_name = "WORD")]
    pub password: Option<String>,

    /// The session, at most 10 characters [default: the one that is going on]
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,

    /// Number of the first message to ask for: 1 for all of the day, without which there are no
    /// books; 0 for what is new only [default: 1]
    #[arg(long, value_name = "N")]
    pub sequence: Option<u64>,

    /// The day in New York on which the messages were sent, such as 2023-08-22 [default: today]
    #[arg(long, value_name = "DAY")]
    pub date: Option<TradeDate>,
}

impl std::fmt::Debug for LoginArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the password.
        f.debug_struct("LoginArguments").field("username", &self.username).finish_non_exhaustive()
    }
}

impl LoginArguments {
    /// The first flag that was given.
    fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--username", self.username.is_some()),
            ("--password", self.password.is_some()),
            ("--session", self.session.is_some()),
            ("--sequence", self.sequence.is_some()),
            ("--date", self.date.is_some()),
        ];
        flags.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
    }

    fn login(&self) -> anyhow::Result<Login> {
        let word = |flag: &str, text: Option<String>, length| {
            let text = text.unwrap_or_default();
            let checked = Login::check(&text, length);
            checked.map_err(|problem| anyhow::anyhow!("{flag}: {problem}; at most {length}"))?;
            anyhow::Ok(text)
        };
        let password = self.password.clone().or_else(|| std::env::var(PASSWORD).ok());
        Ok(Login {
            user: word("--username", self.username.clone(), Login::USER_LENGTH)?,
            password: word("--password", password, Login::PASSWORD_LENGTH)?,
            session: word("--session", self.session.clone(), Login::SESSION_LENGTH)?,
            sequence: self.sequence.unwrap_or(1),
        })
    }
}

/// The variable of the environment that has the password.
const PASSWORD: &str = "TICKWIRE_FEED_PASSWORD";

/// Most symbols where none are named: as many as ITCH can tell apart on one day.
const SYMBOLS_MAX: usize = 1 << 16;

/// What may wait for a broker that is away, in bytes.
const QUEUE_BYTES: usize = 64 << 20;

fn venues() -> String {
    let names: Vec<&str> = Venue::ALL.iter().map(|(_, name)| *name).collect();
    names.join(", ")
}

/// Runs the feed until it is told to stop.
///
/// # Errors
/// When the arguments are refused, or events were left unconfirmed at the end.
pub async fn run(arguments: FeedArguments) -> anyhow::Result<()> {
    let ansi = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(ansi);
    log.with_target(false).init();
    let stop = stop_signal()?;
    let venue: Venue = arguments.venue.parse()?;
    let feed = arguments.feed(venue)?;
    run_until(&feed, &arguments.to, QUEUE_BYTES, stop).await
}

impl FeedArguments {
    fn feed(&self, venue: Venue) -> anyhow::Result<VenueFeed> {
        let name = self.name.clone().unwrap_or_else(|| venue.name().to_owned());
        parse_venue_segment(&name).map_err(|problem| anyhow::anyhow!("--as {name}: {problem}"))?;
        let streams: Streams = parse_streams(&self.streams)
            .map_err(|problem| anyhow::anyhow!("--streams {}: {problem}", self.streams))?;
        if let Some(depth) = self.depth.filter(|depth| !venue.depths().cover(*depth)) {
            bail!("--depth {depth}: {} takes {}", venue.name(), venue.depths());
        }
        let all = self.symbols.is_empty();
        if all && !venue.gives_all_symbols() {
            bail!("--symbols: which? only itch-soup sends all it has unasked");
        }
        let desk = DeskOptions {
            venue: name,
            symbols: self.symbols.clone(),
            streams,
            symbols_max: if all { SYMBOLS_MAX } else { usize::MAX },
            depth: self.depth,
            ..DeskOptions::default()
        };
        let (url, rest_url) = (self.url.clone(), self.rest_url.clone());
        let feed = match (venue, self.login.given()) {
            (Venue::Itch(Framing::Soup), _) => {
                VenueFeed::soup(self.login.login()?, self.login.date, desk)
            }
            (_, None) => VenueFeed::new(venue, desk),
            (_, Some(flag)) => bail!("{flag}: {} has no login, only itch-soup has", venue.name()),
        };
        Ok(VenueFeed { url, rest_url, ..feed })
    }
}

/// Runs `feed` into the broker at `to` until `stop`; at most `queue_bytes` wait for it.
///
/// # Errors
/// As [`run`].
pub async fn run_until(
    feed: &VenueFeed,
    to: &str,
    queue_bytes: usize,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let broker = Endpoint::parse(to, Scheme::Socket)
        .map_err(|problem| anyhow::anyhow!("--to \"{to}\": {problem}"))?;
    if broker.tls {
        bail!("--to \"{to}\": TLS to a broker is not supported, only ws://");
    }
    let plan = Plan::new(feed)?;
    tracing::info!(
        venue = feed.desk.venue,
        host = plan.authority(),
        symbols = feed.desk.symbols.len(),
        connections = plan.connections(),
        broker = to,
        "feed running",
    );
    let link = Link::new(to, queue_bytes);
    let (stop_feed, feed_stopped) = watch::channel(());
    let (stop_link, link_stopped) = watch::channel(());
    let sink = link.sink();
    // Nobody asks for them here.
    let figures = Figures::default();
    let running = run_feed(plan, sink, Gates::default(), figures, Clock::start(), feed_stopped);
    let feeding = tokio::spawn(running);
    let linking = tokio::spawn(link.run(link_stopped));
    stop.await;
    drop(stop_feed);
    feeding.await.context("the feed broke off")?;
    drop(stop_link);
    let (unconfirmed, lost) = linking.await.context("the link to the broker broke off")?;
    if unconfirmed > 0 || lost > 0 {
        bail!("{unconfirmed} events were not confirmed by the broker, {lost} trades dropped");
    }
    Ok(())
}

/// Ends with SIGINT or SIGTERM, which are listened to from now on.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends with Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
