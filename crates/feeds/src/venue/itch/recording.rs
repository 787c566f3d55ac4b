//! A recording of ITCH as one file: a capture of MoldUDP64 packets, or the messages themselves.

use market::Nanos;

use super::mold::{Packet, SessionName};
use super::pcap::{Pcap, PcapCounts, PcapError};
use super::{DateSource, Framing, Itch, ItchOptions};
use crate::adapter::{Adapter as _, Input, Output};

/// Most sessions of one capture that are told apart; packets of more are not read.
const SESSIONS_MAX: usize = 64;

/// Plays one file to adapters of its own. What kind of file it is, its first bytes say: a capture
/// gets one adapter for each MoldUDP64 session in it, anything else a single one.
///
/// ```
/// use feeds::adapter::{Adapter as _, DeskOptions};
/// use feeds::venue::itch::{Framing, ItchOptions, Recording};
///
/// let desk = DeskOptions { venue: "nasdaq".into(), open: true, ..DeskOptions::default() };
/// let mut recording = Recording::new(ItchOptions::new(Framing::BinaryFile, desk));
/// // A file of one message, in two chunks: start of messages at 03:00.
/// let file = b"\x00\x0cS\x00\x00\x00\x00\x09\xd2\x8f\xa9\x80\x00O";
/// let mut updates = 0;
/// for chunk in file.chunks(7) {
///     recording.push(chunk, |_, out| updates += out.updates.len())?;
/// }
/// recording.finish(|_, out| updates += out.updates.len());
/// // The venue is up, and what it said.
/// assert_eq!(updates, 2);
/// assert_eq!(recording.adapters().next().map(|adapter| adapter.desk().counts.frames), Some(1));
/// # Ok::<(), feeds::venue::itch::PcapError>(())
/// ```
#[derive(Debug)]
pub struct Recording {
    options: ItchOptions,
    source: Source,
    now: Nanos,
    foreign: u64,
}

#[derive(Debug)]
enum Source {
    /// Fewer bytes than tell.
    Undecided(Vec<u8>),
    Messages(Box<Itch>),
    Capture {
        pcap: Box<Pcap>,
        sessions: Vec<Session>,
    },
}

#[derive(Debug)]
struct Session {
    name: SessionName,
    itch: Itch,
    wake_at: Option<Nanos>,
}

impl Recording {
    /// A recording whose adapters are made with `options`. Its framing is that of a file that is
    /// no capture; MoldUDP64 means `BinaryFILE` there. There is room for all stocks that a day can
    /// have, as their numbers have 16 bits.
    #[must_use]
    pub fn new(mut options: ItchOptions) -> Self {
        options.desk.symbols_max = options.desk.symbols_max.max(1 << 16);
        Self { options, source: Source::Undecided(Vec::new()), now: 0, foreign: 0 }
    }

    /// Takes the next bytes of the file; `each` is given an adapter with what came of it, at least
    /// once for each packet or chunk. Messages that no capture gives a time are received at 0.
    ///
    /// # Errors
    /// A capture that cannot be read any further.
    pub fn push(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(&Itch, &mut Output),
    ) -> Result<(), PcapError> {
        if let Source::Undecided(head) = &mut self.source {
            head.extend_from_slice(chunk);
            let Some(magic) = head.first_chunk::<4>() else { return Ok(()) };
            let source = if Pcap::begins(*magic) {
                Source::Capture { pcap: Box::default(), sessions: Vec::new() }
            } else {
                Source::Messages(Box::new(self.messages()))
            };
            let decided = std::mem::replace(&mut self.source, source);
            let Source::Undecided(head) = decided else { return Ok(()) };
            return self.decided(&head, &mut each);
        }
        self.decided(chunk, &mut each)
    }

