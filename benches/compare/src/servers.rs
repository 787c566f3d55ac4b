//! A server as a process of ours: found, started on loopback, waited for and ended.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::interrupt;

/// How long a server may take until it accepts.
const START: Duration = Duration::from_secs(15);
/// How long a process may take to end when it is asked to; then it is killed.
const END: Duration = Duration::from_secs(4);
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(10);

/// A process that ends with this value, in a panic too.
#[derive(Debug)]
pub struct Ours {
    child: Child,
    /// What it started itself, if that is known.
    worker: Option<u32>,
    /// It is in a group of its own with all that it starts.
    group: bool,
}

impl Ours {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        // Between the note of a signal and the next look at it nothing new is begun.
        interrupt::none()?;
        let child = command.spawn().context("cannot be started")?;
        Ok(Self { child, worker: None, group: false })
    }

    /// Starts it in a group of its own: what it starts, and does not end itself, ends with it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn_group(command: &mut Command) -> anyhow::Result<Self> {
        let mut ours = Self::spawn(command.process_group(0))?;
        ours.group = true;
        Ok(ours)
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, once it has.
    ///
    /// # Errors
    /// When it takes longer than `patience`, or a signal asks for the end.
    pub fn finish(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            interrupt::none()?;
            ensure!(began.elapsed() <= patience, "did not end in time");
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Ours {
    /// Asks it to end, waits, and kills it when it does not.
    fn drop(&mut self) {
        let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        if ended(&mut self.child) {
            return;
        }
        let send = if self.group { kill_process_group } else { kill_process };
        signal(self.id(), Signal::TERM, send);
        let began = Instant::now();
        while !ended(&mut self.child) {
            if began.elapsed() > END {
                // A master that is killed takes no worker with it.
                self.worker
                    .into_iter()
                    .for_each(|worker| signal(worker, Signal::KILL, kill_process));
                drop(self.child.kill());
                drop(self.child.wait());
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// A server.
#[derive(Debug)]
pub struct Running {
    master: Ours,
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
        let master = Ours::spawn(command)?;
        let mut running = Self { measured: master.id(), master };
        let began = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            interrupt::none()?;
            let ended = running.master.child.try_wait()?;
            if ended.is_some() || began.elapsed() > START {
                let text = fs::read_to_string(log).unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(3).collect();
                bail!("does not accept connections: {}", last.join(" | "));
            }
            std::thread::sleep(LOOK);
        }
        // A master listens before its worker is there.
        while in_child && running.measured == running.master.id() {
            match only_child(running.master.id()) {
                Some(worker) => {
                    running.measured = worker;
                    running.master.worker = Some(worker);
                }
                None if began.elapsed() > START => bail!("has no worker process"),
                None => std::thread::sleep(LOOK),
            }
        }
        Ok(running)
    }
}

fn signal(pid: u32, signal: Signal, send: fn(Pid, Signal) -> rustix::io::Result<()>) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself just now.
        send(pid, signal).unwrap_or_default();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that would run for a minute.
    fn sleeper() -> Ours {
        Ours::spawn(Command::new("sleep").arg("60")).unwrap()
    }

    /// A process' state by /proc; what has ended may wait for somebody to ask for its end.
    fn state(pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').next().map(str::to_owned)
    }

    #[test]
    fn what_was_started_ends_with_its_value_in_a_panic_too() {
        let mut seen = Vec::new();
        let first = sleeper();
        seen.push(first.id());
        drop(first);
        let panicked = std::thread::spawn(|| {
            let second = sleeper();
            std::panic::panic_any(second.id());
        });
        let pid = panicked.join().unwrap_err().downcast::<u32>().unwrap();
        seen.push(*pid);
        for pid in seen {
            assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
        }
        // A shell that waits for another process is not alone.
        let shell = Ours::spawn_group(Command::new("sh").args(["-c", "sleep 60 & wait"])).unwrap();
        let mut child = None;
        while child.is_none() {
            child = only_child(shell.id());
            std::thread::yield_now();
        }
        drop(shell);
        while child.and_then(state).is_some_and(|state| state != "Z") {
            std::thread::yield_now();
        }
        let why = sleeper().finish(Duration::ZERO).unwrap_err();
        assert_eq!(why.to_string(), "did not end in time");
    }
}
