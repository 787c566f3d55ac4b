//! Thousands of subscribers on one thread and one epoll: sockets that do little but count.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::frames::{Frame, Scanner, append_masked};

/// How long a server may take to answer a handshake or a command.
const PATIENCE: Duration = Duration::from_secs(10);

/// Addresses that clients come from: one has too few ports for all of them to be closed and
/// opened again within a minute.
const SOURCES: usize = 16;

const PONG: u8 = 0xA;
const PING: u8 = 0x9;

/// The subscribers.
#[derive(Debug)]
pub struct Swarm {
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
    scratch: Box<[u8]>,
}

#[derive(Debug)]
struct Peer {
    stream: mio::net::TcpStream,
    scanner: Scanner,
}

impl Swarm {
    /// Nobody yet.
    ///
    /// # Errors
    /// When the system has no event queue to give.
    pub fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            peers: Vec::new(),
            scratch: vec![0; 256 << 10].into(),
        })
    }

    /// `count` further subscribers: each connects, sends its `command` and waits for one answer.
    ///
    /// # Errors
    /// When a connection fails or is not answered in time.
    pub fn join(
        &mut self,
        address: SocketAddr,
        count: usize,
        command: impl Fn(usize) -> String,
    ) -> Result<()> {
        for _ in 0..count {
            let index = self.peers.len();
            let source = Ipv4Addr::new(127, 0, 0, 2 + (index % SOURCES) as u8);
            let mut stream = upgrade(address, source)
                .with_context(|| format!("connection {index} of the benchmark's own"))?;
            let mut frame = Vec::new();
            append_masked(&mut frame, 1, command(index).as_bytes());
            stream.write_all(&frame)?;
            let scanner = await_answer(&mut stream)?;
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            self.poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            self.peers.push(Peer { stream, scanner });
        }
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// True when nobody has joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Sends a command without waiting for its answer.
    ///
    /// # Errors
    /// When the server does not take it at once.
    pub fn send(&mut self, index: usize, command: &str) -> Result<()> {
        let mut frame = Vec::new();
        append_masked(&mut frame, 1, command.as_bytes());
        self.peers[index].stream.write_all(&frame).context("the server does not read")
    }

    /// From now on this one never reads.
    ///
    /// # Errors
    /// When the system does not let go of the socket.
    pub fn stall(&mut self, index: usize) -> Result<()> {
        Ok(self.poll.registry().deregister(&mut self.peers[index].stream)?)
    }

    /// Waits for bytes, reads all there are, and shows each data frame with its subscriber's
    /// index. Pings are answered, or the server would end the connection.
    ///
    /// # Errors
    /// When a connection ends.
    pub fn turn(&mut self, wait: Duration, visit: &mut impl FnMut(usize, Frame<'_>)) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let index = event.token().0;
            let peer = &mut self.peers[index];
            loop {
                let count = match peer.stream.read(&mut self.scratch) {
                    Ok(0) => bail!("the server ended connection {index}"),
                    Ok(count) => count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error).context(format!("connection {index} broke")),
                };
                let mut pinged = false;
                peer.scanner.feed(&self.scratch[..count], &mut |frame| {
                    pinged |= frame.opcode == PING;
                    if frame.is_data() {
                        visit(index, frame);
                    }
                });
                if pinged {
                    let mut pong = Vec::new();
                    append_masked(&mut pong, PONG, b"");
                    peer.stream.write_all(&pong)?;
                }
                // A short read means that the socket is dry.
                if count < self.scratch.len() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Lets time pass; frames that come meanwhile are not looked at.
    ///
    /// # Errors
    /// When a connection ends.
    pub fn idle(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.turn(left, &mut |_, _| {})?;
        }
        Ok(())
    }
}

/// A connection from `source` whose handshake is done.
///
/// # Errors
/// When the server does not take it.
pub fn upgrade(address: SocketAddr, source: Ipv4Addr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&address.into())?;
    socket.set_tcp_nodelay(true)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    // Byte by byte, so that nothing behind the answer is read; there is only one answer.
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).context("the server did not answer the handshake")?;
        answer.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&answer);
    ensure!(text.starts_with("HTTP/1.1 101"), "the server refused the handshake: {text}");
    Ok(stream)
}

/// Reads until one message is there. What comes behind it is the scanner's to keep.
fn await_answer(stream: &mut TcpStream) -> Result<Scanner> {
    let mut scanner = Scanner::default();
    let mut answered = Ok(false);
    let mut piece = [0; 16 << 10];
    while !matches!(answered, Ok(true)) {
        let count = stream.read(&mut piece).context("the server did not answer a command")?;
        ensure!(count > 0, "the server ended the connection instead of answering a command");
        scanner.feed(&piece[..count], &mut |frame| {
            if frame.payload.starts_with(b"{\"op\":\"error\"") {
                answered = Err(String::from_utf8_lossy(frame.payload).into_owned());
            } else if answered.is_ok() {
                answered = Ok(true);
            }
        });
        if let Err(error) = answered {
            bail!("the server refused a command: {error}");
        }
    }
    Ok(scanner)
}
