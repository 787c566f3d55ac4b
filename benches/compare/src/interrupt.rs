//! Ctrl-C and SIGTERM: noted when they come, and looked at wherever something is waited for.
//!
//! Nothing is ended by the signal itself: whoever waits goes home, and what it started ends with
//! the values that hold it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context as _, ensure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// A signal is the process's own, so it is noted in one place.
static CAUGHT: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// From now on signals that end a process are only noted.
///
/// # Errors
/// When the system does not allow it.
pub fn listen() -> anyhow::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let number = usize::try_from(signal)?;
        signal_hook::flag::register_usize(signal, Arc::clone(&CAUGHT), number)
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// The signal that asks for the end, if there was one.
#[must_use]
pub fn caught() -> Option<u8> {
    u8::try_from(CAUGHT.load(Ordering::Relaxed)).ok().filter(|&signal| signal > 0)
}

/// Goes on unless there was a signal.
///
/// # Errors
/// When there was.
pub fn none() -> anyhow::Result<()> {
    ensure!(caught().is_none(), "interrupted");
    Ok(())
}
