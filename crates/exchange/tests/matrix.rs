//! Every fault at every venue, met by its adapter: after it the adapter's books are the exchange's
//! own again, the fault is counted, and nothing wrong was ever called verified.
//!
//! `cargo test -p exchange --test matrix -- --nocapture` prints the matrix as a table.

#![expect(clippy::unwrap_used, reason = "an exchange within its bounds opens")]

use exchange::{Exchange, Fault, FaultCounts, FaultPlan, Link, Options, Venue};
use feeds::Update;
use feeds::adapter::DeskOptions;
use feeds::venue::Venue as Adapted;
use market::{Event, Nanos, VenueState};

const START: Nanos = 1_790_000_000_000_000_000;
const SECOND: Nanos = 1_000_000_000;
/// Each fault strikes at these messages, or the first after them that it can hit.
const MESSAGES: [u64; 3] = [20, 400, 900];
/// The same of REST requests.
const REQUESTS: [u64; 3] = [1, 2, 4];
/// How long faults strike.
const FAULTY: Nanos = 60 * SECOND;
/// Beyond every bound on silence, and every growing pause.
const SETTLED_WITHIN: Nanos = 300 * SECOND;
/// So long nothing may go wrong once all is settled.
const CALM: Nanos = 5 * SECOND;

/// The adapters that speak a venue's protocol, of those there are.
fn adapters(venue: Venue) -> impl Iterator<Item = Adapted> {
    // Of some venues there is another market with the same protocol.
    let other = match venue {
        Venue::Binance => Some("binance-us"),
        Venue::Bybit => Some("bybit-linear"),
        _ => None,
    };
    [venue.name()].into_iter().chain(other).filter_map(|name| name.parse().ok())
}

/// An adapter linked to an exchange of three symbols.
fn link(adapted: Adapted, venue: Venue, seed: u64, faults: FaultPlan) -> Link {
    let options = Options { seed, faults, ..Options::new(venue) };
    let exchange = Exchange::new(options, START).unwrap();
    let symbols: Vec<String> = exchange.symbols().map(str::to_owned).collect();
    let desk = DeskOptions { venue: "x".into(), symbols, ..DeskOptions::default() };
    Link::new(adapted.adapter(desk), exchange, START)
}

/// What came of one run.
#[derive(Debug, Default)]
struct Seen {
    struck: FaultCounts,
    /// Statuses that say that something is wrong.
    told: u64,
    reconnects: u64,
    problem: Option<String>,
}

/// Lets faults strike, ends them, and waits until all is right again.
fn play(mut link: Link) -> Seen {
    let mut seen = Seen::default();
    let mut watch = |link: &Link, updates: &[Update]| {
        if let Some(wrong) = link.wrong_book().filter(|_| seen.problem.is_none()) {
            seen.problem = Some(format!("wrong: {wrong}"));
        }
        let bad = |event: &Event| matches!(event, Event::Status(status) if status.state != VenueState::Up);
        seen.told += updates.iter().filter(|update| bad(&update.event)).count() as u64;
    };
    link.run(START + FAULTY, &mut watch);
    link.exchange_mut().end_faults();
    let patience = link.now() + SETTLED_WITHIN;
    loop {
        link.run(link.now() + CALM, &mut watch);
        if link.unsettled().is_none() || link.now() >= patience {
            break;
        }
    }
    link.run(link.now() + CALM, &mut watch);
    seen.struck = link.exchange().faults();
    seen.reconnects = link.counts().disconnects;
    seen.problem = seen.problem.or_else(|| link.unsettled());
    seen
}

/// One kind of fault. With an even seed it hits books, with an odd one whatever comes.
fn plan(venue: Venue, fault: Fault, seed: u64) -> FaultPlan {
    let at = if fault.strikes_rest(venue) { REQUESTS } else { MESSAGES };
    let mut plan = at.into_iter().fold(FaultPlan::none(), |plan, at| plan.with_strike(fault, at));
    if fault.strikes_rest(venue) || fault == Fault::StaleSnapshot {
        // There must be a reason to ask for a snapshot.
        plan = MESSAGES.into_iter().fold(plan, |plan, at| plan.with_strike(Fault::Gap, at));
    }
    if seed.is_multiple_of(2) { plan.on_books_only() } else { plan }
}

