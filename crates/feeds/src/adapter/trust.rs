//! How far a book can be trusted, what proves it, and what ends the trust.

/// How far a book can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookState {
    /// There is no snapshot, or what followed it was broken: nothing is published.
    Resyncing,
    /// Each message so far was proved by a number or a checksum of the venue.
    Verified,
    /// The venue gives nothing to prove it by; it was never seen to be wrong.
    Unverifiable,
}

impl BookState {
    /// `resyncing`, `verified` or `unverifiable`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resyncing => "resyncing",
            Self::Verified => "verified",
            Self::Unverifiable => "unverifiable",
        }
    }
}

/// What a message's own proof says of the book it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// There is no checksum; a sequence of the venue's proves it.
    Sequence,
    /// There is nothing.
    Nothing,
    /// The venue's checksum is that of our book.
    ChecksumRight,
    /// It is not.
    ChecksumWrong,
}

/// Why a book is not to be trusted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A number of the venue's sequence is missing.
    Gap,
    /// The venue's checksum is not that of our book.
    Checksum,
    /// The best bid is at or above the best offer.
    Crossed,
    /// A price that is not above zero, a size below zero, or more levels than allowed.
    Refused,
    /// A message of the book could not be read.
    Malformed,
    /// There was no snapshot yet.
    NoSnapshot,
    /// The snapshot is older than what the stream says next: something between them is missing.
    Outdated,
}

impl Fault {
    /// For a person.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap in the venue's sequence",
            Self::Checksum => "wrong checksum",
            Self::Crossed => "crossed book",
            Self::Refused => "levels out of bounds",
            Self::Malformed => "unreadable message",
            Self::NoSnapshot => "no snapshot yet",
            Self::Outdated => "the snapshot is older than the stream",
        }
    }
}

/// What is wrong with the messages of a symbol though no book is wrong by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// A message, or an execution, that came before.
    Repeated,
    /// A message that newer ones have overtaken.
    Overtaken,
    /// The numbers of executions have a hole.
    TradesMissed,
}

impl Oddity {
    /// For a person.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repeated => "a repeated message was left out",
            Self::Overtaken => "an overtaken message was left out",
            Self::TradesMissed => "executions are missing",
        }
    }
}
