//! What a run does: checked numbers, the due time of each event, and who gets which topic.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use client::Codec;
use serde::Serialize;

/// A run that makes sense.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub target: Target,
    /// How many sockets subscribe.
    pub subscribers: usize,
    /// How many of them stop reading once they are subscribed.
    pub stalled: usize,
    /// How many topics are published to.
    pub topics: usize,
    /// How many of them each subscriber has.
    pub topics_per_subscriber: usize,
    /// What all topics of this run begin with, the final dot included.
    pub prefix: String,
    /// When events are due.
    pub schedule: Schedule,
    /// Bytes of an event's data.
    pub payload: usize,
    /// How subscribers get their events; publishers always write JSON.
    pub codec: Codec,
    /// Events a second of each topic that subscribers ask for at most.
    pub max_rate: Option<f64>,
    /// Threads of subscribers.
    pub threads: usize,
    /// Publishing connections, each with a thread.
    pub publishers: usize,
    /// How long connecting and subscribing may take.
    pub connect: Duration,
    /// How long after the last event to wait for late ones.
    pub drain: Duration,
}

/// Where the server is.
#[derive(Debug, Clone)]
pub struct Target {
    /// The address that sockets connect to.
    pub address: SocketAddr,
    /// Host and port as in the URL.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// When each event is due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Schedule {
    /// Events a second over all topics.
    pub rate: f64,
    /// Events that are due together; the rate stays the same.
    pub burst: u64,
    /// Seconds before the measurement.
    pub warmup: f64,
    /// Seconds of the measurement.
    pub seconds: f64,
}

impl Schedule {
    /// How many events there are, the warm-up's included.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: positive and below 10^10"
    )]
    pub fn events(&self) -> u64 {
        (self.rate * (self.warmup + self.seconds)).round().max(1.0) as u64
    }

    /// Nanoseconds after the start at which event `k` is due.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "k is below 10^10 and the result below 10^14"
    )]
    pub fn due(&self, k: u64) -> u64 {
        let first_of_burst = k - k % self.burst;
        (first_of_burst as f64 / self.rate * 1e9) as u64
    }

    /// The measured part, in nanoseconds after the start.
    #[must_use]
    pub fn measured(&self) -> Range<u64> {
        let nanoseconds = |s: f64| crate::clock::nanoseconds(Duration::from_secs_f64(s));
        nanoseconds(self.warmup)..nanoseconds(self.warmup + self.seconds)
    }
}

impl Plan {
    /// The topic of event `k`: in turn.
    #[must_use]
    pub fn topic_of(&self, k: u64) -> usize {
        usize::try_from(k % self.topics as u64).expect("below a usize")
    }

    /// The publisher of a topic: always the same, so that a topic's events keep their order.
    #[must_use]
    pub fn publisher_of(&self, topic: usize) -> usize {
        topic % self.publishers
    }

    /// The topics of a subscriber: as many in a row as it has, so that all topics have nearly
    /// the same number of subscribers.
    pub fn topics_of(&self, subscriber: usize) -> impl Iterator<Item = usize> {
        let first = self.first_topic_of(subscriber);
        (0..self.topics_per_subscriber).map(move |slot| (first + slot) % self.topics)
    }

    /// Which of a subscriber's topics this is, from 0; `None` when it is none of them.
    #[must_use]
    pub fn slot_of(&self, first_topic: usize, topic: usize) -> Option<usize> {
        if topic >= self.topics {
            return None;
        }
        let slot = (topic + self.topics - first_topic) % self.topics;
        (slot < self.topics_per_subscriber).then_some(slot)
    }

    /// The first of a subscriber's topics.
    #[must_use]
    pub fn first_topic_of(&self, subscriber: usize) -> usize {
        subscriber.wrapping_mul(self.topics_per_subscriber) % self.topics
    }

    /// A topic's full name.
    #[must_use]
    pub fn topic_name(&self, topic: usize) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// Whether a subscriber is one that stops reading: spread evenly over all.
    #[must_use]
    pub fn is_stalled(&self, subscriber: usize) -> bool {
        let reached = |upto: usize| upto * self.stalled / self.subscribers;
        reached(subscriber + 1) > reached(subscriber)
    }

    /// Says what makes no sense in the numbers.
    ///
    /// # Errors
    /// The first contradiction, with what would be right.
    pub fn check(&self) -> anyhow::Result<()> {
        let Schedule { rate, burst, warmup, seconds } = self.schedule;
        ensure!(self.subscribers > 0, "--subscribers: at least one");
        ensure!(self.topics > 0, "--topics: at least one");
        ensure!(
            (1..=self.topics).contains(&self.topics_per_subscriber),
            "--topics-per-subscriber: from 1 to the number of topics, {}",
            self.topics
        );
        ensure!(self.topics_per_subscriber <= 1_000, "--topics-per-subscriber: at most 1000");
        ensure!(rate > 0.0 && rate <= 1e6, "--rate: above 0 and at most 1000000 events a second");
        ensure!(burst > 0 && burst <= 100_000, "--burst: from 1 to 100000");
        ensure!(seconds > 0.0 && seconds <= 86_400.0, "--seconds: above 0 and at most a day");
        ensure!((0.0..=3_600.0).contains(&warmup), "--warmup: from 0 to an hour");
        ensure!(self.payload <= 1 << 20, "--payload: at most 1 MiB (1048576)");
        ensure!(self.threads > 0 && self.threads <= 256, "--threads: from 1 to 256");
        ensure!(self.publishers > 0 && self.publishers <= 256, "--publishers: from 1 to 256");
        Ok(())
    }
}

impl Target {
    /// The server of `url`, such as `ws://127.0.0.1:8080/ws`.
    ///
    /// # Errors
    /// When it is no such URL, or its host has no address.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let Some(rest) = url.strip_prefix("ws://") else {
            if url.starts_with("wss://") {
                bail!("--url {url}: TLS is not supported yet, only ws://");
            }
            bail!("--url {url}: it must begin with ws://, as in ws://127.0.0.1:8080/ws");
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        ensure!(!authority.is_empty(), "--url {url}: it names no host");
        let clean = path.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(clean, "--url {url}: a space or a special character in the path");
        let with_port = match authority.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => authority.to_owned(),
            _ => format!("{authority}:80"),
        };
        let address = with_port
            .to_socket_addrs()
            .with_context(|| format!("--url {url}: {authority} is no host and port"))?
            .next()
            .with_context(|| format!("--url {url}: {authority} has no address"))?;
        Ok(Self { address, authority: authority.into(), path: path.into() })
    }
}
