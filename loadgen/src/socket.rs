//! One subscribing socket: connect, upgrade, subscribe, then count what comes.

mod context;
mod foreign;
mod messages;

use std::io::{self, Read as _, Write as _};

use client::Sequence;
use mio::net::TcpStream;

pub use self::context::Context;
use crate::dial::dial;
use crate::frames;
use crate::plan::{Member, Plan, Role, Subset};
use crate::ticks::verify::Verifier;

/// A frame above this is not one that was published here.
const FRAME_MAX: usize = 16 << 20;
/// What the kernel may hold for a slow reader, roughly.
const SLOW_BUFFER: usize = 4096;
/// What the kernel may hold for one that is to catch up.
const WIDE_BUFFER: usize = 1 << 20;
/// The mask of the few frames that a subscriber sends; secrecy is not its point here.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

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

/// Coming back: by slot, what there was when it was subscribed again.
#[derive(Debug)]
struct Returning {
    targets: Box<[u64]>,
}

/// A subscriber.
pub struct Socket {
    /// For the poll.
    pub stream: TcpStream,
    /// How far it is.
    pub stage: Stage,
    /// Its number in the run.
    pub subscriber: usize,
    /// What it is.
    pub member: Member,
    /// What it has found, where it verifies.
    pub verifier: Option<Verifier>,
    subset: Subset,
    sequences: Box<[Sequence]>,
    /// Sequence numbers of its topics when it subscribed.
    starts: Box<[u64]>,
    /// When it was dialled last.
    dialled: u64,
    returning: Option<Returning>,
    /// The beginning of a frame, until the rest comes.
    carry: Vec<u8>,
    /// In another dialect: the beginning of a message, until the rest comes.
    heard: Vec<u8>,
    /// What could not be written yet.
    outbound: Vec<u8>,
}

impl Socket {
    /// Starts to connect, at `now` on the run's clock.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn connect(plan: &Plan, subscriber: usize, now: u64) -> io::Result<Self> {
        let (member, subset) = (plan.crew[subscriber], plan.subset_of(subscriber));
        Ok(Self {
            stream: opened(plan, subscriber)?,
            stage: Stage::Connecting,
            subscriber,
            member,
            verifier: (member.verifies && plan.ticks).then(Verifier::default),
            subset,
            sequences: vec![Sequence::starting_after(0); subset.count].into(),
            starts: vec![0; subset.count].into(),
            dialled: now,
            returning: None,
            carry: Vec::new(),
            heard: Vec::new(),
            outbound: Vec::new(),
        })
    }

    /// Cuts the connection and starts a new one, to go on where this one was.
    ///
    /// # Errors
    /// What the operating system says; the old connection is gone all the same.
    pub fn reconnect(&mut self, plan: &Plan, now: u64) -> io::Result<()> {
        self.carry.clear();
        self.heard.clear();
        self.outbound.clear();
        self.dialled = now;
        self.returning = Some(Returning { targets: vec![0; self.subset.count].into() });
        self.stage = Stage::Connecting;
        // Nothing is said any more, whatever becomes of the new one.
        drop(self.stream.shutdown(std::net::Shutdown::Both));
        self.stream = opened(plan, self.subscriber)?;
        Ok(())
    }

    /// Gives a slow reader the room that others have.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn widen(&self) -> Result<(), String> {
        socket2::SockRef::from(&self.stream).set_recv_buffer_size(WIDE_BUFFER).map_err(words)
    }

    /// Whether it has been here before.
    #[must_use]
    pub fn is_returning(&self) -> bool {
        self.returning.is_some()
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
            self.outbound = match target.dialect {
                None => {
                    let protocol = self.member.codec.subprotocol();
                    frames::upgrade_request(&target.authority, &target.path, protocol)
                }
                Some(dialect) => {
                    let opening = self.opening(context.plan, dialect);
                    let protocol = opening.subprotocol;
                    frames::upgrade_request(&target.authority, &opening.path, protocol)
                }
            };
            self.stage = Stage::Upgrading;
        }
        self.flush()
    }

    /// The socket may be read: reads all there is, but no more than `budget` bytes, at `now()` on
    /// the run's clock.
    ///
    /// # Errors
    /// Why this socket is over.
    pub fn readable(
        &mut self,
        context: &mut Context<'_>,
        budget: usize,
        now: impl Fn() -> u64,
    ) -> Result<(), String> {
        // Lent out, so that the context can be written to while the bytes are looked at.
        let mut buffer = std::mem::take(&mut context.buffer);
        let ended = self.read_all(&mut buffer, context, budget, now);
        context.buffer = buffer;
        ended
    }

    fn read_all(
        &mut self,
        buffer: &mut Vec<u8>,
        context: &mut Context<'_>,
        mut budget: usize,
        now: impl Fn() -> u64,
    ) -> Result<(), String> {
        while budget > 0 {
            let carried = self.carry.len();
            if carried == buffer.len() {
                buffer.resize(carried * 2, 0);
            }
            buffer[..carried].copy_from_slice(&self.carry);
            let room = (buffer.len() - carried).min(budget);
            let read = match self.stream.read(&mut buffer[carried..carried + room]) {
                Ok(0) => return Err("the server hung up".into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(words(error)),
            };
            // One stamp for all that this read brought: all of it is here now.
            let arrived = now();
            context.bytes += read as u64;
            budget -= read;
            let filled = carried + read;
            let used = self.consume(&buffer[..filled], context, arrived)?;
            self.carry.clear();
            self.carry.extend_from_slice(&buffer[used..filled]);
            // Less than there was room for: that was all, until the poll says otherwise.
            if read < room {
                return Ok(());
            }
        }
        Ok(())
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
            match context.plan.target.dialect {
                None => self.subscribe(context)?,
                Some(dialect) => self.greet(context, dialect, arrived)?,
            }
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
        if let Some(dialect) = context.plan.target.dialect
            && matches!(head.opcode, frames::TEXT | frames::BINARY | frames::CONTINUATION)
        {
            return self.foreign(dialect, payload, context, arrived);
        }
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
}

fn opened(plan: &Plan, subscriber: usize) -> io::Result<TcpStream> {
    let slow = plan.crew[subscriber].role == Role::Slow;
    dial(plan.target.address, subscriber, slow.then_some(SLOW_BUFFER))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn words(error: io::Error) -> String {
    error.to_string()
}
