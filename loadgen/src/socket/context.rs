//! What the sockets of one thread share: how to read, and where to write down what was read.

use client::Codec;

use crate::hops::Hops;
use crate::plan::{Plan, Role};
use crate::scan::{Scanner, Seen, Topics};
use crate::shared::{Latencies, latencies};
use crate::spread::Spread;

/// Room for reading; grows for a larger frame.
const READ_BUFFER: usize = 256 * 1024;

/// What the sockets of one thread share.
pub struct Context<'p> {
    /// The run.
    pub plan: &'p Plan,
    /// Finds fields in JSON.
    json: Scanner,
    /// Finds fields in MessagePack.
    msgpack: Scanner,
    /// Latencies of the measurement, by role.
    pub groups: Vec<Latencies>,
    /// Those since they were last shown, by role.
    pub interval: Vec<Latencies>,
    /// Where the time went.
    pub hops: Hops,
    /// First and last arrivals of each event, at healthy subscribers without a `max_rate`.
    pub spread: Spread,
    /// From dialling to being subscribed.
    pub connect: Latencies,
    /// From dialling again to having caught up.
    pub resume: Latencies,
    /// The measurement, on the run's clock: due times outside are not recorded.
    pub measured: (u64, u64),
    /// Messages received.
    pub delivered: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Messages about topics that were not asked for, by role.
    pub unasked: [u64; Role::ALL.len()],
    /// The server's epoch, once it has named one.
    pub epoch: Option<String>,
    pub(super) buffer: Vec<u8>,
}

impl<'p> Context<'p> {
    /// For one thread.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Self {
        let topics = Topics::of(plan);
        Self {
            plan,
            json: Scanner::new(Codec::Json, topics.clone()),
            msgpack: Scanner::new(Codec::MessagePack, topics),
            groups: Role::ALL.iter().map(|_| latencies()).collect(),
            interval: Role::ALL.iter().map(|_| latencies()).collect(),
            hops: Hops::default(),
            spread: Spread::new(plan),
            connect: latencies(),
            resume: latencies(),
            measured: (u64::MAX, u64::MAX),
            delivered: 0,
            bytes: 0,
            unasked: Default::default(),
            epoch: None,
            buffer: vec![0; READ_BUFFER],
        }
    }

    /// The event in a message.
    pub(super) fn event(&self, codec: Codec, message: &[u8]) -> Option<Seen> {
        match codec {
            Codec::Json => self.json.event(message),
            Codec::MessagePack => self.msgpack.event(message),
        }
    }

    /// Writes down how long an event took, where it is of the measured part.
    pub(super) fn record(&mut self, role: Role, limited: bool, seen: &Seen, arrived: u64) {
        if seen.due < self.measured.0 || seen.due >= self.measured.1 {
            return;
        }
        let latency = arrived.saturating_sub(seen.due);
        self.groups[role as usize].saturating_record(latency);
        self.interval[role as usize].saturating_record(latency);
        if role == Role::Healthy {
            self.hops.arrived(seen, arrived, latency);
            if !limited && seen.from == seen.seq {
                self.spread.arrived(seen.topic, seen.seq, arrived);
            }
        }
    }
}
