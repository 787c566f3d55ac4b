//! `tickwire replay`: a recording published again.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use client::{Codec, Command, Connection, Data, Message, Publish, Receiver, Sender};
use feeds::recording::{Entry, Frame, FrameError, Frames, Header, Republish, Tail};
use feeds::replay::{Speed, Timeline};
use indicatif::HumanCount;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::progress::Progress;
use super::record::now;
use super::{DEFAULT_SOCKET_URL, interrupted, printable};

/// Publish a recording of `tickwire record` again, to the same topics.
///
/// Events come as far apart as they were recorded, --speed times as fast, and wait for nobody: when
/// the broker was slow, they catch up. Where the recorder had been stopped for a while, it is not
/// waited for. The data is published digit for digit as it was recorded, but for the flag
/// "replayed"; so a recording gives the same data each time. Topics that are none of the market
/// kinds get exactly the data that they had.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tickwire replay day.tickwire.zst
  tickwire replay day.tickwire.zst --speed 60 --rebase
  tickwire replay day.tickwire.zst --speed max --to ws://127.0.0.1:9000/ws

The broker should have no feed of its own for these topics. Ends with code 1 if any event was
refused, and names its line, counted in the unpacked file.")]
pub struct ReplayArguments {
    /// The recording
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Where the broker listens
    #[arg(long, value_name = "URL", default_value = DEFAULT_SOCKET_URL)]
    pub to: String,

    /// How many times as fast as it was recorded, such as 1, 0.5 or 10; or max, as fast as the
    /// broker takes it
    #[arg(long, value_name = "N", default_value = "1")]
    pub speed: Speed,

    /// Move the times in the data so that the first event happens now; they stay as far apart as
    /// they were
    #[arg(long)]
    pub rebase: bool,
}

/// Frames unpacked ahead.
const AHEAD: usize = 2;
/// Refusals that are shown one by one.
const SHOWN: u64 = 10;
/// The id of the last command; events have the number of their line.
const LAST: u64 = 0;

/// Publishes the recording.
///
/// # Errors
/// A file that cannot be read, a broker that cannot be reached or ends the connection, and events
/// that were refused.
pub async fn run(arguments: ReplayArguments) -> anyhow::Result<()> {
    let shown = arguments.file.display().to_string();
    let (bytes, header, frames) = open(&arguments.file).with_context(|| shown.clone())?;
    let connection = Connection::connect(&arguments.to, Codec::Json).await?;
    let (sender, receiver) = connection.split();
    let started = Instant::now();
    let mut player = Player {
        timeline: Timeline::new(arguments.speed, 0),
        started,
        wall: now(),
        recorded: header.started,
        rebase: arguments.rebase,
        line: 0,
        sent: 0,
        topics: HashSet::new(),
        gaps: HashSet::new(),
        progress: Progress::of_file(bytes),
        sender,
    };
    let answers = tokio::spawn(settle(receiver));
    let played = tokio::select! {
        played = player.play(frames) => played,
        interrupted = interrupted() => {
            interrupted?;
            Err(anyhow!("interrupted"))
        }
    };
    player.progress.finish();
    let settled = player.finish(answers, played.is_ok()).await;
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "{} events published to {} topics in {seconds:.2} s",
        HumanCount(player.sent),
        HumanCount(player.topics.len() as u64),
    );
    // Why it ended is told best by whoever heard it from the broker.
    let refused = settled
        .and_then(|refused| played.map(|()| refused))
        .with_context(|| format!("{shown}, line {}", player.line))?;
    if refused > 0 {
        bail!("{} events were refused", HumanCount(refused));
    }
    Ok(())
}

/// What the reading thread hands on.
enum Read {
    Frame(Frame),
    End(Tail),
    Failed(FrameError),
}

/// Opens a recording; its frames are unpacked by a thread of their own.
fn open(path: &Path) -> anyhow::Result<(u64, Header, mpsc::Receiver<Read>)> {
    let file = File::open(path).context("cannot be opened")?;
    let bytes = file.metadata()?.len();
    let mut frames = Frames::new(BufReader::with_capacity(1 << 20, file));
    let first = frames.next().transpose().context("is no recording")?;
    let first = first.context("is no recording: it is empty, or ends within its first line")?;
    let header = Header::parse(first.text.lines().next().unwrap_or_default())?;
    let (queue, read) = mpsc::channel(AHEAD);
    std::thread::Builder::new().name("recording".into()).spawn(move || {
        let hand_on = |read| queue.blocking_send(read).is_ok();
        if !hand_on(Read::Frame(first)) {
            return;
        }
        for frame in frames.by_ref() {
            let read = frame.map_or_else(Read::Failed, Read::Frame);
            let last = matches!(read, Read::Failed(_));
            if !hand_on(read) || last {
                return;
            }
        }
        hand_on(Read::End(frames.tail()));
    })?;
    Ok((bytes, header, read))
}

struct Player {
    /// In nanoseconds since the start.
    timeline: Timeline,
    started: Instant,
    /// The time of the start, since 1970.
    wall: u64,
    /// When the recording was begun.
    recorded: u64,
    rebase: bool,
    /// The last line read, of the unpacked file.
    line: u64,
    sent: u64,
    topics: HashSet<String>,
    /// Topics whose next event is the first after a gap.
    gaps: HashSet<String>,
    progress: Progress,
    sender: Sender,
}

