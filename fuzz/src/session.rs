//! A whole session with a simulated exchange, whose messages come to harm: whatever a book is
//! called verified for, the exchange must have had.

use std::sync::{Arc, Mutex};

use exchange::{Between, Exchange, Fault, FaultPlan, Link, Options, Reply};
use feeds::Update;
use feeds::adapter::{DeskOptions, Stream};
use feeds::venue::Venue;
use market::{Event, Nanos};

use crate::client::Client;
use crate::damage::Protocol;
use crate::dice::Dice;
use crate::tamper::Tamper;

/// When every session begins.
pub(crate) const START: Nanos = 1_790_000_000_000_000_000;
const SECOND: Nanos = 1_000_000_000;
/// Beyond every bound on silence, and every growing pause.
const SETTLED_WITHIN: Nanos = 600 * SECOND;

/// What an exchange and a venue's adapter have in common.
#[derive(Debug, Clone, Copy)]
pub struct Spoken {
    /// Whose adapter.
    pub venue: Venue,
    /// Who speaks the same.
    pub exchange: exchange::Venue,
    /// What its messages prove.
    pub protocol: Protocol,
}

fn link(spoken: &Spoken, options: Options) -> Option<Link> {
    let exchange = Exchange::new(options, START).ok()?;
    let symbols: Vec<String> = exchange.symbols().map(str::to_owned).collect();
    let desk = DeskOptions { venue: "x".into(), symbols, ..DeskOptions::default() };
    Some(Link::new(spoken.venue.adapter(desk), exchange, START))
}

/// Plays one session, with all that the input makes of it.
///
/// # Panics
/// When a wrong book was called verified, a client would hold another book than the adapter, or
/// all is not right again some time after the last damage.
pub fn play(spoken: &Spoken, data: &[u8]) {
    let mut dice = Dice::new(data);
    let flags = dice.byte();
    // Otherwise digits may change that nothing proves, and no book can be known to be right.
    let visible = flags & 3 != 0;
    let settles = flags & 28 == 0;
    let mut faults = FaultPlan::none();
    for _ in 0..flags >> 6 {
        let fault = Fault::ALL[dice.below(Fault::ALL.len())];
        if fault.applies_to(spoken.exchange) {
            faults = faults.with_rate(fault, u32::from(dice.byte()) * 200);
        }
    }
    let options = Options {
        seed: (flags >> 5 & 1).into(),
        symbols: 2,
        rate: 50,
        depth: 12,
        history: 1 << 12,
        faults,
        ..Options::new(spoken.exchange)
    };
    let Some(mut link) = link(spoken, options) else { return };
    let mut client = Client::default();
    let mut watch = |link: &Link, updates: &[Update]| {
        // A link does not say what the input was; snapshots here are shorter.
        client.input(4096);
        client.take(link.adapter(), updates);
        // Only a change can make a book wrong, or trusted.
        let changed = updates.iter().any(|update| matches!(update.event, Event::Book(_)));
        if visible
            && changed
            && let Some(wrong) = link.wrong_book()
        {
            panic!("{}: called verified, and wrong: {wrong}", spoken.venue.name());
        }
    };
    let steps: Vec<(u8, u16)> = (0..4).map(|_| (dice.byte(), dice.word())).collect();
    link.put_between(Some(Box::new(Tamper::new(dice.rest(), spoken.protocol, visible))));
    let mut wanted = [true; 6];
    for (step, how) in steps {
        link.run(link.now() + 700_000_000, &mut watch);
        match step {
            0..=15 => link.stand_still(Nanos::from(how) * 1_000_000),
            16..=63 => {
                let which = usize::from(how) % wanted.len();
                wanted[which] = !wanted[which];
                demand(&mut link, which, wanted[which], &mut watch);
            }
            _ => {}
        }
    }
    link.run(link.now() + SECOND, &mut watch);
    if settles && visible {
        link.exchange_mut().end_faults();
        link.put_between(None);
        for (which, wanted) in wanted.into_iter().enumerate() {
            if !wanted {
                demand(&mut link, which, true, &mut watch);
            }
        }
        let patience = link.now() + SETTLED_WITHIN;
        while let Some(unsettled) = link.unsettled() {
            assert!(
                link.now() < patience,
                "{}: never right again: {unsettled}",
                spoken.venue.name()
            );
            link.run(link.now() + 5 * SECOND, &mut watch);
        }
    }
}

fn demand(link: &mut Link, which: usize, wanted: bool, watch: &mut impl FnMut(&Link, &[Update])) {
    let stream = [Stream::Book, Stream::Trades, Stream::Quotes][which % 3];
    let symbol = link.adapter().desk().ids().nth(which / 3);
    if let Some(symbol) = symbol {
        link.demand(symbol, stream, wanted, watch);
    }
}

/// Everything that an exchange sends in a quiet session.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// What the venue calls its symbols.
    pub symbols: Vec<String>,
    /// Its messages, in order.
    pub messages: Vec<Vec<u8>>,
    /// Its REST answers, in order.
    pub answers: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Recorder(Arc<Mutex<Tape>>);

impl Between for Recorder {
    fn message(&mut self, text: Vec<u8>) -> Vec<Vec<u8>> {
        if let Ok(mut tape) = self.0.lock() {
            tape.messages.push(text.clone());
        }
        vec![text]
    }

    fn answer(&mut self, reply: Reply) -> Option<Reply> {
        if let Ok(mut tape) = self.0.lock() {
            tape.answers.push(reply.body.clone().into_bytes());
        }
        Some(reply)
    }
}

/// Records a quiet session of about 150 messages.
#[must_use]
pub fn tape(spoken: &Spoken) -> Tape {
    let options =
        Options { symbols: 2, rate: 30, depth: 10, history: 64, ..Options::new(spoken.exchange) };
    let tape = Arc::new(Mutex::new(Tape::default()));
    if let Some(mut link) = link(spoken, options) {
        link.put_between(Some(Box::new(Recorder(Arc::clone(&tape)))));
        link.run(START + 4 * SECOND, |_, _| {});
        if let Ok(mut tape) = tape.lock() {
            tape.symbols = link.exchange().symbols().map(str::to_owned).collect();
        }
    }
    tape.lock().map(|tape| tape.clone()).unwrap_or_default()
}
