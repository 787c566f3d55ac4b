//! The figures of the table, one function for each group that shares a set-up.

mod cpu;
mod integrity;
mod memory;
mod stalled;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::report::Figure;
use crate::swarm::Swarm;
use crate::{server::Server, system};

/// What all figures are measured with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The broker's program.
    pub tickwire: PathBuf,
    /// Its shards.
    pub shards: usize,
    /// Repetitions of the CPU figures, broker and floor in turn.
    pub rounds: usize,
    /// Length of each.
    pub seconds: u64,
}

/// The letters of all figures, in order.
pub const KEYS: &str = "abcdef";

/// Measures the figure called `key`.
///
/// # Errors
/// When it cannot be measured; a figure that is missed is no error.
pub fn measure(key: char, setup: &Setup) -> Result<Vec<Figure>> {
    match key {
        'a' => cpu::steady(setup),
        'b' => cpu::bursts(setup),
        'c' => memory::idle_connections(setup),
        'd' => memory::further_subscriptions(setup),
        'e' => stalled::stalled(setup),
        'f' => integrity::integrity(setup),
        other => anyhow::bail!("there is no figure \"{other}\"; there are {KEYS}"),
    }
}

/// The server's resident memory once it stays the same for a second.
fn settled_memory(server: &Server, swarm: &mut Swarm) -> Result<u64> {
    let mut last = system::resident_bytes(server.id())?;
    for _ in 0..10 {
        swarm.idle(Duration::from_secs(1))?;
        let now = system::resident_bytes(server.id())?;
        if now.abs_diff(last) < 32 << 10 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}
