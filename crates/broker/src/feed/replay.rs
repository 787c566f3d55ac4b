//! Recorded files as a feed: opened one after the other, and read only as far as they are played.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Weak;

use anyhow::{Context as _, ensure};
use feeds::Channel;
use feeds::adapter::DeskOptions;
use feeds::adapter::symbol::Spelling;
use feeds::derive::DeriveOptions;
use feeds::replay::{
    Cell, Channels, CsvSource, DbnSource, ItchSource, Mapping, Naming, RecordingSource, ReplayFeed,
    ReplayOptions, SessionSource, Source, SourceError, Timed,
};
use feeds::session::{Player, WINDOW_MIB};
use feeds::venue::Venue;
use feeds::venue::itch::{DateSource, ItchOptions};
use feeds::zstandard;
use market::Nanos;

use crate::config::{self, Format};

/// Bytes that are read from a file at once.
const CHUNK: usize = 256 << 10;

/// Problems of a replay that are logged one by one; of further ones only some.
const SHOWN: u64 = 10;

/// The replay that `settings` describe, from `start` on. It ends early once `alive` is gone.
///
/// # Errors
/// The first file that is not there, or not what it should be.
pub(super) fn open(
    settings: &config::Feed,
    start: Nanos,
    alive: Weak<()>,
) -> anyhow::Result<ReplayFeed<Files>> {
    let opener = Opener::new(settings, alive);
    let mut derive = opener.derive(settings);
    let mut first = None;
    // A mistake in any of them is told before anything is played.
    for path in &settings.files {
        let opened = opener.open(path).with_context(|| path.display().to_string())?;
        for topic in &opened.topics {
            let begin = topic.split('.').next().unwrap_or_default();
            if matches!(begin, "*" | ">") || begin.starts_with("bar-") {
                derive.bars.clear();
            }
            derive.quotes &= !matches!(begin, "*" | ">" | "quote");
        }
        first.get_or_insert(opened);
    }
    let files = Files {
        venue: settings.venue.clone(),
        waiting: settings.files.iter().skip(1).cloned().collect(),
        opener,
        current: first,
        handed_over: None,
        channels: Channels::default(),
        problems: 0,
    };
    let options = ReplayOptions {
        venue: settings.venue.clone(),
        speed: settings.speed,
        rebase: false,
        derive,
    };
    Ok(ReplayFeed::new(files, options, start))
}

/// How each file is opened.
struct Opener {
    format: Format,
    mapping: Option<Mapping>,
    naming: Naming,
    desk: DeskOptions,
    date: DateSource,
    alive: Weak<()>,
}

/// A file that is being read.
struct Opened {
    path: PathBuf,
    source: Box<dyn Source + Send>,
    /// What a recording of our own was asked to record.
    topics: Vec<String>,
    /// Of each of its channels, the number of the feed.
    channels: Vec<usize>,
    events: u64,
}

impl Opener {
    fn new(settings: &config::Feed, alive: Weak<()>) -> Self {
        let mapping = match settings.format {
            Format::Csv => settings.columns.clone(),
            Format::KnownCsv(name) => Mapping::named(name),
            Format::Recording | Format::Databento | Format::Session(_) => None,
        };
        let mapping = mapping.map(|mapping| match (&mapping.symbol, settings.symbols.listed()) {
            (Cell::Fixed(_), [symbol, ..]) => {
                Mapping { symbol: Cell::Fixed(symbol.clone()), ..mapping }
            }
            _ => mapping,
        });
        Self {
            format: settings.format,
            mapping,
            naming: Naming {
                venue: settings.venue.clone(),
                // Pairs are often written so; other symbols stay as they are.
                spelling: Spelling::Separated('/'),
                symbols_max: settings.symbols_max,
            },
            desk: DeskOptions { open: true, symbols: Vec::new(), ..super::desk_options(settings) },
            date: settings.date.map_or(DateSource::Unknown, DateSource::Given),
            alive,
        }
    }

    /// What is made of the files, where they do not have it themselves.
    fn derive(&self, settings: &config::Feed) -> DeriveOptions {
        let quotes = match self.format {
            Format::Session(venue) => !venue.gives_quotes(),
            // Files of these have either books or quotes.
            Format::Recording | Format::Csv | Format::KnownCsv(_) | Format::Databento => true,
        };
        DeriveOptions { quotes, symbols_max: settings.symbols_max, ..DeriveOptions::default() }
    }

