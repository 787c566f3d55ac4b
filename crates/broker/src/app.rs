//! The whole broker: built in order, run, and taken down in the reverse order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use topics::{
    Batch, HistoryLimits, Mailbox, Pattern, Registry, RegistryLimits, ShardId, TopicKind,
};
use wire::close::Close;
use wire::{Codec, CommandReader};

use crate::clock::{Clock, millis};
use crate::config::Config;
use crate::consolidate::{Consolidation, Source};
use crate::feed::{FeedThread, Figures, Gates, Surroundings, VenueFeed};
use crate::housekeeping::Housekeeping;
use crate::http::{self, Api, LinePublisher, Rejection};
use crate::metrics;
use crate::shard::{
    CommandService, ConnectionLimits, Inbox, NewConnection, Shard, ShardSettings, payload, publish,
};

/// A running broker.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    broker: Arc<Broker>,
    shards: Vec<Shard>,
    feeds: Vec<FeedThread>,
    surroundings: Surroundings,
    housekeeping: Housekeeping,
    listener: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
    drain: Duration,
}

/// What the listener's tasks share.
#[derive(Debug)]
struct Broker {
    registry: Arc<Registry>,
    inboxes: Vec<Inbox>,
    next_shard: AtomicUsize,
    connections: Arc<Semaphore>,
    topics_per_command: usize,
    figures: Figures,
    clock: Clock,
    /// Stands for all who publish by HTTP: their connections say nothing of how long they mean it.
    source: Arc<Mutex<Source>>,
    draining: AtomicBool,
}

impl App {
    /// Builds everything and starts it; the listener is bound when this returns. Must be called in
    /// a tokio runtime, which then serves HTTP.
    ///
    /// # Errors
    /// When the address cannot be bound, or the system has no threads to give.
    pub async fn start(config: &Config) -> Result<Self> {
        let clock = Clock::start();
        let listen = config.server.listen;
        let listener = bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;

        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut inboxes = Vec::new();
        for _ in 0..config.server.shard_count(cores) {
            inboxes.push(Inbox::new().context("no event queue for a shard")?);
        }
        let mailboxes = inboxes.iter().map(|(inbox, _)| Mailbox::new(inbox.clone())).collect();
        let registry = Arc::new(Registry::new(registry_limits(config), clock.wall(), mailboxes));
        let consolidation = Consolidation::new(Arc::clone(&registry), clock);
        let mut shards = Vec::new();
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let settings = shard_settings(config, clock);
            let topics_max = config.subscriptions.topics_per_command;
            let service = CommandService::new(
                Arc::clone(&registry),
                Arc::clone(&consolidation),
                topics_max,
                clock,
            );
            let id = ShardId::new(index);
            let shard = Shard::start(id, inbox, Arc::clone(&registry), settings, service);
            shards.push(shard.context("no thread for a shard")?);
        }
        let housekeeping = Housekeeping::start(Arc::clone(&registry), clock)?;
        let mut feeds = Vec::new();
        let source = Arc::new(Mutex::new(consolidation.source()));
        let (gates, registry_too) = (Gates::default(), Arc::clone(&registry));
        let figures = Figures::default();
        let surroundings = Surroundings {
            registry: registry_too,
            consolidation,
            gates,
            figures: figures.clone(),
            clock,
        };
        for feed in config.running_feeds() {
            let thread = FeedThread::start(feed, &surroundings);
            feeds.push(thread.with_context(|| format!("feed \"{}\"", feed.venue))?);
        }

