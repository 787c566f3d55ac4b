//! What is asked of Coinbase: subscriptions, what became of them, and snapshots asked for again.

use market::Nanos;
use serde_json::json;

use super::lacks_book;
use crate::adapter::json::{Reader, Result};
use crate::adapter::{Desk, Output, SECOND, Stream, Streams, SymbolId};

/// Products in one command; the venue tells no bound, so that a message stays a few KB.
const PRODUCTS: usize = 100;

/// How long a snapshot may take to come, 5 MB of it included.
const ANSWER: Nanos = 10 * SECOND;

/// How long updates without a snapshot before them are waited out.
const LATE: Nanos = SECOND;

/// A book that was right for so long is asked for at once when it breaks.
const CALM: Nanos = 60 * SECOND;

const STREAMS: [Stream; 3] = [Stream::Trades, Stream::Quotes, Stream::Book];

/// What was asked, and what is to be asked when.
#[derive(Debug, Default)]
pub(super) struct Requests {
    products: Vec<Product>,
    /// Commands that the venue has not answered yet; it answers each.
    unanswered: u32,
}

#[derive(Debug, Clone, Copy)]
struct Product {
    /// What the venue's last answer lists.
    subscribed: Streams,
    /// What was asked for in a command of its own, since one bad product may spoil a command.
    alone: Streams,
    /// What the venue does not give.
    refused: Streams,
    /// When the book's snapshot is to be asked for again, unless it came.
    ask_at: Option<Nanos>,
    /// How often it was asked for again since it was last right for long.
    asks: u32,
    /// Since when the book is right.
    right_since: Option<Nanos>,
}

const UNTOUCHED: Product = Product {
    subscribed: Streams::NONE,
    alone: Streams::NONE,
    refused: Streams::NONE,
    ask_at: None,
    asks: 0,
    right_since: None,
};

fn channel(stream: Stream) -> &'static str {
    match stream {
        Stream::Trades => "market_trades",
        Stream::Quotes => "ticker",
        Stream::Book => "level2",
    }
}

fn add(streams: &mut Streams, stream: Stream) {
    match stream {
        Stream::Trades => streams.trades = true,
        Stream::Quotes => streams.quotes = true,
        Stream::Book => streams.book = true,
    }
}

impl Requests {
    fn product(&mut self, id: SymbolId) -> &mut Product {
        let at = id.0 as usize;
        if at >= self.products.len() {
            self.products.resize(at + 1, UNTOUCHED);
        }
        &mut self.products[at]
    }

    fn command(&mut self, kind: &str, channel: &str, products: &[&str], out: &mut Output) {
        let mut command = json!({ "type": kind, "channel": channel });
        if !products.is_empty() {
            command["product_ids"] = json!(products);
        }
        out.send(command.to_string());
        self.unanswered += 1;
    }

    /// Subscribes all that is wanted; heartbeats first, since the venue waits 5 s at most.
    pub(super) fn connected(&mut self, desk: &Desk, now: Nanos, out: &mut Output) {
        self.disconnected();
        self.command("subscribe", "heartbeats", &[], out);
        for stream in STREAMS {
            let wanted = desk.symbols().filter(|(_, symbol)| symbol.wanted().has(stream));
            let wanted: Vec<&str> = wanted.map(|(_, symbol)| &*symbol.native).collect();
            for products in wanted.chunks(PRODUCTS) {
                self.command("subscribe", channel(stream), products, out);
            }
        }
        for (id, _) in desk.symbols() {
            if lacks_book(desk, id) {
                self.product(id).ask_at = Some(now.saturating_add(ANSWER));
                out.wake(now.saturating_add(ANSWER));
            }
        }
    }

    /// Forgets what was asked; not how often.
    pub(super) fn disconnected(&mut self) {
        self.unanswered = 0;
        for product in &mut self.products {
            let asks = product.asks;
            *product = Product { asks, ..UNTOUCHED };
        }
    }

    /// Somebody wants a stream now, or nobody does any more.
    pub(super) fn demand(
        &mut self,
        desk: &Desk,
        id: SymbolId,
        stream: Stream,
        wanted: bool,
        now: Nanos,
        out: &mut Output,
    ) {
        let asks = self.product(id).asks;
        if wanted {
            // Whatever it was refused before, this is a new wish.
            *self.product(id) = Product { asks, ..UNTOUCHED };
        }
        if lacks_book(desk, id) {
            self.product(id).ask_at = Some(now.saturating_add(ANSWER));
            out.wake(now.saturating_add(ANSWER));
        }
        let kind = if wanted { "subscribe" } else { "unsubscribe" };
        self.command(kind, channel(stream), &[&desk.symbol(id).native], out);
    }

