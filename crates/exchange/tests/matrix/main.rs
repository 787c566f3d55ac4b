//! Every fault at every venue, met by its adapter: after it the adapter's books are the exchange's
//! own again, each strike is counted and told of by a status that names it, and nothing wrong was
//! ever called verified. What no client can see is listed in [`traces::is_visible`].
//!
//! The same seeds play the same run, and the matrix that comes of it stands in `docs/feeds.md`.
//! `UPDATE_DOCS=1 cargo test -p exchange --test matrix` writes it there.

#![expect(clippy::unwrap_used, reason = "an exchange within its bounds opens")]

mod document;
mod traces;

use exchange::{Class, Exchange, Fault, FaultPlan, Link, Options, Strike, Venue};
use feeds::Update;
use feeds::adapter::DeskOptions;
use feeds::venue::Venue as Adapted;
use market::{Event, Nanos, VenueState};

use crate::traces::{Traces, is_visible, traces};

const START: Nanos = 1_790_000_000_000_000_000;
const SECOND: Nanos = 1_000_000_000;
/// Each fault strikes at these messages, or the first after them that it can hit.
const MESSAGES: [u64; 3] = [20, 400, 900];
/// The same of REST requests.
const REQUESTS: [u64; 3] = [1, 2, 4];
/// The runs of each cell.
const SEEDS: [u64; 2] = [1, 2];
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
    strikes: Vec<Strike>,
    /// State and reason of each status.
    statuses: Vec<(VenueState, String)>,
    /// What the desk counted.
    counts: Vec<(&'static str, u64)>,
    reconnects: u64,
    problem: Option<String>,
}

impl Seen {
    fn struck(&self, fault: Fault) -> u64 {
        self.strikes.iter().filter(|strike| strike.fault == fault).count() as u64
    }

    fn counted(&self, names: &[&str]) -> u64 {
        self.counts.iter().filter(|(name, _)| names.contains(name)).map(|(_, count)| count).sum()
    }

    fn told(&self, words: &[&str]) -> u64 {
        let names = |reason: &str| words.iter().any(|words| reason.contains(words));
        self.statuses.iter().filter(|(_, reason)| names(reason)).count() as u64
    }
}