    fn decided(
        &mut self,
        chunk: &[u8],
        each: &mut impl FnMut(&Itch, &mut Output),
    ) -> Result<(), PcapError> {
        match &mut self.source {
            Source::Undecided(_) => Ok(()),
            Source::Messages(itch) => {
                input(itch, Input::Binary(chunk), self.now, each);
                Ok(())
            }
            Source::Capture { pcap, sessions } => {
                let (options, now, foreign) = (&self.options, &mut self.now, &mut self.foreign);
                pcap.receive(chunk, |time, payload| {
                    *now = time;
                    match session(sessions, payload, options) {
                        Some(session) => session.receive(payload, time, each),
                        None => *foreign += 1,
                    }
                })
            }
        }
    }

    /// The file is over: what was held back or cut off comes out.
    pub fn finish(&mut self, mut each: impl FnMut(&Itch, &mut Output)) {
        if let Source::Undecided(head) = &mut self.source {
            let head = std::mem::take(head);
            let mut itch = self.messages();
            input(&mut itch, Input::Binary(&head), self.now, &mut each);
            self.source = Source::Messages(Box::new(itch));
        }
        let adapters: Vec<&mut Itch> = match &mut self.source {
            Source::Undecided(_) => Vec::new(),
            Source::Messages(itch) => vec![itch],
            Source::Capture { sessions, .. } => sessions.iter_mut().map(|s| &mut s.itch).collect(),
        };
        for itch in adapters {
            let mut out = Output::default();
            itch.finish(self.now, &mut out);
            each(itch, &mut out);
        }
    }

    /// The adapters, with all that they hold.
    pub fn adapters(&self) -> impl Iterator<Item = &Itch> {
        let (single, sessions) = match &self.source {
            Source::Undecided(_) => (None, &[][..]),
            Source::Messages(itch) => (Some(&**itch), &[][..]),
            Source::Capture { sessions, .. } => (None, &sessions[..]),
        };
        single.into_iter().chain(sessions.iter().map(|session| &session.itch))
    }

    /// What a capture held; `None` where the file is none.
    #[must_use]
    pub fn capture(&self) -> Option<PcapCounts> {
        match &self.source {
            Source::Capture { pcap, .. } => Some(pcap.counts()),
            Source::Undecided(_) | Source::Messages(_) => None,
        }
    }

    /// UDP payloads that are no MoldUDP64 packets, or of one session too many.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    fn messages(&self) -> Itch {
        let framing = match self.options.framing {
            Framing::Soup => Framing::Soup,
            Framing::BinaryFile | Framing::Mold => Framing::BinaryFile,
        };
        Itch::new(ItchOptions { framing, ..self.options.clone() })
    }
}

impl Session {
    fn receive(&mut self, payload: &[u8], now: Nanos, each: &mut impl FnMut(&Itch, &mut Output)) {
        if self.wake_at.is_some_and(|at| at <= now) {
            self.wake_at = input(&mut self.itch, Input::Timer, now, each);
        }
        let wake_at = input(&mut self.itch, Input::Binary(payload), now, each);
        self.wake_at = [self.wake_at, wake_at].into_iter().flatten().min();
    }
}

fn session<'a>(
    sessions: &'a mut Vec<Session>,
    payload: &[u8],
    options: &ItchOptions,
) -> Option<&'a mut Session> {
    let name = Packet::parse(payload)?.session;
    let at = match sessions.iter().position(|session| session.name == name) {
        Some(at) => at,
        None if sessions.len() < SESSIONS_MAX => {
            let date = match options.date {
                DateSource::Unknown => DateSource::Received,
                known => known,
            };
            let options = ItchOptions { framing: Framing::Mold, date, ..options.clone() };
            sessions.push(Session { name, itch: Itch::new(options), wake_at: None });
            sessions.len() - 1
        }
        None => return None,
    };
    sessions.get_mut(at)
}

/// Gives an adapter an input, and returns when it wants to be woken.
fn input(
    itch: &mut Itch,
    input: Input<'_>,
    now: Nanos,
    each: &mut impl FnMut(&Itch, &mut Output),
) -> Option<Nanos> {
    let mut out = Output::default();
    itch.handle(input, now, &mut out);
    let wake_at = out.wake_at;
    each(itch, &mut out);
    wake_at
}

