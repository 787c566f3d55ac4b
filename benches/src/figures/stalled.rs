//! Fifty of a thousand subscribers never read: what that costs the broker, the kernel, the others.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Setup;
use crate::publisher::{Publisher, Timetable, drive, publish_command, subscribe_command};
use crate::report::{Figure, Spread};
use crate::server::Server;
use crate::swarm::Swarm;
use crate::system;

const SUBSCRIBERS: usize = 1_000;
const STALLED: usize = 50;
const TOPIC: &str = "bench.stalled";
const DATA_BYTES: usize = 4096;
const SECONDS: u64 = 14;
const PER_SECOND: u64 = 100;

/// Growth while events are published, in bytes, and what the reading ones lost.
struct Outcome {
    resident: f64,
    kernel: f64,
    lost: u64,
}

/// Both runs, and their difference for each stalled subscriber.
pub(super) fn stalled(setup: &Setup) -> Result<Vec<Figure>> {
    let without = run(setup, 0)?;
    let with = run(setup, STALLED)?;
    let each = |with: f64, without: f64| (with - without) / STALLED as f64 / 1024.0;
    let told = |what: &str, with: f64, without: f64| {
        let (with, without) = (with / 1024.0, without / 1024.0);
        format!("{what} grew by {with:.0} KB with stalled ones, {without:.0} KB without")
    };
    let lost = (with.lost + without.lost) as f64;
    let resident = each(with.resident, without.resident);
    let kernel = each(with.kernel, without.kernel);
    Ok(vec![
        Figure::at_most(
            'e',
            "resident memory of a subscriber that never reads",
            64.0,
            resident,
            "KB",
        )
        .note(told("the broker's memory", with.resident, without.resident)),
        Figure::at_most('e', "kernel memory of a subscriber that never reads", 256.0, kernel, "KB")
            .note(told("TCP memory", with.kernel, without.kernel))
            .note("both ends of each socket, since both are on this machine"),
        Figure::at_most('e', "messages the others lost", 0.0, lost, ""),
    ])
}

fn run(setup: &Setup, stalled: usize) -> Result<Outcome> {
    let server = Server::broker(&setup.tickwire, setup.shards)?;
    let mut swarm = Swarm::new()?;
    swarm.join(server.address(), SUBSCRIBERS, |_| subscribe_command(&[TOPIC]))?;
    for index in 0..stalled {
        swarm.stall(index)?;
    }
    let publisher = Publisher::connect(server.address())?;
    swarm.idle(Duration::from_secs(1))?;
    let resident_before = system::resident_bytes(server.id())? as f64;
    let kernel_before = system::tcp_memory_bytes()? as f64;

    let timetable = Timetable::new(SECONDS, 1, PER_SECOND);
    let expected = timetable.events * (SUBSCRIBERS - stalled) as u64;
    let (mut resident, mut kernel) = (Vec::new(), Vec::new());
    let mut next = Instant::now();
    let id = server.id();
    let (_publisher, delivered) = drive(
        &mut swarm,
        publisher,
        (timetable, expected),
        |_| publish_command(TOPIC, DATA_BYTES),
        |_, _| {},
        || {
            if Instant::now() >= next {
                next += Duration::from_millis(500);
                resident.push(system::resident_bytes(id)? as f64);
                kernel.push(system::tcp_memory_bytes()? as f64);
            }
            Ok(())
        },
    )?;
    Ok(Outcome {
        resident: late(&resident) - resident_before,
        kernel: late(&kernel) - kernel_before,
        lost: expected - delivered.messages,
    })
}

/// The middle of the last quarter: growth is over by then, and one odd moment does not count.
fn late(values: &[f64]) -> f64 {
    Spread::of(values[values.len() * 3 / 4..].to_vec()).median
}
