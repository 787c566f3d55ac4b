//! `tickwire sub`: live events on stdout.

use std::io::Write;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use client::{
    Codec, Command, ConnectError, Connection, Message, RawMessage, ReceiveError, Receiver,
    Subscribe, SubscriptionTracker,
};

use super::render::Renderer;
use super::{DEFAULT_SOCKET_URL, printable, still_read};

/// Print live events as readable lines, or as JSON for programs.
///
/// A line is the time of publishing (UTC), the topic, and what happened. Snapshots come first
/// where the topic has one; merged events say for how many they stand; a gap says what is lost.
/// Anything out of order, which must not happen, is a warning on stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tickwire sub 'quote.sim.*'                  every quote of one venue; quote the pattern
  tickwire sub 'book.sim.>' --max-rate 2      books, each at most twice a second, merged between
  tickwire sub trade.sim.BTC-USD --history 20 the last 20 trades, then live
  tickwire sub 'trade.>' --json | jq .data    one JSON object a line
  tickwire sub chat.room1 --reconnect         goes on where it was after a lost connection

Ends with code 0 on Ctrl-C, after --count, or when nobody reads its output any more; with code 1
when the broker closes the connection.")]
pub struct SubscribeArguments {
    /// Topics or patterns: `*` stands for one segment, a final `>` for one or more
    #[arg(value_name = "PATTERN", required = true)]
    pub patterns: Vec<String>,

    /// Where the broker listens
    #[arg(long, value_name = "URL", default_value = DEFAULT_SOCKET_URL)]
    pub url: String,

    /// Print each snapshot, event and gap as it came, one JSON object a line
    #[arg(long)]
    pub json: bool,

    /// How messages travel; with --json, time stamps of msgpack are numbers
    #[arg(long, default_value = "json", value_parser = codec_parser())]
    pub codec: Codec,

    /// At most N events a second of each topic, merged between: 0.1 to 1000. Quotes, books, bars
    /// and status only; trades are never merged
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    pub max_rate: Option<f64>,

    /// First the last N events, where the topic has no snapshot
    #[arg(long, value_name = "N")]
    pub history: Option<u32>,

    /// Leave out the snapshots, begin with the next event
    #[arg(long)]
    pub no_snapshot: bool,

    /// End after N snapshots and events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// When the connection is lost, connect again and resume, without end
    #[arg(long)]
    pub reconnect: bool,
}

/// The id of the only command that is ever sent.
const SUBSCRIBE_ID: u64 = 1;
/// Between two attempts to connect, growing from the first to the second.
pub(super) const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

fn codec_parser() -> impl clap::builder::TypedValueParser<Value = Codec> {
    PossibleValuesParser::new(["json", "msgpack"]).try_map(|name| name.parse::<Codec>())
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("a number of events a second from 0.1 to 1000".into()),
    }
}

