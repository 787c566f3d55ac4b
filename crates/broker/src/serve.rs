//! `tickwire serve` and `tickwire check-config`: settings from file, environment and flags.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use broker::app::App;
use broker::config::{Config, Effective, FeedAdapter, Loader, LogFormat, LogLevel, Origin};
use tracing_subscriber::filter::LevelFilter;

/// Serve subscribers and publishers until SIGINT or SIGTERM.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    /// Configuration file (config/tickwire.toml names every key); without one the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Address and port to listen on [default: 127.0.0.1:8080; port 0: any free one]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Listen on an address that other machines reach, who may then publish to any topic
    #[arg(long)]
    allow_remote: bool,

    /// Threads that serve connections [default: one for each core, at most 4]
    #[arg(long, value_name = "N")]
    shards: Option<String>,

    /// Serve only what clients publish: neither the built-in exchanges nor configured feeds
    #[arg(long)]
    no_feeds: bool,
}

/// Check a configuration and print what is in force, and where each value comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// Configuration file; without one, environment and defaults are shown
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ServeArguments {
    fn load(&self) -> Result<Config> {
        let mut loader = Loader::new();
        read_file(&mut loader, self.config.as_ref())?;
        read_environment(&mut loader);
        if let Some(listen) = &self.listen {
            loader.set("server.listen", listen, Origin::Flag("--listen"));
        }
        if let Some(shards) = &self.shards {
            loader.set("server.shards", shards, Origin::Flag("--shards"));
        }
        if self.allow_remote {
            loader.set("server.allow_remote", "true", Origin::Flag("--allow-remote"));
        }
        if self.no_feeds {
            loader.set("server.feeds", "false", Origin::Flag("--no-feeds"));
        }
        Ok(finish(loader)?.config)
    }
}

fn read_file(loader: &mut Loader, path: Option<&PathBuf>) -> Result<()> {
    if let Some(path) = path {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        loader.file(&name, &bytes);
    }
    Ok(())
}

fn read_environment(loader: &mut Loader) {
    // A variable that is no text cannot be one of ours.
    let text = |value: std::ffi::OsString| value.into_string().ok();
    loader.environment(std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))));
}

fn finish(loader: Loader) -> Result<Effective> {
    loader.finish().map_err(|error| anyhow!("{error}"))
}

pub(crate) fn check(arguments: &CheckArguments) -> Result<()> {
    let mut loader = Loader::new();
    read_file(&mut loader, arguments.file.as_ref())?;
    read_environment(&mut loader);
    print!("{}", finish(loader)?.to_toml());
    Ok(())
}

pub(crate) fn run(arguments: &ServeArguments) -> Result<()> {
    let config = arguments.load()?;
    start_log(&config);
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    // One thread for HTTP; connections live in the shards' own threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before it is said that all is up: whoever reads that may tell it to stop.
        let told_to_stop = stop_signals()?;
        let app = App::start(&config).await?;
        greet(&app, &config);
        told_to_stop.await?;
        tracing::info!("shutting down");
        app.shut_down().await;
        tracing::info!("stopped");
        Ok(())
    })
}

fn greet(app: &App, config: &Config) {
    let address = app.address();
    for feed in config.running_feeds().iter().filter(|feed| feed.adapter == FeedAdapter::Sim) {
        tracing::info!(
            venue = feed.venue,
            symbols = feed.symbols.count(),
            updates_per_second = feed.updates_per_second,
            seed = feed.seed,
            "simulated exchange running",
        );
    }
    tracing::info!(
        %address,
        shards = app.shards(),
        open_files = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(0, |(soft, _)| soft),
        "serving",
    );
    // Plain lines besides the log: what a person needs to begin.
    eprintln!();
    eprintln!("  tickwire {} is up", env!("CARGO_PKG_VERSION"));
    eprintln!("    page       http://{address}/");
    eprintln!("    WebSocket  ws://{address}/ws");
    let expected = Config::default().server.listen == address;
    let url = if expected { String::new() } else { format!(" --url ws://{address}/ws") };
    eprintln!("    try        tickwire sub '{}'{url}", example_pattern(config));
    eprintln!();
}

fn example_pattern(config: &Config) -> String {
    match config.running_feeds().first() {
        // Its topics are those of the recording.
        Some(feed) if feed.adapter == FeedAdapter::Replay => ">".to_owned(),
        Some(feed) => format!("quote.{}.*", feed.venue),
        None => ">".to_owned(),
    }
}

/// Listens for SIGINT and SIGTERM from now on; the future ends with the first of them.
#[cfg(unix)]
fn stop_signals() -> Result<impl Future<Output = Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

#[cfg(not(unix))]
fn stop_signals() -> Result<impl Future<Output = Result<()>>> {
    Ok(async { Ok(tokio::signal::ctrl_c().await?) })
}

fn start_log(config: &Config) {
    let level = match config.log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log.format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}