    fn open(&self, path: &Path) -> anyhow::Result<Opened> {
        let file = File::open(path).context("cannot be opened")?;
        ensure!(file.metadata()?.is_file(), "is no file");
        let file = Stoppable { file, alive: Weak::clone(&self.alive) };
        let file = BufReader::with_capacity(CHUNK, file);
        let mut topics = Vec::new();
        let source: Box<dyn Source + Send> = match self.format {
            Format::Recording => {
                let source = RecordingSource::new(file)?;
                topics.clone_from(&source.header().topics);
                Box::new(source)
            }
            Format::Csv | Format::KnownCsv(_) => {
                let mapping =
                    self.mapping.as_ref().context("which column means what is not told")?;
                let file = zstandard::plain(file);
                Box::new(CsvSource::new(file, mapping, self.naming.clone())?)
            }
            Format::Databento => {
                Box::new(DbnSource::new(zstandard::plain(file), self.naming.clone())?)
            }
            Format::Session(Venue::Itch(framing)) => {
                let options = ItchOptions::new(framing, self.desk.clone());
                let options = ItchOptions { date: self.date, ..options };
                let source = ItchSource::new(zstandard::plain(file), options);
                Box::new(source.context("feed.date is missing")?)
            }
            Format::Session(venue) => {
                let window = WINDOW_MIB << 20;
                let file = zstandard::plain(file);
                Box::new(SessionSource::new(file, window, venue, self.desk.clone()))
            }
        };
        Ok(Opened { path: path.to_owned(), source, topics, channels: Vec::new(), events: 0 })
    }

    fn is_stopped(&self) -> bool {
        self.alive.strong_count() == 0
    }
}

/// A file whose reading fails once it is to stop, however long it goes on without an event.
struct Stoppable {
    file: File,
    alive: Weak<()>,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.alive.strong_count() == 0 {
            return Err(io::Error::other("the broker shuts down"));
        }
        self.file.read(buffer)
    }
}

/// Files as one source. The time between two of them is not waited for.
pub(super) struct Files {
    venue: String,
    opener: Opener,
    waiting: VecDeque<PathBuf>,
    current: Option<Opened>,
    /// Of the file before: a session that was recorded in several files goes on in the next.
    handed_over: Option<Player>,
    channels: Channels,
    problems: u64,
}

impl Files {
    /// A problem as it is told: with the name of the file, and in the log.
    fn tell(&mut self, path: &Path, error: SourceError) -> SourceError {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let error = match error {
            SourceError::Record { place, problem } => {
                SourceError::Record { place: format!("{name}, {place}"), problem }
            }
            last => SourceError::Unusable(format!("{name}: {last}")),
        };
        self.problems += 1;
        let (venue, problems) = (&self.venue, self.problems);
        if error.is_final() {
            self.current = None;
            self.waiting.clear();
        }
        let worth_telling = problems <= SHOWN || problems.is_power_of_two() || error.is_final();
        if worth_telling && !self.opener.is_stopped() {
            let file = path.display();
            tracing::warn!(venue, %file, problems, %error, "a recording could not be read");
        }
        error
    }
}

impl Iterator for Files {
    type Item = Result<Timed, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(open) = &mut self.current else {
                let path = self.waiting.pop_front()?;
                match self.opener.open(&path) {
                    Ok(mut opened) => {
                        if let Some(player) = self.handed_over.take() {
                            opened.source.take_over(player);
                        }
                        self.current = Some(opened);
                    }
                    Err(error) => {
                        let error = SourceError::Unusable(format!("{error:#}"));
                        return Some(Err(self.tell(&path, error)));
                    }
                }
                continue;
            };
            match open.source.next() {
                Some(Ok(mut timed)) => {
                    for new in open.source.channels().get(open.channels.len()..).unwrap_or_default()
                    {
                        open.channels.push(self.channels.number(new));
                    }
                    timed.update.channel = open.channels[timed.update.channel];
                    timed.after_pause |= open.events == 0;
                    open.events += 1;
                    return Some(Ok(timed));
                }
                Some(Err(error)) => {
                    let path = open.path.clone();
                    return Some(Err(self.tell(&path, error)));
                }
                None => {
                    let (venue, file) = (&self.venue, open.path.display());
                    let (events, skipped) = (open.events, open.source.skipped());
                    tracing::info!(venue, %file, events, skipped, "recording played to its end");
                    self.handed_over = open.source.hand_over();
                    self.current = None;
                }
            }
        }
    }
}

impl Source for Files {
    fn channels(&self) -> &[Channel] {
        self.channels.all()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_file_without_end_or_events_can_be_left() {
        let alive = Arc::new(());
        let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let mut file = Stoppable { file, alive: Arc::downgrade(&alive) };
        assert_eq!(file.read(&mut [0; 4]).unwrap(), 4);
        drop(alive);
        assert_eq!(file.read(&mut [0; 4]).unwrap_err().to_string(), "the broker shuts down");
    }
}
