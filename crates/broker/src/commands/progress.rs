//! How far a long command is: a bar on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Between two turns of a wheel.
const TURN: Duration = Duration::from_millis(250);

/// One command's progress, on stderr.
pub(super) struct Progress {
    bar: ProgressBar,
    /// When the last line was written; `None` on a terminal, where the bar is enough.
    plain: Option<Cell<Instant>>,
}

impl Progress {
    fn new(bar: ProgressBar, template: &str) -> Self {
        let style = ProgressStyle::with_template(template)
            .expect("the templates are constants that parse")
            .progress_chars("━╸ ");
        let plain = (!std::io::stderr().is_terminal()).then(|| Cell::new(Instant::now()));
        Self { bar: bar.with_style(style), plain }
    }

    /// Of something whose end nobody knows.
    pub(super) fn endless() -> Self {
        let progress = Self::new(ProgressBar::no_length(), "{spinner} {elapsed}  {msg}");
        progress.bar.enable_steady_tick(TURN);
        progress
    }

    /// Of a file of so many bytes.
    pub(super) fn of_file(bytes: u64) -> Self {
        Self::new(ProgressBar::new(bytes), "{bar:40} {percent:>3} %  {eta} left  {msg}")
    }

    /// So many bytes of the file are done; `words` say more.
    pub(super) fn show(&self, position: u64, words: impl FnOnce() -> String) {
        self.bar.set_position(position);
        match &self.plain {
            None => self.bar.set_message(words()),
            Some(last) if last.get().elapsed() >= PLAIN_EVERY => {
                last.set(Instant::now());
                eprintln!("{}", words());
            }
            Some(_) => {}
        }
    }

    /// A line that stays, above the bar.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
