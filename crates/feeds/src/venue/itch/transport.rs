//! What the framings have in common: messages in order, and what befell them on their way.

use market::Nanos;

/// Who takes what a framing finds in the bytes it is given.
pub(super) trait Receiver {
    /// A message, with its number where the framing has one.
    fn message(&mut self, sequence: Option<u64>, message: &[u8]);

    /// Anything else.
    fn event(&mut self, event: Event<'_>);
}

/// What befell messages on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A session begins; `whole` is true when the next message is its first.
    Begins { whole: bool },
    /// A packet came whose messages came before, at least in part.
    Repeated,
    /// The session goes on where it was broken off: nothing is missing in between.
    Resumed,
    /// Messages are missing before the next, and will not come.
    Lost { messages: u64 },
    /// The other side is there and has nothing to say.
    Idle,
    /// The other side says that nothing more comes.
    Ended,
    /// The other side does not want us.
    Rejected { reason: &'static str },
    /// This connection is of no use any more; another one is to be opened.
    Reconnect { reason: &'static str },
    /// Bytes that should have been something else.
    Malformed { expected: &'static str, bytes: &'a [u8] },
    /// Something of a kind that is not known.
    Unknown,
    /// Bytes for the other side.
    Send(Vec<u8>),
    /// When to look at the clock next.
    Wake(Nanos),
}

/// Notes all it is given, for the framings' tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) messages: Vec<(Option<u64>, Vec<u8>)>,
    /// Everything but messages, wishes to be woken, and idleness.
    pub(super) events: Vec<String>,
    pub(super) sent: Vec<Vec<u8>>,
    pub(super) wake: Option<Nanos>,
}

#[cfg(test)]
impl Receiver for Notes {
    fn message(&mut self, sequence: Option<u64>, message: &[u8]) {
        self.messages.push((sequence, message.to_vec()));
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Send(bytes) => self.sent.push(bytes),
            Event::Wake(at) => self.wake = Some(at),
            Event::Idle => {}
            Event::Malformed { expected, .. } => self.events.push(format!("no {expected}")),
            other => self.events.push(format!("{other:?}")),
        }
    }
}

#[cfg(test)]
impl Notes {
    /// The numbers of the messages so far.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.messages.iter().filter_map(|(sequence, _)| *sequence).collect()
    }
}
