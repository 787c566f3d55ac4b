//! What the log says of one connection to a venue: each thing once, or no more often than anybody
//! would read it.

use std::time::Duration;

use fanout::Millis;
use feeds::adapter::Counts;
use market::VenueState;

use super::line::End;
use crate::clock::millis;

/// Different lines for the log that an adapter may have; more are only counted.
const REPORTS_MAX: usize = 100;
/// The log tells of books that were begun anew no more often than this.
const RESYNCS_EVERY: Duration = Duration::from_secs(60);

/// A count, and what the log says of it.
type Odd = (fn(&Counts) -> u64, &'static str);

/// What is told when it is first counted; the metrics have the rest.
const ODD: [Odd; 2] = [
    (|counts| counts.symbols_refused, "messages of symbols that were not asked for, or too many"),
    (|counts| counts.unknown, "messages of types that are not known here are left out"),
];

/// One connection's part of the log.
#[derive(Debug)]
pub(super) struct Journal {
    venue: String,
    /// From 1 on.
    connection: usize,
    /// When the connection was opened, and what had been counted by then.
    opened: (Millis, Counts),
    /// What an adapter reported.
    reports: Vec<String>,
    reports_left_out: u64,
    odd_said: [bool; ODD.len()],
    /// How many books begun anew were told of, and when.
    resyncs_said: (u64, Millis),
}

impl Journal {
    /// Of the connection with this index.
    pub(super) fn new(venue: &str, index: usize) -> Self {
        Self {
            venue: venue.to_owned(),
            connection: index + 1,
            opened: (0, Counts::default()),
            reports: Vec::new(),
            reports_left_out: 0,
            odd_said: [false; ODD.len()],
            resyncs_said: (0, 0),
        }
    }

    /// The connection could not be opened, so many times by now.
    pub(super) fn failed(&self, problem: &str, failures: u32) {
        if failures.is_power_of_two() {
            let Self { venue, connection, .. } = self;
            tracing::warn!(venue, connection, failures, problem, "cannot connect");
        }
    }

    /// The connection is open, and so much was counted on those before it.
    pub(super) fn opened(&mut self, counts: Counts, now: Millis) {
        self.opened = (now, counts);
    }

    /// The venue has another state.
    pub(super) fn state(&self, state: VenueState, reason: &str) {
        let venue = &self.venue;
        match state {
            VenueState::Up => tracing::info!(venue, reason, "up"),
            VenueState::Stale => tracing::warn!(venue, reason, "stale"),
            // Whoever knows of the cause has logged it.
            VenueState::Resync | VenueState::Down => {}
        }
    }

    /// The connection is over. `counts` are those since the start.
    pub(super) fn ended(&self, end: &End, counts: &Counts, now: Millis) {
        let Self { venue, connection, opened: (since, before), .. } = self;
        let reason = end.reason();
        if matches!(end, End::Stopped | End::Idle | End::Renewed) {
            tracing::debug!(venue, connection, reason, "connection ended");
            return;
        }
        let seconds = now.saturating_sub(*since) / 1_000;
        let frames = counts.frames - before.frames;
        let malformed = counts.malformed - before.malformed;
        let unknown = counts.unknown - before.unknown;
        tracing::warn!(
            venue,
            connection,
            reason,
            seconds,
            frames,
            malformed,
            unknown,
            "connection lost"
        );
    }

    /// A line of the adapter's, once.
    pub(super) fn report(&mut self, text: String) {
        if self.reports.contains(&text) {
            return;
        }
        let venue = &self.venue;
        if self.reports.len() < REPORTS_MAX {
            tracing::warn!(venue, "{text}");
            self.reports.push(text);
            return;
        }
        self.reports_left_out += 1;
        if self.reports_left_out.is_power_of_two() {
            let left_out = self.reports_left_out;
            tracing::warn!(venue, left_out, "more reports than are shown");
        }
    }

    /// What only has to be told now and then: `counts`, and how many books had to be begun anew,
    /// both since the start.
    pub(super) fn look(&mut self, counts: &Counts, resyncs: u64, now: Millis) {
        let (venue, connection) = (&self.venue, self.connection);
        for ((count, words), said) in ODD.iter().zip(&mut self.odd_said) {
            let count = count(counts);
            if count > 0 && !std::mem::replace(said, true) {
                tracing::warn!(venue, connection, count, "{words}");
            }
        }
        let (said, when) = self.resyncs_said;
        if resyncs > said && (said == 0 || now.saturating_sub(when) >= millis(RESYNCS_EVERY)) {
            self.resyncs_said = (resyncs, now);
            let (books, topics) = (resyncs - said, format!("status.{venue}.*"));
            tracing::warn!(
                venue,
                connection,
                books,
                topics,
                "books begun anew; the topics say why"
            );
        }
    }
}
