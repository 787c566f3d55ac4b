//! The turn of a shard, step by step: wait, take in, read, fan out, write, end.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use fanout::{Hub, Millis, SubscriberId};
use mio::{Events, Interest, Token};
use topics::{Registry, ShardId};
use wire::close::Close;

use super::connection::{Connection, ErrorCount, LINGER, Stage, tune};
use super::inbox::{Owner, Request, WAKE};
use super::keepalive::Keepalive;
use super::latency::Latency;
use super::{NewConnection, Report, Service, ShardSettings};
use crate::ws::Inbound;

/// Events taken from the system at once; more come with the next turn.
const EVENTS: usize = 4_096;

/// Connections that come or go in one turn: some 30 µs each. When thousands are cut at once and
/// come back, those that stayed must not wait for all of them.
const COMINGS_AND_GOINGS: usize = 32;

/// Bytes one read may bring; shared by all connections of the shard.
pub(super) const SCRATCH: usize = 64 * 1024;

/// One shard's state, all of it owned by its thread.
pub(super) struct EventLoop<S> {
    pub(super) hub: Hub,
    pub(super) service: S,
    pub(super) settings: ShardSettings,
    registry: Arc<Registry>,
    id: ShardId,
    owner: Owner,
    /// At the index of its subscriber in the hub.
    pub(super) connections: Vec<Option<Connection>>,
    pub(super) to_read: Vec<SubscriberId>,
    /// Those of them that have just come, or are about to go: they wait for the others.
    coming_or_going: VecDeque<SubscriberId>,
    arrivals: VecDeque<NewConnection>,
    pub(super) scratch: Box<[u8]>,
    keepalive: Keepalive,
    questions: Vec<tokio::sync::oneshot::Sender<Report>>,
    pub(super) report: Report,
    pub(super) latency: Latency,
    ending: Option<Ending>,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// Clients get what they have coming, until then.
    Draining { until: Millis },
    /// All are told to go; whoever has not gone by then is cut off.
    Leaving { until: Millis },
}

impl<S: Service> EventLoop<S> {
    pub(super) fn new(
        hub: Hub,
        registry: Arc<Registry>,
        id: ShardId,
        owner: Owner,
        settings: ShardSettings,
        service: S,
    ) -> Self {
        Self {
            hub,
            service,
            settings,
            registry,
            id,
            owner,
            connections: Vec::new(),
            to_read: Vec::new(),
            coming_or_going: VecDeque::new(),
            arrivals: VecDeque::new(),
            scratch: vec![0; SCRATCH].into(),
            keepalive: Keepalive::default(),
            questions: Vec::new(),
            report: Report::default(),
            latency: Latency::new(),
            ending: None,
        }
    }

