//! One subscribing socket: connect, upgrade, subscribe, then count what comes.

use std::io::{self, Read as _, Write as _};

use client::{Acknowledged, Codec, Command, Message, RawMessage, Sequence, Subscribe};
use mio::net::TcpStream;

use crate::accounting::Totals;
use crate::dial::dial;
use crate::frames;
use crate::plan::Plan;
use crate::scan::Scanner;
use crate::shared::Latencies;

/// Room for reading; grows for a larger frame.
const READ_BUFFER: usize = 256 * 1024;
/// A frame above this is not one that was published here.
const FRAME_MAX: usize = 16 << 20;
/// The mask of the few frames that a subscriber sends; secrecy is not its point here.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What the sockets of one thread share.
pub struct Context<'p> {
    /// The run.
    pub plan: &'p Plan,
    /// Finds fields.
    pub scanner: Scanner,
    /// All latencies of the measurement.
    pub total: Latencies,
    /// Those since they were last shown.
    pub interval: Latencies,
    /// The measurement, on the run's clock: due times outside are not recorded.
    pub measured: (u64, u64),
    /// Messages received.
    pub delivered: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Messages about topics that were not asked for.
    pub unasked: u64,
    buffer: Vec<u8>,
}

impl<'p> Context<'p> {
    /// For one thread.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            scanner: Scanner::new(plan.codec, &plan.prefix),
            total: crate::shared::latencies(),
            interval: crate::shared::latencies(),
            measured: (u64::MAX, u64::MAX),
            delivered: 0,
            bytes: 0,
            unasked: 0,
            buffer: vec![0; READ_BUFFER],
        }
    }
}

/// How far a socket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// TCP.
    Connecting,
    /// HTTP.
    Upgrading,
    /// The subscribe command is out.
    Subscribing,
    /// Events flow.
    Live,
}

/// A subscriber.
pub struct Socket {
    /// For the poll.
    pub stream: TcpStream,
    /// How far it is.
    pub stage: Stage,
    /// Its number in the run.
    pub subscriber: usize,
    first_topic: usize,
    sequences: Box<[Sequence]>,
    /// Sequence numbers of its topics when it subscribed.
    starts: Box<[u64]>,
    /// The beginning of a frame, until the rest comes.
    carry: Vec<u8>,
    /// What could not be written yet.
    outbound: Vec<u8>,
}

