//! The thread that forgets: old events, idle topics, and what exceeds the bound over all topics.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use topics::Registry;

use crate::clock::Clock;

/// How often the bound over all histories is looked at.
const BUDGET_INTERVAL: Duration = Duration::from_millis(50);
/// Looks between two full sweeps: every five seconds.
const LOOKS_PER_SWEEP: u32 = 100;

/// The running thread.
#[derive(Debug)]
pub(crate) struct Housekeeping {
    stop: mpsc::SyncSender<Infallible>,
    thread: JoinHandle<()>,
}

impl Housekeeping {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(registry: Arc<Registry>, clock: Clock) -> io::Result<Self> {
        let (stop, stopped) = mpsc::sync_channel(0);
        let thread = std::thread::Builder::new().name("housekeeping".into()).spawn(move || {
            let mut looks = 0;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BUDGET_INTERVAL) {
                looks += 1;
                if looks % LOOKS_PER_SWEEP == 0 || registry.is_over_budget() {
                    let retired = registry.sweep(clock.wall());
                    tracing::trace!(retired, bytes = registry.history_bytes(), "swept");
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        // The other end hears that this one is gone.
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("housekeeping ended with a panic");
        }
    }
}
