//! `instructions`: how many instructions the five hottest paths take, against a stored baseline.
//!
//! Counts under valgrind repeat on a noisy machine where times do not. Each path runs N and then
//! 2 N times in processes of their own; the difference is the path's alone, without set-up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use benches::fixtures::{NOW, PUBLISH, World, diff, opaque, quote, trade};
use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};
use wire::message::{EventHead, append_event};
use wire::{Codec, CommandReader};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much worse than the baseline is too much, in percent.
const TOLERANCE: f64 = 5.0;

/// Each path, how often it runs, and how many items one run handles.
const PATHS: [(&str, u32, u32); 5] = [
    ("publish", 2_000, 1),
    ("encode a trade as JSON", 2_000, 1),
    ("fan-out turn, a subscriber of 1,000", 20, 1_000),
    ("merge of book diffs, a diff of 1,000", 4, 1_000),
    ("read a publish command", 2_000, 1),
];

/// Counts the instructions of the hottest paths under valgrind and compares them with a baseline.
///
/// Exit code: 0 when nothing is more than 5 % worse, and where valgrind is not installed; 1 when
/// something is worse; 2 when it could not be counted.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,

    /// Makes the counts of this run the new baseline
    #[arg(long)]
    accept: bool,

    /// The baseline
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline/instructions.json"))]
    baseline: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run one path, to be counted
    #[command(hide = true)]
    Run { path: usize, times: u32 },
}

/// What is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    /// Counts hold for one compiler.
    compiler: String,
    /// Instructions for each item.
    counts: BTreeMap<String, f64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.action {
        Some(Action::Run { path, times }) => {
            run(path, times);
            Ok(true)
        }
        None => check(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(path: usize, times: u32) {
    let mut world = World::new(64);
    match path {
        0 => (0..times).for_each(|number| world.publish("quote.sim.A", quote(number.into()))),
        1 => {
            let (payload, mut buffer) = (trade(), Vec::with_capacity(1024));
            for number in 1..=u64::from(times) {
                let seq = 1_000_000 + number;
                let topic = "trade.sim.BTC-USD";
                buffer.clear();
                let head = EventHead { topic, seq, from: seq, published: NOW };
                append_event(Codec::Json, &mut buffer, head, std::hint::black_box(&payload));
            }
        }
        2 => {
            for _ in 0..1_000 {
                world.subscriber(Codec::Json, "chat.room");
            }
            let payload = opaque(128);
            for _ in 0..times {
                world.publish("chat.room", payload.clone());
                std::hint::black_box(world.turn());
            }
        }
        3 => {
            let diffs: Vec<_> = (0..1_000).map(|number| diff(number, 3)).collect();
            for _ in 0..times {
                std::hint::black_box(market::merge_diffs(&diffs));
            }
        }
        _ => {
            let mut reader = CommandReader::new(1_000);
            for _ in 0..times {
                let good = reader.read(Codec::Json, PUBLISH.as_bytes(), |command| command.is_ok());
                assert!(good, "the command is well formed");
            }
        }
    }
}

fn check(arguments: &Arguments) -> Result<bool> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed (apt-get install valgrind)");
        return Ok(true);
    }
    ensure!(!cfg!(debug_assertions), "counts of a debug build mean nothing: use --release");
    let mut counts = BTreeMap::new();
    for (index, (name, times, items)) in PATHS.iter().enumerate() {
        let (once, twice) = (count(index, *times)?, count(index, *times * 2)?);
        let each = (twice as f64 - once as f64) / f64::from(*times) / f64::from(*items);
        counts.insert((*name).to_owned(), (each * 10.0).round() / 10.0);
    }
    let now = Baseline { compiler: compiler(), counts };
    if arguments.accept {
        let text = serde_json::to_string_pretty(&now)?;
        std::fs::write(&arguments.baseline, text + "\n").context("cannot write the baseline")?;
        println!("accepted as the new baseline; commit it with the change that explains it");
        return Ok(true);
    }
    let text = std::fs::read_to_string(&arguments.baseline)
        .context("there is no baseline; make one with --accept")?;
    Ok(compare(&serde_json::from_str(&text)?, &now))
}

/// Prints both sides; true when nothing is too much worse.
fn compare(baseline: &Baseline, now: &Baseline) -> bool {
    let mut good = true;
    println!("{:<40} {:>12} {:>12} {:>8}", "instructions", "baseline", "now", "change");
    for (name, &count) in &now.counts {
        let Some(&before) = baseline.counts.get(name) else {
            println!("{name:<40} {:>12} {count:>12} {:>8}  NOT IN THE BASELINE", "", "");
            good = false;
            continue;
        };
        let change = (count / before - 1.0) * 100.0;
        let remark = match change {
            change if change > TOLERANCE => "  WORSE",
            change if change < -TOLERANCE => "  better: accept it, so that it stays",
            _ => "",
        };
        good &= change <= TOLERANCE;
        println!("{name:<40} {before:>12} {count:>12} {change:>7.1}%{remark}");
    }
    if baseline.compiler != now.compiler {
        println!("the baseline is of {}, this of {}", baseline.compiler, now.compiler);
    }
    if !good {
        println!(
            "more than {TOLERANCE} % worse than the baseline. If that is the price of something \
             wanted, accept it:\n    cargo run --release -p benches --bin instructions -- --accept"
        );
    }
    good
}

/// Instructions of a whole process that runs path number `path` so many times.
fn count(path: usize, times: u32) -> Result<u64> {
    let file = std::env::temp_dir().join(format!("tickwire-callgrind-{}", std::process::id()));
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(std::env::current_exe()?).args(["run", &path.to_string(), &times.to_string()]);
    let output = command.stdout(Stdio::null()).output().context("cannot run valgrind")?;
    if !output.status.success() {
        bail!("valgrind failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let total = total(&file);
    std::fs::remove_file(&file)?;
    total
}

fn total(file: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(file).context("callgrind has written nothing")?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(line.context("callgrind has counted nothing")?.trim().parse()?)
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "an unknown compiler".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(number: f64) -> Baseline {
        let counts = BTreeMap::from([("path".to_owned(), number)]);
        Baseline { compiler: "rustc".into(), counts }
    }

    #[test]
    fn only_what_is_worse_fails() {
        assert!(compare(&counts(100.0), &counts(104.9)));
        assert!(compare(&counts(100.0), &counts(50.0)));
        assert!(!compare(&counts(100.0), &counts(105.2)));
        assert!(!compare(&Baseline { counts: BTreeMap::new(), ..counts(0.0) }, &counts(1.0)));
    }

    #[test]
    fn every_path_runs() {
        (0..PATHS.len()).for_each(|path| run(path, 1));
    }
}