/// Lets faults strike, ends them, and waits until all is right again.
fn play(mut link: Link) -> Seen {
    let mut seen = Seen::default();
    let mut watch = |link: &Link, updates: &[Update]| {
        if let Some(wrong) = link.wrong_book().filter(|_| seen.problem.is_none()) {
            seen.problem = Some(format!("wrong: {wrong}"));
        }
        for update in updates {
            if let Event::Status(status) = &update.event {
                seen.statuses.push((status.state, status.reason.to_string()));
            }
        }
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
    seen.strikes = link.exchange().strikes().to_vec();
    seen.counts = link.adapter().desk().troubles();
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
    if books_only(seed) { plan.on_books_only() } else { plan }
}

fn books_only(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

/// One fault at one venue, in all its runs.
#[derive(Debug, Default)]
struct Cell {
    struck: u64,
    /// Strikes that a client can see, with those of other faults that raise nothing but the same
    /// counts.
    visible: u64,
    counted: u64,
    told: u64,
    reconnects: u64,
    problems: Vec<String>,
}

fn cell(adapted: Adapted, venue: Venue, fault: Fault) -> Cell {
    let mut cell = Cell::default();
    let Traces { counts, words } = traces(venue, fault);
    for seed in SEEDS {
        let seen = play(link(adapted, venue, seed, plan(venue, fault, seed)));
        let alike = |strike: &&Strike| {
            traces(venue, strike.fault).counts.iter().all(|count| counts.contains(count))
                && is_visible(venue, strike, books_only(seed))
        };
        let visible = seen.strikes.iter().filter(alike).count() as u64;
        let (struck, counted, told) = (seen.struck(fault), seen.counted(counts), seen.told(words));
        cell.struck += struck;
        cell.visible += visible;
        cell.counted += counted;
        cell.told += told;
        cell.reconnects += seen.reconnects;
        let checks = [
            (struck > 0, "never struck".to_owned()),
            (counted >= visible, format!("{visible} strikes to be seen, {counted} counted")),
            (visible == 0 || told > 0, format!("no status with {words:?}")),
        ];
        let missed = checks.into_iter().filter(|(held, _)| !held).map(|(_, problem)| problem);
        let told_of =
            |problem| format!("{} {fault}, seed {seed}: {problem}\n  {seen:?}", adapted.name());
        let problems: Vec<String> = seen.problem.clone().into_iter().chain(missed).collect();
        cell.problems.extend(problems.into_iter().map(told_of));
    }
    if cell.visible == 0 {
        cell.problems.push(format!("{} {fault}: nothing of it can be seen", adapted.name()));
    }
    cell
}

#[test]
fn after_every_fault_every_book_is_right_and_it_was_counted_and_told_and_none_was_ever_wrong() {
    let columns: Vec<(Venue, Adapted)> = Venue::ALL
        .into_iter()
        .flat_map(|venue| adapters(venue).map(move |adapted| (venue, adapted)))
        .collect();
    for venue in Venue::ALL {
        assert!(columns.iter().any(|(of, _)| *of == venue), "{venue} has no adapter");
    }
    let names: Vec<&str> = columns.iter().map(|(_, adapted)| adapted.name()).collect();
    let mut table =
        format!("| fault | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
    let mut problems = Vec::new();
    for fault in Fault::ALL {
        table.push_str(&format!("| {fault} |"));
        for &(venue, adapted) in &columns {
            if !fault.applies_to(venue) {
                table.push_str(" – |");
                continue;
            }
            let cell = cell(adapted, venue, fault);
            let Cell { struck, counted, told, reconnects, .. } = cell;
            table.push_str(&format!(" {struck} / {counted} / {told} / {reconnects} |"));
            problems.extend(cell.problems);
        }
        table.push('\n');
    }
    println!("{table}");
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    document::hold(&table);
}

#[test]
fn a_snapshot_that_does_not_come_in_the_stream_is_asked_for_again_and_told_of() {
    for venue in Venue::ALL.into_iter().filter(|venue| *venue != Venue::Binance) {
        for adapted in adapters(venue) {
            let plan = FaultPlan::none().with_strike(Fault::Drop, 1).on_books_only();
            let (seen, name) = (play(link(adapted, venue, 3, plan)), adapted.name());
            assert_eq!(seen.strikes[0].class, Some(Class::Snapshot), "{name}");
            assert_eq!(seen.problem, None, "{name}");
            // Coinbase's messages are numbered.
            let (counted, told) = (
                seen.counted(&["snapshots_late", "gaps"]),
                seen.told(&["no snapshot came", "gap in the venue's sequence"]),
            );
            assert!(counted > 0 && told > 0, "{name}: {seen:?}");
        }
    }
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
                let told = seen.statuses.iter().filter(|(state, _)| *state != VenueState::Up);
                let (told, struck) = (told.count(), seen.strikes.len());
                assert!(struck > 0 && told > 0, "{}: {seen:?}", adapted.name());
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
                    if let Event::Status(status) = &update.event {
                        assert_eq!(&*status.reason, "messages come", "{name}: {status:?}");
                    }
                    if let Event::Trade(trade) = &update.event {
                        let topic = &link.adapter().desk().channels()[update.channel].topic;
                        told.push((topic.clone(), trade.price, trade.size, trade.side));
                    }
                }
            });
            assert_eq!((link.unsettled(), link.counts().disconnects), (None, 0), "{name}");
            for (_, symbol) in link.adapter().desk().symbols() {
                let topic = format!("trade.x.{}", symbol.canonical);
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
            assert_eq!(link.adapter().desk().troubles(), [], "{name}");
        }
    }
}
