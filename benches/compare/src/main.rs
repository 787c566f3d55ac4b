//! The driver: finds the systems, runs the plans in turn, prints and writes tables and verdicts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;
use compare::agenda::{Group, Options, agenda};
use compare::plans::{self, Plan};
use compare::report::{Session, line};
use compare::systems::{self, Places};
use compare::{interrupt, programs, rounds};

/// tickwire and other servers under the same load, in one table, and whether targets are reached.
///
/// Installs nothing: a system that is not there is named with its package, and left out. Every
/// server is started for each run, on loopback, and ended again, also after Ctrl-C and SIGTERM;
/// what was measured until then is written.
#[derive(Debug, clap::Parser)]
#[command(name = "compare", version)]
struct Arguments {
    /// Plans, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    plans: Vec<String>,

    /// Systems, separated by commas [default: all, each in the plans where it tells something]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    systems: Vec<String>,

    /// Less of everything: a first look in some ten minutes
    #[arg(long)]
    quick: bool,

    /// Repetitions of every plan but the pairs: A B C … A B C … [default: 3; quick: 1]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,

    /// Seconds to measure in each of these runs [default: 4; quick: 3]
    #[arg(long, value_name = "N")]
    seconds: Option<f64>,

    /// Repetitions of brisk with slow, and of quiet with storm: A B, B A, … [default: 5; quick: 2]
    #[arg(long, value_name = "N")]
    pairs: Option<u32>,

    /// Seconds to measure in each run of a pair; slow needs 14 [default: 14; quick: 8]
    #[arg(long, value_name = "N")]
    pair_seconds: Option<f64>,

    /// How often a run that cannot be used is repeated, while there is time for it
    /// [default: 2; quick: 1]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// Write compare.json and compare.md into this folder, anew after each run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The folder of the built programs [default: cargo run builds them; otherwise where this is]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,

    /// The folder with the servers for Node.js, where npm install was run
    /// [default: $COMPARE_NODE, or servers/node of this package]
    #[arg(long, value_name = "DIR")]
    node: Option<PathBuf>,
}

impl Arguments {
    fn options(&self) -> anyhow::Result<Options> {
        let preset = if self.quick { Options::QUICK } else { Options::FULL };
        let options = Options {
            rounds: self.rounds.unwrap_or(preset.rounds),
            seconds: self.seconds.unwrap_or(preset.seconds),
            pairs: self.pairs.unwrap_or(preset.pairs),
            others_pairs: preset.others_pairs,
            pair_seconds: self.pair_seconds.unwrap_or(preset.pair_seconds),
            retries: self.retries.unwrap_or(preset.retries),
        };
        let sane = |seconds: f64| seconds > 0.0 && seconds <= 3_600.0;
        anyhow::ensure!(
            sane(options.seconds) && sane(options.pair_seconds),
            "--seconds, --pair-seconds: above 0 and at most 3600"
        );
        let few = [options.rounds, options.pairs, options.retries].iter().all(|n| *n <= 1_000);
        anyhow::ensure!(few, "--rounds, --pairs, --retries: at most 1000");
        Ok(options)
    }
}

fn main() -> ExitCode {
    let ended = run(&Arguments::parse());
    if let Some(signal) = interrupt::caught() {
        // As shells say it.
        return ExitCode::from(128_u8.saturating_add(signal));
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = arguments.options()?;
    let plans = by_name(&arguments.plans, &plans::ALL, |plan| plan.name, "plan")?;
    let systems = by_name(&arguments.systems, &systems::ALL, |system| system.name, "system")?;
    interrupt::listen()?;
    // The servers inherit it.
    let files = rlimit::increase_nofile_limit(u64::MAX).context("the limit of open files")?;
    let plans: Vec<Plan> = plans.into_iter().map(|plan| fitting(plan, files)).collect();
    let scratch = Scratch::new()?;
    let (wanted, node) = (arguments.programs.as_deref(), arguments.node.as_deref());
    let places = programs::places(wanted, node, &scratch.0)?;
    let mut found = Vec::new();
    for system in systems {
        match system.find(&places) {
            Ok(mut there) => {
                there.named = !arguments.systems.is_empty();
                found.push(there);
            }
            Err(missing) => eprintln!("{} is left out: {missing}", system.name),
        }
    }
    let groups = agenda(&plans, &found, &options);
    let planned = groups.iter().map(|group| group.steps.len()).sum();
    anyhow::ensure!(planned > 0, "there is nothing to compare");
    announce(&groups, planned);
    let mut session = Session { options, plans, found, planned, runs: Vec::new() };
    let ended = compare(&mut session, &groups, &places, arguments.out.as_deref());
    println!("{}", session.text());
    ended
}

fn fitting(plan: &Plan, files: u64) -> Plan {
    let fitting = plan.within(files);
    if fitting.subscribers < plan.subscribers {
        eprintln!(
            "{}: only {} of {} subscribers, for a process may open {files} files here (ulimit -Hn)",
            plan.name, fitting.subscribers, plan.subscribers
        );
    }
    fitting
}

fn announce(groups: &[Group], planned: usize) {
    let minutes = |seconds: f64| (seconds / 60.0).ceil();
    let seconds: f64 = groups.iter().map(|group| group.seconds).sum();
    let repeats: f64 = groups.iter().map(|group| group.repeats).sum();
    eprintln!(
        "{planned} runs, about {} minutes; repeats of what cannot be used are given {} more",
        minutes(seconds),
        minutes(repeats)
    );
}

fn compare(
    session: &mut Session,
    groups: &[Group],
    places: &Places,
    out: Option<&Path>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    for group in groups {
        let mut repeats = Duration::from_secs_f64(group.repeats);
        for step in &group.steps {
            let found = &session.found[step.system];
            let run = rounds::measure(found, step, &session.options, places, &mut repeats)?;
            session.runs.push(run);
            if let Some(run) = session.runs.last() {
                let (count, minutes) = (session.runs.len(), began.elapsed().as_secs() / 60);
                eprintln!("[{count}/{}, {minutes} min] {}", session.planned, line(run));
            }
            // What was measured so far is not lost when this is interrupted.
            if let Some(folder) = out {
                session.write(folder)?;
            }
        }
    }
    Ok(())
}

fn by_name<T>(
    wanted: &[String],
    all: &'static [T],
    name: fn(&T) -> &'static str,
    kind: &str,
) -> anyhow::Result<Vec<&'static T>> {
    let names = || all.iter().map(name).collect::<Vec<_>>().join(", ");
    let unknown = wanted.iter().find(|wanted| !all.iter().any(|entry| name(entry) == *wanted));
    anyhow::ensure!(
        unknown.is_none(),
        "no {kind} is named {}; there are {}",
        unknown.map_or("", String::as_str),
        names()
    );
    // In the order in which they stand, and each once.
    let wanted = |entry: &&T| wanted.is_empty() || wanted.iter().any(|w| name(entry) == w);
    Ok(all.iter().filter(wanted).collect())
}

/// A folder for generated files that goes with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("compare-{}", std::process::id()));
        fs::create_dir_all(&folder).context("cannot make a folder for generated files")?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left there is in nobody's way.
        drop(fs::remove_dir_all(&self.0));
    }
}
