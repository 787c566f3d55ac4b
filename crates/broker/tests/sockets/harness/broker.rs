//! A whole broker in the test's own process, and what it says of itself over HTTP.

use std::fmt;
use std::net::SocketAddr;

use broker::app::App;
use broker::config::Config;
use broker::feed::VenueFeed;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Client, Raw, within};

/// A broker without feeds on a port of its own, with several shards.
pub(crate) struct Broker {
    app: App,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// One whose configuration differs by what `change` does to it.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let mut config = Config::default();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.shards = 3;
        config.server.feeds = false;
        change(&mut config);
        Self { app: App::start(&config).await.unwrap() }
    }

    /// Runs one more feed.
    pub(crate) fn feed(&mut self, feed: &VenueFeed) {
        self.try_feed(feed).unwrap();
    }

    /// Runs one more feed, if its settings are good.
    pub(crate) fn try_feed(&mut self, feed: &VenueFeed) -> anyhow::Result<()> {
        self.app.add_feed(feed)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// A client that speaks JSON. Connections go to the shards in turn.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address(), Some("tickwire.v1.json")).await
    }

    /// A client that speaks MessagePack.
    pub(crate) async fn msgpack_client(&self) -> Client {
        Client::connect(self.address(), Some("tickwire.v1.msgpack")).await
    }

    /// A JSON client whose socket takes little that is not read.
    pub(crate) async fn narrow_client(&self) -> Client {
        Client::connect_narrow(self.address()).await
    }

    /// A connection after the handshake, to send bytes on; `subprotocol` may be none.
    pub(crate) async fn raw(&self, subprotocol: &str) -> Raw {
        Raw::connect(self.address(), subprotocol).await
    }

    /// Takes it down, as SIGTERM would.
    pub(crate) async fn shut_down(self) {
        within("end of the broker", self.app.shut_down()).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        ask(self.address(), request.as_bytes()).await
    }

    /// How the venue spells the topic's symbol, as the list of topics says.
    pub(crate) async fn native(&self, topic: &str) -> Value {
        self.get(&format!("/topics?pattern={topic}")).await.json()["topics"][0]["native"].take()
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n\
             {body}",
            body.len()
        );
        ask(self.address(), request.as_bytes()).await
    }

    /// One figure of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        figure(&self.get("/metrics").await.body, name)
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        let text = self.get("/metrics").await.body;
        Ledger {
            published: figure(&text, "tickwire_ledger_published_total"),
            delivered: figure(&text, "tickwire_ledger_delivered_total"),
            merged: figure(&text, "tickwire_ledger_merged_total"),
            dropped: figure(&text, "tickwire_ledger_dropped_total"),
            pending: figure(&text, "tickwire_ledger_pending"),
        }
    }

    /// Asks for a figure until it is as wanted.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        let asking = async { while !wanted(self.metric(name).await) {} };
        within(&format!("wanted value of {name}"), asking).await;
    }
}

fn figure(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}"));
    value.parse().unwrap()
}

/// The ledger as `/metrics` has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ledger {
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) merged: u64,
    pub(crate) dropped: u64,
    pub(crate) pending: u64,
}

impl Ledger {
    #[track_caller]
    pub(crate) fn assert_balance(&self) {
        let Self { published, delivered, merged, dropped, pending } = *self;
        assert_eq!(published, delivered + merged + dropped + pending, "{self:?}");
    }
}

/// An answer to an HTTP request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            panic!("no whole answer: {text:?}")
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {head:?}"));
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{:.2000}", self.head, self.body)
    }
}

/// The answer to `request` on a connection of its own, which the request must bring to an end.
pub(crate) async fn ask(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    within("end of the answer", stream.read_to_end(&mut answer)).await.unwrap();
    Answer::parse(&answer)
}
