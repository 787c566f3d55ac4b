//! A short load on each system that is there: its dialect is spoken, and nothing is lost.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser as _;
use compare::systems::{Places, System};
use loadgen::arguments::Arguments;
use loadgen::run::run;

/// Two topics for each of thirty subscribers, in bursts: batches, and more than one topic.
const LOAD: [&str; 14] = [
    "--subscribers",
    "30",
    "--topics",
    "6",
    "--topics-per-subscriber",
    "2",
    "--rate",
    "300",
    "--burst",
    "8",
    "--seconds",
    "0.8",
    "--warmup",
    "0.2",
];

fn places(name: &str) -> Places {
    let scratch = std::env::temp_dir().join(format!("compare-test-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    // Where npm install was run; another folder can be named.
    let node = std::env::var_os("COMPARE_NODE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/node"), PathBuf::from);
    Places {
        tickwire: PathBuf::new(),
        loadgen: PathBuf::new(),
        broadcast: env!("CARGO_BIN_EXE_broadcast-server").into(),
        node,
        scratch,
    }
}

fn check(name: &str) {
    let places = places(name);
    match System::named(name).unwrap().find(&places) {
        // Not captured by the test harness, so that it is seen.
        Err(missing) => {
            std::io::stderr().write_all(format!("SKIPPED: {missing}\n").as_bytes()).unwrap()
        }
        Ok(found) => {
            let started = found.start(&places).unwrap();
            let line = ["loadgen", "--url", &started.url].into_iter().chain(LOAD);
            let arguments = Arguments::try_parse_from(line).unwrap();
            let interrupted = Arc::new(AtomicBool::new(false));
            let plan = arguments.run.plan().unwrap();
            let report = run(&plan, Some(started.running.measured), &interrupted).unwrap();
            let report = serde_json::to_value(&report).unwrap();
            // 300 events over 6 topics are 50 each, for 30 × 2 subscriptions.
            let totals = &report["totals"];
            assert_eq!(totals["expected"], 3_000, "{name}: {totals}");
            assert_eq!(totals["received"], 3_000, "{name}: {totals}");
            assert_eq!(totals["reordered"], 0, "{name}: {totals}");
            assert!(report["latency"]["p50"].as_u64().unwrap() > 0);
        }
    }
    std::fs::remove_dir_all(&places.scratch).unwrap();
}

#[test]
fn nats_delivers_all() {
    check("nats");
}

#[test]
fn mosquitto_delivers_all() {
    check("mosquitto");
}

#[test]
fn nchan_delivers_all() {
    check("nchan");
}

#[test]
fn the_rust_broadcast_server_delivers_all() {
    check("tokio-broadcast");
}

#[test]
fn ws_on_node_delivers_all() {
    check("ws");
}

#[test]
fn socket_io_delivers_all() {
    check("socketio");
}
