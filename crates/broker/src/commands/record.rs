//! `tickwire record`: what a broker publishes, kept in a file.

mod file;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use client::{
    Codec, Command, Connection, Message, RawMessage, Receiver, Subscribe, SubscriptionTracker,
};
use feeds::recording::{Entry, Packer};
use indicatif::{HumanBytes, HumanCount};
use market::Nanos;
use tokio::time::Instant;

use self::file::{Opened, Writer};
use super::progress::Progress;
use super::subscribe::{Ended, PAUSE};
use super::{DEFAULT_SOCKET_URL, interrupted, printable};

/// Record topics to a compressed file, which `tickwire replay` publishes again.
///
/// Each event is kept digit for digit as it was published. First comes the state of each topic
/// that has one. Every --flush a frame of the file is finished: should this be killed, all before
/// it is safe. Given a file that is there, it goes on with it, and cuts off what an earlier
/// recorder left unfinished. `zstdcat FILE` shows what is in it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tickwire record --topics 'trade.>,book.>' --out day.tickwire.zst
  tickwire record --topics 'quote.kraken.*' --out quotes.zst --reconnect
  zstdcat day.tickwire.zst | jq -c 'select(.topic == \"trade.sim.BTC-USD\") | .data'

Ends with code 0 on Ctrl-C, SIGTERM or after --count; with code 1 when the broker closes the
connection or the file cannot be written.")]
pub struct RecordArguments {
    /// Topics or patterns, separated by commas: `*` stands for one segment, a final `>` for one or
    /// more
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',', required = true)]
    pub topics: Vec<String>,

    /// Where to; a recording of the same topics is gone on with
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Where the broker listens
    #[arg(long, value_name = "URL", default_value = DEFAULT_SOCKET_URL)]
    pub url: String,

    /// Milliseconds after which what came is written, at the latest
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub flush: u64,

    /// End after N snapshots and events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// When the connection is lost, connect again and resume, without end
    #[arg(long)]
    pub reconnect: bool,
}

/// The id of the only command that is ever sent.
const SUBSCRIBE_ID: u64 = 1;
/// A frame is finished early when it has so many bytes, unpacked.
const FRAME_BYTES: usize = 1 << 20;

/// Records until something ends it.
///
/// # Errors
/// A file that cannot be used; a broker that cannot be reached, refuses or closes the connection.
pub async fn run(arguments: RecordArguments) -> anyhow::Result<()> {
    let shown = arguments.out.display().to_string();
    let (file, opened) =
        file::open(&arguments.out, &arguments.topics, now()).with_context(|| shown.clone())?;
    let mut recorder = Recorder {
        packer: Packer::default(),
        flush: Duration::from_millis(arguments.flush),
        due: None,
        writer: Writer::start(file)?,
        tracker: SubscriptionTracker::new(),
        left: arguments.count,
        progress: Progress::endless(),
        started: Instant::now(),
        entries: 0,
        lost: 0,
    };
    if let Opened::Resumed { whole, torn } = opened {
        let mut words = format!("{shown}: going on after {}", HumanBytes(whole));
        if torn > 0 {
            words += &format!(
                "; cut off {torn} bytes of a frame that was never finished, as a recorder leaves \
                 that was killed"
            );
        }
        recorder.progress.say(&words);
        recorder.push(&Entry::Resumed { at: now() });
    }
    let ended = tokio::select! {
        ended = recorder.follow(&arguments) => ended,
        interrupted = interrupted() => interrupted.map_err(Into::into),
    };
    let Recorder { mut packer, writer, progress, started, entries, lost, .. } = recorder;
    if !packer.is_empty()
        && let Some(place) = writer.place().await
    {
        place.send(packer.take());
    }
    progress.finish();
    let seconds = started.elapsed().as_secs_f64();
    writer.finish().with_context(|| shown.clone())?;
    let size = std::fs::metadata(&arguments.out).map_or(0, |metadata| metadata.len());
    eprintln!(
        "{} events recorded to {shown} in {seconds:.1} s; it has {} now",
        HumanCount(entries),
        HumanBytes(size)
    );
    if lost > 0 {
        eprintln!("warning: {} events were lost; the file says which", HumanCount(lost));
    }
    ended
}

/// Nanoseconds since 1970.
pub(super) fn now() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

struct Recorder {
    packer: Packer,
    flush: Duration,
    /// When what waits is to be written.
    due: Option<Instant>,
    writer: Writer,
    tracker: SubscriptionTracker,
    /// Events that are still to come, if they are counted.
    left: Option<u64>,
    progress: Progress,
    started: Instant,
    entries: u64,
    /// Events that the broker said are lost.
    lost: u64,
}