        let broker = Arc::new(Broker {
            registry,
            inboxes: shards.iter().map(|shard| shard.inbox().clone()).collect(),
            next_shard: AtomicUsize::new(0),
            connections: Arc::new(Semaphore::new(config.server.connections_max)),
            topics_per_command: config.subscriptions.topics_per_command,
            figures,
            clock,
            source,
            draining: AtomicBool::new(false),
        });
        let (stop, stopped) = watch::channel(false);
        let limits = http::Limits {
            header_bytes: config.http.header_bytes,
            body_bytes: config.http.body_bytes,
            header_timeout: config.http.header_timeout,
            body_timeout: config.http.body_timeout,
        };
        let listener = tokio::spawn(accept(listener, Arc::clone(&broker), limits, stopped));
        let drain = config.shutdown.drain;
        Ok(Self {
            address,
            broker,
            shards,
            feeds,
            surroundings,
            housekeeping,
            listener,
            stop,
            drain,
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many shards serve connections.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Topics that exist now.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.broker.registry.len()
    }

    /// Runs one more feed until the broker is taken down.
    ///
    /// # Errors
    /// When its settings are refused, or there is no thread to be had.
    pub fn add_feed(&mut self, feed: &VenueFeed) -> Result<()> {
        self.feeds.push(FeedThread::venue(feed, &self.surroundings)?);
        Ok(())
    }

    /// Takes everything down: no new connections, feeds stopped, what clients have coming written
    /// until the deadline, every socket closed with 1001.
    pub async fn shut_down(self) {
        self.broker.draining.store(true, Ordering::SeqCst);
        let Self { broker, shards, feeds, housekeeping, listener, stop, drain, .. } = self;
        let down = tokio::task::spawn_blocking(move || {
            feeds.into_iter().for_each(FeedThread::stop);
            let until = broker.clock.millis() + millis(drain);
            for shard in &shards {
                shard.inbox().shut_down(until);
            }
            shards.into_iter().for_each(Shard::join);
            housekeeping.stop();
        });
        if let Err(error) = down.await {
            tracing::error!(%error, "shutting down failed");
        }
        stop.send_replace(true);
        if let Err(error) = listener.await {
            tracing::error!(%error, "the listener failed");
        }
    }
}

fn registry_limits(config: &Config) -> RegistryLimits {
    RegistryLimits {
        topics: config.topics.topics_max,
        history_bytes: config.history.total_bytes,
        history: HistoryLimits {
            events: config.history.events,
            merging_events: config.history.merging_events,
            bytes: config.history.bytes,
            age: u64::try_from(config.history.age.as_nanos()).unwrap_or(u64::MAX),
            book_levels: config.topics.book_levels_max,
        },
        latest_only: config.topics.latest_only.clone(),
    }
}

fn shard_settings(config: &Config, clock: Clock) -> ShardSettings {
    ShardSettings {
        hub: fanout::HubLimits {
            subscriptions: config.subscriptions.per_connection,
            ..fanout::HubLimits::default()
        },
        connections: ConnectionLimits {
            message_bytes: config.websocket.message_bytes,
            ping_interval: millis(config.websocket.ping_interval),
            idle_timeout: millis(config.websocket.idle_timeout),
            unsent_bytes: config.websocket.unsent_bytes_max,
            notsent_lowat: std::num::NonZero::new(config.websocket.notsent_lowat),
            errors_per_minute: config.websocket.errors_per_minute,
        },
        clock,
    }
}

/// Connections that may wait to be accepted: as many as the system lets.
const BACKLOG: i32 = 4_096;

/// HTTP connections served at one time; WebSockets do not count once their handshake is done.
const HTTP_CONNECTIONS: usize = 10_000;

/// How long HTTP requests under way may take to be answered once everything else has ended.
const HTTP_GRACE: Duration = Duration::from_secs(1);

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    // So that a broker can be started again while old connections of it linger.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(
    listener: TcpListener,
    broker: Arc<Broker>,
    limits: http::Limits,
    stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(HTTP_CONNECTIONS));
    let mut tasks = JoinSet::new();
    let mut stop = stopped.clone();
    loop {
        while tasks.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let broker = Arc::clone(&broker);
                let mut stopped = stopped.clone();
                tasks.spawn(async move {
                    let shutdown = async move {
                        // The sender gone means the same.
                        drop(stopped.wait_for(|stop| *stop).await);
                    };
                    http::serve_connection(stream, broker, limits, shutdown).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely; others may be freed soon.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let answered = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(HTTP_GRACE, answered).await.is_err() {
        tracing::debug!(requests = tasks.len(), "HTTP requests that do not end are cut off");
        tasks.shutdown().await;
    }
}

/// The lines of one HTTP request.
struct Lines {
    reader: CommandReader,
    batch: Batch,
    clock: Clock,
    source: Arc<Mutex<Source>>,
}

impl LinePublisher for Lines {
    fn publish_line(&mut self, line: &mut [u8]) -> Result<(), Rejection> {
        let Self { reader, batch, clock, source } = self;
        reader
            .read_publication(line, |publication| {
                let (topic, data) = publication?;
                let payload = payload(topic, &data, clock.wall())?;
                let (_, cause) = publish(batch, *clock, topic, None, payload)?;
                if let Some(cause) = cause {
                    source.lock().follow(batch, topic, &cause);
                }
                Ok(())
            })
            .map_err(|rejection| refuse(&rejection))
    }
}

#[derive(Serialize)]
struct TopicLine<'a> {
    topic: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    native: Option<&'a str>,
    epoch: String,
    seq: u64,
    history: usize,
}

#[derive(Serialize)]
struct TopicList<'a> {
    topics: Vec<TopicLine<'a>>,
}

