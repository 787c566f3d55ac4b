//! `tickwire pub`: each line of stdin becomes an event.

use std::time::Instant;

use anyhow::{anyhow, bail};
use client::{Codec, Connection, Data, Message, Publish, ReceiveError, Receiver, Sender};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{DEFAULT_SOCKET_URL, printable};

/// Publish each line of stdin, one JSON value a line, as an event of TOPIC.
///
/// With --stdin in place of TOPIC each line names its own topic, so that any program that prints
/// JSON lines is a feed: {"topic":"chat.room1","data":{"text":"hello"}}
///
/// Every line is confirmed by the broker; a line that is refused is reported with its number and
/// the others go on. Ends with a summary, and with exit code 1 if any line failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echo '{\"text\":\"hello\"}' | tickwire pub chat.room1
  tickwire sub 'trade.sim.*' --json | jq -c .data | tickwire pub copy.trades
  tickwire pub trade.mine.BTC-USD < trades.ndjson
  my-script | tickwire pub --stdin
  tickwire sub 'chat.>' --json | tickwire pub --stdin --url ws://127.0.0.1:8081/ws

A line of --stdin is an object with \"topic\" and \"data\"; whatever else is in it is left out. With a
\"will\" the broker publishes that as the topic's last event when this ends, however it ends:
{\"topic\":\"status.mine\",\"data\":{\"state\":\"up\",\"reason\":\"\"},\"will\":{\"state\":\"down\",\"reason\":\"gone\"}}
Market topics (trade. quote. book. bar- status.) want the fields of their kind; any other topic
takes any JSON value. Empty lines are skipped.")]
pub struct PublishArguments {
    /// Where the events go: segments separated by dots, without `*` and `>`
    #[arg(value_name = "TOPIC", required_unless_present = "stdin")]
    pub topic: Option<String>,

    /// Where the broker listens
    #[arg(long, value_name = "URL", default_value = DEFAULT_SOCKET_URL)]
    pub url: String,

    /// Each line of stdin says its topic: {"topic":…,"data":…}
    #[arg(long, conflicts_with = "topic")]
    pub stdin: bool,
}

/// Lines published ahead of their confirmation.
const WINDOW: usize = 256;
/// Lines read ahead of the publishing.
const AHEAD: usize = 256;

/// Publishes stdin.
///
/// # Errors
/// When the broker cannot be reached, the connection ends early, or any line failed.
pub async fn run(arguments: PublishArguments) -> anyhow::Result<()> {
    let connection = Connection::connect(&arguments.url, Codec::Json).await?;
    let (sender, receiver) = connection.split();
    // A thread of its own, which the end of the program need not wait for: a read from a terminal
    // cannot be interrupted.
    let (queue, lines) = mpsc::channel(AHEAD);
    std::thread::spawn(move || read_lines(std::io::stdin().lock(), &queue));
    let started = Instant::now();
    let mut publishing = Publishing::new(arguments.topic, sender, receiver);
    let ended = publishing.run(lines, |problem| eprintln!("{problem}")).await;
    eprintln!("{} in {:.2} s", publishing.summary(), started.elapsed().as_secs_f64());
    ended?;
    if publishing.failed > 0 {
        bail!("{} lines were not published", publishing.failed);
    }
    Ok(())
}

/// Hands on each line until stdin ends or nobody wants more.
fn read_lines(input: impl std::io::BufRead, queue: &mpsc::Sender<std::io::Result<String>>) {
    for line in input.lines() {
        let last = line.is_err();
        if queue.blocking_send(line).is_err() || last {
            return;
        }
    }
}

/// A line that says its topic.
#[derive(Deserialize)]
struct Line {
    topic: String,
    data: Data,
    will: Option<Data>,
    native: Option<String>,
}

/// The state of one run.
pub(super) struct Publishing {
    /// Without one each line says its own.
    topic: Option<String>,
    sender: Sender,
    receiver: Receiver,
    /// Number of the last line read, from 1; also the id of its command.
    line: u64,
    outstanding: usize,
    published: u64,
    failed: u64,
    seqs: Option<(u64, u64)>,
}

impl Publishing {
    pub(super) fn new(topic: Option<String>, sender: Sender, receiver: Receiver) -> Self {
        Self {
            topic,
            sender,
            receiver,
            line: 0,
            outstanding: 0,
            published: 0,
            failed: 0,
            seqs: None,
        }
    }

    /// Publishes all `lines` and waits for every confirmation. `report` gets each failed line.
    pub(super) async fn run(
        &mut self,
        mut lines: mpsc::Receiver<std::io::Result<String>>,
        mut report: impl FnMut(String),
    ) -> anyhow::Result<()> {
        let mut more = true;
        let interrupt = tokio::signal::ctrl_c();
        tokio::pin!(interrupt);
        while more || self.outstanding > 0 {
            tokio::select! {
                line = lines.recv(), if more && self.outstanding < WINDOW => match line {
                    Some(line) => self.send(&line?, &mut report).await?,
                    None => more = false,
                },
                message = self.receiver.receive() => self.settle(message, &mut report)?,
                interrupted = &mut interrupt => {
                    interrupted?;
                    bail!("interrupted at line {}, {} unconfirmed", self.line, self.outstanding);
                }
            }
        }
        // The answer is of no interest: everything is confirmed.
        drop(self.sender.close().await);
        Ok(())
    }

    async fn send(&mut self, line: &str, report: &mut impl FnMut(String)) -> anyhow::Result<()> {
        self.line += 1;
        let text = line.trim();
        if text.is_empty() {
            return Ok(());
        }
        let Line { topic, data, will, native } = match self.read(text) {
            Ok(read) => read,
            Err(problem) => {
                self.failed += 1;
                report(format!("line {}: {problem}", self.line));
                return Ok(());
            }
        };
        let publish = Publish { id: Some(self.line), topic, data, will, native };
        if self.sender.send(&publish.into()).await.is_ok() {
            self.outstanding += 1;
            return Ok(());
        }
        // Only the receiver knows why the connection is over, behind what came before that; its
        // end comes again and again, so this loop ends with it.
        self.failed += 1;
        loop {
            let message = self.receiver.receive().await;
            self.settle(message, report)?;
        }
    }

    /// What a line says.
    fn read(&self, text: &str) -> Result<Line, String> {
        match &self.topic {
            Some(topic) => Data::from_json(text)
                .map(|data| Line { topic: topic.clone(), data, will: None, native: None })
                .map_err(|error| format!("not one JSON value: {error}")),
            None => serde_json::from_str(text).map_err(|error| {
                let words = printable(&error.to_string());
                format!("not an object with \"topic\" and \"data\": {words}")
            }),
        }
    }

    fn settle(
        &mut self,
        message: Result<Message, ReceiveError>,
        report: &mut impl FnMut(String),
    ) -> anyhow::Result<()> {
        match message {
            Ok(Message::Published(published)) => {
                self.outstanding = self.outstanding.saturating_sub(1);
                self.published += 1;
                let first = self.seqs.map_or(published.seq, |(first, _)| first);
                self.seqs = Some((first, published.seq));
            }
            Ok(Message::Error(error)) => {
                self.failed += 1;
                let words = printable(&error.to_string());
                match error.id {
                    Some(line) => {
                        self.outstanding = self.outstanding.saturating_sub(1);
                        report(format!("line {line}: {words}"));
                    }
                    None => report(words),
                }
            }
            Ok(_) => {}
            Err(error) if !error.is_final() => report(printable(&error.to_string())),
            Err(end) => {
                self.failed += self.outstanding as u64;
                let unconfirmed = self.outstanding;
                let words = printable(&end.to_string());
                return Err(anyhow!("{words} (at line {}, {unconfirmed} unconfirmed)", self.line));
            }
        }
        Ok(())
    }

    pub(super) fn summary(&self) -> String {
        let Some(topic) = &self.topic else {
            let failed =
                if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
            return format!("{} events published{failed}", self.published);
        };
        let mut text = format!("{} events published to {topic}", self.published);
        if let Some((first, last)) = self.seqs {
            text = format!("{text} (seq {first} to {last})");
        }
        if self.failed > 0 {
            text = format!("{text}, {} failed", self.failed);
        }
        text
    }
}
