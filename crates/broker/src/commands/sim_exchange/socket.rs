//! One client's WebSocket: its messages to the exchange, and the exchange's effects to it.

use std::ops::ControlFlow;
use std::time::Duration;

use exchange::{ConnectionId, Effect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::server::Floor;
use crate::ws::{Inbound, Incoming};

/// Longest message of a client.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// A client that takes nothing for so long is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a client to its end. `early` is what came with the handshake.
pub(super) async fn serve(stream: TcpStream, early: &[u8], floor: &Floor, path: &str) {
    let (id, effects) = floor.connect(path);
    let mut client = Client { stream, inbound: Inbound::new(), id, silent: false };
    if let Err(error) = client.run(early, effects, floor).await {
        tracing::debug!(%error, "a client's connection ended");
    }
    floor.disconnect(id);
}

struct Client {
    stream: TcpStream,
    inbound: Inbound,
    id: ConnectionId,
    /// The other side must not notice that it is alone.
    silent: bool,
}

impl Client {
    async fn run(
        &mut self,
        early: &[u8],
        mut effects: mpsc::Receiver<Effect>,
        floor: &Floor,
    ) -> std::io::Result<()> {
        if self.read(early, floor).await?.is_break() {
            return Ok(());
        }
        let mut buffer = vec![0; 16 * 1024];
        loop {
            tokio::select! {
                effect = effects.recv(), if !self.silent => match effect {
                    Some(effect) => {
                        if self.carry_out(effect).await?.is_break() {
                            return Ok(());
                        }
                    }
                    // Cut off for being too slow.
                    None => return Ok(()),
                },
                count = self.stream.read(&mut buffer) => {
                    let count = count?;
                    if count == 0 || self.read(&buffer[..count], floor).await?.is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Takes bytes of the client's.
    async fn read(&mut self, bytes: &[u8], floor: &Floor) -> std::io::Result<ControlFlow<()>> {
        if self.silent {
            return Ok(ControlFlow::Continue(()));
        }
        let (id, mut answers, mut over) = (self.id, Vec::new(), false);
        let outcome = self.inbound.feed(bytes, MESSAGE_BYTES_MAX, &mut |incoming| {
            match incoming {
                Incoming::Text(text) => floor.receive(id, text),
                Incoming::Ping(payload) => wire::append_pong(&mut answers, payload),
                Incoming::Close(code) => {
                    wire::append_close(&mut answers, code.unwrap_or(1005), "");
                    over = true;
                }
                // None of the venues takes binary messages.
                Incoming::Binary(_) | Incoming::Pong => {}
            }
            ControlFlow::Continue(())
        });
        if let Err(violation) = outcome {
            wire::append_close(&mut answers, violation.code, violation.reason);
            over = true;
        }
        self.write(&answers).await?;
        Ok(if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    async fn carry_out(&mut self, effect: Effect) -> std::io::Result<ControlFlow<()>> {
        let mut frame = Vec::new();
        let next = match effect {
            Effect::Text(text) => {
                wire::append_text(&mut frame, &text);
                ControlFlow::Continue(())
            }
            Effect::Ping(_) => {
                wire::append_ping(&mut frame);
                ControlFlow::Continue(())
            }
            Effect::CutMidFrame { message, sent } => {
                wire::append_text(&mut frame, &message);
                frame.truncate(frame.len() - message.len() + sent);
                ControlFlow::Break(())
            }
            Effect::Close { code, reason } => {
                wire::append_close(&mut frame, code, &reason);
                ControlFlow::Break(())
            }
            Effect::Silence => {
                self.silent = true;
                ControlFlow::Continue(())
            }
        };
        self.write(&frame).await?;
        Ok(next)
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match tokio::time::timeout(WRITE_TIMEOUT, self.stream.write_all(bytes)).await {
            Ok(written) => written,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}
