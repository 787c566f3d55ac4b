//! The two encodings, and the subprotocol names under which clients ask for them.

/// How messages are written on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// `tickwire.v1.json`: text frames; also when a client offers no subprotocol.
    Json,
    /// `tickwire.v1.msgpack`: binary frames holding the same maps.
    MessagePack,
}

impl Codec {
    /// Every codec, at its [`Codec::index`].
    pub const ALL: [Self; 2] = [Self::Json, Self::MessagePack];

    /// Position in tables that hold one entry for each codec.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in `Sec-WebSocket-Protocol`.
    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "tickwire.v1.json",
            Self::MessagePack => "tickwire.v1.msgpack",
        }
    }
}
