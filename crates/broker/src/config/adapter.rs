//! What a feed's events come from, and what the files of a replay are.

use feeds::replay::Mapping;
use feeds::venue::Venue;

/// What a feed's events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedAdapter {
    /// A simulated exchange inside the broker.
    Sim,
    /// Recorded data, played again.
    Replay,
    /// A venue, over its own protocol.
    Venue(Venue),
}

impl FeedAdapter {
    /// Every adapter with its name.
    pub const ALL: [(&'static str, Self); Venue::ALL.len() + 2] = {
        let mut all = [("sim", Self::Sim); Venue::ALL.len() + 2];
        all[1] = ("replay", Self::Replay);
        let mut index = 0;
        while index < Venue::ALL.len() {
            let (venue, name) = Venue::ALL[index];
            all[index + 2] = (name, Self::Venue(venue));
            index += 1;
        }
        all
    };

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, adapter)| *adapter == self).map_or("", |(name, _)| name)
    }
}

/// What recorded files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What `tickwire record` writes.
    Recording,
    /// CSV, whose columns the configuration names.
    Csv,
    /// CSV in one of the forms of [`Mapping::NAMES`].
    KnownCsv(&'static str),
    /// Databento's own.
    Databento,
    /// What was on the wire between a venue and whoever recorded it.
    Session(Venue),
}

impl Format {
    /// Every format with its name.
    pub const ALL: [(&'static str, Self); 3 + Mapping::NAMES.len() + Venue::ALL.len()] = {
        let mut all = [("recording", Self::Recording); 3 + Mapping::NAMES.len() + Venue::ALL.len()];
        all[1] = ("csv", Self::Csv);
        all[2] = ("databento", Self::Databento);
        let mut index = 0;
        while index < Mapping::NAMES.len() {
            let name = Mapping::NAMES[index];
            all[3 + index] = (name, Self::KnownCsv(name));
            index += 1;
        }
        let mut index = 0;
        while index < Venue::ALL.len() {
            let (venue, name) = Venue::ALL[index];
            all[3 + Mapping::NAMES.len() + index] = (name, Self::Session(venue));
            index += 1;
        }
        all
    };

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}
