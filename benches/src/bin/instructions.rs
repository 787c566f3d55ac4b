//! `instructions`: how many instructions the five hottest paths take, against a stored baseline.
//!
//! Counts under valgrind repeat on a noisy machine where times do not. Each path runs N and then
//! 2 N times in processes of their own; the difference is the path's alone, without set-up.
//!
//! The same source gives other counts with another compiler, C library or kind of CPU. So the
//! baseline says what it was made with, and is compared by a wider bound elsewhere.

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

/// The same where compiler or C library are others: they differ by some percent on equal source.
const TOLERANCE_OTHER_TOOLS: f64 = 15.0;

/// The same on another kind of CPU, where other code is chosen at run time or compiled at all.
const TOLERANCE_OTHER_CPU: f64 = 50.0;

const HOW_TO_ACCEPT: &str = "cargo run --release -p benches --bin instructions -- --accept";

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
/// More than 5 % worse is too much; 15 % with another compiler or C library than the baseline's, 50 %
/// on another kind of CPU.
///
/// Exit code: 0 when nothing is too much worse, and where valgrind is not installed; 1 when
/// something is; 2 when it could not be counted.
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

    /// Print the vector instructions that valgrind shows to a program
    #[command(hide = true)]
    Vectors,
}

/// What is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Baseline {
    compiler: String,
    /// The C library: it has its own ways of copying memory.
    library: String,
    /// Architecture and vector instructions, as valgrind shows them: some dependencies choose by
    /// them at run time. What valgrind does not know, such as AVX-512, makes no difference.
    cpu: String,
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
        Some(Action::Vectors) => {
            println!("{}", vectors().join(" "));
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
    let now = Baseline { compiler: compiler(), library: library(), cpu: cpu()?, counts };
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
    let tolerance = tolerance(baseline, now);
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
            change if change > tolerance => "  WORSE",
            change if change < -tolerance => "  better: accept it, so that it stays",
            _ => "",
        };
        good &= change <= tolerance;
        println!("{name:<40} {before:>12} {count:>12} {change:>7.1}%{remark}");
    }
    for name in baseline.counts.keys().filter(|name| !now.counts.contains_key(*name)) {
        println!("{name:<40}  NO LONGER COUNTED");
        good = false;
    }
    if !good {
        println!(
            "more than {tolerance} % worse than the baseline, or not the same paths. If that is \
             the price of something wanted, accept it and commit the new baseline with it:\n    \
             {HOW_TO_ACCEPT}"
        );
    }
    good
}

/// How much worse is too much, and if that is not the usual bound, loudly why.
fn tolerance(baseline: &Baseline, now: &Baseline) -> f64 {
    let all = [
        ("compiler", &baseline.compiler, &now.compiler, TOLERANCE_OTHER_TOOLS),
        ("C library", &baseline.library, &now.library, TOLERANCE_OTHER_TOOLS),
        ("CPU", &baseline.cpu, &now.cpu, TOLERANCE_OTHER_CPU),
    ];
    let others = all.into_iter().filter(|(_, before, now, _)| before != now);
    let mut tolerance = TOLERANCE;
    for (what, before, now, bound) in others {
        println!(
            "NOTICE: another {what} than the baseline's:\n    {before}: baseline\n    {now}: now"
        );
        tolerance = tolerance.max(bound);
    }
    if tolerance > TOLERANCE {
        println!(
            "NOTICE: so only {tolerance} % worse fails, not {TOLERANCE} %. To compare exactly, count where \
             the baseline holds; or count the commit before the change here with --accept \
             --baseline FILE, and then the change with --baseline FILE.\n"
        );
    }
    tolerance
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
    first_line("rustc", &["--version"])
}

/// The version alone, without what a distribution adds to it.
fn library() -> String {
    let line = first_line("ldd", &["--version"]);
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text.ok().and_then(|text| text.lines().next().map(|line| line.trim().to_owned()));
    line.unwrap_or_else(|| "unknown".into())
}

/// What a program under valgrind takes the CPU for.
fn cpu() -> Result<String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=none", "-q"]).arg(std::env::current_exe()?).arg("vectors");
    let output = command.output().context("cannot run valgrind")?;
    ensure!(
        output.status.success(),
        "valgrind failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let vectors = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(format!("{} {vectors}", std::env::consts::ARCH).trim().to_owned())
}

/// Those by which dependencies choose at run time (simd-json, memchr, crc32fast and libc).
#[cfg(target_arch = "x86_64")]
fn vectors() -> Vec<&'static str> {
    let all = [
        ("sse4.2", std::is_x86_feature_detected!("sse4.2")),
        ("pclmulqdq", std::is_x86_feature_detected!("pclmulqdq")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
    ];
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

/// Elsewhere nothing is chosen at run time.
#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(number: f64) -> Baseline {
        let counts = BTreeMap::from([("path".to_owned(), number)]);
        Baseline { counts, ..Baseline::default() }
    }

    #[test]
    fn only_what_is_worse_fails() {
        assert!(compare(&counts(100.0), &counts(104.9)));
        assert!(compare(&counts(100.0), &counts(50.0)));
        assert!(!compare(&counts(100.0), &counts(105.2)));
    }

    #[test]
    fn other_paths_than_those_of_the_baseline_fail() {
        let none = Baseline::default();
        assert!(!compare(&none, &counts(1.0)));
        assert!(!compare(&counts(1.0), &none));
    }

    #[test]
    fn what_the_baseline_was_not_made_with_widens_the_bound_and_blinds_nobody() {
        let other_compiler = |number| Baseline { compiler: "other".into(), ..counts(number) };
        assert!(compare(&counts(100.0), &other_compiler(114.9)));
        assert!(!compare(&counts(100.0), &other_compiler(115.2)));
        let other_cpu = |number| Baseline { cpu: "other".into(), ..other_compiler(number) };
        assert!(compare(&counts(100.0), &other_cpu(149.9)));
        assert!(!compare(&counts(100.0), &other_cpu(150.2)));
    }

    #[test]
    fn every_path_runs() {
        (0..PATHS.len()).for_each(|path| run(path, 1));
    }
}
