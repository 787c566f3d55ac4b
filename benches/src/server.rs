//! Servers as processes of their own: the broker and the floor, started and ended by us.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// How long a server may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts the broker at `program` on a free port, with defaults but for the number of shards
    /// and without feeds.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn broker(program: &Path, shards: usize) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--no-feeds", "--shards"]);
        command.arg(shards.to_string());
        // What somebody has set for a broker of theirs must not change what is measured.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TICKWIRE__") {
                command.env_remove(name);
            }
        }
        Self::start(command).with_context(|| format!("cannot start {}", program.display()))
    }

    /// Starts the floor: this very program, told to serve.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn floor(frame_bytes: usize, coalesce: bool) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor", "--frame-bytes", &frame_bytes.to_string()]);
        command.args(coalesce.then_some("--coalesce"));
        Self::start(command).context("cannot start the floor")
    }

    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stderr.take().context("its messages cannot be read")?);
        // Owned from here on, so that it ends whatever happens next.
        let unset = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, address: unset };
        let (sender, address) = mpsc::sync_channel(1);
        // Reads on to the end, or the server would one day wait for room to write its log.
        std::thread::spawn(move || {
            let mut sender = Some(sender);
            for line in lines.lines().map_while(Result::ok) {
                if let Some(found) = address_in(&line)
                    && let Some(sender) = sender.take()
                {
                    // Nobody waits for it any more if that took too long.
                    sender.send(found).unwrap_or_default();
                }
            }
        });
        server.address = address.recv_timeout(PATIENCE).context("it does not say where it is")?;
        ensure!(server.address.ip().is_loopback(), "it listens beyond loopback");
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Both servers print `ws://ADDRESS/ws` once they listen.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("ws://")?;
    rest.split_once("/ws")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_the_greeting() {
        let found = address_in("    WebSocket  ws://127.0.0.1:8080/ws");
        assert_eq!(found, Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(address_in("serving address=127.0.0.1:8080"), None);
    }
}
