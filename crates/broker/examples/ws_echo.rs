//! An echo server on the broker's own connection layer, for conformance suites and experiments.
//!
//! `cargo run --release --example ws_echo -- 127.0.0.1:9001`: every text or binary message comes
//! back as it was; handshake, framing, closing and limits are exactly the broker's.

use std::sync::Arc;

use broker::Clock;
use broker::http::{self, Api, LinePublisher, Rejection};
use broker::shard::{
    ConnectionLimits, Inbox, Message, NewConnection, Service, Shard, ShardSettings, Verdict,
};
use fanout::{Hub, HubLimits, SubscriberId};
use tokio::net::{TcpListener, TcpStream};
use topics::{Mailbox, Registry, RegistryLimits, ShardId};
use wire::Codec;

/// Large enough for the 16 MiB messages of conformance suites.
const MESSAGE_BYTES: usize = 32 << 20;

struct Echo;

impl Service for Echo {
    fn message(
        &mut self,
        hub: &mut Hub,
        from: SubscriberId,
        _codec: Codec,
        message: Message<'_>,
    ) -> Verdict {
        match message {
            Message::Text(text) => hub.reply(from, |out| wire::append_text(out, text)),
            Message::Binary(bytes) => hub.reply(from, |out| wire::append_binary(out, bytes)),
        }
        Verdict::Continue
    }
}

/// An HTTP front with nothing behind it but the handshake.
struct Front {
    inbox: Inbox,
}

fn nothing_here() -> Rejection {
    Rejection { code: "not_here", message: "this server only echoes, on /ws".to_owned() }
}

/// Publishes nothing.
struct Nothing;

impl LinePublisher for Nothing {
    fn publish_line(&mut self, _line: &mut [u8]) -> Result<(), Rejection> {
        Err(nothing_here())
    }
}

impl Api for Front {
    fn draining(&self) -> bool {
        false
    }

    fn topics(&self, _pattern: &str) -> Result<String, Rejection> {
        Err(nothing_here())
    }

    fn publisher(&self) -> impl LinePublisher {
        Nothing
    }

    async fn metrics(&self) -> String {
        String::new()
    }

    fn accept_websocket(&self, stream: TcpStream, codec: Codec, early: Vec<u8>) {
        match stream.into_std() {
            Ok(stream) => {
                self.inbox.connection(NewConnection { stream, codec, early, permit: None });
            }
            Err(error) => eprintln!("a connection was lost: {error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    let (inbox, owner) = Inbox::new()?;
    let mailboxes = vec![Mailbox::new(inbox.clone())];
    let registry = Arc::new(Registry::new(RegistryLimits::default(), 1, mailboxes));
    let connections = ConnectionLimits {
        message_bytes: MESSAGE_BYTES,
        ping_interval: 20_000,
        idle_timeout: 60_000,
        unsent_bytes: MESSAGE_BYTES,
        notsent_lowat: None,
        errors_per_minute: 100,
    };
    let settings = ShardSettings { hub: HubLimits::default(), connections, clock: Clock::start() };
    let shard = Shard::start(ShardId::new(0), (inbox, owner), registry, settings, Echo)?;
    let front = Arc::new(Front { inbox: shard.inbox().clone() });
    println!("echoing on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let front = Arc::clone(&front);
        tokio::spawn(http::serve_connection(
            stream,
            front,
            http::Limits::default(),
            std::future::pending(),
        ));
    }
}
