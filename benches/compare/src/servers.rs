//! A server as a process of ours: found, started on loopback, waited for and ended.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take until it accepts.
const START: Duration = Duration::from_secs(15);
/// How long a process may take to end when it is asked to; then it is killed.
const END: Duration = Duration::from_secs(4);

/// A process that ends with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Whose processor time and memory count.
    pub measured: u32,
}

impl Running {
    /// Starts a server and waits until it accepts on `address`.
    ///
    /// # Errors
    /// When it cannot be started, ends or does not accept in time, with its last words.
    pub fn start(
        command: &mut Command,
        address: SocketAddr,
        log: &Path,
        in_child: bool,
    ) -> anyhow::Result<Self> {
        let words = fs::File::create(log).context("cannot write the server's log")?;
        command.stdin(Stdio::null()).stdout(words.try_clone()?).stderr(words);
        let child = command.spawn().context("cannot be started")?;
        let mut running = Self { measured: child.id(), child };
        let began = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let ended = running.child.try_wait()?;
            if ended.is_some() || began.elapsed() > START {
                let text = fs::read_to_string(log).unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(3).collect();
                bail!("does not accept connections: {}", last.join(" | "));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // A master listens before its worker is there.
        while in_child && running.measured == running.child.id() {
            match only_child(running.child.id()) {
                Some(worker) => running.measured = worker,
                None if began.elapsed() > START => bail!("has no worker process"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks a process of ours to end, waits, and kills it when it does not.
pub fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|_| matches!(child.try_wait(), Ok(None))) {
        // It may have ended by itself just now.
        kill_process(pid, Signal::TERM).unwrap_or_default();
    }
    if !wait(child, END) {
        drop(child.kill());
        drop(child.wait());
    }
}

/// Waits for the end of a process; false when it takes longer than `patience`.
pub fn wait(child: &mut Child, patience: Duration) -> bool {
    let began = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if began.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

fn only_child(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// A program by its name, in PATH and where administrators' programs are.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).collect::<Vec<_>>();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    folders.into_iter().chain(more).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A port of loopback that was free just now, below those that systems give to connections of
/// their own: or a client could take it before the server does.
///
/// # Errors
/// When there is none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 18_000;
    // No two calls of a process get the same one, and processes begin at different ones.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let place =
            NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(131));
        let port = u16::try_from(FIRST + place % COUNT)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of loopback is free")
}

/// The first line with a digit that `program arguments` says: its version.
#[must_use]
pub fn version(program: &Path, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).stdin(Stdio::null()).output() else {
        return "unknown".into();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let word = text.split_whitespace().find(|word| {
        let digits = word.rsplit(['/', 'v', ':']).next().unwrap_or_default();
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.')
    });
    let word = word.unwrap_or("unknown");
    word.rsplit(['/', 'v', ':']).next().unwrap_or(word).to_owned()
}
