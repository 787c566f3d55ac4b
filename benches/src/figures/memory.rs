//! Resident memory of the broker: for each idle connection, and for each further subscription.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Setup, settled_memory};
use crate::publisher::subscribe_command;
use crate::report::Figure;
use crate::server::Server;
use crate::swarm::Swarm;

const CONNECTIONS: usize = 10_000;
/// Files a process has besides its connections, with room to spare.
const OTHER_FILES: u64 = 300;

/// Ten thousand connections, each with one subscription of the same topic, nothing published.
pub(super) fn idle_connections(setup: &Setup) -> Result<Vec<Figure>> {
    // Ours as well as the broker's, which inherits it: each process has one end of every socket.
    let files = rlimit::increase_nofile_limit(u64::MAX)?;
    let connections = CONNECTIONS.min(files.saturating_sub(OTHER_FILES) as usize);
    let server = Server::broker(&setup.tickwire, setup.shards)?;
    let mut swarm = Swarm::new()?;
    let before = settled_memory(&server, &mut swarm)?;
    swarm.join(server.address(), connections, |_| subscribe_command(&["bench.idle"]))?;
    let after = settled_memory(&server, &mut swarm)?;
    let each = after.saturating_sub(before) as f64 / connections as f64;
    let name = format!("resident memory of an idle connection, of {connections}");
    let mut figure = Figure::at_most('c', &name, 4096.0, each, "B").note(format!(
        "broker: {} KB without, {} KB with them",
        before >> 10,
        after >> 10
    ));
    if connections < CONNECTIONS {
        figure = figure.note(format!("a process may open no more than {files} files here"));
    }
    Ok(vec![figure])
}

const HOLDERS: usize = 1_000;
const FURTHER: usize = 100;
/// How long all the answers may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A thousand connections subscribe to a hundred further topics each.
pub(super) fn further_subscriptions(setup: &Setup) -> Result<Vec<Figure>> {
    let shared = further(setup, |_, topic| format!("bench.shared.{topic}"))?;
    let unique = further(setup, |holder, topic| format!("bench.unique.{holder}.{topic}"))?;
    Ok(vec![
        Figure::at_most('d', "memory of a further subscription, shared topics", 150.0, shared, "B")
            .note(format!("{HOLDERS} connections × {FURTHER} further topics")),
        Figure::told('d', "the same, a topic of its own each", unique, "B")
            .note("creates the topic as well: name, log, index"),
    ])
}

fn further(setup: &Setup, topic: impl Fn(usize, usize) -> String) -> Result<f64> {
    let server = Server::broker(&setup.tickwire, setup.shards)?;
    let mut swarm = Swarm::new()?;
    swarm.join(server.address(), HOLDERS, |_| subscribe_command(&["bench.first"]))?;
    let before = settled_memory(&server, &mut swarm)?;
    for holder in 0..HOLDERS {
        let topics: Vec<String> = (0..FURTHER).map(|number| topic(holder, number)).collect();
        swarm.send(holder, &subscribe_command(&topics))?;
    }
    let until = Instant::now() + PATIENCE;
    let mut answers = 0;
    while answers < HOLDERS {
        ensure!(Instant::now() < until, "only {answers} of {HOLDERS} commands were answered");
        swarm.turn(Duration::from_millis(100), &mut |_, _| answers += 1)?;
    }
    let after = settled_memory(&server, &mut swarm)?;
    Ok(after.saturating_sub(before) as f64 / (HOLDERS * FURTHER) as f64)
}
