//! How many sockets this process may open.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside the sockets: epoll, eventfd, stdio, /proc.
const OTHER_FILES: u64 = 64;

/// Raises the limit of open files so that `sockets` fit.
///
/// # Errors
/// When the system does not allow it, with how to raise it.
pub fn raise(sockets: usize) -> anyhow::Result<()> {
    let needed = sockets as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let enough = |current: Option<u64>| current.is_none_or(|current| current >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    // First what needs privileges, if that is needed; then as much as is allowed without.
    let within = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let beyond = Rlimit { current: Some(needed), maximum: Some(needed) };
    let raised = (!enough(limit.maximum) && setrlimit(Resource::Nofile, beyond).is_ok())
        || setrlimit(Resource::Nofile, within).is_ok();
    ensure!(
        raised && enough(getrlimit(Resource::Nofile).current),
        "{sockets} sockets need {needed} open files, but this process may have {}: raise the \
         limit (ulimit -Hn, or LimitNOFILE= of systemd) or ask for fewer subscribers",
        limit.maximum.map_or_else(|| "no more".into(), |maximum| maximum.to_string()),
    );
    Ok(())
}
