//! The frames of a recording: found by their own lengths, and unpacked one at a time.

use std::io::{self, ErrorKind, Read};

use super::FRAME_BYTES_MAX;
use crate::zstandard;

/// The text of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whole lines.
    pub text: String,
    /// Where in the file the frame ends: so much of it has been read.
    pub end: u64,
}

/// Where the whole frames end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    /// Bytes of whole frames.
    pub whole: u64,
    /// Bytes of an unfinished frame after them: all that a killed recorder left of its last flush.
    pub torn: u64,
}

/// A file that cannot be read as frames.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The file itself.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Something other than a frame, with more after it than a recorder could have left behind.
    #[error("damaged at byte {at}: {problem}")]
    Damaged {
        /// Where the frame begins.
        at: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads a file frame by frame. An unfinished one at its end is no error: [`Frames::tail`] tells.
#[derive(Debug)]
pub struct Frames<R> {
    file: R,
    tail: Tail,
    /// The frame being read, as it is in the file.
    frame: Vec<u8>,
    ended: bool,
}

/// How looking for a frame ended.
enum Found {
    Frame,
    /// There is nothing more.
    End,
    /// The file ends within a frame.
    Torn,
    Damaged(&'static str),
}

/// See RFC 8878, 3.1.1 and 3.1.2.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

impl<R: Read> Frames<R> {
    /// Reads `file`, which had better be buffered.
    #[must_use]
    pub fn new(file: R) -> Self {
        Self { file, tail: Tail::default(), frame: Vec::new(), ended: false }
    }

    /// Where the frames read so far end; of the whole file after the last one.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// Passes over all frames without unpacking them, and says where they end.
    ///
    /// # Errors
    /// A file that cannot be read, or is damaged in the middle.
    pub fn skip_all(mut self) -> Result<Tail, FrameError> {
        while self.advance()? {}
        Ok(self.tail)
    }

    /// Reads the next frame into `self.frame`; false at the end.
    fn advance(&mut self) -> Result<bool, FrameError> {
        if self.ended {
            return Ok(false);
        }
        self.frame.clear();
        let found = self.look();
        self.ended = !matches!(found, Ok(Found::Frame));
        match found? {
            Found::Frame => {
                self.tail.whole += self.frame.len() as u64;
                Ok(true)
            }
            Found::End => Ok(false),
            Found::Torn => {
                self.tail.torn = self.frame.len() as u64;
                Ok(false)
            }
            Found::Damaged(problem) => {
                Err(FrameError::Damaged { at: self.tail.whole, problem: problem.into() })
            }
        }
    }

    fn look(&mut self) -> io::Result<Found> {
        let Some(magic) = self.take(4)? else {
            return Ok(match &self.frame[..] {
                [] => Found::End,
                begin if MAGIC.starts_with(begin) => Found::Torn,
                _ => Found::Damaged("no frame begins here"),
            });
        };
        if magic[1..] == SKIPPABLE && magic[0] & 0xf0 == 0x50 {
            let Some(length) = self.take(4)? else { return Ok(Found::Torn) };
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            return self.rest(length as usize);
        }
        if magic != MAGIC {
            return Ok(Found::Damaged("no frame begins here"));
        }
        let Some(&[descriptor]) = self.take(1)? else { return Ok(Found::Torn) };
        let single_segment = descriptor & 0x20 != 0;
        let window = usize::from(!single_segment);
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content_size = match descriptor >> 6 {
            0 => usize::from(single_segment),
            power => 1 << power,
        };
        if descriptor & 0x08 != 0 {
            return Ok(Found::Damaged("a bit is set that has no meaning yet"));
        }
        if self.take(window + dictionary + content_size)?.is_none() {
            return Ok(Found::Torn);
        }
        loop {
            let Some(&[low, middle, high]) = self.take(3)? else { return Ok(Found::Torn) };
            let header = u32::from_le_bytes([low, middle, high, 0]);
            let size = (header >> 3) as usize;
            let length = match header >> 1 & 3 {
                0 | 2 => size,
                1 => 1,
                _ => return Ok(Found::Damaged("a block is of no known type")),
            };
            if self.frame.len() + length > FRAME_BYTES_MAX {
                return Ok(Found::Damaged("a frame is longer than any recorder writes"));
            }
            if self.take(length)?.is_none() {
                return Ok(Found::Torn);
            }
            if header & 1 == 1 {
                break;
            }
        }
        self.rest(if descriptor & 0x04 != 0 { 4 } else { 0 })
    }

    /// The last bytes of a frame.
    fn rest(&mut self, length: usize) -> io::Result<Found> {
        if length > FRAME_BYTES_MAX {
            return Ok(Found::Damaged("a frame is longer than any recorder writes"));
        }
        Ok(if self.take(length)?.is_some() { Found::Frame } else { Found::Torn })
    }

    /// Reads `length` bytes more; `None` if the file ends before. What there is, is kept.
    fn take(&mut self, length: usize) -> io::Result<Option<&[u8]>> {
        let begin = self.frame.len();
        // Grows with what comes: a length that was only told allocates nothing.
        let read = self.file.by_ref().take(length as u64).read_to_end(&mut self.frame)?;
        Ok((read == length).then(|| &self.frame[begin..]))
    }
}

impl<R: Read> Iterator for Frames<R> {
    type Item = Result<Frame, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.tail.whole;
        match self.advance() {
            Ok(false) => None,
            Err(error) => Some(Err(error)),
            Ok(true) => {
                let text = unpack(&self.frame).and_then(|text| {
                    String::from_utf8(text).map_err(|_| invalid("the text is not UTF-8"))
                });
                self.ended |= text.is_err();
                Some(match text {
                    Ok(text) => Ok(Frame { text, end: self.tail.whole }),
                    Err(error) => Err(FrameError::Damaged { at, problem: error.to_string() }),
                })
            }
        }
    }
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem)
}

