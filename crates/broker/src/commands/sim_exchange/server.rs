//! The exchange behind a listener: who is connected, and what time it is.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{ConnectionId, Effect, Exchange, Options, Reply};
use market::Nanos;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::front;
use crate::Clock;

/// Effects that may wait for one client; one that lets more pile up is cut off.
const WAITING_MAX: usize = 8192;
/// Longest sleep of the clock; the exchange itself asks for less.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What the tasks of a server share.
#[derive(Debug)]
pub(super) struct Floor {
    state: Mutex<State>,
    /// The next instant at which something is due may have moved.
    moved: Notify,
    started: Instant,
    opened: Nanos,
}

#[derive(Debug)]
struct State {
    exchange: Exchange,
    clients: HashMap<ConnectionId, mpsc::Sender<Effect>>,
}

impl Floor {
    /// The time by a clock that does not go back.
    fn now(&self) -> Nanos {
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.opened.saturating_add(elapsed)
    }

    /// Lets `work` act on the exchange, and hands out what comes of it.
    fn act<T>(&self, work: impl FnOnce(&mut Exchange, Nanos) -> T) -> T {
        let mut state = self.state.lock();
        let result = work(&mut state.exchange, self.now());
        state.hand_out();
        result
    }

    /// A client's WebSocket is open.
    pub(super) fn connect(&self, path: &str) -> (ConnectionId, mpsc::Receiver<Effect>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let mut state = self.state.lock();
        let now = self.now();
        let id = state.exchange.connect(path, now);
        state.clients.insert(id, sender);
        state.hand_out();
        drop(state);
        self.moved.notify_one();
        (id, receiver)
    }

    /// A client sent a text message.
    pub(super) fn receive(&self, id: ConnectionId, text: &[u8]) {
        self.act(|exchange, now| exchange.receive(id, text, now));
        self.moved.notify_one();
    }

    /// A client is gone.
    pub(super) fn disconnect(&self, id: ConnectionId) {
        self.act(|exchange, now| exchange.disconnect(id, now));
        self.state.lock().clients.remove(&id);
    }

    /// A REST request.
    pub(super) fn request(&self, target: &str) -> Reply {
        self.act(|exchange, now| exchange.request(target, now))
    }

    /// A look at the exchange.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        look(&self.state.lock().exchange)
    }

    /// Plays what is due, for ever.
    async fn tick(&self) {
        loop {
            let due = self.act(|exchange, now| {
                exchange.advance(now);
                exchange.next_due().map(|due| Duration::from_nanos(due.saturating_sub(now)))
            });
            let sleep = due.map_or(SLEEP_MAX, |due| due.min(SLEEP_MAX));
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = self.moved.notified() => {}
            }
        }
    }
}

impl State {
    fn hand_out(&mut self) {
        for delivery in self.exchange.take_deliveries() {
            let over = matches!(delivery.effect, Effect::Close { .. } | Effect::CutMidFrame { .. });
            let Some(client) = self.clients.get(&delivery.connection) else { continue };
            // Who does not take what it asked for is cut off: its task sees the end of the queue.
            if client.try_send(delivery.effect).is_err() || over {
                self.clients.remove(&delivery.connection);
            }
        }
    }
}

/// A simulated exchange on loopback.
#[derive(Debug)]
pub struct Server {
    floor: Arc<Floor>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Opens the exchange and listens on 127.0.0.1; port 0 is any free one.
    ///
    /// # Errors
    /// When the options are out of bounds or the port is taken.
    pub async fn start(options: Options, port: u16) -> anyhow::Result<Self> {
        let opened = Clock::start().wall();
        let exchange = Exchange::new(options, opened)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let state = Mutex::new(State { exchange, clients: HashMap::new() });
        let started = Instant::now();
        let floor = Arc::new(Floor { state, moved: Notify::new(), started, opened });
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let clock = Arc::clone(&floor);
        let mut over = stopped.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = clock.tick() => {}
                _ = over.changed() => {}
            }
        });
        tasks.spawn(front::listen(listener, Arc::clone(&floor), stopped));
        Ok(Self { floor, address, stop, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A look at the exchange as it is now: its books, and what struck.
    pub fn with<T>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        self.floor.look(look)
    }

    /// Changes what goes wrong, or anything else of the exchange; what comes of it is sent.
    pub fn change<T>(&self, change: impl FnOnce(&mut Exchange) -> T) -> T {
        self.floor.act(|exchange, _| change(exchange))
    }

    /// Ends all connections; what has not ended by the deadline is dropped.
    pub async fn stop(mut self, deadline: Duration) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            tracing::debug!("connections were open when the exchange stopped");
        }
    }
}
