//! The driver: finds the systems, runs the plans in turn, prints and writes one table.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Parser as _;
use compare::plans::{self, Plan};
use compare::rounds::{self, Run};
use compare::systems::{self, Found, Places, System};
use compare::{machine, table};

/// tickwire and other servers under the same load, in one table.
///
/// Installs nothing: a system that is not there is named with its package, and left out. Every
/// server is started for each run, on loopback, and ended again.
#[derive(Debug, clap::Parser)]
#[command(name = "compare", version)]
struct Arguments {
    /// Plans, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    plans: Vec<String>,

    /// Systems, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    systems: Vec<String>,

    /// Repetitions: A B C … A B C …
    #[arg(long, value_name = "N", default_value_t = 2)]
    rounds: u32,

    /// Seconds to measure in each run
    #[arg(long, value_name = "N", default_value_t = 8.0)]
    seconds: f64,

    /// Write compare.json and compare.md into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The folder of the built programs [default: where this one is]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,

    /// The folder with the servers for Node.js, where npm install was run
    #[arg(long, value_name = "DIR", default_value = "benches/compare/servers/node")]
    node: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // The servers inherit it.
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit of open files")?;
    let plans = by_name(&arguments.plans, &plans::ALL, |plan| plan.name, "plan")?;
    let systems = by_name(&arguments.systems, &systems::ALL, |system| system.name, "system")?;
    let scratch = std::env::temp_dir().join(format!("compare-{}", std::process::id()));
    fs::create_dir_all(&scratch).context("cannot make a folder for generated files")?;
    let ended = compare(arguments, &plans, &systems, &scratch);
    drop(fs::remove_dir_all(&scratch));
    ended
}

fn compare(
    arguments: &Arguments,
    plans: &[&Plan],
    systems: &[&System],
    scratch: &Path,
) -> anyhow::Result<()> {
    let places = places(arguments, scratch)?;
    let mut found = Vec::new();
    for system in systems {
        match system.find(&places) {
            Ok(there) => found.push(there),
            Err(missing) => eprintln!("{} is left out: {missing}", system.name),
        }
    }
    anyhow::ensure!(!found.is_empty(), "there is nothing to compare");
    let mut runs: Vec<Run> = Vec::new();
    for plan in plans {
        for round in 0..arguments.rounds.max(1) {
            for system in &found {
                let run = rounds::measure(system, plan, round, arguments.seconds, &places);
                eprintln!("{}", line(&run));
                runs.push(run);
                // What was measured so far is not lost when this is interrupted.
                write(arguments, &runs, plans, &found)?;
            }
        }
    }
    println!("{}", text(arguments, &runs, plans, &found));
    Ok(())
}

fn by_name<T>(
    wanted: &[String],
    all: &'static [T],
    name: fn(&T) -> &'static str,
    kind: &str,
) -> anyhow::Result<Vec<&'static T>> {
    if wanted.is_empty() {
        return Ok(all.iter().collect());
    }
    let one = |wanted: &String| {
        let names: Vec<&str> = all.iter().map(name).collect();
        let found = all.iter().find(|entry| name(entry) == wanted);
        found
            .with_context(|| format!("no {kind} is named {wanted}; there are {}", names.join(", ")))
    };
    wanted.iter().map(one).collect()
}

/// Where our programs are. Under `cargo run` they are built first, so that one command is enough.
fn places(arguments: &Arguments, scratch: &Path) -> anyhow::Result<Places> {
    let own = std::env::current_exe().context("cannot find this program")?;
    let beside = own.parent().context("this program is in no folder")?;
    let programs = arguments.programs.as_deref().unwrap_or(beside);
    if let Some(cargo) = std::env::var_os("CARGO").filter(|_| arguments.programs.is_none()) {
        let build = ["build", "--release", "-p", "broker", "-p", "loadgen", "-p", "compare"];
        let status = Command::new(cargo).args(build).status().context("cannot start cargo")?;
        anyhow::ensure!(status.success(), "the programs to be measured cannot be built");
    }
    let programs = programs.canonicalize().context("the folder of the programs")?;
    Ok(Places {
        tickwire: programs.join("tickwire"),
        loadgen: programs.join("loadgen"),
        broadcast: programs.join("broadcast-server"),
        node: arguments.node.canonicalize().unwrap_or_else(|_| arguments.node.clone()),
        scratch: scratch.to_owned(),
    })
}

fn line(run: &Run) -> String {
    let mut line = format!("{:<8} {:<17} round {}", run.plan, run.system, run.round);
    match (&run.failed, run.cpu_microseconds, run.memory) {
        (Some(why), ..) => line.push_str(&format!(": failed: {why}")),
        (None, Some(cpu), _) => line.push_str(&format!(": {cpu:.2} CPU-µs a delivery")),
        (None, None, memory) => {
            line.push_str(&format!(": {:.1} KiB a connection", memory.unwrap_or(0.0) / 1024.0));
        }
    }
    if !run.is_quiet() {
        let (steal, others) = (run.steal_percent, run.others_percent);
        line.push_str(&format!(" (stolen {steal:.1} %, others' work {others:.0} %)"));
    }
    line
}

fn text(arguments: &Arguments, runs: &[Run], plans: &[&Plan], found: &[Found]) -> String {
    let versions: String = found
        .iter()
        .map(|found| {
            let System { name, words, .. } = found.system;
            format!("- {name}: {words}; {}\n", found.version)
        })
        .collect();
    let loud = runs.iter().filter(|run| !run.is_quiet()).count();
    format!(
        "{}. {} rounds of {} s. Of {} runs {loud} had more than {} % of the processors stolen by \
         the host or more than {} % used by others; they count only where there is no better one.\n\n\
         {versions}{}",
        machine::description(),
        arguments.rounds,
        arguments.seconds,
        runs.len(),
        rounds::STEAL_PERCENT_MAX,
        rounds::OTHERS_PERCENT_MAX,
        table::markdown(runs, plans),
    )
}

fn write(
    arguments: &Arguments,
    runs: &[Run],
    plans: &[&Plan],
    found: &[Found],
) -> anyhow::Result<()> {
    let Some(folder) = &arguments.out else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let versions: Vec<_> = found
        .iter()
        .map(|found| serde_json::json!({"name": found.system.name, "version": found.version}))
        .collect();
    let json = serde_json::json!({
        "machine": machine::description(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "systems": versions,
        "runs": runs,
    });
    fs::write(folder.join("compare.json"), serde_json::to_string_pretty(&json)? + "\n")?;
    fs::write(folder.join("compare.md"), text(arguments, runs, plans, found))?;
    Ok(())
}
