//! From the turn's frames to sockets: one write for each, however many events it carries.

use std::io::{ErrorKind, IoSlice, Write};

use fanout::SubscriberId;
use mio::net::TcpStream;

use super::Service;
use super::connection::Stage;
use super::event_loop::EventLoop;

/// Runs of frames handed to the kernel in one call.
const SLICES: usize = 64;

impl<S: Service> EventLoop<S> {
    /// Writes to everyone who has something in this turn.
    pub(super) fn write_all(&mut self) {
        let before = self.report.writes;
        while let Some(id) = self.hub.next_ready() {
            self.write(id);
        }
        if self.report.writes > before {
            self.report.turns += 1;
            self.latency.record(self.hub.published_in_turn(), self.settings.clock.wall());
        }
    }

    fn write(&mut self, id: SubscriberId) {
        let Some(Some(connection)) = self.connections.get_mut(id.index()) else {
            self.hub.wrote(id, 0);
            return;
        };
        let mut pending = self.hub.pending(id);
        let (first, second) = (pending.next(), pending.next());
        let written = match (first, second) {
            (None, _) => Written::default(),
            // By far the most frequent case, which the array for many runs would make dearer.
            (Some(run), None) => write_runs(&mut connection.stream, &mut [IoSlice::new(run)]),
            (Some(first), Some(second)) => {
                write_many(&mut connection.stream, [first, second].into_iter().chain(&mut pending))
            }
        };
        drop(pending);
        self.report.writes += written.calls;
        self.report.bytes += written.bytes as u64;
        self.hub.wrote(id, written.bytes);
        if written.broken {
            self.remove(id);
        } else if connection.stage != Stage::Open || connection.readable {
            self.after_write(id);
        }
    }

    /// Once the close frame is written, shuts our half and waits for the peer to end. Reads on
    /// where replies were in the way.
    fn after_write(&mut self, id: SubscriberId) {
        let written = self.hub.unsent(id) == 0;
        let Some(connection) = self.connection(id) else { return };
        if let (Stage::Closing { until }, true) = (connection.stage, written) {
            connection.stage = Stage::Lingering { until };
            // An error means that the peer has gone, which reading will tell.
            drop(connection.stream.shutdown(std::net::Shutdown::Write));
            connection.readable = true;
        }
        // Its replies may have been in the way of its commands.
        self.list_for_reading(id);
    }
}

/// What one socket took.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    bytes: usize,
    calls: u64,
    /// The socket takes no more for now.
    full: bool,
    /// The connection is gone.
    broken: bool,
}

/// Writes any number of runs, a batch at a time.
fn write_many<'a>(stream: &mut TcpStream, runs: impl Iterator<Item = &'a [u8]>) -> Written {
    let mut runs = runs.peekable();
    let mut total = Written::default();
    while runs.peek().is_some() && !total.full && !total.broken {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slot, run) in slices.iter_mut().zip(&mut runs) {
            *slot = IoSlice::new(run);
            count += 1;
        }
        let Written { bytes, calls, full, broken } = write_runs(stream, &mut slices[..count]);
        total.bytes += bytes;
        total.calls += calls;
        (total.full, total.broken) = (full, broken);
    }
    total
}

/// Writes until all is taken or the socket takes no more.
fn write_runs(stream: &mut TcpStream, mut runs: &mut [IoSlice<'_>]) -> Written {
    let mut total = Written::default();
    while !runs.is_empty() {
        let written = match &*runs {
            [one] => stream.write(one),
            many => stream.write_vectored(many),
        };
        match written {
            Ok(written) => {
                total.calls += 1;
                total.bytes += written;
                IoSlice::advance_slices(&mut runs, written);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                total.full = true;
                break;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::debug!(%error, "a connection broke");
                total.broken = true;
                break;
            }
        }
    }
    total
}
