//! `tickwire sim-exchange`: a simulated exchange on loopback, speaking a real venue's protocol.

mod front;
mod server;
mod socket;

use std::io::Write as _;
use std::time::Duration;

use exchange::{Fault, FaultPlan, Options, Venue};

pub use server::Server;

use super::still_read;

/// Play an exchange on loopback that speaks a real venue's protocol, and misbehaves if told to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tickwire sim-exchange --venue kraken                       on a free port, which it prints
  tickwire sim-exchange --venue binance --port 9443 --seed 3 --symbols 20 --rate 2000
  tickwire sim-exchange --venue okx --fault drop=0.001 --fault gap=0.0005
  tickwire sim-exchange --venue bybit --fault-at silence@500 --fault-at cut-mid-frame@900
  tickwire sim-exchange --venue coinbase --lifetime 30       the venue's 24 h cut, every 30 s

Beside the venue's own paths there are GET /sim/faults (what struck so far, as JSON) and
GET /sim/book?symbol=SYMBOL (the book as it was last told).")]
pub struct SimExchangeArguments {
    /// Whose protocol: binance, coinbase, kraken, okx or bybit
    #[arg(long, value_name = "VENUE")]
    pub venue: Venue,

    /// Any number; the same one gives the same market, and the same faults
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,

    /// Port on 127.0.0.1; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,

    /// Symbols listed, 1 to 500
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub symbols: usize,

    /// Executions, book changes and quotes a second over all symbols, 1 to 1000000
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub rate: u32,

    /// Levels on each side of a book, 1 to 400
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub depth: usize,

    /// Strike a share of all messages, or REST requests, with a fault; may be repeated
    #[arg(long, value_name = "KIND=RATE", long_help = fault_help())]
    pub fault: Vec<String>,

    /// Strike with a fault once, at the Nth message or the first after it that it can hit
    #[arg(long, value_name = "KIND@N")]
    pub fault_at: Vec<String>,

    /// Faults spare executions, quotes and heartbeats: only messages of books are hit
    #[arg(long)]
    pub faults_on_books_only: bool,

    /// Close every connection after so many seconds, as venues do after 24 hours
    #[arg(long, value_name = "SECONDS")]
    pub lifetime: Option<u32>,

    /// How many seconds late a REST answer comes that `rest-slow` struck
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub slow_rest: u32,
}

fn fault_help() -> String {
    let mut text = "Strike a share of all messages, or REST requests, with a fault; may be \
        repeated. The kinds, and where they apply:"
        .to_owned();
    for fault in Fault::ALL {
        let venues = Venue::ALL.into_iter().filter(|venue| fault.applies_to(*venue));
        let venues: Vec<&str> = venues.map(Venue::name).collect();
        let place = if venues.len() == Venue::ALL.len() {
            String::new()
        } else {
            format!(" ({})", venues.join(", "))
        };
        text.push_str(&format!("\n  {:<15} {}{place}", fault.name(), fault.describe()));
    }
    text
}

impl SimExchangeArguments {
    /// What the exchange is opened with.
    ///
    /// # Errors
    /// What is wrong with a fault's text.
    pub fn options(&self) -> anyhow::Result<Options> {
        let mut faults = FaultPlan::none();
        for text in &self.fault {
            faults = faults.add_rate(text)?;
        }
        for text in &self.fault_at {
            faults = faults.add_strike(text)?;
        }
        if self.faults_on_books_only {
            faults = faults.on_books_only();
        }
        Ok(Options {
            venue: self.venue,
            seed: self.seed,
            symbols: self.symbols,
            rate: self.rate,
            depth: self.depth,
            // Only outdated snapshots need it here.
            history: 256,
            faults,
            lifetime: self.lifetime.map(|seconds| u64::from(seconds) * 1_000_000_000),
            slow_rest: u64::from(self.slow_rest) * 1_000_000_000,
        })
    }
}

/// Serves until SIGINT or SIGTERM, then prints what struck.
///
/// # Errors
/// When the options are out of bounds or the port is taken.
pub async fn run(arguments: SimExchangeArguments) -> anyhow::Result<()> {
    let server = Server::start(arguments.options()?, arguments.port).await?;
    let (address, venue) = (server.address(), arguments.venue);
    let symbols = server.with(|exchange| exchange.symbols().collect::<Vec<_>>().join(" "));
    let mut output = std::io::stdout();
    let greeting = format!(
        "{venue} on {address}\n  WebSocket  ws://{address}{}\n  REST       http://{address}\n  symbols    {symbols}\n",
        venue.websocket_path()
    );
    still_read(output.write_all(greeting.as_bytes()).and_then(|()| output.flush()))?;
    stop_signal().await?;
    let counts = server.with(|exchange| exchange.faults());
    server.stop(Duration::from_secs(2)).await;
    let struck = Fault::ALL.into_iter().filter(|fault| counts.of(*fault) > 0);
    let struck: String = struck.map(|fault| format!("  {fault} {}\n", counts.of(fault))).collect();
    let farewell = match struck.is_empty() {
        true => "no faults struck\n".to_owned(),
        false => format!("faults that struck:\n{struck}"),
    };
    still_read(output.write_all(farewell.as_bytes()).and_then(|()| output.flush()))?;
    Ok(())
}

#[cfg(unix)]
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
