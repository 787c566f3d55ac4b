//! The sink that is a broker elsewhere: its events are published over that broker's WebSocket.
//!
//! The link to the broker is a task of its own. It connects again for ever; what happens to the
//! events meanwhile is the [`Queue`]'s to say. After each connect every book is sent whole, for
//! the broker may be another one that knows nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use client::{Codec, Command, Connection, Data, Message, Publish, Receiver, Sender};
use feeds::Channel;
use market::{Event, Status, VenueState};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use topics::TopicName;

use super::pace::{Backoff, Chance};
use super::queue::Queue;
use super::sink::{Sink, is_venues};

/// Events sent ahead of their confirmation.
const AHEAD: usize = 4_096;
/// Every so many events one asks to be confirmed, and with it all before it.
const CONFIRM_EACH: u64 = 64;
/// How long the end waits for what is still to be confirmed.
const PARTING: Duration = Duration::from_secs(5);

/// The link to a broker, and the sinks that lead into it.
#[derive(Debug, Clone)]
pub(crate) struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    url: String,
    queue: Mutex<Queue>,
    /// How the venue spells the symbol of each topic.
    natives: Mutex<HashMap<Arc<str>, String>>,
    /// Something waits, or was confirmed.
    news: Notify,
    renewal: watch::Sender<u64>,
}

impl Link {
    /// A link to the broker at `url`, for which at most about `bytes_max` bytes wait.
    pub(crate) fn new(url: &str, bytes_max: usize) -> Self {
        Self(Arc::new(Shared {
            url: url.to_owned(),
            queue: Mutex::new(Queue::new(bytes_max)),
            natives: Mutex::new(HashMap::new()),
            news: Notify::new(),
            renewal: watch::Sender::new(0),
        }))
    }

    /// A sink that leads here.
    pub(crate) fn sink(&self) -> RemoteSink {
        let renewals = self.0.queue.lock().renewals();
        RemoteSink { shared: Arc::clone(&self.0), topics: Vec::new(), renewals }
    }

    /// Keeps the link up until it is told that nothing more comes (the sender of `stopped` is
    /// gone) and everything was confirmed. Returns how many events were not, and how many trades
    /// were dropped on the way.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<()>) -> (usize, u64) {
        let keeping = self.keep_up();
        tokio::pin!(keeping);
        tokio::select! {
            () = &mut keeping => {}
            _ = stopped.changed() => {
                let emptied = async {
                    loop {
                        let news = self.0.news.notified();
                        if self.0.queue.lock().is_empty() {
                            break;
                        }
                        news.await;
                    }
                };
                tokio::select! {
                    () = &mut keeping => {}
                    () = emptied => {}
                    () = tokio::time::sleep(PARTING) => {}
                }
            }
        }
        let mut queue = self.0.queue.lock();
        let lost = queue.lost();
        queue.leave();
        (queue.waiting(), lost)
    }

    async fn keep_up(&self) {
        let shared = &*self.0;
        let mut chance = Chance::new(None);
        let mut backoff = Backoff::new();
        loop {
            match Connection::connect(&shared.url, Codec::Json).await {
                Ok(connection) => {
                    backoff.forget();
                    let (waiting, lost) = {
                        let mut queue = shared.queue.lock();
                        (queue.arrive(), queue.lost())
                    };
                    tracing::info!(broker = shared.url, waiting, lost, "connected to the broker");
                    shared.renew();
                    let reason = shared.serve(connection).await;
                    shared.queue.lock().leave();
                    tracing::warn!(
                        broker = shared.url,
                        reason,
                        "the broker is gone; trades wait for it, books are sent whole afterwards"
                    );
                }
                Err(error) => {
                    let failures = backoff.failures() + 1;
                    if failures.is_power_of_two() {
                        tracing::warn!(failures, %error, "no broker yet");
                    }
                }
            }
            tokio::time::sleep(backoff.next(&mut chance)).await;
        }
    }
}

impl Shared {
    /// Tells the sessions that books are to be sent whole.
    fn renew(&self) {
        let renewals = self.queue.lock().renewals();
        self.renewal.send_replace(renewals);
        self.news.notify_waiters();
    }

    /// Publishes what waits until the connection is over; returns why.
    async fn serve(&self, connection: Connection) -> String {
        let (sender, receiver) = connection.split();
        tokio::select! {
            reason = self.send(&sender) => reason,
            reason = self.settle(receiver) => reason,
        }
    }

