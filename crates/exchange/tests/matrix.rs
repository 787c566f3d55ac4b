//! Every fault at every venue whose adapter there is: after it the adapter's books are the
//! exchange's own again, the fault is counted, and nothing wrong was ever called verified.
//!
//! `cargo test -p exchange --test matrix -- --nocapture` prints the matrix.

#![expect(clippy::unwrap_used, reason = "an exchange within its bounds opens")]

use exchange::{Exchange, Fault, FaultPlan, Link, Options, Venue};
use feeds::adapter::DeskOptions;
use market::{Event, Nanos, VenueState};

const START: Nanos = 1_790_000_000_000_000_000;
const SECOND: Nanos = 1_000_000_000;
/// Each fault strikes at these messages, or the first after them that it can hit.
const MESSAGES: [u64; 3] = [20, 400, 900];
/// The same of REST requests.
const REQUESTS: [u64; 3] = [1, 2, 4];
/// Long enough for every bound on silence, and for every growing pause.
const SETTLED_AFTER: Nanos = 240 * SECOND;

/// What was seen of one fault at one venue.
#[derive(Debug, Default)]
struct Seen {
    struck: u64,
    /// Statuses that say that something is wrong.
    told: u64,
    reconnects: u64,
    problem: Option<String>,
}

/// With an even seed the fault hits books, with an odd one whatever comes.
fn plan(venue: Venue, fault: Fault, seed: u64) -> FaultPlan {
    let at = if fault.strikes_rest(venue) { REQUESTS } else { MESSAGES };
    let mut plan = at.into_iter().fold(FaultPlan::none(), |plan, at| plan.with_strike(fault, at));
    if fault.strikes_rest(venue) || fault == Fault::StaleSnapshot {
        // There must be a reason to ask for a snapshot.
        plan = MESSAGES.into_iter().fold(plan, |plan, at| plan.with_strike(Fault::Gap, at));
    }
    if seed.is_multiple_of(2) { plan.on_books_only() } else { plan }
}

/// The venue's adapter linked to an exchange of three symbols; `None` where there is no adapter.
fn link(venue: Venue, seed: u64, faults: FaultPlan) -> Option<Link> {
    // Bybit's protocol is that of its linear market here.
    let names = [format!("{venue}-linear"), venue.name().to_owned()];
    let adapted = names.iter().find_map(|name| name.parse::<feeds::venue::Venue>().ok())?;
    let options = Options { seed, faults, ..Options::new(venue) };
    let exchange = Exchange::new(options, START).unwrap();
    let symbols: Vec<String> = exchange.symbols().map(str::to_owned).collect();
    let desk = DeskOptions { venue: "x".into(), symbols, ..DeskOptions::default() };
    Some(Link::new(adapted.adapter(desk), exchange, START))
}

fn play(venue: Venue, fault: Fault, seed: u64) -> Option<Seen> {
    let mut link = link(venue, seed, plan(venue, fault, seed))?;
    let mut seen = Seen::default();
    let mut watch = |link: &Link, updates: &[feeds::Update]| {
        if let Some(wrong) = link.wrong_book().filter(|_| seen.problem.is_none()) {
            seen.problem = Some(format!("wrong: {wrong}"));
        }
        let bad = |event: &Event| matches!(event, Event::Status(status) if status.state != VenueState::Up);
        seen.told += updates.iter().filter(|update| bad(&update.event)).count() as u64;
    };
    link.run(START + 60 * SECOND, &mut watch);
    link.exchange_mut().end_faults();
    link.run(START + 60 * SECOND + SETTLED_AFTER, &mut watch);
    seen.struck = link.exchange().faults().of(fault);
    seen.reconnects = link.counts().disconnects;
    seen.problem = seen.problem.or_else(|| link.unsettled());
    if seen.struck == 0 {
        seen.problem = seen.problem.or_else(|| Some("never struck".to_owned()));
    }
    Some(seen)
}

#[test]
fn after_every_fault_every_book_is_right_and_none_was_ever_wrong() {
    let mut problems = Vec::new();
    for venue in Venue::ALL {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.applies_to(venue)) {
            for seed in 1..=2 {
                let Some(seen) = play(venue, fault, seed) else { continue };
                println!(
                    "{venue:<9} {fault:<15} seed {seed}: struck {}, told {}, reconnects {}",
                    seen.struck, seen.told, seen.reconnects
                );
                problems.extend(
                    seen.problem
                        .map(|problem| format!("{fault} at {venue}, seed {seed}: {problem}")),
                );
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn without_faults_nothing_is_ever_wrong_and_executions_are_the_exchanges_own() {
    for venue in Venue::ALL {
        let Some(mut link) = link(venue, 5, FaultPlan::none()) else { continue };
        let mut told = Vec::new();
        link.run(START + 60 * SECOND, |link, updates| {
            assert_eq!(link.wrong_book(), None, "{venue}");
            for update in updates {
                if let Event::Trade(trade) = &update.event {
                    let topic = &link.adapter().desk().channels()[update.channel].topic;
                    told.push((topic.clone(), trade.price, trade.size, trade.side));
                }
            }
        });
        assert_eq!(link.unsettled(), None, "{venue}");
        assert_eq!(link.counts().disconnects, 0, "{venue}");
        for (_, symbol) in link.adapter().desk().symbols() {
            let topic = format!("trade.x.{}", symbol.canonical);
            let counts = symbol.counts;
            assert_eq!((counts.malformed, counts.gaps, counts.crossed), (0, 0, 0), "{topic}");
            let told = told.iter().filter(|trade| trade.0 == topic);
            let mut told = told.rev().map(|trade| (trade.1, trade.2, trade.3));
            let mut compared = 0;
            for trade in link.exchange().trades(&symbol.native).rev() {
                let truth = (trade.price, trade.size, trade.side);
                assert_eq!(told.next(), Some(truth), "{topic} at {venue}");
                compared += 1;
            }
            assert!(compared > 20, "{topic} at {venue}: {compared}");
        }
        let counts = link.adapter().desk().counts;
        assert_eq!((counts.malformed, counts.unknown), (0, 0), "{venue}: {counts:?}");
    }
}
