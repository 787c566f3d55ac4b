//! Real recordings, for the tests that have them: where they are, and playing them.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use feeds::adapter::DeskOptions;
use feeds::session::{Player, Record};
use feeds::venue::Venue;

/// The folder of recordings: `TICKWIRE_FEEDS_DATA`, or `../shared/feeds-data` beside the
/// workspace. `None`, and said on stderr, where there is none.
pub(crate) fn recordings() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/feeds-data");
    let folder = std::env::var_os("TICKWIRE_FEEDS_DATA").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    // Past the harness, which would swallow it.
    std::io::stderr()
        .write_all(b"SKIPPED: no recordings; TICKWIRE_FEEDS_DATA names them\n")
        .unwrap();
    None
}

/// A file of that folder as text, unpacked where it ends in `.zst`.
pub(crate) fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_some_and(|ending| ending == "zst") {
        let mut text = String::new();
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(&bytes[..]).unwrap();
        std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
        text
    } else {
        String::from_utf8(bytes).unwrap()
    }
}

/// Plays a whole file, and gives the player back with everything its adapters hold.
pub(crate) fn play(venue: Venue, path: &Path) -> Player {
    let mut player =
        Player::new(venue, DeskOptions { venue: "x".into(), ..DeskOptions::default() });
    for record in Record::parse_all(&text(path)).unwrap() {
        player.play(&record, |_, _| {});
    }
    player
}