#[test]
fn after_every_fault_every_book_is_right_and_none_was_ever_wrong() {
    let mut problems = Vec::new();
    println!("| venue | fault | struck | statuses | reconnects |\n|---|---|---|---|---|");
    for venue in Venue::ALL {
        assert!(adapters(venue).next().is_some(), "{venue} has no adapter");
        for adapted in adapters(venue) {
            for fault in Fault::ALL.into_iter().filter(|fault| fault.applies_to(venue)) {
                let mut row = [0; 3];
                for seed in 1..=2 {
                    let link = link(adapted, venue, seed, plan(venue, fault, seed));
                    let seen = play(link);
                    let struck = seen.struck.of(fault);
                    let never = (struck == 0).then(|| "never struck".to_owned());
                    row[0] += struck;
                    row[1] += seen.told;
                    row[2] += seen.reconnects;
                    let told =
                        |problem| format!("{} {fault}, seed {seed}: {problem}", adapted.name());
                    problems.extend(seen.problem.or(never).map(told));
                }
                let [struck, told, reconnects] = row;
                println!("| {} | {fault} | {struck} | {told} | {reconnects} |", adapted.name());
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn whatever_goes_wrong_together_no_wrong_book_is_called_verified() {
    for venue in Venue::ALL {
        for adapted in adapters(venue) {
            for seed in 100..103 {
                let mut faults = FaultPlan::none();
                for fault in Fault::ALL.into_iter().filter(|fault| fault.applies_to(venue)) {
                    let rate = match fault {
                        Fault::Silence | Fault::Cut | Fault::CutMidFrame => 100,
                        Fault::StaleSnapshot => 300_000,
                        _ if fault.strikes_rest(venue) => 200_000,
                        _ => 2_000,
                    };
                    faults = faults.with_rate(fault, rate);
                }
                let seen = play(link(adapted, venue, seed, faults));
                assert_eq!(seen.problem, None, "{} with seed {seed}", adapted.name());
                assert!(seen.struck.total() > 0 && seen.told > 0, "{}: {seen:?}", adapted.name());
            }
        }
    }
}

#[test]
fn without_faults_nothing_is_ever_wrong_and_executions_are_the_exchanges_own() {
    for venue in Venue::ALL {
        for adapted in adapters(venue) {
            let (mut link, name) = (link(adapted, venue, 5, FaultPlan::none()), adapted.name());
            let mut told = Vec::new();
            link.run(START + 60 * SECOND, |link, updates| {
                assert_eq!(link.wrong_book(), None, "{name}");
                for update in updates {
                    if let Event::Trade(trade) = &update.event {
                        let topic = &link.adapter().desk().channels()[update.channel].topic;
                        told.push((topic.clone(), trade.price, trade.size, trade.side));
                    }
                }
            });
            assert_eq!((link.unsettled(), link.counts().disconnects), (None, 0), "{name}");
            for (_, symbol) in link.adapter().desk().symbols() {
                let topic = format!("trade.x.{}", symbol.canonical);
                let counts = symbol.counts;
                let wrong = (counts.malformed, counts.gaps, counts.crossed);
                assert_eq!(wrong, (0, 0, 0), "{topic} of {name}");
                let told = told.iter().filter(|trade| trade.0 == topic);
                let mut told = told.rev().map(|trade| (trade.1, trade.2, trade.3));
                let mut compared = 0;
                for trade in link.exchange().trades(&symbol.native).rev() {
                    let truth = (trade.price, trade.size, trade.side);
                    assert_eq!(told.next(), Some(truth), "{topic} of {name}");
                    compared += 1;
                }
                assert!(compared > 20, "{topic} of {name}: {compared}");
            }
            let counts = link.adapter().desk().counts;
            assert_eq!((counts.malformed, counts.unknown), (0, 0), "{name}: {counts:?}");
        }
    }
}
