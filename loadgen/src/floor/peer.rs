//! A socket of the floor: bytes in, frames out, and what it did not take.

use std::io::{self, Read as _, Write as _};

use memchr::memmem;
use mio::net::TcpStream;

use super::speech::{self, Command};
use crate::frames;

/// What may wait for a socket that does not take it.
const BACKLOG_MAX: usize = 4 << 20;
/// A command above this is none of ours.
const COMMAND_MAX: usize = 4 << 20;

/// One connection.
pub(super) struct Peer {
    stream: TcpStream,
    upgraded: bool,
    /// Bytes read and not understood yet; `used` of them are.
    inbound: Vec<u8>,
    used: usize,
    backlog: Vec<u8>,
    /// Its subscriptions, to be taken back at its end.
    pub(super) topics: Vec<usize>,
}

impl Peer {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            upgraded: false,
            inbound: Vec::new(),
            used: 0,
            backlog: Vec::new(),
            topics: Vec::new(),
        }
    }

    /// Reads once; returns how much, `None` when the connection is over.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            return match self.stream.read(buffer) {
                Ok(0) => None,
                Ok(read) => {
                    self.inbound.extend_from_slice(&buffer[..read]);
                    Some(read)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => None,
            };
        }
    }

    /// The next command among the bytes read; `Err` when the connection is to be cut.
    pub(super) fn next_command(&mut self) -> Result<Option<Command>, ()> {
        if !self.upgraded && !self.upgrade()? {
            return Ok(None);
        }
        while let Some(head) = frames::head(&self.inbound[self.used..]) {
            let (start, Some(mask)) = (self.used + head.size, head.mask) else { return Err(()) };
            if head.payload > COMMAND_MAX {
                return Err(());
            }
            let Some(payload) = self.inbound.get_mut(start..start + head.payload) else { break };
            frames::apply_mask(payload, mask);
            let payload = start..start + head.payload;
            self.used = payload.end;
            match head.opcode {
                frames::TEXT if head.fin => {
                    if let Some(command) = speech::command(&self.inbound[payload]) {
                        return Ok(Some(command));
                    }
                }
                frames::PING => {
                    let mut pong = Vec::new();
                    frames::push_head(&mut pong, frames::PONG, payload.len(), false);
                    pong.extend_from_slice(&self.inbound[payload]);
                    if !self.send(&pong) {
                        return Err(());
                    }
                }
                frames::PONG => {}
                _ => return Err(()),
            }
        }
        self.inbound.drain(..self.used);
        self.used = 0;
        // Thousands of sockets: none keeps a buffer that it needs once.
        if self.inbound.is_empty() {
            self.inbound = Vec::new();
        }
        Ok(None)
    }

    /// Answers the upgrade; false while the request is not there whole.
    fn upgrade(&mut self) -> Result<bool, ()> {
        let Some(end) = memmem::find(&self.inbound, b"\r\n\r\n") else {
            return if self.inbound.len() > COMMAND_MAX { Err(()) } else { Ok(false) };
        };
        let answer = speech::upgrade(&self.inbound[..end]).ok_or(())?;
        self.used = end + 4;
        self.upgraded = true;
        if self.send(&answer) { Ok(true) } else { Err(()) }
    }

    /// One non-blocking write; what is not taken waits. False: cut it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        if !self.backlog.is_empty() {
            self.queue(bytes);
            return self.backlog.len() <= BACKLOG_MAX;
        }
        match self.stream.write(bytes) {
            Ok(written) if written == bytes.len() => true,
            Ok(written) => {
                self.queue(&bytes[written..]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.queue(bytes);
                true
            }
            Err(_) => false,
        }
    }

    /// Adds to what waits.
    pub(super) fn queue(&mut self, bytes: &[u8]) {
        self.backlog.extend_from_slice(bytes);
    }

    /// Writes what waits. False: cut it.
    pub(super) fn flush(&mut self) -> bool {
        while !self.backlog.is_empty() {
            match self.stream.write(&self.backlog) {
                Ok(written) => drop(self.backlog.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.backlog.len() <= BACKLOG_MAX;
                }
                Err(_) => return false,
            }
        }
        true
    }
}