#[cfg(test)]
mod tests {
    use super::super::tests::{add, directory, file, packet, system};
    use super::*;
    use crate::adapter::BookState;
    use crate::adapter::DeskOptions;

    /// A capture with these UDP payloads, a second apart.
    fn capture(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = [&[0xa1, 0xb2, 0x3c, 0x4d][..], &[0; 16], &[0, 0, 0, 1]].concat();
        for (second, payload) in payloads.iter().enumerate() {
            let udp = (8 + payload.len() as u16).to_be_bytes();
            let ip = (28 + payload.len() as u16).to_be_bytes();
            let mut frame =
                [&[0; 12][..], &[8, 0, 0x45, 0], &ip, &[0; 5], &[17], &[0; 10]].concat();
            frame.extend([&[0; 4][..], &udp, &[0; 2], payload].concat());
            let length = frame.len() as u32;
            for word in [1_692_680_400 + second as u32, 0, length, length] {
                bytes.extend(word.to_be_bytes());
            }
            bytes.extend(frame);
        }
        bytes
    }

    fn recording() -> Recording {
        let desk = DeskOptions { venue: "x".into(), open: true, ..DeskOptions::default() };
        Recording::new(ItchOptions::new(Framing::BinaryFile, desk))
    }

    #[test]
    fn sessions_of_a_capture_are_told_apart() {
        let day = |stock: &str| {
            [
                system(b'O'),
                directory(1, stock),
                add(1, stock, 1, b'B', 1, 1),
                add(1, stock, 2, b'B', 1, 1),
            ]
        };
        let other = |sequence, messages: &[Vec<u8>]| {
            let mut bytes = packet(sequence, messages);
            bytes[9] = b'2';
            bytes
        };
        let (ours, theirs) = (day("OURS"), day("THEIRS"));
        let payloads = [
            packet(1, &ours),
            other(1, &theirs[..2]),
            b"something else".to_vec(),
            other(4, &theirs[3..]),
            // So much later that the missing message is given up.
            packet(5, &[]),
        ];
        let bytes = capture(&payloads);
        for step in [1, 50, 100_000] {
            let mut recording = recording();
            let mut updates = 0;
            let mut each = |_: &Itch, out: &mut Output| updates += out.updates.len();
            for chunk in bytes.chunks(step) {
                recording.push(chunk, &mut each).unwrap();
            }
            recording.finish(&mut each);
            let states: Vec<_> = recording
                .adapters()
                .flat_map(|itch| itch.desk().symbols())
                .map(|(_, symbol)| (&*symbol.native, symbol.state()))
                .collect();
            let expected = [("OURS", BookState::Verified), ("THEIRS", BookState::Resyncing)];
            assert_eq!(states, expected);
            assert_eq!((recording.foreign(), recording.capture().unwrap().packets), (1, 5));
            assert_eq!(recording.adapters().map(|itch| itch.counts().lost).sum::<u64>(), 1);
            assert!(updates > 4);
        }
    }

    #[test]
    fn anything_else_is_a_file_of_messages_however_short() {
        let bytes = file(&[system(b'O'), directory(1, "A")]);
        for (bytes, frames) in [(&bytes[..], 2), (&bytes[..1], 0), (&[], 0)] {
            let mut recording = recording();
            recording.push(bytes, |_, _| {}).unwrap();
            recording.finish(|_, _| {});
            let desk = recording.adapters().next().unwrap().desk();
            assert_eq!(desk.counts.frames, frames);
            assert_eq!(desk.counts.malformed, u64::from(bytes.len() == 1));
            assert!(recording.capture().is_none());
        }
        let mut recording = recording();
        let pcapng = recording.push(&[0x0a, 0x0d, 0x0d, 0x0a].repeat(8), |_, _| {});
        assert_eq!(pcapng, Err(PcapError::Pcapng));
    }
}
