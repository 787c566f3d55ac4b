//! The best of all venues, against looking at all of them each time.

use std::cmp::Reverse;

use market::Quote;
use proptest::prelude::*;

use super::*;

fn quote(bid: Option<QuoteSide>, ask: Option<QuoteSide>) -> Event {
    let stamps = Stamps { sequence: Some(9), ..at(START, START + 5) };
    Event::Quote(Quote { bid, ask, stamps })
}

/// A consolidator with members, and what it says as text.
struct Rig {
    all: Consolidator,
    members: Vec<(Member, String)>,
}

impl Rig {
    fn new(venues: &[&str]) -> Self {
        let mut all = Consolidator::new(10);
        let members = venues.iter().map(|venue| (all.join(venue), (*venue).to_owned())).collect();
        Self { all, members }
    }

    /// `topic` without the venue: `quote`, `quote.A`, `status`.
    fn tell(&mut self, member: usize, topic: &str, event: Event) -> Vec<String> {
        let (member, venue) = &self.members[member];
        let topic = match topic.split_once('.') {
            Some((kind, symbol)) => format!("{kind}.{venue}.{symbol}"),
            None => format!("{topic}.{venue}"),
        };
        let mut out = Vec::new();
        self.all.update(*member, &topic, &event, &mut out);
        self.texts(out)
    }

    fn texts(&self, out: Vec<Consolidated>) -> Vec<String> {
        let best = |best: Option<Best>| {
            best.map_or("-".into(), |b| format!("{}x{}@{}", b.price, b.size, b.venue))
        };
        out.into_iter()
            .map(|Consolidated { channel, nbbo }| {
                let topic = &self.all.topics()[channel];
                format!("{topic} {} {} {}", best(nbbo.bid), best(nbbo.ask), nbbo.venues)
            })
            .collect()
    }
}

#[test]
fn the_best_of_each_side_with_its_venue() {
    let mut rig = Rig::new(&["x", "y"]);
    let told = rig.tell(0, "quote.A", quote(side(1_000, 5), side(1_010, 5)));
    assert_eq!(told, ["nbbo.A 10.00x0.05@x 10.10x0.05@x 1"]);
    let told = rig.tell(1, "quote.A", quote(side(1_001, 1), side(1_020, 9)));
    assert_eq!(told, ["nbbo.A 10.01x0.01@y 10.10x0.05@x 2"]);
    // What is not best is no news.
    assert!(rig.tell(1, "quote.A", quote(side(1_001, 1), side(1_030, 9))).is_empty());
    // Of equal prices the larger size, of equal sizes the first name.
    let told = rig.tell(1, "quote.A", quote(side(1_000, 6), side(1_010, 5)));
    assert_eq!(told, ["nbbo.A 10.00x0.06@y 10.10x0.05@x 2"]);
    // Another symbol is another matter.
    let told = rig.tell(1, "quote.B.C", quote(None, side(1, 1)));
    assert_eq!(told, ["nbbo.B.C - 0.01x0.01@y 1"]);
    // A venue without orders is one of them nevertheless.
    let told = rig.tell(0, "quote.A", quote(None, None));
    assert_eq!(told, ["nbbo.A 10.00x0.06@y 10.10x0.05@y 2"]);
    // Nothing but quotes and status matters.
    let time = at(START, START);
    assert!(rig.tell(0, "trade.A", trade(1, 1, time)).is_empty());
}