/// Prints events until something ends it.
///
/// # Errors
/// When the broker cannot be reached, refuses the subscription or closes the connection.
pub async fn run(arguments: SubscribeArguments) -> anyhow::Result<()> {
    let output = std::io::BufWriter::new(std::io::stdout());
    tokio::select! {
        ended = follow(arguments, output) => ended,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// [`run`] with any output and without the interrupt.
pub(super) async fn follow(
    arguments: SubscribeArguments,
    output: impl Write,
) -> anyhow::Result<()> {
    let mut printer = Printer {
        json: arguments.json,
        left: arguments.count,
        renderer: Renderer::default(),
        tracker: SubscriptionTracker::new(),
        output,
    };
    let mut pause = PAUSE.0;
    loop {
        let ended = connected(&arguments, &mut printer, &mut pause).await;
        printer.tracker.disconnected();
        match ended {
            Ok(()) => return Ok(()),
            Err(Ended::ForGood(error)) => return Err(error),
            Err(Ended::ForNow(error)) if arguments.reconnect => {
                eprintln!("{error}; connecting again in {:.2} s", pause.as_secs_f64());
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
            Err(Ended::ForNow(error)) => return Err(error),
        }
    }
}

/// Whether another attempt could help.
pub(super) enum Ended {
    ForNow(anyhow::Error),
    ForGood(anyhow::Error),
}

impl From<ConnectError> for Ended {
    fn from(error: ConnectError) -> Self {
        match error {
            // The last two are what a broker looks like while it stops or starts.
            ConnectError::Unreachable { .. }
            | ConnectError::TimedOut { .. }
            | ConnectError::Refused { status: 500.., .. }
            | ConnectError::NotTickwire { .. } => Self::ForNow(error.into()),
            _ => Self::ForGood(error.into()),
        }
    }
}

impl From<ReceiveError> for Ended {
    fn from(error: ReceiveError) -> Self {
        let shown = anyhow!("{}", printable(&error.to_string()));
        match error {
            // What this client does would only be refused again.
            ReceiveError::Closed { code: 1002 | 1003 | 1007..=1010, .. }
            | ReceiveError::Violation(_) => Self::ForGood(shown),
            _ => Self::ForNow(shown),
        }
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::ForGood(error)
    }
}

/// One connection's life. `Ok` when everything asked for is printed.
async fn connected(
    arguments: &SubscribeArguments,
    printer: &mut Printer<impl Write>,
    pause: &mut Duration,
) -> Result<(), Ended> {
    let connection = Connection::connect(&arguments.url, arguments.codec).await?;
    let (sender, mut receiver) = connection.split();
    let resume = printer.tracker.positions();
    let subscribe = Subscribe {
        id: Some(SUBSCRIBE_ID),
        topics: arguments.patterns.clone(),
        snapshot: arguments.no_snapshot.then_some(false),
        max_rate: arguments.max_rate,
        // After a lost connection the position itself is the history.
        history: arguments.history.filter(|_| resume.is_empty()),
        resume,
        on_slow: None,
    };
    printer.tracker.subscribing(&subscribe);
    // A closed connection is told better by the receiver.
    drop(sender.send(&Command::from(subscribe)).await);
    loop {
        let raw = receiver.receive_raw().await?;
        let more = printer.print(&raw)? && printer.print_what_is_there(&mut receiver)?;
        // It works again, so the next loss is a new one.
        *pause = PAUSE.0;
        if !more {
            drop(sender.close().await);
            return Ok(());
        }
    }
}

/// Where messages become lines.
struct Printer<W> {
    json: bool,
    left: Option<u64>,
    renderer: Renderer,
    tracker: SubscriptionTracker,
    output: W,
}

impl<W: Write> Printer<W> {
    /// Prints what has come meanwhile, then flushes once for all of it. False: stop.
    fn print_what_is_there(&mut self, receiver: &mut Receiver) -> anyhow::Result<bool> {
        // The end of the connection is found again by whoever waits for the next message.
        while let Ok(Some(raw)) = receiver.try_receive_raw() {
            if !self.print(&raw)? {
                return Ok(false);
            }
        }
        Ok(still_read(self.output.flush())?)
    }

    /// Prints one message, if it is one to print. False: that was the last, or nobody reads.
    fn print(&mut self, raw: &RawMessage) -> anyhow::Result<bool> {
        let message = match raw.decode() {
            Ok(message) => message,
            Err(error) => {
                eprintln!("warning: {}", printable(&error.to_string()));
                return Ok(true);
            }
        };
        if let Some(fault) = self.tracker.observe(&message) {
            eprintln!("warning: {}", printable(&fault.to_string()));
        }
        let line = match &message {
            Message::Event(_) | Message::Snapshot(_) | Message::Gap(_) if self.json => {
                raw.to_json_line()?
            }
            Message::Event(event) => self.renderer.event(event),
            Message::Snapshot(snapshot) => self.renderer.snapshot(snapshot),
            Message::Gap(gap) => self.renderer.gap(gap),
            Message::Error(error) if error.id == Some(SUBSCRIBE_ID) => {
                bail!("the broker refused: {}", printable(&error.to_string()));
            }
            Message::Error(error) => {
                eprintln!("warning: {}", printable(&error.to_string()));
                return Ok(true);
            }
            _ => return Ok(true),
        };
        if !still_read(writeln!(self.output, "{line}"))? {
            return Ok(false);
        }
        if !matches!(message, Message::Gap(_))
            && let Some(left) = &mut self.left
        {
            *left -= 1;
            if *left == 0 {
                still_read(self.output.flush())?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}
