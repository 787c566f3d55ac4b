//! One client's connection: what it subscribed to, and what reaches it.

use market::Nanos;

use crate::fault::Class;

/// A connection of one exchange; never used again after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What the owner of an exchange has to do on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send a text message. After [`Fault::Garbage`](crate::Fault::Garbage) it may not be UTF-8.
    Text(Vec<u8>),
    /// Send a WebSocket ping with this payload.
    Ping(Vec<u8>),
    /// Send the head of a frame that holds the whole message, but only its first `sent` bytes, and
    /// end the TCP connection. The connection is over.
    CutMidFrame {
        /// What the frame would have held.
        message: Vec<u8>,
        /// How much of it is sent; less than all.
        sent: usize,
    },
    /// Send a close frame and end the connection.
    Close {
        /// Close code.
        code: u16,
        /// Why.
        reason: String,
    },
    /// Send nothing from now on, not even a pong, and keep the connection open.
    Silence,
}

/// One effect on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which connection.
    pub connection: ConnectionId,
    /// When, by the time of the exchange.
    pub at: Nanos,
    /// What.
    pub effect: Effect,
}

/// The answer to a REST request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Seconds for a `Retry-After` header, if there should be one.
    pub retry_after: Option<u32>,
    /// How long to wait before it is sent.
    pub delay: Nanos,
}

impl Reply {
    /// An answer without delay.
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), retry_after: None, delay: 0 }
    }
}

/// What of a symbol is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Each execution.
    Trades,
    /// Executions in another shape: Binance's `aggTrade`.
    AggregateTrades,
    /// Best bid and offer whenever they change.
    Quotes,
    /// The same, but only with an execution.
    QuotesOnTrade,
    /// Changes of so many best levels, after a snapshot.
    Book(usize),
    /// So many best levels, whole each time.
    Top(usize),
}

impl Stream {
    /// Levels a side of its books; all where it is none of them.
    pub(crate) fn depth(self) -> usize {
        match self {
            Self::Book(depth) | Self::Top(depth) => depth,
            _ => usize::MAX,
        }
    }

    /// What its messages are. Best levels that are whole each time do no harm that lasts: they are
    /// quotes.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Trades | Self::AggregateTrades => Class::Trade,
            Self::Quotes | Self::QuotesOnTrade | Self::Top(_) => Class::Quote,
            Self::Book(_) => Class::Book,
        }
    }
}

/// One stream of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Place on the board.
    pub(crate) symbol: usize,
    pub(crate) stream: Stream,
    /// As the client wrote it, where messages repeat that.
    pub(crate) name: String,
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) class: Class,
    pub(crate) symbol: Option<usize>,
    pub(crate) body: Body,
}

/// What it says.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Text(String),
    /// The whole book, to be written when it is sent: of which moment is the engine's choice.
    Snapshot(Subscription),
    Ping,
}

impl Outgoing {
    /// An answer to the client.
    pub(crate) fn answer(text: impl Into<String>) -> Self {
        Self { class: Class::Answer, symbol: None, body: Body::Text(text.into()) }
    }

    /// Data of a subscription.
    pub(crate) fn data(subscription: &Subscription, text: String) -> Self {
        let Subscription { symbol, stream, .. } = *subscription;
        Self { class: stream.class(), symbol: Some(symbol), body: Body::Text(text) }
    }

    /// A sign of life.
    pub(crate) fn beat(text: impl Into<String>) -> Self {
        Self { class: Class::Beat, symbol: None, body: Body::Text(text.into()) }
    }

    /// The whole book of a subscription.
    pub(crate) fn snapshot(subscription: &Subscription) -> Self {
        let symbol = Some(subscription.symbol);
        let class = subscription.stream.class();
        let class = if class == Class::Book { Class::Snapshot } else { class };
        Self { class, symbol, body: Body::Snapshot(subscription.clone()) }
    }
}

/// The venue's side of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) opened: Nanos,
    /// What the client asked for when it connected.
    pub(crate) path: String,
    /// What the venue calls it.
    pub(crate) name: String,
    pub(crate) subscriptions: Vec<Subscription>,
    /// The number of the next message, where a venue numbers them.
    pub(crate) sequence: u64,
    /// Binance: messages come wrapped with the name of their stream.
    pub(crate) combined: bool,
    /// Coinbase: a message each second.
    pub(crate) heartbeats: bool,
    /// When the last message was sent.
    pub(crate) last_sent: Nanos,
    /// Half open: nothing is sent any more.
    pub(crate) silent: bool,
    /// Messages that wait for the next one, which comes before them, and their symbols.
    pub(crate) held: Vec<(Option<usize>, Vec<u8>)>,
    /// Symbols of whose books messages are swallowed, and how many more.
    pub(crate) swallowing: Vec<(usize, u32)>,
    /// Messages that came within the second that began then.
    pub(crate) received: (Nanos, u32),
}

impl Connection {
    pub(crate) fn new(path: &str, name: String, now: Nanos) -> Self {
        Self {
            opened: now,
            path: path.to_owned(),
            name,
            subscriptions: Vec::new(),
            sequence: 0,
            combined: false,
            heartbeats: false,
            last_sent: now,
            silent: false,
            held: Vec::new(),
            swallowing: Vec::new(),
            received: (now, 0),
        }
    }

    /// Adds a subscription; false if it was there, or there are too many.
    pub(crate) fn subscribe(&mut self, subscription: Subscription) -> bool {
        /// What Binance allows, and more than anybody else does.
        const SUBSCRIPTIONS_MAX: usize = 1024;
        let room = self.subscriptions.len() < SUBSCRIPTIONS_MAX;
        let news = room && !self.subscriptions.contains(&subscription);
        if news {
            self.subscriptions.push(subscription);
        }
        news
    }

    /// Takes away what `gone` picks; true if there was something.
    pub(crate) fn unsubscribe(&mut self, gone: impl Fn(&Subscription) -> bool) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|subscription| !gone(subscription));
        self.subscriptions.len() < before
    }
}