impl Recorder {
    async fn follow(&mut self, arguments: &RecordArguments) -> anyhow::Result<()> {
        let mut pause = PAUSE.0;
        loop {
            let ended = self.connected(arguments, &mut pause).await;
            self.tracker.disconnected();
            match ended {
                Ok(()) => return Ok(()),
                Err(Ended::ForGood(error)) => return Err(error),
                Err(Ended::ForNow(error)) if arguments.reconnect => {
                    let seconds = pause.as_secs_f64();
                    self.progress.say(&format!("{error}; connecting again in {seconds:.2} s"));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                Err(Ended::ForNow(error)) => return Err(error),
            }
        }
    }

    /// One connection's life. `Ok` when everything asked for is there.
    async fn connected(
        &mut self,
        arguments: &RecordArguments,
        pause: &mut Duration,
    ) -> Result<(), Ended> {
        // MessagePack would turn the decimals of generic topics into floats.
        let connection = Connection::connect(&arguments.url, Codec::Json).await?;
        let (sender, mut receiver) = connection.split();
        let subscribe = Subscribe {
            id: Some(SUBSCRIBE_ID),
            resume: self.tracker.positions(),
            ..Subscribe::to(arguments.topics.iter().cloned())
        };
        self.tracker.subscribing(&subscribe);
        // A closed connection is told better by the receiver.
        drop(sender.send(&Command::from(subscribe)).await);
        loop {
            tokio::select! {
                raw = receiver.receive_raw() => {
                    let more = self.take(&raw?)? && self.take_what_is_there(&mut receiver)?;
                    // It works again, so the next loss is a new one.
                    *pause = PAUSE.0;
                    if !more {
                        drop(sender.close().await);
                        return Ok(());
                    }
                }
                () = sleep_until(self.due) => self.write().await?,
            }
            if self.packer.len() >= FRAME_BYTES {
                self.write().await?;
            }
        }
    }

    /// Takes what has come meanwhile, up to a frame. False: stop.
    fn take_what_is_there(&mut self, receiver: &mut Receiver) -> anyhow::Result<bool> {
        while self.packer.len() < FRAME_BYTES {
            // The end of the connection is found again by whoever waits for the next message.
            let Ok(Some(raw)) = receiver.try_receive_raw() else { break };
            if !self.take(&raw)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes one message. False: that was the last.
    fn take(&mut self, raw: &RawMessage) -> anyhow::Result<bool> {
        let message = match raw.decode() {
            Ok(message) => message,
            Err(error) => {
                self.progress.say(&format!("warning: {}", printable(&error.to_string())));
                return Ok(true);
            }
        };
        if let Some(fault) = self.tracker.observe(&message) {
            self.progress.say(&format!("warning: {}", printable(&fault.to_string())));
        }
        match &message {
            Message::Event(event) => self.push(&Entry::Event {
                ts: event.ts,
                topic: event.topic.as_str().into(),
                seq: event.seq,
                from: event.from,
                data: event.data.as_str(),
            }),
            Message::Snapshot(snapshot) => self.push(&Entry::Snapshot {
                ts: snapshot.ts,
                topic: snapshot.topic.as_str().into(),
                seq: snapshot.seq,
                data: snapshot.data.as_str(),
            }),
            Message::Gap(gap) => {
                // A break of the venue's own stream loses none, and stands in the data itself.
                if gap.to >= gap.from {
                    self.lost += gap.to - gap.from + 1;
                    self.push(&Entry::Gap {
                        topic: gap.topic.as_str().into(),
                        from: gap.from,
                        to: gap.to,
                        reason: gap.reason.as_str().into(),
                    });
                }
                return Ok(true);
            }
            Message::Error(error) if error.id == Some(SUBSCRIBE_ID) => {
                anyhow::bail!("the broker refused: {}", printable(&error.to_string()));
            }
            Message::Error(error) => {
                self.progress.say(&format!("warning: {}", printable(&error.to_string())));
                return Ok(true);
            }
            _ => return Ok(true),
        }
        self.entries += 1;
        if let Some(left) = &mut self.left {
            *left -= 1;
            return Ok(*left > 0);
        }
        Ok(true)
    }

    fn push(&mut self, entry: &Entry<'_>) {
        self.packer.push(entry);
        self.due.get_or_insert_with(|| Instant::now() + self.flush);
    }

    /// Hands what waits to the writer. Nothing is lost when it is cancelled.
    async fn write(&mut self) -> anyhow::Result<()> {
        let Some(place) = self.writer.place().await else {
            anyhow::bail!("the file cannot be written any more");
        };
        place.send(self.packer.take());
        self.due = None;
        let (entries, bytes) = (self.entries, self.writer.written());
        let rate = entries as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        self.progress.show(bytes, || {
            format!("{} events, {}, {rate:.0} a second", HumanCount(entries), HumanBytes(bytes))
        });
        Ok(())
    }
}

/// Never, where there is no time.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
