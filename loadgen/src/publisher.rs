//! Publishers: a thread for each connection, which sends what is due and waits for nobody.

mod foreign;
mod pacing;

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use client::Codec;

use self::foreign::Foreign;
use self::pacing::Pacer;
use crate::clock::Clock;
use crate::plan::Plan;
use crate::protocol::{Dialect, Opening};
use crate::shared::{Latencies, Shared, latencies};
use crate::{frames, payload};

/// For connecting and for the answer to the upgrade.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest sleep: then the stop flag is looked at.
const SLEEP_MAX: u64 = 20_000_000;
/// Sleep while the socket takes no more.
const RETRY: u64 = 200_000;
/// Events of other publishers that are passed over in one go.
const OTHERS_MAX: u64 = 10_000;
/// Bytes that may wait for a server that does not take them; then the run makes no sense.
const BACKLOG_MAX: usize = 256 << 20;

/// What a publisher did.
#[derive(Debug)]
pub struct Outcome {
    /// Events sent to each topic.
    pub published: Vec<u64>,
    /// How long after it was due each event was handed to the kernel, by the call that took its
    /// last byte.
    pub lag: Latencies,
    /// How long these calls took. On loopback the receiver's half of TCP is in it, and often
    /// the receiver itself, whom the kernel lets run first.
    pub send: Latencies,
    /// Errors that the server answered.
    pub refused: u64,
    /// The first of them, or what ended the connection.
    pub problem: Option<String>,
    /// Kept open until late events have come: closing it could take back what is on its way.
    pub connection: Option<TcpStream>,
}

/// A connected publisher.
pub struct Publisher {
    number: usize,
    stream: TcpStream,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    /// Due times of the events in `outbound`.
    waiting: Vec<u64>,
    /// When the last call began that gave the kernel something.
    handed: u64,
    mask: u32,
    data: Vec<u8>,
    command: Vec<u8>,
    /// When the server is not tickwire.
    foreign: Option<Foreign>,
    outcome: Outcome,
}

impl Publisher {
    /// Connects and upgrades publisher `number` of `plan`.
    ///
    /// # Errors
    /// Why the server cannot be used, in words for a person.
    pub fn connect(plan: &Plan, number: usize) -> anyhow::Result<Self> {
        let target = &plan.target;
        let mut stream =
            TcpStream::connect_timeout(&target.address, PATIENCE).with_context(|| {
                format!("cannot connect to {}: is the server running there?", target.authority)
            })?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let opening = opening(plan, number);
        let upgrades = target.dialect.is_none_or(Dialect::publishes_in_frames);
        if upgrades {
            let protocol = opening.subprotocol;
            stream.write_all(&frames::upgrade_request(
                &target.authority,
                &opening.path,
                protocol,
            ))?;
        }
        let mut inbound = Vec::new();
        let mut chunk = [0; 4096];
        let answered = loop {
            if !upgrades {
                break 0;
            }
            match frames::upgrade_answer(&inbound) {
                Ok(Some(size)) => break size,
                Ok(None) => {}
                Err(why) => bail!("{}{}: {why}", target.authority, target.path),
            }
            let read = stream.read(&mut chunk).with_context(|| {
                format!("{} does not answer the upgrade within 5 s", target.authority)
            })?;
            if read == 0 {
                bail!("{} hangs up instead of upgrading: is it a WebSocket?", target.authority);
            }
            inbound.extend_from_slice(&chunk[..read]);
        };
        inbound.drain(..answered);
        let mut publisher = Self {
            number,
            stream,
            inbound,
            outbound: Vec::new(),
            waiting: Vec::new(),
            handed: 0,
            mask: 0x9e37_79b9,
            data: Vec::new(),
            command: Vec::new(),
            foreign: target.dialect.map(|dialect| Foreign {
                dialect,
                base: target.path.clone(),
                authority: target.authority.clone(),
                carry: Vec::new(),
            }),
            outcome: Outcome {
                published: vec![0; plan.topics],
                lag: latencies(),
                send: latencies(),
                refused: 0,
                problem: None,
                connection: None,
            },
        };
        publisher.introduce(&opening).map_err(anyhow::Error::msg)?;
        publisher.stream.set_nonblocking(true)?;
        Ok(publisher)
    }

    /// Sends this publisher's events, each when it is due after `start`, until all are sent or
    /// `stop` is set.
    #[must_use]
    pub fn run(
        mut self,
        plan: &Plan,
        shared: &Shared,
        clock: Clock,
        start: u64,
        stop: &AtomicBool,
    ) -> Outcome {
        pacing::sleep_precisely();
        let events = plan.events();
        let measured = plan.schedule.measured();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut pacer = Pacer::new(plan.publishers, processors, clock.now());
        let mut k = 0;
        loop {
            let stopped = stop.load(Ordering::Relaxed);
            let now = clock.now();
            let mut passed = 0;
            while !stopped && k < events {
                let topic = plan.topic_of(k);
                if plan.publisher_of(topic) == self.number {
                    if start + plan.due(k) > now {
                        break;
                    }
                    self.push(plan, topic, k, start + plan.due(k), clock.now());
                } else if passed == OTHERS_MAX {
                    break;
                } else {
                    // Another one wakes for it.
                    passed += 1;
                }
                k += 1;
            }
            let turn = self.write(clock).and_then(|()| {
                self.note_lag(clock, start + measured.start, shared);
                self.read()
            });
            if let Err(problem) = turn {
                self.outcome.problem.get_or_insert(problem);
                return self.finish();
            }
            let waits = !self.outbound.is_empty();
            if stopped || (k == events && !waits) {
                return self.finish();
            }
            let due = if k < events { start + plan.due(k) } else { u64::MAX };
            let longest = if waits { RETRY } else { SLEEP_MAX };
            if due.saturating_sub(clock.now()) > longest {
                std::thread::sleep(Duration::from_nanos(longest));
            } else {
                pacer.wait(clock, due);
            }
        }
    }

