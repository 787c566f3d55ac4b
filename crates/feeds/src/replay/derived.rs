//! Bars and quotes of a recording, made of its trades and books in the recording's own time.

use market::{Kind, Nanos};

use super::feed::VENUES_MAX;
use crate::derive::{Derive, DeriveOptions};
use crate::{Channel, Update};

/// A [`Derive`] for each venue in a recording.
#[derive(Debug)]
pub(super) struct Derived {
    options: DeriveOptions,
    venues: Vec<Venue>,
    /// Of each channel of the source, of which venue something is made of it.
    by_channel: Vec<Option<usize>>,
    made: Vec<Update>,
}

#[derive(Debug)]
struct Venue {
    name: Box<str>,
    derive: Derive,
    /// Of each of its channels, the feed's number.
    channels: Vec<usize>,
}

impl Derived {
    pub(super) fn new(options: DeriveOptions) -> Self {
        Self { options, venues: Vec::new(), by_channel: Vec::new(), made: Vec::new() }
    }

    /// The next event comes at `now`: finishes the bars that are over. What is made goes to `out`,
    /// with channels that are added to the feed's, `all`.
    pub(super) fn tick(&mut self, now: Nanos, all: &mut Vec<Channel>, out: &mut Vec<Update>) {
        for venue in &mut self.venues {
            if venue.derive.next_due().is_some_and(|due| due <= now) {
                venue.derive.tick(now, &mut self.made);
                venue.hand_on(&mut self.made, all, out);
            }
        }
    }

    /// Takes one update of the source, whose channels are `source`.
    pub(super) fn update(
        &mut self,
        source: &[Channel],
        update: &Update,
        all: &mut Vec<Channel>,
        out: &mut Vec<Update>,
    ) {
        while self.by_channel.len() <= update.channel {
            let venue = source.get(self.by_channel.len()).and_then(|channel| self.venue(channel));
            self.by_channel.push(venue);
        }
        let Some(venue) = self.by_channel[update.channel] else { return };
        let venue = &mut self.venues[venue];
        venue.derive.update(source, update, &mut self.made);
        venue.hand_on(&mut self.made, all, out);
    }

    /// The recording is over, and `now` was its last time.
    pub(super) fn finish(&mut self, now: Nanos, all: &mut Vec<Channel>, out: &mut Vec<Update>) {
        for venue in &mut self.venues {
            venue.derive.finish(now, &mut self.made);
            venue.hand_on(&mut self.made, all, out);
        }
    }

    fn venue(&mut self, channel: &Channel) -> Option<usize> {
        if !matches!(channel.kind, Kind::Trade | Kind::Book | Kind::Status) {
            return None;
        }
        let name = channel.topic.split('.').nth(1)?;
        let known = self.venues.iter().position(|venue| *venue.name == *name);
        if known.is_some() || self.venues.len() >= VENUES_MAX {
            return known;
        }
        let derive = Derive::new(name, self.options.clone());
        self.venues.push(Venue { name: name.into(), derive, channels: Vec::new() });
        Some(self.venues.len() - 1)
    }
}

impl Venue {
    fn hand_on(&mut self, made: &mut Vec<Update>, all: &mut Vec<Channel>, out: &mut Vec<Update>) {
        for Update { channel, event } in made.drain(..) {
            // Nearly always there is no new one.
            for new in self.derive.channels().get(self.channels.len()..).unwrap_or_default() {
                self.channels.push(all.len());
                all.push(new.clone());
            }
            out.push(Update { channel: self.channels[channel], event });
        }
    }
}
