//! The lengths in a Databento file, looked at before its own crate reads it: that one takes each
//! record for as long as its kind, and puts up with lengths after which no record is aligned.

use std::io::{self, ErrorKind, Read};
use std::mem::size_of;

use ::dbn::{RecordHeader, v1, v2, v3};

/// Records are made of words of 8 bytes; their length is told in units of 4.
const WORD: usize = 8;
const UNIT: usize = 4;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;

/// A file whose records have lengths that can be.
#[derive(Debug)]
pub(super) struct Framed<R> {
    file: R,
    /// What was read of the file and not given out.
    buffer: Vec<u8>,
    /// How much of the buffer was given out, and how much may be.
    given: usize,
    checked: usize,
    /// Where in the file the buffer begins.
    at: u64,
    /// Once it was read.
    version: Option<u8>,
    /// Bytes of metadata that are still to come.
    metadata: u64,
    ended: bool,
    /// The file ends within something. Its own crate would take it for whole.
    torn: bool,
}

impl<R: Read> Framed<R> {
    pub(super) fn new(file: R) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            given: 0,
            checked: 0,
            at: 0,
            version: None,
            metadata: 0,
            ended: false,
            torn: false,
        }
    }

    /// Reads on, after all that was checked has been given out.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.given);
        self.at += self.given as u64;
        (self.given, self.checked) = (0, 0);
        let before = self.buffer.len();
        self.file.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer)?;
        self.ended = self.buffer.len() == before;
        self.check()?;
        if self.ended {
            let told = self.version.is_some_and(|version| version > 0);
            self.torn = told && (self.metadata > 0 || self.checked < self.buffer.len());
        }
        Ok(())
    }

    /// Looks at every record that is whole.
    fn check(&mut self) -> io::Result<()> {
        if self.version.is_none() {
            (self.version, self.metadata) = match self.buffer.first_chunk() {
                // Then comes the length of the metadata, which begin after it.
                Some(&[b'D', b'B', b'N', version, a, b, c, d]) => {
                    self.checked = 8;
                    (Some(version), u32::from_le_bytes([a, b, c, d]).into())
                }
                // The decoder says what is wrong.
                _ => (Some(0), u64::MAX),
            };
        }
        let version = self.version.unwrap_or_default();
        let metadata = self.metadata.min((self.buffer.len() - self.checked) as u64);
        self.metadata -= metadata;
        self.checked += metadata as usize;
        while let [length, kind, ..] = self.buffer[self.checked..] {
            let length = usize::from(length) * UNIT;
            if length < least(kind, version) || !length.is_multiple_of(WORD) {
                if self.checked > 0 {
                    // What is before it is good.
                    break;
                }
                let at = self.at;
                let problem =
                    format!("{length} bytes at byte {at}, as long as no record of its kind");
                return Err(io::Error::new(ErrorKind::InvalidData, problem));
            }
            if self.checked + length > self.buffer.len() {
                break;
            }
            self.checked += length;
        }
        Ok(())
    }
}

/// How long a record of this kind is at least. Those of which versions differ are made longer when
/// they are decoded.
fn least(kind: u8, version: u8) -> usize {
    use ::dbn::rtype;
    match (kind, version) {
        (rtype::INSTRUMENT_DEF, 1) => size_of::<v1::InstrumentDefMsg>(),
        (rtype::INSTRUMENT_DEF, 2) => size_of::<v2::InstrumentDefMsg>(),
        (rtype::INSTRUMENT_DEF, _) => size_of::<v3::InstrumentDefMsg>(),
        (rtype::STATISTICS, 1 | 2) => size_of::<v1::StatMsg>(),
        (rtype::STATISTICS, _) => size_of::<v3::StatMsg>(),
        (rtype::SYMBOL_MAPPING, 1) => size_of::<v1::SymbolMappingMsg>(),
        (rtype::SYMBOL_MAPPING, _) => size_of::<v2::SymbolMappingMsg>(),
        (rtype::ERROR, 1) => size_of::<v1::ErrorMsg>(),
        (rtype::ERROR, _) => size_of::<v2::ErrorMsg>(),
        (rtype::SYSTEM, 1) => size_of::<v1::SystemMsg>(),
        (rtype::SYSTEM, _) => size_of::<v2::SystemMsg>(),
        _ => size_of::<RecordHeader>(),
    }
}

impl<R: Read> Read for Framed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.checked && !self.ended {
            self.fill()?;
        }
        let length = (self.checked - self.given).min(into.len());
        if length == 0 && self.torn && !into.is_empty() {
            let problem = "the file ends within a record";
            return Err(io::Error::new(ErrorKind::InvalidData, problem));
        }
        into[..length].copy_from_slice(&self.buffer[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}