impl Api for Broker {
    fn draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn topics(&self, pattern: &str) -> Result<String, Rejection> {
        let pattern = Pattern::parse(pattern).map_err(|error| refuse(&error.into()))?;
        let found = self.registry.matching(&pattern);
        let topics = found
            .iter()
            .map(|info| TopicLine {
                topic: info.topic.name().as_str(),
                kind: kind_name(info.topic.kind()),
                native: info.topic.native(),
                epoch: info.topic.epoch().to_string(),
                seq: info.seq,
                history: info.history,
            })
            .collect();
        serde_json::to_string(&TopicList { topics }).map_err(|error| Rejection {
            code: "internal",
            message: format!("the list could not be written: {error}"),
        })
    }

    fn publisher(&self) -> impl LinePublisher {
        Lines {
            reader: CommandReader::new(self.topics_per_command),
            batch: Batch::new(Arc::clone(&self.registry)),
            clock: self.clock,
            source: Arc::clone(&self.source),
        }
    }

    async fn metrics(&self) -> String {
        let mut reports = Vec::new();
        for inbox in &self.inboxes {
            reports.extend(inbox.report().await);
        }
        metrics::render(&reports, &self.registry, self.figures.venues(self.clock.millis()))
    }

    fn accept_websocket(&self, stream: TcpStream, codec: Codec, early: Vec<u8>) {
        if self.draining() {
            // Its handshake began before; its shard may have ended already.
            return turn_away(&stream, Close::SHUTDOWN);
        }
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            tracing::warn!("server.connections_max is reached; a connection is turned away");
            return turn_away(&stream, Close::TOO_MANY_CONNECTIONS);
        };
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be handed to its shard");
                return;
            }
        };
        let shard = self.next_shard.fetch_add(1, Ordering::Relaxed) % self.inboxes.len();
        let permit = Some(permit.into());
        self.inboxes[shard].connection(NewConnection { stream, codec, early, permit });
    }
}

/// Tells a client that is not taken in why, and to come back later.
fn turn_away(stream: &TcpStream, close: Close) {
    let mut frame = Vec::new();
    wire::append_close(&mut frame, close.code, close.reason);
    // A fresh socket takes these few bytes; if it does not, the client sees it close.
    drop(stream.try_write(&frame));
}

fn refuse(rejection: &wire::Rejection) -> Rejection {
    Rejection { code: rejection.code.as_str(), message: rejection.message.clone() }
}

fn kind_name(kind: TopicKind) -> &'static str {
    match kind {
        TopicKind::Market(market::Kind::Trade) => "trade",
        TopicKind::Market(market::Kind::Quote) => "quote",
        TopicKind::Market(market::Kind::Book) => "book",
        TopicKind::Market(market::Kind::Bar) => "bar",
        TopicKind::Market(market::Kind::Status) => "status",
        TopicKind::Generic => "generic",
    }
}