    /// The answer to a command: all that is subscribed now. `find` knows products by name.
    pub(super) fn answered(
        &mut self,
        desk: &mut Desk,
        find: impl Fn(&Desk, &str) -> Option<SymbolId>,
        reader: &mut Reader<'_>,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        for product in &mut self.products {
            product.subscribed = Streams::NONE;
        }
        let read = reader.list(|reader| {
            reader.object(|reader, key| {
                if key != "subscriptions" {
                    return reader.skip();
                }
                reader.object(|reader, name| {
                    let stream = STREAMS.into_iter().find(|stream| channel(*stream) == name);
                    reader.list(|reader| {
                        let id = find(desk, reader.string()?);
                        if let (Some(id), Some(stream)) = (id, stream) {
                            add(&mut self.product(id).subscribed, stream);
                        }
                        Ok(())
                    })
                })
            })
        });
        read?;
        self.one_answer(desk, now, out);
        Ok(())
    }

    /// An answer, good or bad. After the last one, what is wanted and not subscribed is asked for
    /// alone, and is refused if it was already.
    pub(super) fn one_answer(&mut self, desk: &mut Desk, now: Nanos, out: &mut Output) {
        self.unanswered = self.unanswered.saturating_sub(1);
        // A recording's commands were others.
        if self.unanswered > 0 || desk.options().open {
            return;
        }
        for id in desk.ids() {
            for stream in STREAMS {
                let wanted = desk.wants(id, stream);
                let product = self.product(id);
                if !wanted || product.subscribed.has(stream) || product.refused.has(stream) {
                    continue;
                }
                if !product.alone.has(stream) {
                    add(&mut product.alone, stream);
                    self.command("subscribe", channel(stream), &[&desk.symbol(id).native], out);
                    continue;
                }
                add(&mut product.refused, stream);
                let reason = format!("the venue does not subscribe its {}", channel(stream));
                desk.give_up(id, &reason, now, out);
            }
        }
    }

    /// A snapshot was applied.
    pub(super) fn book_came(&mut self, id: SymbolId, now: Nanos) {
        let product = self.product(id);
        product.ask_at = None;
        product.right_since = Some(now);
    }

    /// An update came for a book without a snapshot.
    pub(super) fn book_waits(&mut self, desk: &Desk, id: SymbolId, now: Nanos, out: &mut Output) {
        if lacks_book(desk, id) && self.product(id).ask_at.is_none() {
            let at = now.saturating_add(LATE);
            self.product(id).ask_at = Some(at);
            out.wake(at);
        }
    }

    /// A book cannot be trusted: its snapshot is asked for, later each time.
    pub(super) fn book_broke(&mut self, desk: &Desk, id: SymbolId, now: Nanos, out: &mut Output) {
        if !lacks_book(desk, id) {
            return;
        }
        let product = self.product(id);
        if product.right_since.take().is_some_and(|since| now >= since.saturating_add(CALM)) {
            product.asks = 0;
        }
        match product.asks {
            0 => self.ask(desk, id, now, out),
            asks => {
                let at = now.saturating_add(delay(asks));
                product.ask_at = Some(at);
                out.wake(at);
            }
        }
    }

    /// Asks for the snapshots that are due.
    pub(super) fn timer(&mut self, desk: &Desk, now: Nanos, out: &mut Output) {
        for at in 0..self.products.len() {
            let id = SymbolId(at as u32);
            match self.products[at].ask_at {
                Some(ask_at) if ask_at > now => out.wake(ask_at),
                Some(_) if lacks_book(desk, id) && !self.products[at].refused.book => {
                    self.ask(desk, id, now, out);
                }
                _ => self.products[at].ask_at = None,
            }
        }
    }

    /// Only a new subscription brings a snapshot.
    fn ask(&mut self, desk: &Desk, id: SymbolId, now: Nanos, out: &mut Output) {
        let native = &*desk.symbol(id).native;
        self.command("unsubscribe", channel(Stream::Book), &[native], out);
        self.command("subscribe", channel(Stream::Book), &[native], out);
        let product = self.product(id);
        product.asks += 1;
        let again = now.saturating_add(ANSWER.max(delay(product.asks)));
        product.ask_at = Some(again);
        out.wake(again);
    }
}

/// How long to wait after so many times: a second, doubled each time, about a minute at most.
fn delay(asks: u32) -> Nanos {
    SECOND << asks.saturating_sub(1).min(6)
}
