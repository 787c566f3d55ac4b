//! Quotes from books: one for each change of the best, none while the book is not right.

use market::{Book, BookSide, Quote};
use proptest::prelude::*;

use super::*;

fn channels() -> Vec<Channel> {
    vec![
        channel(Kind::Status, "status.x"),
        channel(Kind::Book, "book.x.A"),
        channel(Kind::Status, "status.x.A"),
        channel(Kind::Book, "book.x.B"),
    ]
}

fn derive() -> Derive {
    Derive::new("x", DeriveOptions { quotes: true, ..DeriveOptions::default() })
}

fn book(reset: bool, bids: &[(i64, i64)], asks: &[(i64, i64)], flags: Flags) -> Event {
    let levels = |levels: &[(i64, i64)]| {
        let level = |&(price, size)| Level { price: decimal(price), size: decimal(size) };
        levels.iter().map(level).collect()
    };
    let stamps = Stamps { flags, sequence: Some(7), ..at(START, START + 1) };
    Event::Book(BookDiff { reset, bids: levels(bids), asks: levels(asks), stamps })
}

fn quotes(derive: &mut Derive, channel: usize, event: Event) -> Vec<Quote> {
    let mut out = Vec::new();
    derive.update(&channels(), &Update { channel, event }, &mut out);
    let quote = |Update { channel, event }| {
        assert_eq!(derive.channels()[channel].kind, Kind::Quote);
        match event {
            Event::Quote(quote) => quote,
            other => panic!("{other:?}"),
        }
    };
    out.into_iter().map(quote).collect()
}

#[test]
fn one_quote_for_each_change_of_the_best() {
    let none = Flags::none();
    let mut derive = derive();
    // A change of a book that was never whole is no book.
    assert!(quotes(&mut derive, 1, book(false, &[(100, 1)], &[], none)).is_empty());
    let first = quotes(&mut derive, 1, book(true, &[(100, 1), (99, 5)], &[(110, 2)], none));
    assert_eq!((first[0].bid, first[0].ask), (side(100, 1), side(110, 2)));
    assert_eq!((first[0].stamps.sequence, first[0].stamps.received), (Some(7), START + 1));
    assert_eq!(derive.channels()[0].topic, "quote.x.A");
    // Below the best, and the same again.
    assert!(quotes(&mut derive, 1, book(false, &[(99, 7)], &[(120, 1)], none)).is_empty());
    assert!(quotes(&mut derive, 1, book(false, &[(100, 1)], &[], none)).is_empty());
    let sizes = quotes(&mut derive, 1, book(false, &[(100, 2)], &[], none));
    assert_eq!(sizes[0].bid, side(100, 2));
    let fallen = quotes(&mut derive, 1, book(false, &[(100, 0)], &[(110, 0), (120, 0)], none));
    assert_eq!((fallen[0].bid, fallen[0].ask), (side(99, 7), None));
    // A whole book that is the same at the top is no news.
    assert!(quotes(&mut derive, 1, book(true, &[(99, 7)], &[], none)).is_empty());
}

#[test]
fn none_while_the_book_is_not_right_and_one_when_it_is_again() {
    for (channel, state) in [(2, VenueState::Resync), (2, VenueState::Down), (0, VenueState::Down)]
    {
        let mut derive = derive();
        let whole = || book(true, &[(100, 1)], &[(110, 2)], Flags::none());
        assert_eq!(quotes(&mut derive, 1, whole()).len(), 1);
        assert!(quotes(&mut derive, channel, status(state)).is_empty());
        let change = book(false, &[(105, 1)], &[], Flags::none());
        assert!(quotes(&mut derive, 1, change).is_empty());
        assert_eq!(quotes(&mut derive, 1, whole()).len(), 1);
    }
    // What is only silent is as right as it was.
    let mut derive = derive();
    quotes(&mut derive, 1, book(true, &[(100, 1)], &[(110, 2)], Flags::none()));
    quotes(&mut derive, 0, status(VenueState::Stale));
    assert_eq!(quotes(&mut derive, 1, book(false, &[(105, 1)], &[], Flags::none())).len(), 1);
    // A break that nobody spoke of.
    let whole = book(true, &[(105, 1)], &[(110, 2)], Flags::GAP_BEFORE);
    let quote = quotes(&mut derive, 1, whole);
    assert!(quote[0].stamps.flags.has(Flags::GAP_BEFORE));
}

#[test]
fn quotes_want_the_stream_that_they_are_made_of() {
    let options = |quotes| DeriveOptions { quotes, ..DeriveOptions::default() };
    for (kind, of_venue, of_book) in [
        (Kind::Trade, Some(Stream::Trades), Some(Stream::Trades)),
        (Kind::Bar, Some(Stream::Trades), Some(Stream::Trades)),
        (Kind::Quote, Some(Stream::Quotes), Some(Stream::Book)),
        (Kind::Book, Some(Stream::Book), Some(Stream::Book)),
        (Kind::Status, None, None),
    ] {
        assert_eq!((options(false).stream(kind), options(true).stream(kind)), (of_venue, of_book));
    }
}

proptest! {
    #[test]
    fn the_latest_quote_is_the_best_of_the_book(
        steps in prop::collection::vec(
            (0u8..30, prop::collection::vec((90i64..100, 0i64..3), 0..3),
             prop::collection::vec((100i64..110, 0i64..3), 0..3)),
            1..100,
        ),
    ) {
        let mut derive = derive();
        let (mut own, mut live, mut last) = (Book::default(), false, None);
        for (what, bids, asks) in steps {
            if what == 0 {
                live = false;
                prop_assert!(quotes(&mut derive, 2, status(VenueState::Resync)).is_empty());
                continue;
            }
            let reset = !live || what == 1;
            let again = !live;
            live = true;
            let Event::Book(mut diff) = book(reset, &bids, &asks, Flags::none()) else { unreachable!() };
            own.apply(&mut diff, 1_000).unwrap();
            let best = [BookSide::Bid, BookSide::Ask].map(|side| {
                own.best(side).map(|level| QuoteSide { price: level.price, size: level.size })
            });
            let quotes = quotes(&mut derive, 1, Event::Book(diff));
            let news = again || last != Some(best);
            prop_assert_eq!(quotes.len(), usize::from(news));
            if let Some(quote) = quotes.first() {
                prop_assert_eq!([quote.bid, quote.ask], best);
            }
            last = Some(best);
        }
    }
}
