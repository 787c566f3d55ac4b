//! A recorded session of a venue as a source: its messages go through the venue's own adapter.

use std::collections::VecDeque;
use std::io::BufRead;

use market::Nanos;

use super::source::{Channels, Source, SourceError, Timed};
use crate::adapter::{Action, DeskOptions};
use crate::session::{Player, Records};
use crate::venue::Venue;
use crate::{Channel, Update};

/// Reads a session. What an adapter reports stands between the events as an error that is not the
/// end.
#[derive(Debug)]
pub struct SessionSource<R> {
    records: Records<R>,
    /// `None` once it was handed over.
    player: Option<Player>,
    found: Found,
    ended: bool,
}

/// What came of the records so far.
#[derive(Debug, Default)]
struct Found {
    now: Nanos,
    records: u64,
    ready: VecDeque<Result<Timed, SourceError>>,
    /// Each connection's adapter numbers its channels by itself.
    channels: Channels,
}

impl<R: BufRead> SessionSource<R> {
    /// Reads `session`, which is no longer compressed, as one of `venue`. Lines out of order are
    /// brought into it within `window` bytes, as [`Records`] does.
    #[must_use]
    pub fn new(session: R, window: usize, venue: Venue, options: DeskOptions) -> Self {
        Self {
            records: Records::new(session, window),
            player: Some(Player::new(venue, options)),
            found: Found::default(),
            ended: false,
        }
    }
}

impl<R: BufRead> Iterator for SessionSource<R> {
    type Item = Result<Timed, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.found.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            let Some(player) = &mut self.player else { return None };
            let record = match self.records.next() {
                Some(Ok(record)) => record,
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(SourceError::Unusable(error.to_string())));
                }
                None => {
                    self.ended = true;
                    continue;
                }
            };
            let found = &mut self.found;
            found.now = record.ts_ns.unwrap_or(found.now);
            found.records += 1;
            player.play(&record, |adapter, out| {
                for action in out.actions.drain(..) {
                    if let Action::Report(problem) = action {
                        let place = format!("record {}", found.records);
                        found.ready.push_back(Err(SourceError::Record { place, problem }));
                    }
                }
                for Update { channel, event } in out.updates.drain(..) {
                    let channel = found.channels.number(&adapter.desk().channels()[channel]);
                    let update = Update { channel, event };
                    found.ready.push_back(Ok(Timed { at: found.now, after_pause: false, update }));
                }
            });
        }
    }
}

impl<R: BufRead> Source for SessionSource<R> {
    fn channels(&self) -> &[Channel] {
        self.found.channels.all()
    }

    fn hand_over(&mut self) -> Option<Player> {
        self.player.take()
    }

    fn take_over(&mut self, mut player: Player) {
        // Those that ended before have nothing more to say.
        drop(player.next_file());
        self.player = Some(player);
    }
}
