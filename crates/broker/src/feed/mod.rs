//! Feeds: the simulated exchange, recordings, and venues over real sockets.
//!
//! Each feed of the broker has a thread. That of a simulated exchange or a recording is a
//! `publisher`, which drives it by the clock. A venue's thread is a small runtime of its own, so that
//! reading a snapshot of megabytes delays no HTTP request. In it runs a `session` for each
//! connection: it gives an adapter (`feeds::adapter`) its messages, REST answers and timers,
//! carries out what the adapter wants within the venue's limits, and hands its events to a
//! `sink`: the registry of this process, or with `tickwire feed` a broker elsewhere.
//!
//! - [`VenueFeed`]: what a venue's feed is set up with.
//! - `line`, `socket`, `chunks`, `dial`, `rest`: one open connection, down to its bytes.
//! - `pace`: limits and backoff; `demand`: upstream follows subscribers; `health`: one state for
//!   several connections.
//! - `figures`: what is counted, where `/metrics` finds it; `journal`: what the log says.
//! - `replay`: recorded files, opened and read.
//! - `remote`: the sink that is a broker elsewhere.

mod address;
mod chunks;
mod demand;
mod dial;
mod figures;
mod health;
mod journal;
mod line;
mod options;
mod pace;
mod publisher;
mod queue;
mod remote;
mod replay;
mod rest;
mod session;
mod sink;
mod socket;
mod venue;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use feeds::adapter::DeskOptions;
use feeds::venue::Venue;
use feeds::venue::itch::Framing;
use feeds::{Feed, SimExchange, SimOptions};
use tokio::sync::watch;
use topics::Registry;

pub use address::{Endpoint, Scheme};
pub(crate) use figures::{FIGURES, FigureKind, Figures, VenueFigures};
pub(crate) use options::Plan;
pub use options::{AdapterMaker, VenueFeed};
pub(crate) use remote::Link;
pub(crate) use venue::{Gates, run};

use crate::clock::Clock;
use crate::config::{self, FeedAdapter};
use crate::consolidate::Consolidation;
use publisher::Publisher;
use sink::RegistrySink;

/// What all feeds of a broker share.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) registry: Arc<Registry>,
    pub(crate) consolidation: Arc<Consolidation>,
    pub(crate) gates: Gates,
    pub(crate) figures: Figures,
    pub(crate) clock: Clock,
}

impl Surroundings {
    fn sink(&self) -> RegistrySink {
        let (registry, consolidation) = (&self.registry, &self.consolidation);
        RegistrySink::new(Arc::clone(registry), Arc::clone(consolidation), self.clock)
    }
}

/// A running feed.
#[derive(Debug)]
pub(crate) struct FeedThread {
    stop: Stop,
    thread: JoinHandle<()>,
}

/// The thread hears that this is gone.
#[derive(Debug)]
enum Stop {
    Publisher(
        #[expect(dead_code, reason = "it is there to be dropped")] mpsc::SyncSender<Infallible>,
        /// For what may read for long without looking at a channel.
        #[expect(dead_code, reason = "it is there to be dropped")]
        Arc<()>,
    ),
    Venue(#[expect(dead_code, reason = "it is there to be dropped")] watch::Sender<()>),
}

impl FeedThread {
    /// Starts the feed that `settings` describe.
    ///
    /// # Errors
    /// When the settings are refused, or there is no thread to be had.
    pub(crate) fn start(
        settings: &config::Feed,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        match settings.adapter {
            FeedAdapter::Sim => Self::simulated(settings, surroundings),
            FeedAdapter::Replay => Self::replay(settings, surroundings),
            FeedAdapter::Venue(venue) => {
                let desk = desk_options(settings);
                let feed = match venue {
                    Venue::Itch(Framing::Soup) => {
                        VenueFeed::soup(settings.login(), settings.date, desk)
                    }
                    _ => VenueFeed::new(venue, desk),
                };
                let feed = VenueFeed {
                    url: Some(settings.url.clone()).filter(|url| !url.is_empty()),
                    rest_url: Some(settings.rest_url.clone()).filter(|url| !url.is_empty()),
                    linger: settings.linger,
                    seed: Some(settings.seed).filter(|seed| *seed > 0),
                    ..feed
                };
                Self::venue(&feed, surroundings)
            }
        }
    }

