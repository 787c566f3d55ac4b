//! From the turn's frames to sockets: one write for each, however many events it carries.

use std::io::{ErrorKind, IoSlice, Write};

use fanout::SubscriberId;

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
        let mut taken = 0;
        let mut open = true;
        'batches: while open {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slot, bytes) in slices.iter_mut().zip(&mut pending) {
                *slot = IoSlice::new(bytes);
                count += 1;
            }
            let mut batch = &mut slices[..count];
            while !batch.is_empty() {
                let written = match &*batch {
                    [one] => connection.stream.write(one),
                    many => connection.stream.write_vectored(many),
                };
                match written {
                    Ok(written) => {
                        self.report.writes += 1;
                        taken += written;
                        IoSlice::advance_slices(&mut batch, written);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break 'batches,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        tracing::debug!(%error, "a connection broke");
                        open = false;
                        break 'batches;
                    }
                }
            }
            if count < SLICES {
                break;
            }
        }
        drop(pending);
        self.report.bytes += taken as u64;
        self.hub.wrote(id, taken);
        if open { self.finish_closing(id) } else { self.remove(id) }
    }

    /// Once the close frame is written, shuts our half and waits for the peer to end.
    fn finish_closing(&mut self, id: SubscriberId) {
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
