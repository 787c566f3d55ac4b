//! Every way the broker ends a connection: code and reason, as docs/protocol.md lists them.

/// Why a connection is closed by the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Close {
    /// RFC 6455 section 7.4 close code, or one of ours from 4000 on.
    pub code: u16,
    /// For a person to read; at most 123 bytes.
    pub reason: &'static str,
}

impl Close {
    /// The peer closed; its code is answered with this.
    pub const NORMAL: Self = Self { code: 1000, reason: "" };
    /// The broker shuts down: come back later.
    pub const SHUTDOWN: Self = Self { code: 1001, reason: "shutting down" };
    /// A text frame on the MessagePack subprotocol.
    pub const TEXT_ON_BINARY: Self =
        Self { code: 1003, reason: "tickwire.v1.msgpack takes binary frames only" };
    /// A binary frame on the JSON subprotocol.
    pub const BINARY_ON_TEXT: Self =
        Self { code: 1003, reason: "tickwire.v1.json takes text frames only" };
    /// More errors than one minute may hold.
    pub const TOO_MANY_ERRORS: Self = Self { code: 1008, reason: "too many errors" };
    /// Nothing was heard from the peer for longer than allowed.
    pub const SILENT: Self = Self { code: 1008, reason: "silent for too long" };
    /// No room for another connection.
    pub const TOO_MANY_CONNECTIONS: Self = Self { code: 1013, reason: "too many connections" };
    /// The client asked to be closed rather than to lose events, and its history has run out.
    pub const SLOW: Self = Self { code: 4001, reason: "slow" };
}
