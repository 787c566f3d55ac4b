//! Files that may be compressed with zstd, as plain bytes.
//!
//! The decoder is `ruzstd`: kept up, MIT, and Rust all through, so that a build needs no C.

use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What each compressed frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A block that is the last one and has nothing, and a checksum, which is read where the frame has
/// one: RFC 8878, section 3.1.1.
const EMPTY_LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];
const INVALID: io::ErrorKind = io::ErrorKind::InvalidData;
/// Frames for other programs begin with one of these sixteen, in little endian.
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The plain bytes of `file`, whether it is compressed or not; its first bytes tell. Reads as it
/// goes: no more than a window of the compressor is held.
#[must_use]
pub fn plain<R: BufRead>(mut file: R) -> BufReader<Plain<R>> {
    let mut begin = Vec::new();
    // What the error is, reading on will tell.
    let looked = file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut begin);
    let compressed = looked.is_ok() && (begin == MAGIC || begin.get(1..) == Some(&SKIPPED[..]));
    let file = Cursor::new(begin).chain(file);
    BufReader::new(Plain { file, compressed, frame: None, torn: None })
}

/// Bytes as they were before they were compressed. Reading fails where the file is not whole, after
/// all that could be read: with [`io::ErrorKind::UnexpectedEof`] where it only ends too early.
pub struct Plain<R: BufRead> {
    /// With the beginning that was looked at.
    file: Chain<Cursor<Vec<u8>>, R>,
    compressed: bool,
    /// The frame that is being read. A file may have several.
    frame: Option<Box<FrameDecoder>>,
    /// Why there is no more than what was decoded.
    torn: Option<io::Error>,
}

impl<R: BufRead> fmt::Debug for Plain<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain").field("compressed", &self.compressed).finish_non_exhaustive()
    }
}

impl<R: BufRead> Plain<R> {
    /// Whether there is another frame.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.file.fill_buf()?.is_empty() {
            let mut decoder = FrameDecoder::new();
            match decoder.init(&mut self.file) {
                Ok(()) => {
                    self.frame = Some(Box::new(decoder));
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.file.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => {
                    let ended = self.file.fill_buf()?.is_empty();
                    let kind = if ended { io::ErrorKind::UnexpectedEof } else { INVALID };
                    return Err(unreadable(kind, error));
                }
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.compressed {
            return self.file.read(buffer);
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(decoder) = &mut self.frame else {
                if let Some(error) = self.torn.take() {
                    return Err(error);
                }
                if self.next_frame()? {
                    continue;
                }
                return Ok(0);
            };
            if decoder.can_collect() > 0 {
                return decoder.read(buffer);
            }
            if decoder.is_finished() {
                let (told, found) =
                    (decoder.get_checksum_from_data(), decoder.get_calculated_checksum());
                if self.torn.is_none() && told.is_some() && told != found {
                    return Err(unreadable(INVALID, "the checksum is another"));
                }
                self.frame = None;
                continue;
            }
            let one = || BlockDecodingStrategy::UptoBlocks(1);
            if let Err(error) = decoder.decode_blocks(&mut self.file, one()) {
                let ended = self.file.fill_buf()?.is_empty();
                let kind = if ended { io::ErrorKind::UnexpectedEof } else { INVALID };
                self.torn = Some(unreadable(kind, error));
                // The decoder holds the last blocks back for as long as others may refer to them.
                decoder
                    .decode_blocks(EMPTY_LAST_BLOCK, one())
                    .map_err(|e| unreadable(INVALID, e))?;
            }
        }
    }
}

fn unreadable(kind: io::ErrorKind, error: impl std::fmt::Display) -> io::Error {
    io::Error::new(kind, format!("this is not whole zstd: {error}"))
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        plain(bytes).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn several_frames_and_none_are_read() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let frame = compress_to_vec(&text[..], CompressionLevel::Fastest);
        assert_eq!(read(&frame).unwrap(), text);
        let skipped = [0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let file = [&skipped[..], &frame, &skipped, &frame].concat();
        assert_eq!(read(&file).unwrap(), text.repeat(2));
        for other in [&b"12\n13\n"[..], b"1", b""] {
            assert_eq!(read(other).unwrap(), other);
        }
    }

    #[test]
    fn what_is_broken_is_an_error_and_no_panic() {
        let frame = compress_to_vec(&b"1\n2\n3\n4\n"[..], CompressionLevel::Fastest);
        for end in MAGIC.len()..frame.len() - 1 {
            let error = read(&frame[..end]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{end}: {error}");
        }
        let error = read(&frame[..frame.len() / 2]).unwrap_err();
        assert!(error.to_string().contains("not whole zstd"), "{error}");
        let error = read(&[&frame[..], b"trailing"].concat()).unwrap_err();
        assert_eq!(error.kind(), INVALID);
    }

    #[test]
    fn of_a_torn_file_everything_before_the_tear_is_read() {
        // Numbers that do not repeat, so that there are several blocks.
        let mut text = Vec::new();
        let mut state = 7_u64;
        while text.len() < 1 << 20 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.extend_from_slice(format!("{}\n", state >> 40).as_bytes());
        }
        let frame = compress_to_vec(&text[..], CompressionLevel::Fastest);
        let mut read = Vec::new();
        let error = plain(&frame[..frame.len() / 2]).read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(read.len() > text.len() / 4 && text.starts_with(&read), "{}", read.len());
    }
}
