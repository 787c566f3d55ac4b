//! One connection: its socket, what has come in of an incomplete message, and how it ends.

use std::num::NonZeroUsize;

use fanout::{Millis, SubscriberId};
use mio::net::TcpStream;
use wire::Codec;

use super::Permit;
use crate::ws::Inbound;

/// How long a closed connection may take to read our close frame and to end.
pub(super) const LINGER: Millis = 2_000;

/// A minute, over which errors are counted.
const ERROR_WINDOW: Millis = 60_000;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) inbound: Inbound,
    pub(super) subscriber: SubscriberId,
    pub(super) codec: Codec,
    pub(super) stage: Stage,
    /// Bytes may wait in the socket: it said so and was not read dry since.
    pub(super) readable: bool,
    /// The peer has sent its last byte; reading on will say so.
    pub(super) ended: bool,
    /// Stands in the list of those to be read in this turn.
    pub(super) listed: bool,
    /// Nothing was read of it yet.
    pub(super) is_new: bool,
    /// When the last byte came.
    pub(super) heard: Millis,
    pub(super) errors: ErrorCount,
    pub(super) _permit: Option<Permit>,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Messages are taken and events given.
    Open,
    /// The close frame waits to be written, until then; what comes in is discarded.
    Closing { until: Millis },
    /// The close frame is written and our half is shut; the peer may take until then to end.
    Lingering { until: Millis },
}

/// Errors of one connection within a minute.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ErrorCount {
    since: Millis,
    count: usize,
}

impl ErrorCount {
    /// Counts one more; true when that makes `max` within a minute.
    pub(super) fn add(&mut self, now: Millis, max: usize) -> bool {
        if self.count == 0 || now - self.since >= ERROR_WINDOW {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        self.count >= max
    }
}

/// Sets a socket up for many small messages that must not wait in the kernel.
pub(super) fn tune(stream: &std::net::TcpStream, notsent_lowat: Option<NonZeroUsize>) {
    let socket = socket2::SockRef::from(stream);
    let nodelay = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let lowat = notsent_lowat.map_or(Ok(()), |bytes| {
        socket.set_tcp_notsent_lowat(u32::try_from(bytes.get()).unwrap_or(u32::MAX))
    });
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let lowat: std::io::Result<()> = {
        // Not offered everywhere; slow clients then cost the kernel more memory.
        drop(notsent_lowat);
        Ok(())
    };
    if let Err(error) = nodelay.and(lowat) {
        tracing::debug!(%error, "a socket could not be tuned");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_within_a_minute() {
        let mut errors = ErrorCount::default();
        assert!(!errors.add(0, 3));
        assert!(!errors.add(59_999, 3));
        assert!(!errors.add(60_000, 3), "a new minute begins");
        assert!(!errors.add(60_001, 3));
        assert!(errors.add(60_002, 3));
    }
}
