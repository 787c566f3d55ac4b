//! From sockets to the service: bytes read, messages taken out of them, verdicts carried out.

use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;

use fanout::SubscriberId;
use wire::Codec;
use wire::close::Close;

use super::connection::Stage;
use super::event_loop::EventLoop;
use super::{Message, Service, Verdict};
use crate::ws::Incoming;

/// Reads of one connection in one turn, so that a flood of commands delays nobody for long.
const READS: usize = 4;

/// What the messages of one read led to.
enum Outcome {
    Open,
    Close(Close),
    /// The peer closed, with this code.
    Closed(Option<u16>),
}

impl<S: Service> EventLoop<S> {
    /// Reads every connection that has bytes waiting, each for a bounded part of the turn.
    pub(super) fn read_all(&mut self) {
        for id in std::mem::take(&mut self.to_read) {
            self.read_one(id);
        }
        self.service.messages_done();
    }

    /// Reads one connection that was listed for it.
    pub(super) fn read_one(&mut self, id: SubscriberId) {
        if let Some(connection) = self.connection(id) {
            connection.listed = false;
            self.read(id);
        }
    }

    fn read(&mut self, id: SubscriberId) {
        for _ in 0..READS {
            if self.hub.unsent(id) > self.settings.connections.unsent_bytes {
                // It takes no answers, so it is asked for no more questions until it does.
                return;
            }
            let mut scratch = std::mem::take(&mut self.scratch);
            let now = self.settings.clock.millis();
            let Some(connection) = self.connection(id) else {
                self.scratch = scratch;
                return;
            };
            let read = connection.stream.read(&mut scratch);
            let mut dry = false;
            match read {
                Ok(0) => self.remove(id),
                Ok(count) => {
                    connection.heard = now;
                    connection.is_new = false;
                    // A short read means that the socket is dry, unless the end has come behind.
                    dry = count < scratch.len() && !connection.ended;
                    connection.readable = !dry;
                    self.take_in(id, &scratch[..count]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    connection.readable = false;
                    dry = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::debug!(%error, "a connection broke");
                    self.remove(id);
                }
            }
            self.scratch = scratch;
            if dry || self.connection(id).is_none() {
                return;
            }
        }
        self.list_for_reading(id);
    }

    /// Feeds what came in to the connection and acts on the messages in it.
    pub(super) fn take_in(&mut self, id: SubscriberId, bytes: &[u8]) {
        let limits = self.settings.connections;
        let now = self.settings.clock.millis();
        let Some(Some(connection)) = self.connections.get_mut(id.index()) else { return };
        if connection.stage != Stage::Open {
            return;
        }
        let codec = connection.codec;
        let (hub, service, report) = (&mut self.hub, &mut self.service, &mut self.report);
        let errors = &mut connection.errors;
        let mut outcome = Outcome::Open;
        let fed = connection.inbound.feed(bytes, limits.message_bytes, &mut |incoming| {
            let message = match incoming {
                Incoming::Text(text) => Message::Text(text),
                Incoming::Binary(bytes) => Message::Binary(bytes),
                Incoming::Ping(payload) => {
                    hub.reply(id, |out| wire::append_pong(out, payload));
                    return ControlFlow::Continue(());
                }
                Incoming::Pong => return ControlFlow::Continue(()),
                Incoming::Close(code) => {
                    outcome = Outcome::Closed(code);
                    return ControlFlow::Break(());
                }
            };
            report.messages += 1;
            match service.message(hub, id, codec, message) {
                Verdict::Continue => ControlFlow::Continue(()),
                Verdict::Error => {
                    report.errors += 1;
                    if !errors.add(now, limits.errors_per_minute) {
                        return ControlFlow::Continue(());
                    }
                    outcome = Outcome::Close(Close::TOO_MANY_ERRORS);
                    ControlFlow::Break(())
                }
                Verdict::Close(close) => {
                    outcome = Outcome::Close(close);
                    ControlFlow::Break(())
                }
            }
        });
        match (fed, outcome) {
            (Err(violation), _) => self.close_with(id, violation.code, violation.reason),
            (Ok(()), Outcome::Open) => {}
            (Ok(()), Outcome::Close(close)) => self.close(id, close),
            // RFC 6455 section 5.5.1: the close frame is answered with the code it gave.
            (Ok(()), Outcome::Closed(code)) => self.close_with(id, code.unwrap_or(NO_CODE), ""),
        }
    }
}

/// What stands for the absence of a code; it is never written (RFC 6455 section 7.4.1).
const NO_CODE: u16 = 1005;

/// What closes a connection whose message has the wrong type for its codec.
pub(super) fn wrong_type(codec: Codec) -> Close {
    match codec {
        Codec::Json => Close::BINARY_ON_TEXT,
        Codec::MessagePack => Close::TEXT_ON_BINARY,
    }
}
