//! The file that is recorded to: begun, or found and gone on with, and written by a thread.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, bail};
use feeds::recording::{Frames, Header, pack};
use market::Nanos;
use tokio::sync::mpsc;

/// An unfinished first frame that is longer is none that a recorder left.
const HEADER_BYTES_MAX: u64 = 64 * 1024;
/// Frames that wait to be written. When there are more, the recorder does not read on.
const WAITING: usize = 4;

/// How the file was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// There was nothing in it.
    New,
    /// There was a recording of the same topics.
    Resumed {
        /// Bytes of it.
        whole: u64,
        /// Bytes of an unfinished frame after them, which were cut off.
        torn: u64,
    },
}

/// Opens `path`, ready to have frames appended. A new file gets its header. While it is open no
/// other recorder can open it.
///
/// # Errors
/// A file that cannot be used, that another recorder writes to, that is no recording, is damaged, or is one of other topics.
pub(super) fn open(path: &Path, topics: &[String], now: Nanos) -> anyhow::Result<(File, Opened)> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .context("cannot be opened")?;
    // It lasts as long as the file is open, so that none is left behind by whoever is killed.
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another tickwire record is writing to it; end that one, or give another --out")
        }
        Err(TryLockError::Error(error)) => {
            // Some file systems have no locks, which is no reason not to record.
            let path = path.display();
            eprintln!("warning: {path} cannot be locked ({error}): let nothing else record to it");
        }
    }
    let mut frames = Frames::new(BufReader::new(&file));
    let first = frames.next().transpose().context("exists, and is no recording")?;
    let tail = frames.tail();
    let Some(first) = first else {
        if tail.whole > 0 || tail.torn > HEADER_BYTES_MAX {
            bail!("exists, and is no recording");
        }
        // Empty, or killed before the header was written.
        let mut line = Vec::new();
        Header { started: now, topics: topics.to_vec() }.write(&mut line);
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&pack(&line)).context("cannot be written")?;
        return Ok((file, Opened::New));
    };
    let header = Header::parse(first.text.lines().next().unwrap_or_default())?;
    let sorted = |topics: &[String]| {
        let mut topics = topics.to_vec();
        topics.sort();
        topics.dedup();
        topics
    };
    if sorted(&header.topics) != sorted(topics) {
        bail!(
            "is a recording of {}; give the same --topics to go on with it, or another file",
            header.topics.join(",")
        );
    }
    let tail = frames.skip_all().context("cannot be gone on with")?;
    file.set_len(tail.whole)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, Opened::Resumed { whole: tail.whole, torn: tail.torn }))
}

/// Packs frames and writes them, beside whoever receives.
pub(super) struct Writer {
    frames: mpsc::Sender<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
    written: Arc<AtomicU64>,
}

/// A place for one frame, which is sure to be written.
pub(super) type Place<'a> = mpsc::Permit<'a, Vec<u8>>;

impl Writer {
    pub(super) fn start(file: File) -> io::Result<Self> {
        let (frames, waiting) = mpsc::channel(WAITING);
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        let write = move || write(file, waiting, &count);
        let thread = std::thread::Builder::new().name("recording".into()).spawn(write)?;
        Ok(Self { frames, thread, written })
    }

    /// Waits until there is room for another frame. Cancelling it loses nothing. `None` when the
    /// file cannot be written any more, of which [`Writer::finish`] tells.
    pub(super) async fn place(&self) -> Option<Place<'_>> {
        self.frames.reserve().await.ok()
    }

    /// Bytes that were written since the start.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, and on the disk.
    ///
    /// # Errors
    /// What kept it from being written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        drop(self.frames);
        let ended = self.thread.join();
        ended
            .map_err(|_| anyhow::anyhow!("the writing thread failed"))?
            .context("cannot be written")
    }
}

fn write(mut file: File, mut frames: mpsc::Receiver<Vec<u8>>, count: &AtomicU64) -> io::Result<()> {
    while let Some(text) = frames.blocking_recv() {
        let frame = pack(&text);
        // One call: a recorder that is killed leaves a part of this frame at most.
        file.write_all(&frame)?;
        count.fetch_add(frame.len() as u64, Ordering::Relaxed);
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use feeds::recording::{Entry, Packer};

    use super::*;

    /// A path in the build's own folder for temporary files, with `bytes` in it if there are any.
    fn path(name: &str, bytes: Option<&[u8]>) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tickwire-record-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => drop(fs::remove_file(&path)),
        }
        path
    }

    fn topics(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_recording_is_gone_on_with_where_it_was_torn() {
        let path = path("torn", None);
        let (mut file, opened) = open(&path, &topics(&["a", "b"]), 7).unwrap();
        assert_eq!(opened, Opened::New);
        let mut packer = Packer::default();
        packer.push(&Entry::Resumed { at: 1 });
        let frame = pack(&packer.take());
        file.write_all(&frame).unwrap();
        let whole = fs::metadata(&path).unwrap().len();
        // Killed in the middle of the next.
        file.write_all(&frame[..frame.len() / 2]).unwrap();
        drop(file);
        let torn = (frame.len() / 2) as u64;
        let (mut file, opened) = open(&path, &topics(&["b", "a"]), 8).unwrap();
        assert_eq!(opened, Opened::Resumed { whole, torn });
        file.write_all(&frame).unwrap();
        let texts: Vec<String> =
            Frames::new(File::open(&path).unwrap()).map(|frame| frame.unwrap().text).collect();
        assert_eq!(
            Header::parse(&texts[0]).unwrap(),
            Header { started: 7, topics: topics(&["a", "b"]) }
        );
        assert_eq!(texts[1..], ["{\"resumed\":\"1\"}\n", "{\"resumed\":\"1\"}\n"]);
    }

    #[test]
    fn a_file_that_was_killed_with_its_header_begins_anew() {
        let mut header = Vec::new();
        Header { started: 1, topics: topics(&["a"]) }.write(&mut header);
        let header = pack(&header);
        for length in [0, 1, 5, header.len() - 1] {
            let path = path("begun", Some(&header[..length]));
            let (_, opened) = open(&path, &topics(&["a"]), 9).unwrap();
            assert_eq!(opened, Opened::New);
            let text = Frames::new(File::open(&path).unwrap()).next().unwrap().unwrap().text;
            assert_eq!(Header::parse(&text).unwrap().started, 9);
        }
    }

    #[test]
    fn a_file_has_one_recorder_at_a_time() {
        let path = path("locked", None);
        let (file, _) = open(&path, &topics(&["a"]), 1).unwrap();
        let before = fs::read(&path).unwrap();
        let error = format!("{:#}", open(&path, &topics(&["a"]), 2).unwrap_err());
        assert!(error.contains("another tickwire record is writing to it"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
        drop(file);
        assert!(open(&path, &topics(&["a"]), 3).is_ok());
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let mut header = Vec::new();
        Header { started: 1, topics: topics(&["a"]) }.write(&mut header);
        for (bytes, words) in [
            (b"my notes\n".to_vec(), "exists, and is no recording"),
            (b"my".to_vec(), "exists, and is no recording"),
            (pack(b"{\"other\":1}\n"), "this is no recording of tickwire's"),
            (pack(&header), "is a recording of a; give the same --topics"),
            ([pack(&header), b"garbage".to_vec()].concat(), "cannot be gone on with"),
        ] {
            let wanted = topics(if words.starts_with("cannot") { &["a"] } else { &["c"] });
            let path = path("other", Some(&bytes));
            let error = format!("{:#}", open(&path, &wanted, 1).unwrap_err());
            assert!(error.contains(words), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
}
