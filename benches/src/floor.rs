//! The floor: accept, upgrade, and for each event one send to every subscriber. What no server
//! can do without.
//!
//! It sends frames of a given size, equal for all events: encoding is not its business. Every
//! text frame that is a publish command counts as one event; whoever sends any other command is
//! a subscriber of everything. Coalescing, the events that one read brought leave in one write
//! for each socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::frames::{Scanner, append_filler};

const LISTENER: Token = Token(usize::MAX);

/// The answer to every handshake: all our clients send the key of RFC 6455's example.
const WELCOME: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Peer {
    stream: TcpStream,
    scanner: Scanner,
    request: Vec<u8>,
    upgraded: bool,
    subscribed: bool,
    /// What the socket did not take yet.
    rest: Vec<u8>,
}

/// The server.
pub struct Floor {
    poll: Poll,
    listener: TcpListener,
    address: SocketAddr,
    peers: Vec<Option<Peer>>,
    scratch: Box<[u8]>,
    frame: Vec<u8>,
    coalesce: bool,
}

impl Floor {
    /// Listens on a free port of loopback; its events are frames of `frame_bytes` bytes.
    ///
    /// # Errors
    /// When the system has no port or no event queue to give.
    pub fn bind(frame_bytes: usize, coalesce: bool) -> io::Result<Self> {
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let mut frame = Vec::new();
        append_filler(&mut frame, frame_bytes);
        Ok(Self {
            poll,
            listener,
            address,
            peers: Vec::new(),
            scratch: vec![0; 64 << 10].into(),
            frame,
            coalesce,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When the system's event queue fails.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(4096);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let index = event.token().0;
                if event.is_writable() {
                    self.send(index, &[]);
                }
                if event.is_readable() {
                    self.read(index);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(self.peers.len()), both)?;
            self.peers.push(Some(Peer {
                stream,
                scanner: Scanner::default(),
                request: Vec::new(),
                upgraded: false,
                subscribed: false,
                rest: Vec::new(),
            }));
        }
    }

    fn read(&mut self, index: usize) {
        loop {
            let Some(peer) = &mut self.peers[index] else { return };
            let count = match peer.stream.read(&mut self.scratch) {
                Ok(count) if count > 0 => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                _ => {
                    self.peers[index] = None;
                    return;
                }
            };
            let bytes = &self.scratch[..count];
            if !peer.upgraded {
                peer.request.extend_from_slice(bytes);
                if peer.request.ends_with(b"\r\n\r\n") {
                    peer.upgraded = true;
                    peer.request = Vec::new();
                    self.send(index, WELCOME);
                }
                continue;
            }
            let (mut events, mut commands) = (0, 0);
            peer.scanner.feed(bytes, &mut |frame| match frame
                .payload
                .starts_with(b"{\"op\":\"publish\"")
            {
                true => events += 1,
                false => commands += usize::from(frame.is_data()),
            });
            if commands > 0 {
                peer.subscribed = true;
                // Any short message is an answer.
                self.send(index, b"\x81\x02{}");
            }
            self.fan_out(events);
        }
    }

    fn fan_out(&mut self, events: usize) {
        let (rounds, each) = if self.coalesce { (1.min(events), events) } else { (events, 1) };
        let bytes = self.frame.repeat(each);
        for _ in 0..rounds {
            for index in 0..self.peers.len() {
                if self.peers[index].as_ref().is_some_and(|peer| peer.subscribed) {
                    self.send(index, &bytes);
                }
            }
        }
    }

    fn send(&mut self, index: usize, bytes: &[u8]) {
        let Some(peer) = &mut self.peers[index] else { return };
        if !peer.rest.is_empty() {
            peer.rest.extend_from_slice(bytes);
            let Ok(taken) = write(&mut peer.stream, &peer.rest) else {
                self.peers[index] = None;
                return;
            };
            peer.rest.drain(..taken);
        } else if !bytes.is_empty() {
            match write(&mut peer.stream, bytes) {
                Ok(taken) => peer.rest.extend_from_slice(&bytes[taken..]),
                Err(_) => self.peers[index] = None,
            }
        }
    }
}

/// One write; how much of it the socket took.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(0)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::{Publisher, Timetable, drive, publish_command, subscribe_command};
    use crate::swarm::Swarm;

    #[test]
    fn everyone_gets_every_event_at_the_size_asked_for() {
        for coalesce in [false, true] {
            let floor = Floor::bind(200, coalesce).unwrap();
            let address = floor.address();
            std::thread::spawn(|| floor.run());
            let mut swarm = Swarm::new().unwrap();
            swarm.join(address, 3, |_| subscribe_command(&["a.b"])).unwrap();
            let publisher = Publisher::connect(address).unwrap();
            let timetable = Timetable { events: 8, burst: 4, per_second: 1_000 };
            let command = |_| publish_command("a.b", 128);
            let (_, delivered) =
                drive(&mut swarm, publisher, (timetable, 24), command, |_, _| {}, || Ok(()))
                    .unwrap();
            assert_eq!((delivered.messages, delivered.bytes), (24, 24 * 200));
        }
    }
}
