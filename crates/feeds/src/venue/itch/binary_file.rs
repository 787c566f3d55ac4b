//! Nasdaq's BinaryFILE: each message behind its length, cut into chunks anyhow.
//!
//! Source: "BinaryFILE" of Nasdaq's file-format specifications: a 16-bit length and a message,
//! repeated; the length 0 ends the session. Some tools write 0 before every message: a file that
//! begins so and goes on with a known type is read by the lengths of the types.

use super::message;
use super::transport::{Event, Receiver};

/// Puts chunks together again.
#[derive(Debug, Default)]
pub(super) struct BinaryFile {
    /// The beginning of what is not whole yet: at most a prefix and a message.
    carry: Vec<u8>,
    lengths: Lengths,
}

/// Where lengths come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Lengths {
    /// The first prefix decides.
    #[default]
    Undecided,
    /// From prefixes; 0 is the end.
    Prefixes,
    /// From the types, where the prefix is 0.
    Types,
    /// From nowhere: a type came whose length is not known, and the rest cannot be read.
    Lost,
}

/// What stands at the beginning of some bytes.
enum Piece {
    /// Not so many bytes as are needed to tell, or to be whole.
    Short { needed: usize },
    /// A message behind its prefix; `end` bytes in all.
    Whole { end: usize },
    /// The end of the session.
    End,
    /// A message of unknown length.
    Unknown,
}

const PREFIX: usize = 2;

