//! Bad input, the same for the adapter of every venue that speaks JSON: what is unknown, what has
//! another type than it should, a clock that is wrong, more symbols than there is room for. What a
//! venue refuses is in the tests of each adapter, as is ITCH; a message that is too long is for
//! the owner of the connection.

mod breaks;
mod rig;

use feeds::adapter::{BookState, DeskOptions, Input, SECOND, SymbolId};
use feeds::venue::Venue;
use market::{Event, Nanos, VenueState};

use crate::rig::{LATER, Rig, native, venues};

/// A message with an unknown member in front.
fn with_member(text: &str, value: &str) -> String {
    text.replacen('{', &format!(r#"{{"unknown":{value},"#), 1)
}

#[test]
fn an_unknown_message_is_counted_and_skipped_and_an_unknown_member_too() {
    for venue in venues() {
        let (mut rig, [symbol, _]) = Rig::live(venue);
        rig.unknown(&symbol);
        rig.unknown(&symbol);
        let counts = rig.adapter.desk().counts;
        assert_eq!((counts.unknown, counts.malformed), (2, 0), "{venue:?}");
        assert!(rig.events.is_empty() && rig.reports.is_empty(), "{venue:?}: {:?}", rig.events);
        let text = rig.next_of_book(&symbol, "3.00");
        rig.text(&with_member(&text, r#"{"deep":[1,null,"x"]}"#));
        assert_eq!(rig.adapter.desk().counts.malformed, 0, "{venue:?}: {:?}", rig.reports);
        let best = rig.adapter.desk().best(SymbolId(0), market::BookSide::Bid);
        assert_eq!(best.map(|level| level.size.to_string()), Some("3.00".into()), "{venue:?}");
    }
}

#[test]
fn a_wrong_type_is_counted_reported_once_with_its_text_cut_and_resyncs_its_symbol_alone() {
    for venue in venues() {
        let (mut rig, [symbol, _]) = Rig::live(venue);
        let long = format!("\"{}\"", "y".repeat(1_000));
        for _ in 0..2 {
            let text = rig.next_of_book(&symbol, "true");
            let before = rig.messages;
            rig.text(&with_member(&text, &long));
            assert_eq!(rig.messages, before + 1);
        }
        assert_eq!(rig.adapter.desk().counts.malformed, 2, "{venue:?}");
        let [report] = &rig.reports[..] else { panic!("{venue:?}: {:?}", rig.reports) };
        assert!(report.contains(&"y".repeat(150)), "{venue:?}: {report}");
        assert!(!report.contains(&"y".repeat(200)), "{venue:?}: {report}");
        assert_eq!(rig.state(0), BookState::Resyncing, "{venue:?}");
        assert_ne!(rig.state(1), BookState::Resyncing, "{venue:?}");
        let canonical = &rig.adapter.desk().symbol(SymbolId(0)).canonical;
        let statuses = rig.statuses(&format!("status.x.{canonical}"));
        assert_eq!(statuses[0], (VenueState::Resync, "unreadable message"), "{venue:?}");
        let unreadable = |(state, reason): &(VenueState, &str)| {
            *state == VenueState::Up && reason.contains("unreadable message")
        };
        let of_venue = rig.statuses("status.x");
        assert!(of_venue.iter().all(unreadable) && of_venue.len() == 2, "{venue:?}: {of_venue:?}");
        rig.wait(120 * SECOND);
        assert!(rig.asked, "{venue:?} is not asked for the book");
    }
}

#[test]
fn a_clock_that_is_wrong_breaks_nothing() {
    for venue in venues() {
        let (mut rig, [symbol, _]) = Rig::live(venue);
        rig.trade(&symbol, 7);
        // Ours goes back by a day, too.
        rig.now -= 86_400 * SECOND;
        rig.trade(&symbol, 8);
        rig.book(&symbol, "4.00");
        let trades = rig.trades();
        assert_eq!(trades.len(), 2, "{venue:?}");
        for trade in trades {
            let event = trade.stamps.event.expect("a time");
            assert_eq!(event / SECOND, LATER / SECOND, "{venue:?}");
            assert!(trade.stamps.received < event && trade.stamps.flags.is_empty(), "{venue:?}");
        }
        assert_ne!(rig.state(0), BookState::Resyncing, "{venue:?}");
        assert!(rig.statuses("status.x").is_empty(), "{venue:?}");
        assert_eq!(rig.adapter.desk().troubles(), [], "{venue:?}");
        rig.give(Input::Timer);
        rig.now = Nanos::MAX;
        rig.give(Input::Timer);
        rig.trade(&symbol, 9);
        rig.give(Input::Disconnected { reason: "the end of time" });
        rig.give(Input::Connected);
    }
}

#[test]
fn a_flood_of_symbols_hits_the_limit_and_says_so() {
    for venue in venues() {
        // A million of one venue; of the others enough to see it.
        let many = if venue == Venue::Binance { 1_000_000 } else { 5_000 };
        let options = DeskOptions { open: true, symbols_max: 1_000, ..DeskOptions::default() };
        let mut rig = Rig::new(venue, options);
        for number in 0..many {
            rig.trade(&native(venue, number), u64::from(number) + 1);
            // They need not be kept here.
            rig.events.retain(|(_, event)| matches!(event, Event::Status(_)));
        }
        rig.trade(&native(venue, 0), 2);
        let desk = rig.adapter.desk();
        assert_eq!(desk.symbols().len(), 1_000, "{venue:?}");
        assert_eq!(desk.counts.symbols_refused, u64::from(many) - 1_000, "{venue:?}");
        let limit = "the limit of 1000 symbols is reached";
        let statuses = rig.statuses("status.x");
        let told = statuses.iter().filter(|(_, reason)| reason.contains(limit)).count();
        assert!((1..=21).contains(&told), "{venue:?}: {statuses:?}");
        let reports = rig.reports.iter().filter(|report| report.contains(limit));
        assert_eq!(reports.count(), 1, "{venue:?}: {:?}", rig.reports);
    }
}
