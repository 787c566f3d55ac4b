//! Sockets that do not behave: never read, read slowly, cut off and back again.

use super::Worker;
use super::departures::Step;
use crate::shared::Phase;
use crate::socket::Stage;

/// Sockets that are cut and dialled again between two polls.
const DEPARTING_MAX: usize = 64;
/// Between two times that slow sockets are read.
const TRICKLE_EVERY: u64 = 20_000_000;

impl Worker<'_> {
    /// Reads no more from a socket, which stays open.
    pub(super) fn stall(&mut self, index: usize) {
        let Some(mut socket) = self.sockets[index].take() else { return };
        match self.poll.registry().deregister(&mut socket.stream) {
            Ok(()) => self.stalled.push(socket),
            Err(error) => self.note(&error.to_string()),
        }
    }

    /// From now on a socket is read by the clock, not when there is something.
    pub(super) fn slow_down(&mut self, index: usize) {
        if self.shared.phase() != Phase::Running {
            return;
        }
        let Some(socket) = &mut self.sockets[index] else { return };
        match self.poll.registry().deregister(&mut socket.stream) {
            Ok(()) if self.trickling.contains(&index) => {}
            Ok(()) => self.trickling.push(index),
            Err(error) => self.end(index, &error.to_string()),
        }
    }

    /// Gives slow sockets what they may read; while draining they are as fast as the others, for
    /// the books.
    pub(super) fn trickle(&mut self, now: u64) {
        if self.shared.phase() == Phase::Draining {
            return self.hurry();
        }
        if self.trickling.is_empty() || now - self.trickled < TRICKLE_EVERY {
            return;
        }
        let elapsed = u128::from((now - self.trickled).min(1_000_000_000));
        let bytes = u128::from(self.context.plan.slow_bytes) * elapsed / 1_000_000_000;
        let budget = usize::try_from(bytes).unwrap_or(usize::MAX);
        if budget == 0 {
            return;
        }
        self.trickled = now;
        for at in (0..self.trickling.len()).rev() {
            let index = self.trickling[at];
            let clock = self.clock;
            let Some(socket) = &mut self.sockets[index] else { continue };
            if socket.stage != Stage::Live {
                continue;
            }
            if let Err(why) = socket.readable(&mut self.context, budget, || clock.now()) {
                self.broken(index, &why);
            }
        }
    }

    fn hurry(&mut self) {
        let clock = self.clock;
        for index in std::mem::take(&mut self.trickling) {
            let Some(socket) = &mut self.sockets[index] else { continue };
            if socket.stage != Stage::Live {
                continue;
            }
            // What was there before the poll knew it, it does not tell.
            let read = socket
                .widen()
                .and_then(|()| self.register(index).map_err(|error| error.to_string()));
            let Some(socket) = &mut self.sockets[index] else { continue };
            let read =
                read.and_then(|()| socket.readable(&mut self.context, usize::MAX, || clock.now()));
            if let Err(why) = read {
                self.broken(index, &why);
            }
        }
    }

    /// Cuts those whose time it is, and lets them come back.
    pub(super) fn depart(&mut self, now: u64) {
        // In turns with reading: many leave at the same time.
        for _ in 0..DEPARTING_MAX {
            let Some((index, step)) = self.departures.take(now) else { return };
            // Who goes away now may not be back before the books are closed.
            if step == Step::Leave && self.shared.phase() != Phase::Running {
                continue;
            }
            let Some(socket) = &mut self.sockets[index] else { continue };
            if step == Step::Leave && socket.stage != Stage::Live {
                continue;
            }
            drop(self.poll.registry().deregister(&mut socket.stream));
            self.reconnects.0 += u64::from(step == Step::Leave);
            let dialled = socket
                .reconnect(self.context.plan, self.clock.now())
                .and_then(|()| self.register(index));
            if dialled.is_err() {
                self.reconnects.1 += 1;
                self.departures.retry(index, now);
            }
        }
    }
}