impl BinaryFile {
    /// Forgets what it was in the middle of: another file.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    pub(super) fn receive(&mut self, mut chunk: &[u8], to: &mut impl Receiver) {
        while !self.carry.is_empty() {
            match self.piece(&self.carry) {
                Piece::Short { needed } => {
                    let missing = needed - self.carry.len();
                    let (more, rest) = chunk.split_at(missing.min(chunk.len()));
                    self.carry.extend_from_slice(more);
                    chunk = rest;
                    if more.len() < missing {
                        return;
                    }
                }
                Piece::Whole { end } => {
                    self.decide([self.carry[0], self.carry[1]]);
                    to.message(None, &self.carry[PREFIX..end]);
                    self.carry.drain(..end);
                }
                Piece::End => {
                    self.lengths = Lengths::Prefixes;
                    to.event(Event::Ended);
                    self.carry.drain(..PREFIX);
                }
                Piece::Unknown => {
                    let carry = std::mem::take(&mut self.carry);
                    return self.give_up(&carry, to);
                }
            }
        }
        if self.lengths == Lengths::Lost {
            return;
        }
        loop {
            match self.piece(chunk) {
                Piece::Short { .. } => {
                    self.carry.extend_from_slice(chunk);
                    return;
                }
                Piece::Whole { end } => {
                    self.decide([chunk[0], chunk[1]]);
                    to.message(None, &chunk[PREFIX..end]);
                    chunk = &chunk[end..];
                }
                Piece::End => {
                    self.lengths = Lengths::Prefixes;
                    to.event(Event::Ended);
                    chunk = &chunk[PREFIX..];
                }
                Piece::Unknown => return self.give_up(chunk, to),
            }
        }
    }

    /// Nothing more comes: what is left over was cut off.
    pub(super) fn finish(&mut self, to: &mut impl Receiver) {
        let rest = std::mem::take(&mut self.carry);
        match &rest[..] {
            [] => {}
            // Types decide, so it could have been the beginning of a message.
            [0, 0] => to.event(Event::Ended),
            bytes => {
                let expected = "the rest of the last message";
                to.event(Event::Malformed { expected, bytes });
            }
        }
    }

    #[inline]
    fn piece(&self, bytes: &[u8]) -> Piece {
        let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
            return Piece::Short { needed: PREFIX };
        };
        let prefixed = usize::from(u16::from_be_bytes(*prefix));
        let length = if prefixed > 0 {
            prefixed
        } else {
            if self.lengths == Lengths::Prefixes {
                return Piece::End;
            }
            let Some(&kind) = bytes.get(PREFIX) else {
                return Piece::Short { needed: PREFIX + 1 };
            };
            match (message::length(kind), self.lengths) {
                (Some(length), _) => length,
                (None, Lengths::Undecided) => return Piece::End,
                (None, _) => return Piece::Unknown,
            }
        };
        let end = PREFIX + length;
        if bytes.len() < end { Piece::Short { needed: end } } else { Piece::Whole { end } }
    }

    #[inline]
    fn decide(&mut self, prefix: [u8; PREFIX]) {
        if self.lengths == Lengths::Undecided {
            self.lengths = if prefix == [0, 0] { Lengths::Types } else { Lengths::Prefixes };
        }
    }

    fn give_up(&mut self, bytes: &[u8], to: &mut impl Receiver) {
        self.lengths = Lengths::Lost;
        let expected = "a known message type, as the file has no lengths";
        to.event(Event::Malformed { expected, bytes });
        to.event(Event::Lost { messages: 1 });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::transport::Notes;
    use super::*;

    fn prefixed(messages: &[Vec<u8>]) -> Vec<u8> {
        let bytes = messages.iter().flat_map(|message| {
            let length = (message.len() as u16).to_be_bytes();
            length.into_iter().chain(message.iter().copied())
        });
        bytes.collect()
    }

    fn of_type(kind: u8) -> Vec<u8> {
        let mut message = vec![b'x'; message::length(kind).unwrap()];
        message[0] = kind;
        message
    }

    #[test]
    fn a_file_without_lengths_is_read_by_its_types() {
        let mut bytes = Vec::new();
        for kind in *b"SRA" {
            bytes.extend([0, 0]);
            bytes.extend(of_type(kind));
        }
        for step in [1, 2, 5, 1_000] {
            let (mut file, mut notes) = (BinaryFile::default(), Notes::default());
            bytes.chunks(step).for_each(|chunk| file.receive(chunk, &mut notes));
            file.finish(&mut notes);
            let kinds: Vec<u8> = notes.messages.iter().map(|(_, message)| message[0]).collect();
            assert_eq!((kinds, notes.events.len()), (b"SRA".to_vec(), 0));
        }
        // One of unknown length ends it, and says so once.
        let (mut file, mut notes) = (BinaryFile::default(), Notes::default());
        file.receive(&bytes, &mut notes);
        file.receive(&[0, 0, b'?', 0, 0], &mut notes);
        file.receive(&bytes, &mut notes);
        assert_eq!(notes.messages.len(), 3);
        assert_eq!(notes.events.len(), 2, "{:?}", notes.events);
    }

    #[test]
    fn zero_ends_a_file_with_lengths_and_a_cut_is_told() {
        let (mut file, mut notes) = (BinaryFile::default(), Notes::default());
        let mut bytes = prefixed(&[of_type(b'S'), vec![b'?', 1, 2]]);
        bytes.extend([0, 0, 0, 0, 0, 36, b'A']);
        file.receive(&bytes, &mut notes);
        file.finish(&mut notes);
        assert_eq!(notes.messages.len(), 2);
        assert_eq!(notes.events, ["Ended", "Ended", "no the rest of the last message"]);
    }

    proptest! {
        #[test]
        fn chunks_change_nothing(
            lengths in proptest::collection::vec(1usize..80, 0..20),
            cuts in proptest::collection::vec(0usize..60, 1..20),
        ) {
            let messages: Vec<Vec<u8>> =
                lengths.iter().enumerate().map(|(n, &length)| vec![n as u8; length]).collect();
            let mut bytes = &prefixed(&messages)[..];
            let (mut file, mut notes) = (BinaryFile::default(), Notes::default());
            for cut in cuts.iter().cycle().take(2_000) {
                let (chunk, rest) = bytes.split_at(bytes.len().min(*cut));
                file.receive(chunk, &mut notes);
                bytes = rest;
            }
            file.receive(bytes, &mut notes);
            file.finish(&mut notes);
            let got: Vec<Vec<u8>> = notes.messages.into_iter().map(|(_, message)| message).collect();
            prop_assert_eq!(got, messages);
            prop_assert!(notes.events.is_empty());
        }

        #[test]
        fn any_bytes_are_taken(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let (mut file, mut notes) = (BinaryFile::default(), Notes::default());
            chunks.iter().for_each(|chunk| file.receive(chunk, &mut notes));
            file.finish(&mut notes);
        }
    }
}