impl Player {
    /// Publishes everything, in time.
    async fn play(&mut self, mut frames: mpsc::Receiver<Read>) -> anyhow::Result<()> {
        while let Some(read) = frames.recv().await {
            let frame = match read {
                Read::Frame(frame) => frame,
                Read::End(Tail { torn: 0, .. }) => break,
                Read::End(Tail { torn, .. }) => {
                    self.progress.say(&format!(
                        "warning: the last {torn} bytes are of a frame that was never finished, \
                         as a recorder leaves that was killed; there is nothing of it"
                    ));
                    break;
                }
                Read::Failed(error) => return Err(error.into()),
            };
            for line in frame.text.lines() {
                self.line += 1;
                if self.line > 1 {
                    self.take(line).await?;
                }
            }
            let (sent, late) = (self.sent, self.late());
            self.progress.show(frame.end, || {
                let late = late.map_or(String::new(), |late| format!(", {late:.1?} late"));
                format!("{} events{late}", HumanCount(sent))
            });
        }
        Ok(())
    }

    /// How far behind the timeline it is, if that is more than anybody would call in time.
    fn late(&self) -> Option<Duration> {
        let late = self.started.elapsed().checked_sub(Duration::from_nanos(self.timeline.now()))?;
        let worth_telling = late > Duration::from_millis(100) && self.timeline.shift().is_some();
        worth_telling.then_some(late)
    }

    async fn take(&mut self, line: &str) -> anyhow::Result<()> {
        let (topic, data, whole) = match Entry::parse(line)? {
            Entry::Event { ts, topic, data, .. } => {
                let due = self.timeline.due(ts);
                self.wait(due).await;
                (topic, data, false)
            }
            // Its time is that of the event that led to it, perhaps long before the recording.
            Entry::Snapshot { topic, data, .. } => (topic, data, true),
            Entry::Gap { topic, .. } => {
                self.gaps.insert(topic.into_owned());
                return Ok(());
            }
            Entry::Resumed { .. } => {
                self.timeline.skip_pause();
                return Ok(());
            }
        };
        let republish = Republish { shift: self.rebase.then(|| self.shift()) };
        let gap = !self.gaps.is_empty() && self.gaps.remove(&*topic);
        let mut text = String::with_capacity(data.len() + 32);
        republish.data(&topic, data, whole, gap, &mut text)?;
        let data = Data::from_json(&text).context("data that is no JSON")?;
        if !self.topics.contains(&*topic) {
            self.topics.insert(topic.to_string());
        }
        let topic = topic.into_owned();
        let publish = Publish { id: Some(self.line), topic, data, will: None, native: None };
        self.sender.send(&Command::from(publish)).await?;
        self.sent += 1;
        Ok(())
    }

    /// How far the times of the data are to be moved.
    fn shift(&self) -> i64 {
        // Snapshots come before the first event, of which the timeline knows.
        let shift =
            self.timeline.shift().unwrap_or_else(|| 0_i64.saturating_sub_unsigned(self.recorded));
        shift.saturating_add_unsigned(self.wall)
    }

    /// Waits until so many nanoseconds after the start; not at all when that is over.
    async fn wait(&self, due: u64) {
        let due = self.started + Duration::from_nanos(due);
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
    }

    /// Waits until everything is answered, and says how many events were refused.
    async fn finish(
        &mut self,
        answers: JoinHandle<anyhow::Result<u64>>,
        whole: bool,
    ) -> anyhow::Result<u64> {
        // The pong comes behind all other answers. A connection that is over has its own.
        if whole || !answers.is_finished() {
            drop(self.sender.send(&Command::Ping { id: Some(LAST) }).await);
        }
        let settled = answers.await.context("the reading task failed")?;
        drop(self.sender.close().await);
        settled
    }
}

/// Reads the answers to what is published, and counts the refusals.
async fn settle(mut receiver: Receiver) -> anyhow::Result<u64> {
    let mut refused = 0_u64;
    let mut codes: HashMap<String, u64> = HashMap::new();
    loop {
        match receiver.receive().await {
            Ok(Message::Pong { id: Some(LAST), .. }) => break,
            Ok(Message::Error(error)) => {
                refused += 1;
                *codes.entry(error.code.clone()).or_default() += 1;
                if refused <= SHOWN {
                    let words = printable(&error.to_string());
                    match error.id {
                        Some(line) => eprintln!("line {line}: {words}"),
                        None => eprintln!("{words}"),
                    }
                }
            }
            Ok(_) => {}
            Err(error) if !error.is_final() => eprintln!("{}", printable(&error.to_string())),
            Err(end) => bail!("{}", printable(&end.to_string())),
        }
    }
    if refused > SHOWN {
        let mut codes: Vec<_> = codes.into_iter().collect();
        codes.sort();
        let codes: Vec<_> = codes.iter().map(|(code, count)| format!("{count} {code}")).collect();
        eprintln!("… in all {}", codes.join(", "));
    }
    Ok(refused)
}
