//! The floor: accept, upgrade, and for each event one send to every subscriber. What no server
//! can do without, and the practical limit of the kernel's path.
//!
//! One thread, one poll. Every text frame with `"op":"publish"` is an event; it is framed once
//! and the same bytes go to each socket that sent a `subscribe` for its topic. Coalescing, all
//! events of one wake-up leave in one write for each socket. No codec but JSON, no patterns, no
//! history, no checks, no mercy: what a socket does not take waits up to a limit, then it is cut.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

mod peer;
mod speech;

use peer::Peer;
use speech::Command;

const LISTENER: Token = Token(usize::MAX);
/// Longest wait: then the stop flag is looked at.
const WAIT: Duration = Duration::from_millis(100);

/// The server.
pub struct Floor {
    poll: Poll,
    listener: TcpListener,
    address: SocketAddr,
    coalesce: bool,
    peers: Slab<Peer>,
    topics: Vec<Topic>,
    names: HashMap<Vec<u8>, usize>,
    /// Coalescing: what this wake-up has brought, by topic.
    batch: Vec<(usize, Vec<u8>)>,
    /// One event, framed.
    frame: Vec<u8>,
}

/// A topic: its number, and who wants it.
struct Topic {
    name: Vec<u8>,
    seq: u64,
    members: Vec<usize>,
}

impl Floor {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn bind(address: SocketAddr, coalesce: bool) -> anyhow::Result<Self> {
        // Each socket is a file, and thousands of them are the point.
        drop(crate::limits::raise(19_000));
        let poll = Poll::new().context("cannot create a poll")?;
        let mut listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let address = listener.local_addr()?;
        Ok(Self {
            poll,
            listener,
            address,
            coalesce,
            peers: Slab::new(),
            topics: Vec::new(),
            names: HashMap::new(),
            batch: Vec::new(),
            frame: Vec::new(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is set.
    ///
    /// # Errors
    /// When the poll fails; what happens to a socket ends that socket.
    pub fn serve(&mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; 256 * 1024];
        while !stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, Some(WAIT)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error).context("the poll failed");
                }
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept();
                    continue;
                }
                let id = event.token().0;
                if event.is_writable()
                    && let Some(peer) = self.peers.get_mut(id)
                    && !peer.flush()
                {
                    self.cut(id);
                }
                if event.is_readable() || event.is_read_closed() {
                    self.read(id, &mut buffer);
                }
            }
            self.send_batch();
        }
        Ok(())
    }

    fn accept(&mut self) {
        // An error, WouldBlock first of all, ends this turn; the next connection tries again.
        while let Ok((mut stream, _)) = self.listener.accept() {
            let entry = self.peers.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            let token = Token(entry.key());
            let ready = stream
                .set_nodelay(true)
                .and_then(|()| self.poll.registry().register(&mut stream, token, interest));
            if ready.is_ok() {
                entry.insert(Peer::new(stream));
            }
        }
    }

    /// Reads all that a peer has sent, and does what it says.
    fn read(&mut self, id: usize, buffer: &mut [u8]) {
        loop {
            let Some(peer) = self.peers.get_mut(id) else { return };
            let Some(read) = peer.read(buffer) else { return self.cut(id) };
            loop {
                let Some(peer) = self.peers.get_mut(id) else { return };
                match peer.next_command() {
                    Ok(None) => break,
                    Ok(Some(command)) => self.obey(id, command),
                    Err(()) => return self.cut(id),
                }
            }
            // Less than there was room for: that was all, until the poll says otherwise.
            if read < buffer.len() {
                return;
            }
        }
    }

    fn obey(&mut self, id: usize, command: Command) {
        match command {
            Command::Subscribe { id: command, topics } => {
                let mut entries = Vec::with_capacity(topics.len());
                for name in topics {
                    let topic = self.topic(name.as_bytes());
                    if !self.topics[topic].members.contains(&id) {
                        self.topics[topic].members.push(id);
                        self.peers[id].topics.push(topic);
                    }
                    entries.push((name, self.topics[topic].seq));
                }
                let reply = speech::subscribed(command, &entries);
                if !self.peers[id].send(&reply) {
                    self.cut(id);
                }
            }
            Command::Publish { topic, data } => {
                let topic = self.topic(&topic);
                let Topic { name, seq, .. } = &mut self.topics[topic];
                *seq += 1;
                self.frame.clear();
                speech::event(&mut self.frame, name, *seq, &data);
                if self.coalesce {
                    match self.batch.iter_mut().find(|(known, _)| *known == topic) {
                        Some((_, bytes)) => bytes.extend_from_slice(&self.frame),
                        None => self.batch.push((topic, self.frame.clone())),
                    }
                } else {
                    let frame = std::mem::take(&mut self.frame);
                    self.broadcast(topic, &frame);
                    self.frame = frame;
                }
            }
        }
    }

    fn topic(&mut self, name: &[u8]) -> usize {
        if let Some(topic) = self.names.get(name) {
            return *topic;
        }
        let topic = self.topics.len();
        self.topics.push(Topic { name: name.to_vec(), seq: 0, members: Vec::new() });
        self.names.insert(name.to_vec(), topic);
        topic
    }

    /// One send of `bytes` to every member of a topic.
    fn broadcast(&mut self, topic: usize, bytes: &[u8]) {
        let mut cut = Vec::new();
        for &id in &self.topics[topic].members {
            if !self.peers[id].send(bytes) {
                cut.push(id);
            }
        }
        cut.into_iter().for_each(|id| self.cut(id));
    }

    /// Coalescing: what the wake-up brought, in one write for each socket.
    fn send_batch(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if let [(topic, bytes)] = &batch[..] {
            return self.broadcast(*topic, bytes);
        }
        let mut touched = HashSet::new();
        for (topic, bytes) in &batch {
            for &id in &self.topics[*topic].members {
                self.peers[id].queue(bytes);
                touched.insert(id);
            }
        }
        for id in touched {
            if !self.peers[id].flush() {
                self.cut(id);
            }
        }
    }

    fn cut(&mut self, id: usize) {
        let Some(peer) = self.peers.try_remove(id) else { return };
        for topic in peer.topics {
            self.topics[topic].members.retain(|member| *member != id);
        }
    }
}