    fn finish(mut self) -> Outcome {
        self.outcome.connection = Some(self.stream);
        self.outcome
    }

    /// Queues event `k`.
    fn push(&mut self, plan: &Plan, topic: usize, k: u64, due: u64, now: u64) {
        if self.foreign.is_some() {
            return self.push_foreign(plan, topic, due);
        }
        payload::write(&mut self.data, plan, k, due, now);
        self.command.clear();
        self.command.extend_from_slice(b"{\"op\":\"publish\",\"topic\":\"");
        self.command.extend_from_slice(plan.topic_name(topic).as_bytes());
        self.command.extend_from_slice(b"\",\"data\":");
        self.command.extend_from_slice(&self.data);
        self.command.push(b'}');
        // Another mask for each frame, as the standard asks; Weyl's sequence is enough for that.
        self.mask = self.mask.wrapping_add(0x9e37_79b9);
        let mask = self.mask.to_be_bytes();
        frames::push_masked(&mut self.outbound, frames::TEXT, mask, &self.command);
        self.waiting.push(due);
        self.outcome.published[topic] += 1;
    }

    fn write(&mut self, clock: Clock) -> Result<(), String> {
        let mut written = 0;
        let result = loop {
            if written == self.outbound.len() {
                break Ok(());
            }
            let began = clock.now();
            match self.stream.write(&self.outbound[written..]) {
                Ok(more) => {
                    written += more;
                    self.handed = began;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(format!("publishing failed: {error}")),
            }
        };
        self.outbound.drain(..written);
        if self.outbound.len() > BACKLOG_MAX {
            return Err("the server takes events so slowly that 256 MiB of them wait".into());
        }
        result
    }

    /// The kernel has everything: how late that was, of events that were due after `from`.
    fn note_lag(&mut self, clock: Clock, from: u64, shared: &Shared) {
        if !self.outbound.is_empty() || self.waiting.is_empty() {
            return;
        }
        let (handed, now) = (self.handed, clock.now());
        let lag = handed.saturating_sub(self.waiting[0]);
        shared.publisher_lag.fetch_max(lag, Ordering::Relaxed);
        for due in self.waiting.drain(..).filter(|due| *due >= from) {
            self.outcome.lag.saturating_record(handed.saturating_sub(due));
            self.outcome.send.saturating_record(now.saturating_sub(handed));
        }
    }

    /// Takes what the server answers: errors are counted, pings answered.
    fn read(&mut self) -> Result<(), String> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("the server hung up on a publisher".into()),
                Ok(read) => self.inbound.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("a publisher's connection broke: {error}")),
            }
        }
        self.hear().map(|_| ())
    }

    /// Works through what was read; whether another dialect's welcome was in it.
    fn hear(&mut self) -> Result<bool, String> {
        if self.foreign.as_ref().is_some_and(|foreign| !foreign.dialect.publishes_in_frames()) {
            return self.hear_bare();
        }
        let inbound = std::mem::take(&mut self.inbound);
        let (mut used, mut welcome) = (0, false);
        while let Some(head) = frames::head(&inbound[used..]) {
            let start = used + head.size;
            let Some(payload) = inbound.get(start..start.saturating_add(head.payload)) else {
                break;
            };
            used = start + head.payload;
            match head.opcode {
                frames::PING => {
                    let mask = self.mask.to_be_bytes();
                    frames::push_masked(&mut self.outbound, frames::PONG, mask, payload);
                }
                frames::CLOSE => {
                    return Err(format!("a publisher was {}", frames::close_words(payload)));
                }
                frames::TEXT | frames::BINARY | frames::CONTINUATION if self.foreign.is_some() => {
                    welcome |= self.hear_foreign(payload)?;
                }
                frames::TEXT if memchr::memmem::find(payload, b"\"op\":\"error\"").is_some() => {
                    self.outcome.refused += 1;
                    let shown = String::from_utf8_lossy(payload).into_owned();
                    self.outcome.problem.get_or_insert(shown);
                }
                _ => {}
            }
        }
        self.inbound = inbound;
        self.inbound.drain(..used);
        Ok(welcome)
    }
}

/// How a publisher's connection begins.
fn opening(plan: &Plan, number: usize) -> Opening {
    match plan.target.dialect {
        Some(dialect) => dialect.publisher(&plan.target.path, number),
        None => Opening {
            path: plan.target.path.clone(),
            subprotocol: Codec::Json.subprotocol(),
            hello: Vec::new(),
            wishes: Vec::new(),
        },
    }
}
