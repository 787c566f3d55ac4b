//! Entries become frames of a recording.

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::Entry;
use super::frames::unpack;

/// Gathers entries until they are taken as a frame.
#[derive(Debug, Default)]
pub struct Packer {
    text: Vec<u8>,
}

impl Packer {
    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry<'_>) {
        entry.write(&mut self.text);
    }

    /// Bytes that wait to be taken, unpacked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes what waits, to be packed as one frame with [`pack`].
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }
}

/// One frame that holds `text`, with a checksum.
///
/// It is unpacked again before it is given out: should the compressor ever err, the frame holds
/// the text uncompressed. A recorder must not find out years later.
#[must_use]
pub fn pack(text: &[u8]) -> Vec<u8> {
    let frame = compress_to_vec(text, CompressionLevel::Fastest);
    match unpack(&frame) {
        Ok(unpacked) if unpacked == text => frame,
        _ => compress_to_vec(text, CompressionLevel::Uncompressed),
    }
}
