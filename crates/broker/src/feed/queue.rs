//! What waits for a broker elsewhere: bounded, and nothing lost in silence.
//!
//! When there is too much, what a later event replaces goes first: books, which are sent whole
//! afterwards, and all but the newest quote, bar and status of a topic. Only if that is not
//! enough do the oldest trades go; they are counted, and the next trade of their topic is marked
//! as one that follows a gap.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use market::{Event, Flags, Level};

/// One event on its way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) topic: Arc<str>,
    pub(super) event: Event,
}

impl Item {
    /// About how much memory it takes, in bytes.
    fn weight(&self) -> usize {
        let levels = match &self.event {
            Event::Book(diff) => diff.bids.len() + diff.asks.len(),
            _ => 0,
        };
        size_of::<Self>() + 32 + levels * size_of::<Level>()
    }
}

/// The events that a broker has not confirmed.
#[derive(Debug)]
pub(super) struct Queue {
    /// Most bytes that wait.
    bytes_max: usize,
    bytes: usize,
    waiting: VecDeque<Item>,
    /// Sent and not confirmed, the oldest first, each with its number.
    sent: VecDeque<(u64, Item)>,
    next_number: u64,
    /// Nobody is there: books need not wait, for they are sent whole when somebody is.
    away: bool,
    /// Books that began before this many renewals are not to be built on.
    renewals: u64,
    /// The newest status of each topic, for a broker that has forgotten everything.
    statuses: HashMap<Arc<str>, Event>,
    /// Topics whose next trade follows lost ones.
    broken: HashSet<Arc<str>>,
    lost: u64,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            next_number: 1,
            away: true,
            renewals: 0,
            statuses: HashMap::new(),
            broken: HashSet::new(),
            lost: 0,
        }
    }

    /// Takes an event of a publisher that has renewed its books `renewals` times. True when there
    /// was too much, so that books must be renewed.
    pub(super) fn push(&mut self, topic: &Arc<str>, mut event: Event, renewals: u64) -> bool {
        match &mut event {
            // A renewal is under way, and sends the book as it is after this event.
            Event::Book(_) if self.away || renewals != self.renewals => return false,
            Event::Trade(trade) if !self.broken.is_empty() && self.broken.remove(topic) => {
                trade.stamps.flags = trade.stamps.flags.with(Flags::GAP_BEFORE);
            }
            Event::Status(_) => {
                self.statuses.insert(Arc::clone(topic), event.clone());
            }
            _ => {}
        }
        let item = Item { topic: Arc::clone(topic), event };
        self.bytes += item.weight();
        self.waiting.push_back(item);
        if self.bytes <= self.bytes_max {
            return false;
        }
        self.compact();
        self.drop_oldest();
        !self.away
    }

    /// The next event to send, with its number, and whether another one waits.
    pub(super) fn send_next(&mut self) -> Option<(u64, Item, bool)> {
        let item = self.waiting.pop_front()?;
        let number = self.next_number;
        self.next_number += 1;
        self.sent.push_back((number, item.clone()));
        Some((number, item, !self.waiting.is_empty()))
    }

    /// How many were sent and not confirmed.
    pub(super) fn unconfirmed(&self) -> usize {
        self.sent.len()
    }

    /// Everything up to `number` has arrived.
    pub(super) fn confirm(&mut self, number: u64) {
        while self.sent.front().is_some_and(|(sent, _)| *sent <= number) {
            if let Some((_, item)) = self.sent.pop_front() {
                self.bytes -= item.weight();
            }
        }
    }

    /// The broker is gone: what it has not confirmed waits again. It may have it, so a trade may
    /// come twice; none is left out.
    pub(super) fn leave(&mut self) {
        self.away = true;
        for (_, item) in std::mem::take(&mut self.sent).into_iter().rev() {
            self.waiting.push_front(item);
        }
        self.compact();
    }

    /// A broker is there, perhaps one that knows nothing. Returns how many events wait.
    pub(super) fn arrive(&mut self) -> usize {
        self.compact();
        self.away = false;
        let waiting: HashSet<_> = self.waiting.iter().map(|item| Arc::clone(&item.topic)).collect();
        for (topic, event) in &self.statuses {
            if !waiting.contains(topic) {
                let item = Item { topic: Arc::clone(topic), event: event.clone() };
                self.bytes += item.weight();
                self.waiting.push_front(item);
            }
        }
        self.waiting.len()
    }

    /// How often books had to be renewed.
    pub(super) fn renewals(&self) -> u64 {
        self.renewals
    }

    /// How many trades were dropped so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// How many wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether everything was confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// Leaves out what a later event replaces.
    fn compact(&mut self) {
        self.renewals += 1;
        let mut newest: HashSet<Arc<str>> = HashSet::new();
        let mut kept = VecDeque::with_capacity(self.waiting.len() / 2);
        while let Some(item) = self.waiting.pop_back() {
            let keep = match &item.event {
                Event::Trade(_) => true,
                Event::Book(_) => false,
                Event::Quote(_) | Event::Bar(_) | Event::Status(_) => {
                    newest.insert(Arc::clone(&item.topic))
                }
            };
            if keep {
                kept.push_front(item);
            } else {
                self.bytes -= item.weight();
            }
        }
        self.waiting = kept;
    }

    /// Makes room at the cost of the oldest trades, if there is still too much.
    fn drop_oldest(&mut self) {
        // Not at once again.
        if self.bytes <= self.bytes_max / 4 * 3 {
            return;
        }
        while self.bytes > self.bytes_max / 2 {
            let Some(item) = self.waiting.pop_front() else { break };
            self.bytes -= item.weight();
            if matches!(item.event, Event::Trade(_)) {
                self.lost += 1;
                self.broken.insert(item.topic);
            }
        }
        for item in &mut self.waiting {
            if let Event::Trade(trade) = &mut item.event
                && self.broken.remove(&item.topic)
            {
                trade.stamps.flags = trade.stamps.flags.with(Flags::GAP_BEFORE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use market::{Aggressor, BookDiff, Decimal, Quote, Stamps, Status, Trade, VenueState};

    use super::*;

    fn trade(number: u64) -> Event {
        Event::Trade(Trade {
            price: Decimal::ZERO,
            size: Decimal::ZERO,
            side: Aggressor::Buy,
            trade_id: number.to_string().into(),
            stamps: Stamps::default(),
        })
    }

    fn quote(received: u64) -> Event {
        Event::Quote(Quote {
            bid: None,
            ask: None,
            stamps: Stamps { received, ..Stamps::default() },
        })
    }

    fn book() -> Event {
        Event::Book(BookDiff::default())
    }

    fn status() -> Event {
        let stamps = Stamps::default();
        Event::Status(Status { state: VenueState::Up, reason: "".into(), stamps })
    }

    /// What is sent, each with the trade's id or the time of the quote.
    fn drain(queue: &mut Queue) -> Vec<String> {
        let mut all = Vec::new();
        while let Some((number, item, _)) = queue.send_next() {
            queue.confirm(number);
            all.push(match &item.event {
                Event::Trade(trade) if trade.stamps.flags.has(Flags::GAP_BEFORE) => {
                    format!("{} !{}", item.topic, trade.trade_id)
                }
                Event::Trade(trade) => format!("{} {}", item.topic, trade.trade_id),
                Event::Quote(quote) => format!("{} {}", item.topic, quote.stamps.received),
                Event::Book(_) => format!("{} book", item.topic),
                _ => item.topic.to_string(),
            });
        }
        assert!(queue.is_empty() && queue.bytes == 0, "{queue:?}");
        all
    }

    #[test]
    fn while_nobody_is_there_trades_wait_and_quotes_replace_each_other() {
        let (t, q, b, s): (Arc<str>, Arc<str>, Arc<str>, Arc<str>) =
            ("t".into(), "q".into(), "b".into(), "s".into());
        let mut queue = Queue::new(1 << 20);
        for number in 1..=3 {
            queue.push(&t, trade(number), 0);
            queue.push(&q, quote(number), 0);
            queue.push(&b, book(), 0);
            queue.push(&s, status(), 0);
        }
        assert_eq!(queue.arrive(), 5);
        let renewals = queue.renewals();
        assert!(!queue.push(&b, book(), 0), "it began before the renewal");
        queue.push(&b, book(), renewals);
        assert_eq!(drain(&mut queue), ["t 1", "t 2", "t 3", "q 3", "s", "b book"]);
        // Another broker has forgotten all of it, and only the status cannot come anew.
        queue.leave();
        assert_eq!(queue.arrive(), 1);
        assert_eq!(drain(&mut queue), ["s"]);
        assert_eq!(queue.lost(), 0);
    }

    #[test]
    fn what_was_not_confirmed_is_sent_again_in_its_order() {
        let (t, b): (Arc<str>, Arc<str>) = ("t".into(), "b".into());
        let mut queue = Queue::new(1 << 20);
        queue.arrive();
        let renewals = queue.renewals();
        for number in 1..=4 {
            queue.push(&t, trade(number), renewals);
            queue.push(&b, book(), renewals);
        }
        let numbers: Vec<u64> = (0..4).map(|_| queue.send_next().unwrap().0).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        queue.confirm(2);
        assert_eq!(queue.unconfirmed(), 2);
        queue.leave();
        assert_ne!(queue.renewals(), renewals);
        queue.arrive();
        assert_eq!(drain(&mut queue), ["t 2", "t 3", "t 4"]);
    }

    #[test]
    fn beyond_its_bound_the_oldest_trades_go_and_the_next_one_says_so() {
        let (t, u): (Arc<str>, Arc<str>) = ("t".into(), "u".into());
        let one = Item { topic: Arc::clone(&t), event: trade(1) }.weight();
        let mut queue = Queue::new(one * 100);
        queue.push(&u, trade(0), 0);
        for number in 1..=100 {
            queue.push(&t, trade(number), 0);
        }
        assert_eq!(queue.lost(), 51);
        queue.push(&u, trade(1), 0);
        queue.push(&u, trade(2), 0);
        queue.arrive();
        let sent = drain(&mut queue);
        assert_eq!(sent[..2], ["t !51", "t 52"]);
        assert_eq!(sent[sent.len() - 2..], ["u !1", "u 2"]);
    }

    #[test]
    fn a_broker_that_is_slow_costs_books_first() {
        let (t, b): (Arc<str>, Arc<str>) = ("t".into(), "b".into());
        let one = Item { topic: Arc::clone(&t), event: book() }.weight();
        let mut queue = Queue::new(one * 100);
        queue.arrive();
        let renewals = queue.renewals();
        queue.push(&t, trade(1), renewals);
        for _ in 0..99 {
            assert!(!queue.push(&b, book(), renewals));
        }
        assert!(queue.push(&b, book(), renewals), "books are to be renewed");
        assert!(!queue.push(&b, book(), renewals), "superseded");
        queue.push(&b, book(), queue.renewals());
        assert_eq!(drain(&mut queue), ["t 1", "b book"]);
        assert_eq!(queue.lost(), 0);
    }
}
