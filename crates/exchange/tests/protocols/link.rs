//! The link: an adapter that takes care is right after every fault, and one that does not is
//! found out.

use exchange::{Exchange, Fault, FaultPlan, Link, Options, Venue};
use feeds::Update;
use market::Event;

use crate::client::{MS, START};
use crate::toy::Toy;

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

fn link(plan: FaultPlan, careful: bool) -> Link {
    let options = Options { faults: plan, ..Options::new(Venue::Bybit) };
    let exchange = Exchange::new(options, START).unwrap();
    Link::new(Toy::new(&SYMBOLS, careful), exchange, START)
}

#[test]
fn without_faults_every_book_is_followed() {
    let mut link = link(FaultPlan::none(), true);
    let mut books = 0;
    link.run(START + 5_000 * MS, |link, updates: &[Update]| {
        books += updates.iter().filter(|update| matches!(update.event, Event::Book(_))).count();
        assert_eq!(link.wrong_book(), None);
    });
    assert_eq!(link.unsettled(), None);
    assert_eq!((link.counts().connections, link.counts().disconnects), (1, 0));
    assert!(books > 100 && link.now() == START + 5_000 * MS, "{books}");
}

#[test]
fn whatever_goes_wrong_a_careful_adapter_is_right_again() {
    for fault in Fault::ALL.into_iter().filter(|fault| fault.applies_to(Venue::Bybit)) {
        // The 150th message, and of the faults of snapshots the first one after it.
        let mut link = link(FaultPlan::none().with_strike(fault, 150), true);
        link.run(START + 120_000 * MS, |link, _| assert_eq!(link.wrong_book(), None, "{fault}"));
        assert_eq!(link.exchange().faults().of(fault), 1, "{fault}");
        link.run(START + 130_000 * MS, |link, _| assert_eq!(link.wrong_book(), None, "{fault}"));
        assert_eq!(link.unsettled(), None, "{fault}");
    }
}

#[test]
fn a_careless_adapter_is_found_out() {
    let mut link = link(FaultPlan::none().with_strike(Fault::Gap, 100), false);
    let mut found = None;
    link.run(START + 10_000 * MS, |link, _| found = found.take().or_else(|| link.wrong_book()));
    assert!(found.is_some(), "three messages were lost, and the book is still called verified");
}

#[test]
fn a_silent_connection_is_given_up() {
    let mut link = link(FaultPlan::none().with_strike(Fault::Silence, 100), true);
    link.run(START + 15_000 * MS, |_, _| {});
    assert_eq!((link.counts().connections, link.counts().disconnects), (2, 1));
    assert_eq!(link.unsettled(), None);
}

#[test]
fn the_same_seed_plays_the_same() {
    let play = || {
        let mut link = link(FaultPlan::none().with_rate(Fault::Drop, 10_000), true);
        let mut all = Vec::new();
        link.run(START + 5_000 * MS, |_, updates| all.extend_from_slice(updates));
        (all, link.counts())
    };
    let (first, second) = (play(), play());
    assert!(first == second && first.0.len() > 50);
}
