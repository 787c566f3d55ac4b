//! The `tickwire` command: arguments in, exit code out.

mod serve;

use std::process::ExitCode;

use broker::commands;
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A live market-data broker: feeds in, thousands of WebSockets out.
///
/// Without a command it serves, with two simulated exchanges built in and no configuration needed.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
Try it:
  tickwire                          serve on 127.0.0.1:8080; open http://127.0.0.1:8080
  tickwire sub 'quote.sim.*'        live quotes, in another terminal
  echo '{\"hi\":1}' | tickwire pub chat.room1"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArguments),
    Sub(commands::subscribe::SubscribeArguments),
    Pub(commands::publish::PublishArguments),
    Feed(commands::feed::FeedArguments),
    Topics(commands::topics::TopicsArguments),
    Record(commands::record::RecordArguments),
    Replay(commands::replay::ReplayArguments),
    Inspect(commands::inspect::InspectArguments),
    CheckConfig(serve::CheckArguments),
    SimExchange(commands::sim_exchange::SimExchangeArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        None => serve::run(&arguments.serve),
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::CheckConfig(arguments)) => serve::check(&arguments),
        Some(Command::Sub(arguments)) => client(commands::subscribe::run(arguments)),
        Some(Command::Pub(arguments)) => client(commands::publish::run(arguments)),
        Some(Command::Feed(arguments)) => client(commands::feed::run(arguments)),
        Some(Command::Topics(arguments)) => client(commands::topics::run(arguments)),
        Some(Command::SimExchange(arguments)) => client(commands::sim_exchange::run(arguments)),
        Some(Command::Record(arguments)) => client(commands::record::run(arguments)),
        Some(Command::Replay(arguments)) => client(commands::replay::run(arguments)),
        Some(Command::Inspect(arguments)) => commands::inspect::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tickwire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a client command; one thread is plenty for it.
fn client(run: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run)
}
