//! How the simulated exchange deals with time: the same run whatever the calls, the asked rate,
//! a bounded catch-up after a pause.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod witness;

use feeds::{Feed, SimExchange, SimOptions, Update};
use market::{Book, Event, Kind, Nanos};
use proptest::prelude::*;
use witness::{SECOND, START, Witness, options, run, stamps};

fn exchange(options: SimOptions) -> SimExchange {
    SimExchange::new(options, START).unwrap()
}

/// The updates as they are whenever they were fetched.
fn timeless(mut updates: Vec<Update>) -> Vec<Update> {
    updates.iter_mut().for_each(|update| stamps(&mut update.event).received = 0);
    updates
}

#[test]
fn the_spacing_of_the_calls_does_not_matter() {
    let busy = SimOptions { updates_per_second: 20_000, ..options(1) };
    let one_call = {
        let mut updates = Vec::new();
        exchange(busy.clone()).advance(START + SECOND, &mut updates);
        timeless(updates)
    };
    assert!(one_call.len() > 15_000, "{}", one_call.len());
    for step in [10_000, 999_983, SECOND / 3] {
        let many = timeless(run(&mut exchange(busy.clone()), START + SECOND, step));
        assert!(many == one_call, "step {step}");
    }
}

#[test]
fn a_driver_that_sleeps_until_due_gets_the_same_run() {
    for updates_per_second in [1, 300] {
        let slow = SimOptions { updates_per_second, ..options(2) };
        let end = START + 30 * SECOND;
        let by_clock = timeless(run(&mut exchange(slow.clone()), end, SECOND / 100));
        let mut feed = exchange(slow);
        let mut updates = Vec::new();
        while let Some(due) = feed.next_due().filter(|due| *due <= end) {
            let before = updates.len();
            feed.advance(due, &mut updates);
            assert!(updates.len() > before, "woken for nothing");
        }
        assert!(timeless(updates) == by_clock, "{updates_per_second} a second");
    }
}

#[test]
fn seed_and_venue_change_the_run() {
    let first = |options| timeless(run(&mut exchange(options), START + SECOND, SECOND));
    let base = first(options(1));
    assert!(base == first(options(1)));
    assert!(base != first(options(2)));
    assert!(base != first(SimOptions { venue: "other".into(), ..options(1) }));
}

#[test]
fn the_run_is_the_same_on_every_platform() {
    // Pinned: differs only when the simulation itself is changed on purpose.
    let mut book = Book::default();
    for update in run(&mut exchange(options(1)), START + 10 * SECOND, SECOND / 2) {
        if let (3, Event::Book(mut diff)) = (update.channel, update.event) {
            book.apply(&mut diff, 20).unwrap();
        }
    }
    assert_eq!(book.checksum(), 3_818_343_541);
}

#[test]
fn the_mean_rate_is_the_one_asked_for() {
    for (symbols, updates_per_second, depth) in
        [(1, 100, 10), (1, 5_000, 1), (12, 2_000, 20), (60, 20, 5), (500, 300, 10), (500, 8_000, 3)]
    {
        for seed in 0..3 {
            let options = SimOptions { symbols, updates_per_second, depth, ..options(seed) };
            let mut feed = exchange(options);
            let mut opening = Vec::new();
            feed.advance(START, &mut opening);
            let updates = run(&mut feed, START + 60 * SECOND, SECOND / 4).len();
            let expected = updates_per_second as usize * 60;
            assert!(
                updates.abs_diff(expected) * 100 < expected * 15,
                "seed {seed}: {symbols} symbols made {updates} updates instead of {expected}"
            );
        }
    }
}

#[test]
fn a_symbol_has_bursts_of_ten_times_its_rate() {
    let one = SimOptions { symbols: 1, updates_per_second: 1_000, ..options(3) };
    let mut counts = vec![0_u32; 600];
    for mut update in run(&mut exchange(one), START + 60 * SECOND, SECOND / 4) {
        let event = stamps(&mut update.event).event.unwrap();
        let slot = usize::try_from((event - START) / (SECOND / 10)).unwrap();
        counts[slot.min(599)] += 1;
    }
    let busy = counts.iter().filter(|count| **count > 500).count();
    let calm = counts.iter().filter(|count| **count < 200).count();
    assert!((2..=20).contains(&busy) && calm > 560, "{busy} busy, {calm} calm of 600");
}

