//! The same seed gives the same bytes, and another one others.

use exchange::{Delivery, Exchange, Fault, FaultPlan, Options, Venue};
use market::Nanos;

use crate::client::{MS, START};
use crate::faults::subscribe_all;

fn deliveries(venue: Venue, seed: u64, step: Nanos) -> Vec<Delivery> {
    let mut plan = FaultPlan::none();
    for fault in Fault::ALL.into_iter().filter(|fault| fault.applies_to(venue)) {
        // Those that end a connection are left out, or little would follow.
        if !matches!(fault, Fault::Silence | Fault::Cut | Fault::CutMidFrame) {
            plan = plan.with_rate(fault, 20_000);
        }
    }
    let options = Options { seed, faults: plan, ..Options::new(venue) };
    let mut exchange = Exchange::new(options, START).unwrap();
    let id = exchange.connect(venue.websocket_path(), START);
    for command in subscribe_all(venue) {
        exchange.receive(id, command.as_bytes(), START);
    }
    let mut all = Vec::new();
    let end = START + 5_000 * MS;
    let mut now = START;
    while now < end {
        now = (now + step).min(end);
        exchange.advance(now);
        all.extend(exchange.take_deliveries());
    }
    assert!(exchange.faults().total() > 5, "{venue}");
    all
}

#[test]
fn the_same_seed_gives_the_same_bytes_however_time_is_cut() {
    for venue in Venue::ALL {
        let first = deliveries(venue, 7, 3 * MS);
        assert!(first.len() > 100, "{venue}: {}", first.len());
        assert!(first == deliveries(venue, 7, 900 * MS), "{venue}");
        assert!(first != deliveries(venue, 8, 3 * MS), "{venue}");
    }
}

#[test]
fn after_a_pause_the_market_goes_on_as_if_it_had_stood_still() {
    let mut exchange = Exchange::new(Options::new(Venue::Kraken), START).unwrap();
    let id = exchange.connect("/v2", START);
    for command in subscribe_all(Venue::Kraken) {
        exchange.receive(id, command.as_bytes(), START);
    }
    exchange.take_deliveries();
    exchange.advance(START + 3_600_000 * MS);
    let count = exchange.take_deliveries().len();
    assert!((10..5_000).contains(&count), "{count}");
    assert!(exchange.next_due().unwrap() > START + 3_600_000 * MS);
}
