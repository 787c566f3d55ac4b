//! Every update of the simulated exchange agrees with all the others, whatever the seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod witness;

use feeds::{Feed, SimExchange, SimOptions};
use market::{BookSide, Event, Kind, VenueState};
use proptest::prelude::*;
use witness::{SECOND, START, Witness, options};

/// Runs an exchange for some steps of simulated time, checking every update.
fn check(options: SimOptions, steps: u64, step: u64) -> [usize; 5] {
    let depth = options.depth;
    let mut exchange = SimExchange::new(options, START).unwrap();
    let mut witness = Witness::new(&exchange, depth);
    let mut updates = Vec::new();
    for n in 0..=steps {
        let now = START + n * step;
        exchange.advance(now, &mut updates);
        updates.drain(..).for_each(|update| witness.see(&update, now));
        witness.compare(&exchange, now);
        assert!(exchange.next_due().unwrap() > now);
    }
    witness.counts
}

#[test]
fn books_quotes_trades_and_bars_agree_for_a_minute() {
    for seed in 0..4 {
        println!("seed {seed}");
        let counts = check(options(seed), 600, SECOND / 10);
        assert!(counts[..3].iter().all(|count| *count > 5_000), "{counts:?}");
        assert!(counts[3] > 500 && counts[4] == 1, "{counts:?}");
    }
}

#[test]
fn the_smallest_and_the_largest_exchange_are_right_too() {
    let smallest = SimOptions { symbols: 1, depth: 1, ..options(5) };
    check(smallest, 200, SECOND / 10);
    let slowest = SimOptions { symbols: 500, updates_per_second: 1, depth: 1, ..options(6) };
    check(slowest, 60, SECOND);
    let largest =
        SimOptions { symbols: 500, updates_per_second: 100_000, depth: 500, ..options(7) };
    check(largest, 4, SECOND / 2);
}

#[test]
fn it_opens_with_the_status_then_a_whole_book_and_a_quote_of_each_symbol() {
    let mut exchange = SimExchange::new(options(1), START).unwrap();
    let mut updates = Vec::new();
    exchange.advance(START - 1, &mut updates);
    assert!(updates.is_empty() && exchange.next_due() == Some(START));
    exchange.advance(START, &mut updates);
    assert_eq!(updates.len(), 1 + 2 * 12);
    let Event::Status(status) = &updates[0].event else { panic!("{:?}", updates[0]) };
    assert_eq!((status.state, status.stamps.event), (VenueState::Up, Some(START)));
    for pair in updates[1..].chunks(2) {
        let Event::Book(diff) = &pair[0].event else { panic!("{:?}", pair[0]) };
        assert!(diff.reset && diff.bids.len() == 20 && diff.asks.len() == 20);
        let Event::Quote(quote) = &pair[1].event else { panic!("{:?}", pair[1]) };
        assert_eq!(quote.bid.unwrap().price, diff.bids[0].price);
        assert_eq!(quote.ask.unwrap().price, diff.asks[0].price);
    }
    let topics: Vec<&str> = exchange.channels()[..6].iter().map(|c| c.topic.as_str()).collect();
    let expected = [
        "status.sim",
        "trade.sim.BTC-USD",
        "quote.sim.BTC-USD",
        "book.sim.BTC-USD",
        "bar-1s.sim.BTC-USD",
        "trade.sim.ETH-USD",
    ];
    assert_eq!(topics, expected);
    assert_eq!(exchange.channels()[4].kind, Kind::Bar);
}

#[test]
fn a_stopped_exchange_says_down_once_and_stays_silent() {
    let mut exchange = SimExchange::new(options(1), START).unwrap();
    let mut updates = witness::run(&mut exchange, START + SECOND, SECOND);
    updates.clear();
    exchange.stop(START + SECOND, "maintenance", &mut updates);
    exchange.stop(START + SECOND, "again", &mut updates);
    exchange.advance(START + 2 * SECOND, &mut updates);
    assert_eq!((updates.len(), exchange.next_due()), (1, None));
    let Event::Status(status) = &updates[0].event else { panic!("{:?}", updates[0]) };
    assert_eq!((status.state, &*status.reason), (VenueState::Down, "maintenance"));
    assert_eq!(status.stamps.event, Some(START + SECOND));
}

#[test]
fn an_unknown_symbol_has_no_book() {
    let exchange = SimExchange::new(options(1), START).unwrap();
    assert_eq!(exchange.book_levels("EUR-USD", BookSide::Bid), None);
    assert_eq!(exchange.symbols().len(), 12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // A failing case is printed with its seed.
    #[test]
    fn any_exchange_is_right(
        seed in any::<u64>(),
        symbols in 1_usize..60,
        updates_per_second in 1_u32..5_000,
        depth in 1_usize..40,
        step in 1_000_000_u64..1_500_000_000,
    ) {
        let venue = "sim".to_owned();
        let options = SimOptions { venue, symbols, updates_per_second, depth, seed };
        check(options, 15, step);
    }
}
