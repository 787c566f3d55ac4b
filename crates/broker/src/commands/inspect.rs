//! `tickwire inspect`: a recorded session read by the very adapter that the broker uses.

mod summary;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use feeds::adapter::{Action, Adapter, DeskOptions, Output};
use feeds::session::{Player, Records, RecordsError, WINDOW_MIB};
use feeds::venue::Venue;
use feeds::venue::itch::{Framing, ItchOptions, Recording};
use feeds::zstandard;
use wire::Payload;

use self::summary::{Found, Summary};
use super::{printable, still_read};

/// Play recorded sessions through a venue's adapter, and say what was in them.
///
/// A session has one JSON object a line: {"ts_ns","dir","conn","url","raw"}, plain or compressed
/// with zstd. Files of ITCH hold captured packets or messages, whatever their names are. Lines are
/// played in the order of their times, however the file has them, as far as --window reaches. Each
/// file is a session of its own, unless one goes on where that before it ended: the same connection
/// speaks again within a minute.
///
/// Columns: executions, quotes, messages of the book's stream, snapshots used, messages older than
/// the snapshot, breaks of the venue's own sequence, checksums that were right and wrong, removals
/// of levels that the book does not hold, and the book at the end: its best prices, and whether it
/// is verified, unverifiable or resyncing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tickwire inspect --venue kraken session.jsonl.zst
  tickwire inspect --venue binance --json *.jsonl | jq .symbols
  tickwire inspect --venue kraken --events session.jsonl | jq -c 'select(.topic | startswith(\"trade.\"))'

Ends with code 1 at a file that cannot be read, and says which line of it is wrong. Messages of the
venue that cannot be read are counted, and the first of each kind is shown on stderr.")]
pub struct InspectArguments {
    /// Whose protocol it is
    #[arg(long, value_name = "NAME")]
    pub venue: Venue,

    /// Recordings
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,

    /// Print each event as {"topic":…,"data":…}, one a line, as the broker would publish it; the
    /// table or object goes to stderr
    #[arg(long)]
    pub events: bool,

    /// Levels a side that the recorded connection had asked for, where it is not the venue's
    /// default
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,

    /// MiB of lines that are held back to bring them into order; larger files are never in memory
    /// as a whole
    #[arg(long, value_name = "MIB", default_value_t = WINDOW_MIB)]
    pub window: usize,
}

/// Most symbols of a file; a recording may hold any number.
const SYMBOLS_MAX: usize = 100_000;

/// Whether a file's name ends as that of a recording of ITCH does.
fn is_named_binary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    name.ends_with(".pcap") || name.ends_with(".itch")
}

/// Reads the files and prints what was asked for.
///
/// # Errors
/// A file that cannot be read, with the line.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<()> {
    let mut events = io::BufWriter::new(io::stdout().lock());
    let mut summary = Summary::new(arguments.venue.name());
    let mut player = Player::new(arguments.venue, options(arguments));
    for path in &arguments.files {
        let more = inspect(arguments, path, &mut player, &mut summary, &mut events)
            .with_context(|| path.display().to_string())?;
        if !more {
            return Ok(());
        }
    }
    summary.add(player.heard().map(|(heard, adapter)| Found::of(heard, adapter.desk())));
    let text = if arguments.json { summary.json() } else { summary.table() };
    if arguments.events {
        if still_read(events.flush())? {
            eprint!("{text}");
        }
        return Ok(());
    }
    still_read(events.write_all(text.as_bytes()).and_then(|()| events.flush()))?;
    Ok(())
}

fn options(arguments: &InspectArguments) -> DeskOptions {
    DeskOptions {
        venue: arguments.venue.name().into(),
        open: true,
        depth: arguments.depth,
        symbols_max: SYMBOLS_MAX,
        as_written: true,
        ..DeskOptions::default()
    }
}

/// Reads one file. False: nobody reads the output any more.
fn inspect(
    arguments: &InspectArguments,
    path: &Path,
    player: &mut Player,
    summary: &mut Summary,
    events: &mut impl Write,
) -> anyhow::Result<bool> {
    let file = zstandard::plain(BufReader::new(File::open(path).context("cannot be opened")?));
    summary.files += 1;
    let printer =
        Printer { wanted: arguments.events, line: Vec::new(), output: events, written: Ok(()) };
    match arguments.venue {
        Venue::Itch(framing) => binary(framing, file, options(arguments), summary, printer),
        other if is_named_binary(path) => {
            bail!("holds packets or messages in binary, which {} has not", other.name())
        }
        _ => session(arguments.window, file, player, summary, printer),
    }
}

/// Reads lines of text.
fn session(
    window: usize,
    file: impl BufRead,
    player: &mut Player,
    summary: &mut Summary,
    mut printer: Printer<'_, impl Write>,
) -> anyhow::Result<bool> {
    let ended = player.next_file();
    summary.add(ended.iter().map(|(heard, adapter)| Found::of(*heard, adapter.desk())));
    for record in Records::new(file, window.saturating_mul(1 << 20)) {
        let record = record.map_err(|error| match error {
            RecordsError::Disorder { .. } => anyhow!("{error}, with --window"),
            other => other.into(),
        })?;
        player.play(&record, |adapter, out| printer.print(adapter, out));
        if !printer.still_read()? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads captured packets, or messages one after the other; which, the file itself tells.
fn binary(
    framing: Framing,
    mut file: impl BufRead,
    options: DeskOptions,
    summary: &mut Summary,
    mut printer: Printer<'_, impl Write>,
) -> anyhow::Result<bool> {
    let mut recording = Recording::new(ItchOptions::new(framing, options));
    loop {
        let chunk = file.fill_buf()?;
        let length = chunk.len();
        if length == 0 {
            recording.finish(|adapter, out| printer.print(adapter, out));
            break;
        }
        recording.push(chunk, |adapter, out| printer.print(adapter, out))?;
        file.consume(length);
        if !printer.still_read()? {
            return Ok(false);
        }
    }
    summary.add(recording.adapters().map(|itch| {
        // A crossed book is no fault of the recording: its best prices are shown all the same.
        let best = |id, side| itch.best(id, side);
        Found { best: Box::new(best), ..Found::of(0, itch.desk()) }
    }));
    printer.still_read().map_err(Into::into)
}

/// Prints what comes of a record.
struct Printer<'a, W> {
    wanted: bool,
    line: Vec<u8>,
    output: &'a mut W,
    /// Of the first failure, after which nothing is written.
    written: io::Result<()>,
}

impl<W: Write> Printer<'_, W> {
    fn print(&mut self, adapter: &dyn Adapter, out: &mut Output) {
        for action in &out.actions {
            if let Action::Report(text) = action {
                eprintln!("{}", printable(text));
            }
        }
        if self.wanted && self.written.is_ok() {
            self.written = self.events(adapter, out);
        }
    }

    fn events(&mut self, adapter: &dyn Adapter, out: &mut Output) -> io::Result<()> {
        let channels = adapter.desk().channels();
        for update in out.updates.drain(..) {
            self.line.clear();
            let topic = &channels[update.channel].topic;
            wire::append_publication(&mut self.line, topic, &Payload::Market(update.event));
            self.line.push(b'\n');
            self.output.write_all(&self.line)?;
        }
        Ok(())
    }

    /// False when nobody reads the output any more.
    fn still_read(&mut self) -> io::Result<bool> {
        still_read(std::mem::replace(&mut self.written, Ok(())))
    }
}