#[test]
fn after_a_pause_at_most_a_second_is_made_up_and_all_stays_right() {
    let mut feed = exchange(options(4));
    let mut witness = Witness::new(&feed, 20);
    let mut now = START;
    let mut updates = Vec::new();
    for pause in [0, SECOND / 2, 10 * SECOND, SECOND, 3_600 * SECOND, SECOND + 1, 7 * SECOND] {
        now += pause;
        feed.advance(now, &mut updates);
        let played = updates.len();
        assert!(played < 4_000, "{played} updates after {pause} ns");
        if pause > SECOND {
            assert!(played > 1_000, "{played} updates after {pause} ns");
        }
        // Nothing but the last second, apart from bars that were over before.
        for update in updates.drain(..) {
            let event = stamps(&mut update.event.clone()).event.unwrap();
            assert!(event + SECOND >= now || update.event.kind() == Kind::Bar);
            witness.see(&update, now);
        }
        witness.compare(&feed, now);
    }
}

#[test]
fn a_pause_leaves_nothing_out() {
    // Bars follow the clock, so they do change.
    let content = |updates: Vec<Update>| -> Vec<Update> {
        let told = updates.into_iter().filter(|update| !matches!(update.event, Event::Bar(_)));
        told.map(|mut update| {
            *stamps(&mut update.event) = market::Stamps::default();
            update
        })
        .collect()
    };
    // One symbol: a bar's share of the rate delays the next action, but cannot reorder any.
    let one = SimOptions { symbols: 1, ..options(5) };
    let steady = content(run(&mut exchange(one.clone()), START + 8 * SECOND, SECOND / 2));
    let paused = content(run(&mut exchange(one), START + 90 * SECOND, 10 * SECOND));
    let both = steady.len().min(paused.len());
    assert!(both > 10_000, "{both}");
    assert!(steady[..both] == paused[..both]);
}

#[test]
fn a_late_first_call_opens_a_second_ago() {
    let mut feed = exchange(options(6));
    let now = START + 500 * SECOND;
    let mut updates = Vec::new();
    feed.advance(now, &mut updates);
    assert_eq!(stamps(&mut updates[0].event).event, Some(now - SECOND));
    assert!((1_000..4_000).contains(&updates.len()), "{}", updates.len());
}

#[test]
fn calls_that_go_back_in_time_add_nothing() {
    let mut feed = exchange(options(7));
    let mut updates = run(&mut feed, START + SECOND, SECOND / 2);
    updates.clear();
    feed.advance(START, &mut updates);
    feed.advance(START + SECOND, &mut updates);
    assert!(updates.is_empty());
}

#[test]
fn the_end_of_time_is_no_trap() {
    let mut feed = SimExchange::new(options(8), Nanos::MAX - SECOND).unwrap();
    let mut updates = Vec::new();
    feed.advance(Nanos::MAX, &mut updates);
    assert!(updates.len() > 1_000);
    while let Some(due) = feed.next_due() {
        feed.advance(due, &mut updates);
    }
    feed.stop(Nanos::MAX, "the end", &mut updates);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    // A failing case is printed with its seed and steps.
    #[test]
    fn random_steps_give_the_same_run(
        seed in any::<u64>(),
        steps in prop::collection::vec(1_u64..SECOND, 1..12),
    ) {
        let mut feed = exchange(options(seed));
        let mut updates = Vec::new();
        let mut now = START;
        feed.advance(now, &mut updates);
        for step in steps {
            now += step;
            feed.advance(now, &mut updates);
        }
        let even = timeless(run(&mut exchange(options(seed)), now, SECOND / 50));
        prop_assert!(timeless(updates) == even);
    }
}
