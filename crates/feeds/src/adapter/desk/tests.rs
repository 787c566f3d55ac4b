//! What a desk says of trouble, and how often.

use market::{BookDiff, Decimal, Event, Level, VenueState};

use super::*;
use crate::adapter::{Oddity, SECOND};

const ID: SymbolId = SymbolId(0);
const NOW: Nanos = 1_790_000_000 * SECOND;

fn desk() -> Desk {
    let symbols = vec!["A".to_owned(), "B".to_owned()];
    let options = DeskOptions { venue: "x".into(), symbols, ..DeskOptions::default() };
    Desk::new(options, Spelling::Plain)
}

fn snapshot() -> BookDiff {
    let level = |price| Level {
        price: Decimal::new(price, 0).unwrap_or_default(),
        size: Decimal::new(1, 0).unwrap_or_default(),
    };
    BookDiff { reset: true, bids: vec![level(9)], asks: vec![level(10)], ..BookDiff::default() }
}

fn live() -> Desk {
    let (mut desk, mut out) = (desk(), Output::default());
    desk.heard(NOW, &mut out);
    assert_eq!(desk.book(ID, snapshot(), None, |_| Proof::Sequence, &mut out), Ok(()));
    desk
}

/// The statuses: topic, state and reason. Takes all events.
fn said(desk: &Desk, out: &mut Output) -> Vec<(String, VenueState, String)> {
    let status = |update: Update| match update.event {
        Event::Status(status) => {
            let topic = desk.channels()[update.channel].topic.clone();
            Some((topic, status.state, status.reason.to_string()))
        }
        _ => None,
    };
    out.updates.drain(..).filter_map(status).collect()
}

#[test]
fn what_goes_on_and_on_is_counted_and_told_at_powers_of_two_and_changes_no_state() {
    let (mut desk, mut out) = (live(), Output::default());
    for _ in 0..10_000 {
        desk.odd(ID, Oddity::Repeated, NOW, &mut out);
    }
    let told = said(&desk, &mut out);
    assert_eq!(told.len(), 14);
    let reason = "a repeated message was left out (8192 so far)";
    assert_eq!(told[13], ("status.x.A".into(), VenueState::Up, reason.into()));
    assert_eq!(desk.symbol(ID).counts.repeated, 10_000);
    assert_eq!(desk.symbol(ID).state(), BookState::Verified);
    // Messages of no symbol.
    for _ in 0..10_000 {
        desk.odd_message(Oddity::Overtaken, NOW, &mut out);
    }
    let told = said(&desk, &mut out);
    let reason = "an overtaken message was left out (1 so far)";
    assert_eq!((told.len(), &told[0].0[..], &told[0].2[..]), (14, "status.x", reason));
    assert_eq!(desk.troubles(), [("repeated", 10_000), ("overtaken", 10_000)]);
}

#[test]
fn faults_of_a_book_that_is_not_trusted_anyway_are_told_at_powers_of_two() {
    let (mut desk, mut out) = (live(), Output::default());
    for _ in 0..1_000 {
        desk.resync(ID, Fault::Gap, NOW, &mut out);
    }
    let told = said(&desk, &mut out);
    assert_eq!(told[0].2, "gap in the venue's sequence");
    assert_eq!((told.len(), &told[9].2[..]), (10, "gap in the venue's sequence (512 so far)"));
    assert!(
        told.iter().all(|(topic, state, _)| topic == "status.x.A" && *state == VenueState::Resync)
    );
    // What is odd meanwhile does not make it look right.
    desk.odd(ID, Oddity::TradesMissed, NOW, &mut out);
    assert_eq!(said(&desk, &mut out)[0].1, VenueState::Resync);
    assert_eq!(desk.book(ID, snapshot(), None, |_| Proof::Sequence, &mut out), Ok(()));
    let told = said(&desk, &mut out);
    assert_eq!(
        (told.len(), told[0].1, &told[0].2[..]),
        (1, VenueState::Up, "the book is right again")
    );
}

#[test]
fn a_book_that_waits_for_its_first_snapshot_says_so_and_that_it_came() {
    let (mut desk, mut out) = (desk(), Output::default());
    desk.heard(NOW, &mut out);
    said(&desk, &mut out);
    desk.rest_late(ID, 3 * SECOND, NOW, &mut out);
    desk.rest_failed(ID, "HTTP 429", 1_250_000_000, NOW, &mut out);
    let told = said(&desk, &mut out);
    let reasons = [
        "waits for the REST snapshot: no answer for 3 s",
        "waits for the REST snapshot, asks again in 1.3 s: HTTP 429",
    ];
    assert_eq!(told.iter().map(|(.., reason)| &reason[..]).collect::<Vec<_>>(), reasons);
    assert_eq!(desk.book(ID, snapshot(), None, |_| Proof::Sequence, &mut out), Ok(()));
    let told = said(&desk, &mut out);
    assert_eq!((told[0].1, &told[0].2[..]), (VenueState::Up, "the book is there"));
    // A late word of what nobody waits for any more is counted only.
    desk.rest_failed(ID, "HTTP 429", 0, NOW, &mut out);
    assert!(said(&desk, &mut out).is_empty());
    assert_eq!(desk.symbol(ID).counts.rest_failed, 2);
}

#[test]
fn a_book_that_nobody_wants_any_more_is_in_resync_no_more() {
    let (mut desk, mut out) = (live(), Output::default());
    desk.resync(ID, Fault::Crossed, NOW, &mut out);
    assert!(desk.demand(ID, Stream::Book, false));
    desk.heard(NOW, &mut out);
    let told = said(&desk, &mut out);
    assert_eq!((told[1].1, &told[1].2[..]), (VenueState::Up, "nobody wants its book"));
    desk.heard(NOW, &mut out);
    assert!(said(&desk, &mut out).is_empty());
    // And trouble with it means nothing to anybody.
    desk.resync(ID, Fault::Gap, NOW, &mut out);
    assert!(said(&desk, &mut out).is_empty());
    assert_eq!(desk.symbol(ID).counts.gaps, 1);
}

#[test]
fn silence_and_ends_of_the_connection_are_counted() {
    let (mut desk, mut out) = (live(), Output::default());
    for _ in 0..3 {
        desk.heard(NOW, &mut out);
        desk.status(VenueState::Stale, "nothing came", NOW, &mut out);
        desk.status(VenueState::Stale, "nothing came", NOW, &mut out);
    }
    desk.disconnected("cut", NOW, &mut out);
    assert_eq!(desk.troubles(), [("silences", 3), ("disconnects", 1)]);
}
