//! `tickwire inspect`: a recorded session read by the very adapter that the broker uses.

mod summary;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use feeds::Channel;
use feeds::adapter::{Action, Adapter, DeskOptions, Output};
use feeds::session::{Player, Records, RecordsError, WINDOW_MIB};
use feeds::venue::Venue;
use feeds::venue::itch::{Framing, ItchOptions, Recording};
use feeds::zstandard;
use wire::{Payload, SymbolNames};

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

What can be read is counted, whatever comes after it. A file that ends too early, as a recorder
leaves that was killed, costs a warning. A file that cannot be opened or has something wrong in it
is named with the line, and the code at the end is 1; so it is when not one message could be read.
Messages of the venue that cannot be read are counted, and the first of each kind is shown on
stderr.")]
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

    /// Print each event as {"topic":…,"symbol":…,"canonical":…,"data":…}, one a line, as the broker
    /// would publish it, with the venue's own spelling of the symbol and ours; the table or object
    /// goes to stderr
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

/// What files of gzip begin with: RFC 1952, section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How far a file could be read.
enum Outcome {
    /// To its end.
    Whole,
    /// It ends too early; what is there was read.
    Torn(anyhow::Error),
    /// Something in it is wrong; what is before that was read.
    Broken(anyhow::Error),
    /// Nobody reads the output any more.
    Unheard,
}

/// Reads the files and prints what was asked for.
///
/// # Errors
/// Files that could not be read to their end, or in which there is nothing of the venue's.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<()> {
    let mut events = io::BufWriter::new(io::stdout().lock());
    let mut summary = Summary::new(arguments.venue.name());
    let mut player = Player::new(arguments.venue, options(arguments));
    let mut broken = 0;
    for path in &arguments.files {
        let name = path.display();
        match inspect(arguments, path, &mut player, &mut summary, &mut events)? {
            Outcome::Whole => {}
            Outcome::Torn(problem) => eprintln!("warning: {name}: {problem:#}"),
            Outcome::Broken(problem) => {
                broken += 1;
                eprintln!("tickwire: {name}: {problem:#}");
            }
            Outcome::Unheard => return Ok(()),
        }
    }
    summary.add(player.heard().map(|(heard, adapter)| Found::of(heard, adapter.desk())));
    if summary.frames() > 0 {
        let text = if arguments.json { summary.json() } else { summary.table() };
        if !still_read(events.flush())? {
            return Ok(());
        }
        if arguments.events {
            eprint!("{text}");
        } else if !still_read(events.write_all(text.as_bytes()).and_then(|()| events.flush()))? {
            return Ok(());
        }
    }
    let (files, venue) = (arguments.files.len(), arguments.venue.name());
    if broken > 0 {
        bail!("{broken} of {files} files could not be read to the end");
    }
    match (summary.frames(), summary.understood()) {
        (0, _) => bail!("there is no message in what was read"),
        (frames, 0) => {
            bail!("none of {frames} messages is one that {venue} sends: is it another venue's?")
        }
        _ => Ok(()),
    }
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

/// Reads one file.
///
/// # Errors
/// The output cannot be written.
fn inspect(
    arguments: &InspectArguments,
    path: &Path,
    player: &mut Player,
    summary: &mut Summary,
    events: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let mut file = match File::open(path).context("cannot be opened") {
        Ok(file) => BufReader::new(file),
        Err(error) => return Ok(Outcome::Broken(error)),
    };
    match file.fill_buf() {
        Ok(begin) if begin.starts_with(&GZIP) => {
            return Ok(Outcome::Broken(anyhow!("is compressed with gzip: unpack it first")));
        }
        Ok(_) => {}
        Err(error) => return Ok(Outcome::Broken(anyhow!(error).context("cannot be read"))),
    }
    let file = zstandard::plain(file);
    summary.files += 1;
    let printer =
        Printer { wanted: arguments.events, line: Vec::new(), output: events, written: Ok(()) };
    match arguments.venue {
        Venue::Itch(framing) => binary(framing, file, options(arguments), summary, printer),
        other if is_named_binary(path) => {
            let venue = other.name();
            let problem = anyhow!("holds packets or messages in binary, which {venue} has not");
            Ok(Outcome::Broken(problem))
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
) -> anyhow::Result<Outcome> {
    let ended = player.next_file();
    summary.add(ended.iter().map(|(heard, adapter)| Found::of(*heard, adapter.desk())));
    for record in Records::new(file, window.saturating_mul(1 << 20)) {
        let record = match record {
            Ok(record) => record,
            Err(error @ RecordsError::Torn { .. }) => return Ok(Outcome::Torn(error.into())),
            Err(error @ RecordsError::Disorder { .. }) => {
                return Ok(Outcome::Broken(anyhow!("{error}, with --window")));
            }
            Err(error) => return Ok(Outcome::Broken(error.into())),
        };
        player.play(&record, |adapter, out| printer.print(adapter, out));
        if !printer.still_read()? {
            return Ok(Outcome::Unheard);
        }
    }
    Ok(Outcome::Whole)
}

/// Reads captured packets, or messages one after the other; which, the file itself tells.
fn binary(
    framing: Framing,
    mut file: impl BufRead,
    options: DeskOptions,
    summary: &mut Summary,
    mut printer: Printer<'_, impl Write>,
) -> anyhow::Result<Outcome> {
    let mut recording = Recording::new(ItchOptions::new(framing, options));
    let outcome = loop {
        let chunk = match file.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                break Outcome::Torn(error.into());
            }
            Err(error) => break Outcome::Broken(error.into()),
        };
        let length = chunk.len();
        if length == 0 {
            break Outcome::Whole;
        }
        if let Err(error) = recording.push(chunk, |adapter, out| printer.print(adapter, out)) {
            break Outcome::Broken(error.into());
        }
        file.consume(length);
        if !printer.still_read()? {
            return Ok(Outcome::Unheard);
        }
    };
    recording.finish(|adapter, out| printer.print(adapter, out));
    summary.add(recording.adapters().map(|itch| {
        // A crossed book is no fault of the recording: its best prices are shown all the same.
        let best = |id, side| itch.best(id, side);
        Found { best: Box::new(best), ..Found::of(0, itch.desk()) }
    }));
    Ok(if printer.still_read()? { outcome } else { Outcome::Unheard })
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
            let Channel { topic, native, .. } = &channels[update.channel];
            let canonical = topic.splitn(3, '.').nth(2);
            let symbol = native.as_deref().zip(canonical);
            let symbol = symbol.map(|(native, canonical)| SymbolNames { native, canonical });
            let payload = Payload::Market(update.event);
            wire::append_publication(&mut self.line, topic, symbol, &payload);
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
