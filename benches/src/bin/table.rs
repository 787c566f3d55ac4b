//! `table`: measures the speed-and-memory table of a running broker, on loopback.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use benches::figures::{self, Setup};
use benches::floor::Floor;
use benches::report::Report;
use benches::system::{self, CpuBooks};
use clap::{Parser, Subcommand};

/// Measures what a broker costs: CPU a delivered message beside a bare send loop, memory a
/// connection and a subscription, what clients that never read cost, and that nothing is lost.
///
/// Build the broker before, in release form. Exit code: 0 when every figure is reached, 1 when
/// one is missed, 2 when something could not be measured.
#[derive(Debug, Parser)]
#[command(name = "table", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,

    /// The broker's program [default: `tickwire` beside this program]
    tickwire: Option<PathBuf>,

    /// Only these: a CPU steady, b CPU in bursts, c idle connections, d further subscriptions,
    /// e subscribers that never read, f nothing lost
    #[arg(long, value_delimiter = ',', value_name = "LETTERS")]
    only: Vec<char>,

    /// Shards of the broker; the send loop has one thread
    #[arg(long, default_value_t = 1)]
    shards: usize,

    /// Repetitions of a and b, broker and send loop in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Seconds of each repetition
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Writes the figures there as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve the bare send loop that the broker is compared with
    #[command(hide = true)]
    Floor {
        /// Bytes of each event's frame
        #[arg(long)]
        frame_bytes: usize,
        /// Send all events that one read brings in one write to each socket
        #[arg(long)]
        coalesce: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.action {
        Some(Action::Floor { frame_bytes, coalesce }) => {
            serve_floor(frame_bytes, coalesce).map(|()| true)
        }
        None => run(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("table: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn serve_floor(frame_bytes: usize, coalesce: bool) -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let floor = Floor::bind(frame_bytes, coalesce)?;
    eprintln!("ws://{}/ws", floor.address());
    Ok(floor.run()?)
}

fn run(arguments: &Arguments) -> Result<bool> {
    let tickwire = match &arguments.tickwire {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("tickwire"),
    };
    ensure!(
        tickwire.is_file(),
        "there is no broker at {}; build it first: cargo build --release",
        tickwire.display()
    );
    rlimit::increase_nofile_limit(u64::MAX)?;
    let setup = Setup {
        tickwire,
        shards: arguments.shards,
        rounds: usize::from(arguments.rounds),
        seconds: arguments.seconds,
    };
    let all: Vec<char> = figures::KEYS.chars().collect();
    let keys = if arguments.only.is_empty() { &all } else { &arguments.only };
    let books = CpuBooks::read().context("this measures on Linux only")?;
    let mut report = Report {
        machine: system::machine(),
        shards: setup.shards,
        stolen_percent: 0.0,
        figures: Vec::new(),
    };
    for &key in keys {
        eprintln!("measuring {key} …");
        let figures = figures::measure(key, &setup).with_context(|| format!("figure {key}"))?;
        report.figures.extend(figures);
    }
    report.stolen_percent = books.stolen_percent_since()?;
    print!("{report}");
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report.all_reached())
}