    async fn send(&self, sender: &Sender) -> String {
        let mut text = Vec::new();
        // The last event sent, where nothing asks yet for it to be confirmed.
        let mut unasked = None;
        // Topics that this broker has been told of.
        let mut told: HashSet<Arc<str>> = HashSet::new();
        loop {
            let news = self.news.notified();
            let next = {
                let mut queue = self.queue.lock();
                if queue.unconfirmed() < AHEAD { queue.send_next() } else { None }
            };
            let Some((number, item, more)) = next else {
                match unasked.take() {
                    // What was to come after it has been left out. Answers come in order.
                    Some(id) => {
                        let ping = Command::Ping { id: Some(id) };
                        if sender.send(&ping).await.is_err() {
                            return self.ending().await;
                        }
                    }
                    None => news.await,
                }
                continue;
            };
            let Ok(data) = written(&mut text, &item.event) else {
                // Cannot be: it was written just now.
                tracing::error!(topic = &*item.topic, "an event that is no JSON");
                continue;
            };
            let will = last_words(&item.topic, &item.event);
            let will = will.and_then(|will| written(&mut text, &will).ok());
            let id = (number.is_multiple_of(CONFIRM_EACH) || !more).then_some(number);
            let native = (!told.contains(&item.topic)).then(|| {
                told.insert(Arc::clone(&item.topic));
                self.natives.lock().get(&item.topic).cloned()
            });
            let (topic, native) = (item.topic.to_string(), native.flatten());
            let publish = Publish { id, topic, data, will, native };
            unasked = publish.id.is_none().then_some(number);
            if sender.send(&publish.into()).await.is_err() {
                return self.ending().await;
            }
        }
    }

    /// Gives the receiver the time to say why the connection is over: it knows.
    async fn ending(&self) -> String {
        tokio::time::sleep(Duration::from_secs(1)).await;
        "the connection is closed".to_owned()
    }

    fn confirm(&self, number: Option<u64>) {
        if let Some(number) = number {
            self.queue.lock().confirm(number);
            self.news.notify_waiters();
        }
    }

    /// Takes in what the broker answers.
    async fn settle(&self, mut receiver: Receiver) -> String {
        let mut refused: u64 = 0;
        loop {
            match receiver.receive().await {
                Ok(Message::Published(published)) => {
                    self.confirm(published.id);
                }
                Ok(Message::Error(error)) => {
                    refused += 1;
                    if refused.is_power_of_two() {
                        tracing::error!(refused, %error, "the broker refuses an event");
                    }
                    self.confirm(error.id);
                }
                Ok(Message::Pong { id, .. }) => self.confirm(id),
                Ok(_) => {}
                Err(error) if !error.is_final() => {
                    tracing::debug!(%error, "an answer of the broker cannot be read");
                }
                Err(error) => return error.to_string(),
            }
        }
    }
}

fn written(text: &mut Vec<u8>, event: &Event) -> Result<Data, serde_json::Error> {
    text.clear();
    wire::payload::append_json(text, event);
    Data::from_json(&String::from_utf8_lossy(text))
}

/// What the broker is to say of the venue after `event` when it hears no more from here.
fn last_words(topic: &str, event: &Event) -> Option<Event> {
    let Event::Status(status) = event else { return None };
    let reason = "the connection of the process that fed it ended".into();
    let gone = Status { state: VenueState::Down, reason, stamps: status.stamps };
    (is_venues(topic) && status.state != VenueState::Down).then_some(Event::Status(gone))
}

/// Into a broker elsewhere.
#[derive(Debug)]
pub(crate) struct RemoteSink {
    shared: Arc<Shared>,
    /// The topic of each channel.
    topics: Vec<Option<Arc<str>>>,
    renewals: u64,
}

impl Sink for RemoteSink {
    fn another(&self) -> Self {
        let topics = Vec::new();
        Self { shared: Arc::clone(&self.shared), topics, renewals: self.renewals }
    }

    fn publish(&mut self, number: usize, channel: &Channel, event: Event) {
        if self.topics.len() <= number {
            self.topics.resize(number + 1, None);
        }
        let topic = self.topics[number].get_or_insert_with(|| {
            let topic: Arc<str> = channel.topic.as_str().into();
            let fits = |native: &&str| native.len() <= wire::Command::NATIVE_MAX;
            if let Some(native) = channel.native.as_deref().filter(fits) {
                self.shared.natives.lock().insert(Arc::clone(&topic), native.to_string());
            }
            topic
        });
        let mut queue = self.shared.queue.lock();
        let lost = queue.lost();
        let too_much = queue.push(topic, event, self.renewals);
        let lost_now = queue.lost();
        drop(queue);
        if lost_now > lost {
            tracing::error!(lost = lost_now, "trades dropped: the broker is away or too slow");
        }
        if too_much {
            tracing::warn!("the broker is too slow: quotes are left out, books sent anew");
            self.shared.renew();
        }
    }

    /// The broker has the venue's, and knows no connections of ours.
    fn connection_state(&mut self, _: &str, _: &Status) {}

    fn flush(&mut self) {
        self.shared.news.notify_waiters();
    }

    fn renewal(&self) -> watch::Receiver<u64> {
        let mut renewal = self.shared.renewal.subscribe();
        // It may have come before this.
        renewal.mark_changed();
        renewal
    }

    fn renew(&mut self) {
        self.renewals = self.shared.queue.lock().renewals();
    }

    /// Nobody can tell from here.
    fn is_wanted(&self, _: &TopicName) -> bool {
        true
    }

    fn interest(&self) -> u64 {
        0
    }
}
