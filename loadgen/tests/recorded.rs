//! The rhythm of recorded sessions: small ones of our own, and real ones where they are.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Parser as _;
use loadgen::arguments::Arguments;
use loadgen::plan::Plan;
use loadgen::recorded::Recorded;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

const SECOND: u64 = 1_000_000_000;

/// Four messages in 0.9 s, so 0.3 s apart on average: a round is 1.2 s long. Two connections, so
/// the order of the lines is not that of the times.
const SESSION: &str = r#"{"ts_ns":null,"dir":"connect","conn":"a","url":"wss://venue.example"}
{"ts_ns":1700000000000000000,"dir":"send","conn":"a","raw":"{\"op\":\"subscribe\"}"}
{"ts_ns":1700000001000000000,"dir":"recv","conn":"a","raw":"{\"n\":1}"}
{"ts_ns":1700000001700000000,"dir":"recv","conn":"a","raw":"{\"n\":3}"}
{"ts_ns":1700000001100000000,"dir":"recv","conn":"b","raw":"{\"n\":2}"}
{"ts_ns":1700000001800000000,"dir":"http","conn":"c","url":"https://venue.example","raw":"{}"}
{"ts_ns":1700000001900000000,"dir":"recv","conn":"a","raw":"{\"n\":4}"}
"#;

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn plan(rest: &[&str]) -> anyhow::Result<Plan> {
    Arguments::try_parse_from(["loadgen"].iter().chain(rest)).unwrap().run.plan()
}

fn millis(plan: &Plan) -> Vec<u64> {
    (0..plan.events()).map(|k| plan.due(k) / 1_000_000).collect()
}

#[test]
fn events_are_due_when_messages_came_round_after_round() {
    let stamps = "1000000000\n1700000000\n1100000000\n1900000000\n";
    let compressed = compress_to_vec(SESSION.as_bytes(), CompressionLevel::Fastest);
    for (name, bytes) in [
        ("session.jsonl", SESSION.as_bytes()),
        ("session.jsonl.zst", &compressed),
        ("stamps.txt", stamps.as_bytes()),
    ] {
        let path = written(name, bytes);
        let line = ["--rhythm", "recorded", "--recording", path.to_str().unwrap()];
        let time = ["--warmup", "0.5", "--seconds", "2"];
        let plan = plan(&[&line[..], &time].concat()).unwrap();
        assert_eq!(millis(&plan), [0, 100, 700, 900, 1_200, 1_300, 1_900, 2_100, 2_400], "{name}");
        assert!((plan.schedule.rate - 1.0 / 0.3).abs() < 1e-9);
        let shown = &plan.recorded.as_ref().unwrap().shown;
        assert_eq!((&*shown.name, shown.messages, shown.speed), (name, 4, 1.0));
    }
}

#[test]
fn a_rate_is_the_mean_of_what_is_played() {
    let path = written("scaled.jsonl", SESSION.as_bytes());
    let line = ["--rhythm", "recorded", "--recording", path.to_str().unwrap(), "--rate", "40"];
    let plan = plan(&[&line[..], &["--warmup", "0", "--seconds", "3"]].concat()).unwrap();
    // Twelve times as fast: a round takes 0.1 s.
    assert_eq!((plan.events(), plan.schedule.rate), (120, 40.0));
    assert_eq!(millis(&plan)[..6], [0, 8, 58, 75, 100, 108]);
    assert!((1..plan.events()).all(|k| plan.due(k - 1) <= plan.due(k)));
    assert!(plan.due(plan.events() - 1) < 3 * SECOND && plan.due(plan.events()) >= 3 * SECOND);
}

#[test]
fn ticks_and_a_plan_file_take_the_rhythm_too() {
    let path = written("ticks.jsonl", SESSION.as_bytes());
    let text =
        format!("rhythm = \"recorded\"\nrecording = {path:?}\ndata = \"ticks\"\nrate = 100\n");
    let file = written("recorded.toml", text.as_bytes());
    let plan = plan(&["--plan", file.to_str().unwrap(), "--seconds", "1"]).unwrap();
    assert!(plan.ticks && plan.recorded.is_some());
    assert_eq!(plan.script.as_ref().unwrap().due.len() as u64, plan.events());
    assert_eq!(plan.events(), 300);
}

#[test]
fn what_makes_no_rhythm_is_explained() {
    let no_times = "{\"ts_ns\":null,\"dir\":\"recv\"}\n{\"ts_ns\":5,\"dir\":\"send\"}\n";
    let broken = compress_to_vec(SESSION.as_bytes(), CompressionLevel::Fastest);
    for (name, bytes, words) in [
        ("empty.txt", &b""[..], &["no line has a time", "\"dir\": \"recv\""][..]),
        ("none.jsonl", no_times.as_bytes(), &["no line has a time"]),
        ("one.txt", b"5\n", &["at least two different times", "all are 5"]),
        ("same.txt", b"5\n5\n5\n", &["at least two different times"]),
        ("words.txt", b"5\nsix\n", &["words.txt", "line 2", "\"six\"", "a time in nanoseconds"]),
        ("cut.jsonl", &SESSION.as_bytes()[..150], &["cut.jsonl", "line 2", "EOF", "each line is"]),
        ("broken.zst", &broken[..broken.len() / 2], &["broken.zst", "not whole zstd"]),
        ("fast.txt", b"1\n2\n3\n", &["fast.txt", "at most 1000000", "--rate"]),
    ] {
        let said = format!("{:#}", Recorded::read(&written(name, bytes), None).unwrap_err());
        assert!(words.iter().all(|word| said.contains(word)), "{name}: {said}");
    }
    let path = written("rates.txt", b"1\n2\n");
    let line = ["--rhythm", "recorded", "--recording", path.to_str().unwrap()];
    for rate in ["--rate=0", "--rate=-1", "--rate=nan", "--rate=inf", "--rate=2e6"] {
        let said = format!("{:#}", plan(&[&line[..], &[rate]].concat()).unwrap_err());
        assert!(said.contains("--rate"), "{rate}: {said}");
    }
}

/// The folder of recorded market data, which is not part of this project.
fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/feeds-data");
    let folder = std::env::var_os("TICKWIRE_FEEDS_DATA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    // Not captured by the test harness, so that it is seen.
    let words = b"SKIPPED: recordings of market data are not here (TICKWIRE_FEEDS_DATA)\n";
    std::io::stderr().write_all(words).unwrap();
    None
}

#[test]
fn real_sessions_have_a_rhythm() {
    let Some(folder) = recordings() else { return };
    let (mut read, mut compressed) = (0, 0);
    for venue in fs::read_dir(folder).unwrap() {
        let Ok(files) = fs::read_dir(venue.unwrap().path()) else { continue };
        for path in files.map(|file| file.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.starts_with("session_") {
                continue;
            }
            let recorded = Recorded::read(&path, None).unwrap();
            let shown = &recorded.shown;
            assert!(shown.messages > 50 && shown.seconds > 1.0, "{shown:?}");
            let span = (shown.seconds * 1e9) as u64;
            let events = recorded.events(span + 1);
            assert!(events.abs_diff(shown.messages as u64) <= 1, "{events} {shown:?}");
            assert!((1..events).all(|k| recorded.due(k - 1) <= recorded.due(k)), "{shown:?}");
            let mut magic = [0; 4];
            fs::File::open(&path).unwrap().read_exact(&mut magic).unwrap();
            compressed += u32::from(magic == [0x28, 0xb5, 0x2f, 0xfd]);
            read += 1;
        }
    }
    assert!(read > 0 && compressed > 0, "{read} {compressed}");
}
