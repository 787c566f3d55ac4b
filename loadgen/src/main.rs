//! The loadgen program: the command line in front of the library.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::Parser as _;
use loadgen::arguments::{Action, Arguments, FloorArguments, RunArguments};
use loadgen::report::files;
use loadgen::{floor, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Not run: bad arguments (clap's own code too), an unreachable server.
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.action {
        Some(Action::Floor(arguments)) => serve(arguments).map(|()| true),
        None => measure(&arguments.run),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// True when every assertion holds.
fn measure(arguments: &RunArguments) -> anyhow::Result<bool> {
    let arguments = &arguments.with_plan_file()?;
    let plan = arguments.plan()?;
    if let Some(folder) = &arguments.report {
        files::prepare(folder)?;
    }
    let report = run::run(&plan, arguments.server_pid, &interrupted()?)?;
    print!("{}", report.table());
    if let Some(path) = &arguments.json {
        std::fs::write(path, files::json(&report)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let outcomes: Vec<_> =
        arguments.assertions.iter().map(|assertion| assertion.check(&report)).collect();
    for outcome in &outcomes {
        println!("{}", outcome.words);
    }
    if let Some(folder) = &arguments.report {
        files::write(folder, &report, &outcomes)?;
        println!("report: {}", folder.join(files::PAGE).display());
    }
    Ok(outcomes.iter().all(|outcome| outcome.holds))
}

fn serve(arguments: &FloorArguments) -> anyhow::Result<()> {
    let mut server = floor::Floor::bind(arguments.listen, arguments.coalesce)?;
    let kind = if arguments.coalesce { "coalescing floor" } else { "floor" };
    eprintln!("{kind} on ws://{}/ws", server.address());
    let stop = interrupted()?;
    server.serve(&stop)
}

/// Set by Ctrl-C; a second one ends the program at once.
fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .context("cannot listen for Ctrl-C")?;
    }
    Ok(flag)
}