    /// Runs until told to end.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            if let Err(error) = self.wait(&mut events) {
                tracing::error!(%error, "a shard cannot wait for events any more");
                return;
            }
            self.note(&events);
            self.take_requests();
            self.read_all();
            self.let_in_and_out();
            let now = self.settings.clock.millis();
            self.keep_alive(now);
            self.hub.fire_timers(now);
            self.hub.gather();
            self.hub.catch_up(now);
            self.close_the_slow();
            self.write_all();
            self.hub.end_turn();
            self.answer_questions();
            if self.end(now) {
                return;
            }
        }
    }

    /// Waits for sockets, other threads or the next timer; not at all when there is work left.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let busy = self.hub.has_work()
            || !self.to_read.is_empty()
            || !self.coming_or_going.is_empty()
            || !self.arrivals.is_empty()
            || !self.questions.is_empty();
        let (registry, id) = (&self.registry, self.id);
        let idle = !busy && self.owner.fall_asleep(|| registry.mailbox(id).is_empty());
        let timeout = if idle { self.until_next_timer() } else { Some(Duration::ZERO) };
        let waited = self.owner.poll.poll(events, timeout);
        self.owner.awake();
        match waited {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn until_next_timer(&self) -> Option<Duration> {
        let ending = self.ending.map(|ending| match ending {
            Ending::Draining { until } | Ending::Leaving { until } => until,
        });
        let due = [self.hub.next_timer(), self.keepalive.next_due(), ending]
            .into_iter()
            .flatten()
            .min()?;
        let now = self.settings.clock.millis();
        // One more, since both are cut to whole milliseconds.
        Some(Duration::from_millis((due + 1).saturating_sub(now)))
    }

    fn note(&mut self, events: &Events) {
        for event in events {
            if event.token() == WAKE {
                continue;
            }
            let Some(Some(connection)) = self.connections.get_mut(event.token().0) else {
                continue;
            };
            let id = connection.subscriber;
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                connection.readable = true;
                connection.ended |= event.is_read_closed() || event.is_error();
                self.list_for_reading(id);
            }
            if event.is_writable() {
                self.hub.writable(id);
                // Replies that were in the way of reading may be gone with the next write.
                self.list_for_reading(id);
            }
        }
    }

    pub(super) fn list_for_reading(&mut self, id: SubscriberId) {
        if let Some(connection) = self.connection(id)
            && connection.readable
            && !std::mem::replace(&mut connection.listed, true)
        {
            if connection.ended || connection.is_new {
                self.coming_or_going.push_back(id);
            } else {
                self.to_read.push(id);
            }
        }
    }

    pub(super) fn connection(&mut self, id: SubscriberId) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(id.index())?.as_mut()?;
        (connection.subscriber == id).then_some(connection)
    }

    fn take_requests(&mut self) {
        for request in self.owner.take() {
            match request {
                Request::Connection(new) => self.arrivals.push_back(new),
                Request::Report(answer) => self.questions.push(answer),
                Request::ShutDown { drain_until } => {
                    self.ending = Some(Ending::Draining { until: drain_until });
                }
            }
        }
    }

    /// Some of those that come and go: each has its turn soon, and nobody waits for all of them.
    fn let_in_and_out(&mut self) {
        for _ in 0..COMINGS_AND_GOINGS {
            // Those that go make room first.
            if let Some(id) = self.coming_or_going.pop_front() {
                self.read_one(id);
            }
            let Some(new) = self.arrivals.pop_front() else { continue };
            let adopted = self.adopt(new);
            if let (Some(id), Some(Ending::Leaving { .. })) = (adopted, self.ending) {
                // Its handshake was under way when all others were told.
                self.close(id, Close::SHUTDOWN);
            }
        }
        self.service.messages_done();
    }

    fn adopt(&mut self, new: NewConnection) -> Option<SubscriberId> {
        tune(&new.stream, self.settings.connections.notsent_lowat);
        let mut stream = mio::net::TcpStream::from_std(new.stream);
        let subscriber = self.hub.add(new.codec);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(subscriber.index());
        if let Err(error) = self.owner.poll.registry().register(&mut stream, token, interest) {
            tracing::warn!(%error, "a connection could not be registered and is closed");
            self.hub.remove(subscriber);
            return None;
        }
        let now = self.settings.clock.millis();
        self.keepalive.set(now + self.settings.connections.ping_interval, subscriber);
        if self.connections.len() <= subscriber.index() {
            self.connections.resize_with(subscriber.index() + 1, || None);
        }
        self.connections[subscriber.index()] = Some(Connection {
            stream,
            inbound: Inbound::new(),
            subscriber,
            codec: new.codec,
            stage: Stage::Open,
            readable: true,
            ended: false,
            listed: false,
            is_new: true,
            heard: now,
            errors: ErrorCount::default(),
            _permit: new.permit,
        });
        if !new.early.is_empty() {
            self.take_in(subscriber, &new.early);
        }
        self.list_for_reading(subscriber);
        Some(subscriber)
    }

    /// Pings those due, and gives up those that have been silent for too long.
    fn keep_alive(&mut self, now: Millis) {
        let limits = self.settings.connections;
        while let Some(id) = self.keepalive.take_due(now) {
            let Some(connection) = self.connection(id) else { continue };
            let silent_from = connection.heard + limits.idle_timeout;
            match connection.stage {
                Stage::Open if silent_from <= now => self.close(id, Close::SILENT),
                Stage::Open => {
                    self.hub.reply(id, wire::append_ping);
                    self.keepalive.set(silent_from.min(now + limits.ping_interval), id);
                }
                Stage::Closing { until } | Stage::Lingering { until } if until <= now => {
                    self.remove(id);
                }
                // Its time to read the close frame is not over; another entry says when it is.
                Stage::Closing { .. } | Stage::Lingering { .. } => {}
            }
        }
    }

    fn close_the_slow(&mut self) {
        for (id, close) in self.hub.take_closing() {
            self.close(id, close);
        }
    }

    /// Ends a connection from our side: nothing but the close frame is written after what it has.
    pub(super) fn close(&mut self, id: SubscriberId, close: Close) {
        self.close_with(id, close.code, close.reason);
    }

    pub(super) fn close_with(&mut self, id: SubscriberId, code: u16, reason: &str) {
        let now = self.settings.clock.millis();
        let Some(connection) = self.connection(id) else { return };
        if connection.stage != Stage::Open {
            return;
        }
        connection.stage = Stage::Closing { until: now + LINGER };
        tracing::debug!(code, reason, "closing a connection");
        self.hub.mute(id);
        self.hub.reply(id, |bytes| wire::append_close(bytes, code, reason));
        self.keepalive.set(now + LINGER, id);
    }

    /// Forgets a connection; its socket closes.
    pub(super) fn remove(&mut self, id: SubscriberId) {
        if self.connection(id).is_some() {
            self.connections[id.index()] = None;
            self.hub.remove(id);
            self.service.gone(id);
        }
    }

    fn answer_questions(&mut self) {
        for question in std::mem::take(&mut self.questions) {
            let report = Report {
                ledger: self.hub.ledger(),
                connections: self.hub.subscribers() as u64,
                subscriptions: self.hub.subscriptions() as u64,
                blocked: self.hub.blocked() as u64,
                latency: self.latency.report(),
                ..self.report
            };
            if question.send(report).is_err() {
                tracing::trace!("whoever asked for a report has gone meanwhile");
            }
        }
    }

    /// Takes the end one step further if it has begun; true when nothing is left to do.
    fn end(&mut self, now: Millis) -> bool {
        let Some(ending) = self.ending else { return false };
        let present: Vec<_> = self.connections.iter().flatten().map(|c| c.subscriber).collect();
        match ending {
            Ending::Draining { until } => {
                let settled =
                    !self.hub.has_work() && present.iter().all(|&id| self.hub.is_settled(id));
                if settled || until <= now {
                    tracing::debug!(settled, connections = present.len(), "telling clients to go");
                    for id in present {
                        self.close(id, Close::SHUTDOWN);
                    }
                    self.write_all();
                    self.hub.end_turn();
                    self.ending = Some(Ending::Leaving { until: now + LINGER });
                    return self.connections.iter().all(Option::is_none)
                        && self.arrivals.is_empty();
                }
                false
            }
            Ending::Leaving { until } => {
                (present.is_empty() && self.arrivals.is_empty()) || until <= now
            }
        }
    }
}
