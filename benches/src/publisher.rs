//! An open-loop publisher: what is due goes out when it is due, whatever the server does.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::frames::{Frame, append_masked};
use crate::swarm::{Swarm, upgrade};

/// What is published when.
#[derive(Debug, Clone, Copy)]
pub struct Timetable {
    /// Events in all.
    pub events: u64,
    /// Events that go out together.
    pub burst: u64,
    /// Events a second.
    pub per_second: u64,
}

impl Timetable {
    /// `seconds` of `per_second` events, `burst` at a time.
    #[must_use]
    pub fn new(seconds: u64, burst: u64, per_second: u64) -> Self {
        Self { events: (seconds * per_second).next_multiple_of(burst), burst, per_second }
    }

    /// When event `number` is due, counted from the start.
    fn due(&self, number: u64) -> Duration {
        Duration::from_nanos(number * 1_000_000_000 / self.per_second)
    }
}

/// A connection that publishes.
#[derive(Debug)]
pub struct Publisher {
    stream: TcpStream,
}

impl Publisher {
    /// Connects.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = upgrade(address, Ipv4Addr::LOCALHOST).context("the publisher's connection")?;
        Ok(Self { stream })
    }

    /// Publishes by `timetable` on a thread of its own; `command` says what event number n is.
    fn start(
        mut self,
        timetable: Timetable,
        command: impl Fn(u64) -> String + Send + 'static,
    ) -> JoinHandle<Result<Self>> {
        std::thread::spawn(move || {
            let start = Instant::now();
            let mut frames = Vec::new();
            for first in (0..timetable.events).step_by(timetable.burst as usize) {
                frames.clear();
                for number in first..first + timetable.burst {
                    append_masked(&mut frames, 1, command(number).as_bytes());
                }
                let due = start + timetable.due(first);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                self.stream.write_all(&frames).context("the server takes no more events")?;
            }
            Ok(self)
        })
    }
}

/// What came of one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Delivered {
    /// Messages that subscribers received.
    pub messages: u64,
    /// Bytes of them, headers included.
    pub bytes: u64,
}

/// Longest wait for what is still on its way when all is published.
const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes by `timetable` while `swarm` receives, until `expected` messages came or it has
/// waited long enough. `visit` is shown each message, `pass` is called every now and then.
///
/// # Errors
/// When a connection ends.
pub fn drive(
    swarm: &mut Swarm,
    publisher: Publisher,
    (timetable, expected): (Timetable, u64),
    command: impl Fn(u64) -> String + Send + 'static,
    mut visit: impl FnMut(usize, Frame<'_>),
    mut pass: impl FnMut() -> Result<()>,
) -> Result<(Publisher, Delivered)> {
    let until = Instant::now() + timetable.due(timetable.events) + PATIENCE;
    let publishing = publisher.start(timetable, command);
    let mut delivered = Delivered::default();
    while delivered.messages < expected && Instant::now() < until {
        swarm.turn(Duration::from_millis(100), &mut |index, frame| {
            delivered.messages += 1;
            delivered.bytes += frame.length as u64;
            visit(index, frame);
        })?;
        pass()?;
    }
    let publisher = publishing.join().expect("publishing does not panic")?;
    Ok((publisher, delivered))
}

/// A publish command with a string of `bytes` bytes, quotes included, as data.
#[must_use]
pub fn publish_command(topic: &str, bytes: usize) -> String {
    let filling = "x".repeat(bytes.saturating_sub(2));
    format!("{{\"op\":\"publish\",\"topic\":\"{topic}\",\"data\":\"{filling}\"}}")
}

/// A subscribe command.
#[must_use]
pub fn subscribe_command<S: AsRef<str>>(topics: &[S]) -> String {
    let list: Vec<String> = topics.iter().map(|topic| format!("\"{}\"", topic.as_ref())).collect();
    format!("{{\"op\":\"subscribe\",\"id\":1,\"topics\":[{}]}}", list.join(","))
}