/// What a frame holds; its checksum is checked.
pub(super) fn unpack(frame: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let most = FRAME_BYTES_MAX as u64;
    zstandard::plain(frame).take(most + 1).read_to_end(&mut text)?;
    if text.len() > FRAME_BYTES_MAX {
        return Err(invalid("a frame holds more than any recorder writes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pack;
    use super::*;

    fn texts(file: &[u8]) -> (Vec<String>, Tail) {
        let mut frames = Frames::new(file);
        let texts = frames.by_ref().map(|frame| frame.unwrap().text).collect();
        (texts, frames.tail())
    }

    #[test]
    fn frames_come_back_in_order_and_a_torn_one_is_measured() {
        let lines = |count: u32| (0..count).map(|n| format!("{{\"n\":{}}}\n", n / 3)).collect();
        let all: Vec<String> = [3, 40_000, 0, 7].map(lines).into();
        let mut ends = vec![0];
        let mut file = Vec::new();
        for text in &all {
            file.extend(pack(text.as_bytes()));
            ends.push(file.len());
        }
        assert!(file.len() < all.concat().len() / 4, "{} bytes", file.len());
        let whole = Tail { whole: file.len() as u64, torn: 0 };
        assert_eq!(texts(&file), (all.clone(), whole));
        assert_eq!(Frames::new(&file[..]).skip_all().unwrap(), whole);
        // Wherever it is cut, every whole frame is there, and nothing else.
        for cut in (0..file.len())
            .filter(|cut| cut % 97 == 0 || ends.iter().any(|end| end.abs_diff(*cut) < 12))
        {
            let frames = ends.iter().filter(|end| **end <= cut).count() - 1;
            let (found, tail) = texts(&file[..cut]);
            assert_eq!(found, all[..frames], "cut at {cut}");
            let torn = (cut - ends[frames]) as u64;
            assert_eq!(tail, Tail { whole: ends[frames] as u64, torn }, "cut at {cut}");
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error_and_not_a_tail() {
        let frame = pack(b"{\"a\":1}\n");
        let mut file = [&frame[..], b"garbage that is no frame", &frame].concat();
        let at = frame.len() as u64;
        for result in [
            Frames::new(&file[..]).skip_all().map(|_| ()),
            Frames::new(&file[..]).try_for_each(|frame| frame.map(|_| ())),
        ] {
            assert!(matches!(result, Err(FrameError::Damaged { at: found, .. }) if found == at));
        }
        // A bit that flipped in the content is found by the checksum.
        file = [&frame[..], &frame].concat();
        let last = file.len() - 6;
        file[last] ^= 1;
        let error = Frames::new(&file[..]).find_map(Result::err).unwrap();
        assert!(error.to_string().starts_with(&format!("damaged at byte {at}: ")), "{error}");
    }

    #[test]
    fn frames_for_other_programs_are_passed_over() {
        let skipped = [0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let file = [&skipped[..], &pack(b"1\n"), &skipped].concat();
        let (found, tail) = texts(&file);
        assert_eq!(found.concat(), "1\n");
        assert_eq!(tail, Tail { whole: file.len() as u64, torn: 0 });
    }

    proptest! {
        #[test]
        fn any_text_survives(text in prop::collection::vec(any::<u8>(), 0..2_000), again in 1usize..200) {
            let text = text.repeat(again);
            prop_assert_eq!(unpack(&pack(&text)).unwrap(), text);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for begin in [&[][..], &MAGIC] {
                let file = [begin, &bytes].concat();
                Frames::new(&file[..]).for_each(drop);
            }
        }

        #[test]
        fn no_change_of_a_byte_panics_or_gives_another_text(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let text: String = (0..500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
            let mut file = pack(text.as_bytes());
            let at = at.index(file.len());
            file[at] = to;
            for frame in Frames::new(&file[..]).flatten() {
                // It is the text, or what another program's frame hides: nothing.
                prop_assert!(frame.text == text || frame.text.is_empty());
            }
        }
    }
}