    fn simulated(settings: &config::Feed, surroundings: &Surroundings) -> anyhow::Result<Self> {
        let options = SimOptions {
            venue: settings.venue.clone(),
            symbols: settings.symbols.count(),
            updates_per_second: settings.updates_per_second,
            depth: settings.simulated_depth(),
            seed: settings.seed,
        };
        let exchange = SimExchange::new(options, surroundings.clock.wall())?;
        Self::publisher(&settings.venue, exchange, Arc::new(()), surroundings, |_| {})
    }

    fn replay(settings: &config::Feed, surroundings: &Surroundings) -> anyhow::Result<Self> {
        let alive = Arc::new(());
        let feed = replay::open(settings, surroundings.clock.wall(), Arc::downgrade(&alive))?;
        let (files, speed) = (settings.files.len(), settings.speed);
        let (venue, format) = (settings.venue.clone(), settings.format.name());
        tracing::info!(venue, files, format, %speed, "replay running");
        Self::publisher(&settings.venue, feed, alive, surroundings, move |feed| {
            let (unreadable, problem) = (feed.unreadable(), feed.problem());
            tracing::info!(venue, unreadable, problem, "replay over");
        })
    }

    /// Starts a thread that drives `feed`, and says `over` when it has ended.
    fn publisher<F: Feed + Send + 'static>(
        venue: &str,
        feed: F,
        alive: Arc<()>,
        surroundings: &Surroundings,
        over: impl FnOnce(&F) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (stop, stopped) = mpsc::sync_channel(0);
        let publisher = Publisher::new(feed, surroundings.sink(), surroundings.clock);
        let name = venue.to_owned();
        let thread =
            std::thread::Builder::new().name(format!("feed-{venue}")).spawn(move || {
                over(&publisher.run(&stopped));
                tracing::debug!(venue = name, "feed stopped");
            })?;
        Ok(Self { stop: Stop::Publisher(stop, alive), thread })
    }

    /// Starts a feed that speaks a venue's protocol.
    ///
    /// # Errors
    /// When its settings are refused, or there is no thread to be had.
    pub(crate) fn venue(feed: &VenueFeed, surroundings: &Surroundings) -> anyhow::Result<Self> {
        let plan = Plan::new(feed)?;
        tracing::info!(
            venue = feed.desk.venue,
            host = plan.authority(),
            symbols = feed.desk.symbols.len(),
            connections = plan.connections(),
            on_demand = feed.desk.on_demand,
            "venue feed running",
        );
        let (stop, stopped) = watch::channel(());
        let sink = surroundings.sink();
        let Surroundings { gates, figures, clock, .. } = surroundings;
        let (gates, figures, clock) = (gates.clone(), figures.clone(), *clock);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name(format!("feed-{}", feed.desk.venue))
            .spawn(move || runtime.block_on(run(plan, sink, gates, figures, clock, stopped)))
            .context("no thread for a feed")?;
        Ok(Self { stop: Stop::Venue(stop), thread })
    }

    /// Stops the feed, and waits until it has said so on its status topic.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("a feed ended with a panic");
        }
    }
}

fn desk_options(settings: &config::Feed) -> DeskOptions {
    DeskOptions {
        venue: settings.venue.clone(),
        symbols: settings.symbols.listed().to_vec(),
        streams: settings.streams,
        on_demand: settings.on_demand,
        symbols_max: settings.symbols_max,
        depth: (settings.depth > 0).then_some(settings.depth),
        ..DeskOptions::default()
    }
}