#[test]
fn a_venue_that_is_not_to_be_trusted_is_left_out() {
    let states = [
        ("status", VenueState::Stale),
        ("status", VenueState::Resync),
        ("status.A", VenueState::Resync),
        ("status.A", VenueState::Stale),
    ];
    for (topic, state) in states {
        let mut rig = Rig::new(&["x", "y"]);
        rig.tell(0, "quote.A", quote(side(1_000, 1), side(1_010, 1)));
        rig.tell(1, "quote.A", quote(side(1_005, 1), side(1_020, 1)));
        let without = "nbbo.A 10.00x0.01@x 10.10x0.01@x 1";
        assert_eq!(rig.tell(1, topic, status(state)), [without], "{state:?}");
        // It speaks, but is not heard until it is right again.
        assert!(rig.tell(1, "quote.A", quote(side(1_006, 1), side(1_020, 1))).is_empty());
        let with = "nbbo.A 10.06x0.01@y 10.10x0.01@x 2";
        assert_eq!(rig.tell(1, topic, status(VenueState::Up)), [with]);
        // A resync that a new connection ends.
        rig.tell(1, topic, status(state));
        assert!(rig.tell(1, "status", status(VenueState::Down)).is_empty());
        rig.tell(1, "status", status(VenueState::Up));
        let told = rig.tell(1, "quote.A", quote(side(1_007, 1), side(1_020, 1)));
        let back = told == ["nbbo.A 10.07x0.01@y 10.10x0.01@x 2"];
        assert_eq!(back, (topic, state) != ("status.A", VenueState::Stale));
    }
}

#[test]
fn after_a_cut_a_venue_counts_with_its_next_quote() {
    let mut rig = Rig::new(&["x", "y"]);
    rig.tell(0, "quote.A", quote(side(1_000, 1), side(1_010, 1)));
    assert_eq!(rig.tell(0, "status", status(VenueState::Down)), ["nbbo.A - - 0"]);
    assert!(rig.tell(0, "status", status(VenueState::Up)).is_empty());
    let told = rig.tell(0, "quote.A", quote(side(1_000, 1), side(1_010, 1)));
    assert_eq!(told, ["nbbo.A 10.00x0.01@x 10.10x0.01@x 1"]);
    // And when the feed ends there is nothing left of it.
    let (mut out, member) = (Vec::new(), rig.members[0].0);
    rig.all.leave(member, START, &mut out);
    assert_eq!(rig.texts(out), ["nbbo.A - - 0"]);
    assert!(rig.tell(0, "quote.A", quote(side(1_000, 1), side(1_010, 1))).is_empty());
    rig.all.leave(member, START, &mut Vec::new());
}

#[test]
fn connections_of_one_venue_stand_for_themselves() {
    let mut rig = Rig::new(&["x", "x"]);
    rig.tell(0, "quote.A", quote(side(1_000, 1), None));
    rig.tell(1, "quote.B", quote(side(1_000, 1), None));
    assert_eq!(rig.tell(0, "status", status(VenueState::Down)), ["nbbo.A - - 0"]);
}