impl Socket {
    /// Starts to connect.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn connect(plan: &Plan, subscriber: usize) -> io::Result<Self> {
        Ok(Self {
            stream: dial(plan.target.address, subscriber)?,
            stage: Stage::Connecting,
            subscriber,
            first_topic: plan.first_topic_of(subscriber),
            sequences: vec![Sequence::starting_after(0); plan.topics_per_subscriber].into(),
            starts: vec![0; plan.topics_per_subscriber].into(),
            carry: Vec::new(),
            outbound: Vec::new(),
        })
    }

    /// The socket may be written to.
    ///
    /// # Errors
    /// Why this socket is over.
    pub fn writable(&mut self, context: &Context<'_>) -> Result<(), String> {
        if self.stage == Stage::Connecting {
            if let Some(error) = self.stream.take_error().map_err(words)? {
                return Err(words(error));
            }
            match self.stream.peer_addr() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(words(error)),
            }
            let target = &context.plan.target;
            let protocol = context.plan.codec.subprotocol();
            self.outbound = frames::upgrade_request(&target.authority, &target.path, protocol);
            self.stage = Stage::Upgrading;
        }
        self.flush()
    }

    /// The socket may be read: reads all there is, at `now()` on the run's clock.
    ///
    /// # Errors
    /// Why this socket is over.
    pub fn readable(
        &mut self,
        context: &mut Context<'_>,
        now: impl Fn() -> u64,
    ) -> Result<(), String> {
        // Lent out, so that the context can be written to while the bytes are looked at.
        let mut buffer = std::mem::take(&mut context.buffer);
        let ended = self.read_all(&mut buffer, context, now);
        context.buffer = buffer;
        ended
    }

    fn read_all(
        &mut self,
        buffer: &mut Vec<u8>,
        context: &mut Context<'_>,
        now: impl Fn() -> u64,
    ) -> Result<(), String> {
        loop {
            let carried = self.carry.len();
            if carried == buffer.len() {
                buffer.resize(carried * 2, 0);
            }
            buffer[..carried].copy_from_slice(&self.carry);
            let room = buffer.len() - carried;
            let read = match self.stream.read(&mut buffer[carried..]) {
                Ok(0) => return Err("the server hung up".into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(words(error)),
            };
            // One stamp for all that this read brought: all of it is here now.
            let arrived = now();
            context.bytes += read as u64;
            let filled = carried + read;
            let used = self.consume(&buffer[..filled], context, arrived)?;
            self.carry.clear();
            self.carry.extend_from_slice(&buffer[used..filled]);
            // Less than there was room for: that was all, until the poll says otherwise.
            if read < room {
                return Ok(());
            }
        }
    }

    /// Works through whole messages; returns the bytes used.
    fn consume(
        &mut self,
        bytes: &[u8],
        context: &mut Context<'_>,
        arrived: u64,
    ) -> Result<usize, String> {
        let mut used = 0;
        if self.stage == Stage::Upgrading {
            let Some(size) = frames::upgrade_answer(bytes)? else { return Ok(0) };
            used = size;
            self.subscribe(context.plan)?;
        }
        while let Some(head) = frames::head(&bytes[used..]) {
            if head.payload > FRAME_MAX {
                return Err("a frame above 16 MiB".into());
            }
            let start = used + head.size;
            let Some(payload) = bytes.get(start..start + head.payload) else { break };
            used = start + head.payload;
            self.frame(head, payload, context, arrived)?;
        }
        Ok(used)
    }

    fn frame(
        &mut self,
        head: frames::Head,
        payload: &[u8],
        context: &mut Context<'_>,
        arrived: u64,
    ) -> Result<(), String> {
        match head.opcode {
            frames::TEXT | frames::BINARY if head.fin => self.message(payload, context, arrived),
            frames::PING => {
                frames::push_masked(&mut self.outbound, frames::PONG, MASK, payload);
                self.flush()
            }
            frames::PONG => Ok(()),
            frames::CLOSE => Err(frames::close_words(payload)),
            _ => Err("a fragmented message, which is not supported".into()),
        }
    }

    fn message(
        &mut self,
        payload: &[u8],
        context: &mut Context<'_>,
        arrived: u64,
    ) -> Result<(), String> {
        context.delivered += 1;
        let Some(seen) = context.scanner.event(payload) else {
            return self.reply(payload, context);
        };
        let Some(slot) = context.plan.slot_of(self.first_topic, seen.topic) else {
            context.unasked += 1;
            return Ok(());
        };
        self.sequences[slot].event(seen.from, seen.seq);
        if seen.due >= context.measured.0 && seen.due < context.measured.1 {
            let latency = arrived.saturating_sub(seen.due);
            context.total.saturating_record(latency);
            context.interval.saturating_record(latency);
        }
        Ok(())
    }

    /// Anything that is no event: rare, so read in full.
    fn reply(&mut self, payload: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let codec = context.plan.codec;
        let raw = RawMessage { codec, bytes: payload.to_vec().into() };
        match raw.decode().map_err(|error| error.to_string())? {
            Message::Subscribed { topics, .. } => {
                for entry in topics {
                    let Acknowledged::Topic(position) = entry else { continue };
                    if let Some(slot) = self.slot_named(&position.topic, context) {
                        self.sequences[slot] = Sequence::starting_after(position.seq);
                        self.starts[slot] = position.seq;
                    }
                }
                self.stage = Stage::Live;
            }
            Message::Snapshot(snapshot) => {
                if let Some(slot) = self.slot_named(&snapshot.topic, context) {
                    self.sequences[slot].snapshot(snapshot.seq);
                }
            }
            Message::Gap(gap) => {
                if let Some(slot) = self.slot_named(&gap.topic, context) {
                    self.sequences[slot].gap(gap.from, gap.to);
                }
            }
            Message::Event(_) => context.unasked += 1,
            Message::Error(error) => return Err(format!("the server refused: {error}")),
            _ => {}
        }
        Ok(())
    }

    fn slot_named(&self, topic: &str, context: &Context<'_>) -> Option<usize> {
        let index = topic.strip_prefix(&context.plan.prefix)?.parse().ok()?;
        context.plan.slot_of(self.first_topic, index)
    }

    fn subscribe(&mut self, plan: &Plan) -> Result<(), String> {
        let topics = plan.topics_of(self.subscriber).map(|topic| plan.topic_name(topic));
        let subscribe = Subscribe { id: Some(1), max_rate: plan.max_rate, ..Subscribe::to(topics) };
        let bytes = plan.codec.encode(&Command::from(subscribe)).map_err(|e| e.to_string())?;
        let opcode = match plan.codec {
            Codec::Json => frames::TEXT,
            Codec::MessagePack => frames::BINARY,
        };
        frames::push_masked(&mut self.outbound, opcode, MASK, &bytes);
        self.stage = Stage::Subscribing;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), String> {
        while !self.outbound.is_empty() {
            match self.stream.write(&self.outbound) {
                Ok(written) => {
                    self.outbound.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(words(error)),
            }
        }
        // Thousands of sockets: none keeps a buffer that it needs once.
        self.outbound = Vec::new();
        Ok(())
    }

    /// Whether everything in `published` (events by topic) has come or is accounted for.
    #[must_use]
    pub fn is_complete(&self, plan: &Plan, published: &[u64]) -> bool {
        self.ends(plan, published).all(|(sequence, _, last)| sequence.last() >= last)
    }

    /// Closes its books.
    pub fn close_books(&self, plan: &Plan, published: &[u64], totals: &mut Totals) {
        for (sequence, start, last) in self.ends(plan, published) {
            totals.close(*sequence, start, last);
        }
    }

    /// Of each of its topics the sequence, where it started, and the last number that there is.
    fn ends<'s>(
        &'s self,
        plan: &'s Plan,
        published: &'s [u64],
    ) -> impl Iterator<Item = (&'s Sequence, u64, u64)> {
        let count = |topic: usize| published.get(topic).copied().unwrap_or(0);
        let counts = plan.topics_of(self.subscriber).map(count);
        let books = self.sequences.iter().zip(&self.starts);
        books.zip(counts).map(|((sequence, start), count)| (sequence, *start, start + count))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn words(error: io::Error) -> String {
    error.to_string()
}
