//! The real binary, as a person starts it.

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use super::{Client, ask, within};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickwire"));
    command.args(arguments).kill_on_drop(true).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TICKWIRE__")) {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    within("end of the command", command(arguments).output()).await.unwrap()
}

/// Starts it; it is killed when this is dropped.
pub(crate) fn spawn(arguments: &[&str]) -> Child {
    command(arguments).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs it to its end with something to read.
pub(crate) async fn run_with_input(arguments: &[&str], input: &str) -> Output {
    let mut command = command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    within("end of the command", child.wait_with_output()).await.unwrap()
}

/// A broker in a process of its own.
pub(crate) struct Tickwire {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    pub(crate) said: Vec<String>,
    pub(crate) address: SocketAddr,
}

impl Tickwire {
    /// Starts it on any free port and waits until it says where.
    pub(crate) async fn serve(arguments: &[&str]) -> Self {
        let listen: &[&str] =
            if arguments.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let arguments = [&["serve"], listen, arguments].concat();
        let mut child = command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said: Vec<String> = Vec::new();
        let address = loop {
            let line = within("line with the address", stderr.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended after {said:#?}"));
            let address = line.trim().strip_prefix("WebSocket").map(|url| {
                let url = url.trim().strip_prefix("ws://").unwrap();
                url.strip_suffix("/ws").unwrap().parse().unwrap()
            });
            said.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        Self { child, stderr, said, address }
    }

    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address, None).await
    }

    /// The list of topics.
    pub(crate) async fn topics(&self, pattern: &str) -> Vec<Value> {
        let request = format!(
            "GET /topics?pattern={pattern} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let mut answer = ask(self.address, request.as_bytes()).await.json();
        serde_json::from_value(answer["topics"].take()).unwrap()
    }

    /// Tells it to end.
    pub(crate) async fn terminate(&self) {
        let id = self.child.id().unwrap().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(killed.success());
    }

    /// Waits for its end; returns the exit code and all it said.
    pub(crate) async fn ended(mut self) -> (Option<i32>, Vec<String>) {
        while let Some(line) = within("end of the log", self.stderr.next_line()).await.unwrap() {
            self.said.push(line);
        }
        let status = within("end of the process", self.child.wait()).await.unwrap();
        (status.code(), self.said)
    }
}