#[test]
fn the_event_is_json_with_decimals_as_text() {
    let mut all = Consolidator::new(1);
    let [x, y] = ["x\"", "y"].map(|venue| all.join(venue));
    let mut out = Vec::new();
    all.update(x, "quote.x\".A", &quote(side(1_000, 250), None), &mut out);
    all.update(y, "quote.y.A", &quote(None, side(995, 1)), &mut out);
    // Beyond the bound, or of another venue.
    all.update(y, "quote.y.B", &quote(None, side(995, 1)), &mut out);
    all.update(y, "quote.z.A", &quote(None, side(995, 1)), &mut out);
    assert_eq!((out.len(), all.refused()), (2, 1));
    assert_eq!(
        out[0].nbbo.json(),
        r#"{"bid_price":"10.00","bid_size":"2.50","bid_venue":"x\"","ask_price":null,"ask_size":null,"ask_venue":null,"venues":1,"crossed":false,"ts_event":"1790000000000000000","ts_recv":"1790000000000000005"}"#
    );
    // The bid of one above the offer of another is a fact.
    let crossed = out[1].nbbo.json();
    assert!(crossed.contains(r#""ask_venue":"y","venues":2,"crossed":true"#), "{crossed}");
    for nbbo in [&out[0].nbbo, &out[1].nbbo] {
        let value: serde_json::Value = serde_json::from_str(&nbbo.json()).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 10);
    }
}

/// What one venue is at, kept by the test.
#[derive(Debug, Clone, Default)]
struct Venue {
    feed: Option<VenueState>,
    symbols: [Option<VenueState>; 2],
    quotes: [Option<(Option<QuoteSide>, Option<QuoteSide>)>; 2],
}

#[derive(Debug, Clone)]
enum Step {
    Quote(usize, usize, Option<(i64, i64)>, Option<(i64, i64)>),
    Feed(usize, VenueState),
    Symbol(usize, usize, VenueState),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = || prop::sample::select(VenueState::ALL.to_vec());
    let price = || prop::option::weighted(0.9, (95i64..105, 1i64..4));
    let step = prop_oneof![
        6 => (0usize..3, 0usize..2, price(), price())
            .prop_map(|(venue, symbol, bid, ask)| Step::Quote(venue, symbol, bid, ask)),
        1 => (0usize..3, state()).prop_map(|(venue, state)| Step::Feed(venue, state)),
        2 => (0usize..3, 0usize..2, state())
            .prop_map(|(venue, symbol, state)| Step::Symbol(venue, symbol, state)),
    ];
    prop::collection::vec(step, 1..200)
}

const NAMES: [&str; 3] = ["x", "y", "z"];

/// The best of all venues of a symbol, found by looking at all.
fn expected(venues: &[Venue], symbol: usize) -> String {
    let up = |state: Option<VenueState>| state.is_none_or(|state| state == VenueState::Up);
    let trusted: Vec<_> = venues
        .iter()
        .zip(NAMES)
        .filter(|(venue, _)| up(venue.feed) && up(venue.symbols[symbol]))
        .filter_map(|(venue, name)| Some((venue.quotes[symbol]?, name)))
        .collect();
    let bids = trusted.iter().filter_map(|((bid, _), name)| Some((bid.as_ref()?, *name)));
    let asks = trusted.iter().filter_map(|((_, ask), name)| Some((ask.as_ref()?, *name)));
    let bid = bids.max_by_key(|(side, name)| (side.price, side.size, Reverse(*name)));
    let ask = asks.max_by_key(|(side, name)| (Reverse(side.price), side.size, Reverse(*name)));
    let text = |best: Option<(&QuoteSide, &str)>| {
        best.map_or("-".into(), |(side, name)| format!("{}x{}@{name}", side.price, side.size))
    };
    format!("{} {} {}", text(bid), text(ask), trusted.len())
}

proptest! {
    #[test]
    fn the_best_of_all_venues_is_what_looking_at_all_of_them_gives(steps in steps()) {
        let mut rig = Rig::new(&NAMES);
        let mut venues = vec![Venue::default(); NAMES.len()];
        let mut last = ["- - 0".to_owned(), "- - 0".to_owned()];
        for step in steps {
            let side = |side: Option<(i64, i64)>| {
                side.map(|(price, size)| QuoteSide { price: decimal(price), size: decimal(size) })
            };
            let told = match step {
                Step::Quote(venue, symbol, bid, ask) => {
                    let (bid, ask) = (side(bid), side(ask));
                    venues[venue].quotes[symbol] = Some((bid, ask));
                    rig.tell(venue, ["quote.A", "quote.B"][symbol], quote(bid, ask))
                }
                Step::Feed(venue, state) => {
                    venues[venue].feed = Some(state);
                    if state == VenueState::Down {
                        venues[venue].quotes = [None, None];
                        let states = &mut venues[venue].symbols;
                        *states = states.map(|held| held.filter(|s| *s != VenueState::Resync));
                    }
                    rig.tell(venue, "status", status(state))
                }
                Step::Symbol(venue, symbol, state) => {
                    venues[venue].symbols[symbol] = Some(state);
                    if state == VenueState::Down {
                        venues[venue].quotes[symbol] = None;
                    }
                    rig.tell(venue, ["status.A", "status.B"][symbol], status(state))
                }
            };
            let mut news = Vec::new();
            for (symbol, name) in ["nbbo.A", "nbbo.B"].into_iter().enumerate() {
                let now = expected(&venues, symbol);
                if now != last[symbol] {
                    news.push(format!("{name} {now}"));
                    last[symbol] = now;
                }
            }
            let mut told = told;
            told.sort();
            prop_assert_eq!(told, news);
        }
    }
}
