//! What follows when a book cannot be trusted: status `resync`, nothing of the book, a fresh
//! snapshot that says that something is missing before it, and then changes again. ITCH, which has
//! no snapshots, has its own stories.

use feeds::adapter::{BookState, SECOND};
use market::{BookDiff, Event, Flags, VenueState};

use crate::rig::{Rig, venues};

/// The events of the first symbol's book.
fn diffs(rig: &Rig) -> Vec<&BookDiff> {
    let events = rig.events.iter();
    events
        .filter_map(|(_, event)| match event {
            Event::Book(diff) => Some(diff),
            _ => None,
        })
        .collect()
}

#[test]
fn a_crossed_book_ends_until_a_fresh_snapshot_and_is_never_stitched() {
    for venue in venues() {
        let (mut rig, [symbol, _]) = Rig::live(venue);
        let before = rig.state(0);
        rig.cross(&symbol, "2.00");
        assert_eq!(rig.state(0), BookState::Resyncing, "{venue:?}");
        assert_eq!(rig.adapter.desk().troubles(), [("crossed", 1)], "{venue:?}");
        // What still comes of the old book is of no use.
        rig.book(&symbol, "3.00");
        assert!(diffs(&rig).is_empty(), "{venue:?}");
        // Those that have it by REST ask there.
        rig.wait(120 * SECOND);
        assert!(rig.asked, "{venue:?}");
        rig.snapshot(&symbol, "1.00");
        rig.book(&symbol, "4.00");
        assert_eq!(rig.state(0), before, "{venue:?}");

        let diffs = diffs(&rig);
        let first = diffs.first().expect("a snapshot");
        assert!(first.reset && first.stamps.flags.has(Flags::GAP_BEFORE), "{venue:?}: {first:?}");
        let others = &diffs[1..];
        let live = |diff: &&BookDiff| !diff.stamps.flags.has(Flags::GAP_BEFORE);
        assert!(!others.is_empty() && others.iter().all(live), "{venue:?}: {others:?}");
        let topic = format!(
            "status.x.{}",
            rig.adapter.desk().symbol(feeds::adapter::SymbolId(0)).canonical
        );
        let statuses = rig.statuses(&topic);
        let [first, waits @ .., last] = &statuses[..] else { panic!("{venue:?}: {statuses:?}") };
        assert_eq!(*first, (VenueState::Resync, "crossed book"), "{venue:?}");
        // For two minutes no snapshot came where the stream has them.
        let waiting = |(state, reason): &(VenueState, &str)| {
            *state == VenueState::Resync && reason.contains("no snapshot came")
        };
        assert!(waits.iter().all(waiting) && waits.len() < 5, "{venue:?}: {statuses:?}");
        assert_eq!(*last, (VenueState::Up, "the book is right again"), "{venue:?}");
    }
}
