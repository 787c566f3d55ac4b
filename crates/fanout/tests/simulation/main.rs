//! The fan-out core under one seed: random publishes, subscribes, stalls, resumes and disconnects
//! against a naive model, the ledger checked after every turn, no socket and no clock.
//!
//! A failing run says how to repeat it. `TICKWIRE_SEEDS=5000` runs more seeds than usual.

mod chance;
mod client;
mod commands;
#[path = "../support/mod.rs"]
mod support;
mod truth;
mod view;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::World;

/// Short runs of the usual test; each seed runs twice.
const SEEDS: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

fn run(seed: u64) -> u64 {
    let outcome = catch_unwind(AssertUnwindSafe(|| World::new(seed).run()));
    outcome.unwrap_or_else(|panic| {
        eprintln!("repeat with: TICKWIRE_SEED={seed} cargo test -p fanout --test simulation");
        resume_unwind(panic)
    })
}

#[test]
fn whatever_happens_every_client_is_told_the_truth_and_the_ledger_balances() {
    let seeds = match number("TICKWIRE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TICKWIRE_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        assert_eq!(run(seed), run(seed), "seed {seed} did not give the same bytes twice");
    }
}
