//! Single cases, told from their bytes to the events.

use market::{Flags, Stamps};

use super::*;
use crate::adapter::Stream;
use crate::adapter::Streams;

#[test]
fn each_message_becomes_what_it_should() {
    let mut rig = rig(Framing::Mold);
    rig.binary(&packet(1, &[system(b'O'), directory(7, "AAA"), action(7, "AAA", b'T', "")]));
    let expected = ["nasdaq up messages come", "nasdaq up start of messages", "AAA up it trades"];
    assert_eq!(rig.news(), expected);
    let mut attributed = add(7, "AAA", 12, b'S', 50, 101_0000);
    attributed[0] = b'F';
    attributed.extend(b"MPID");
    rig.binary(&packet(
        4,
        &[
            add(7, "AAA", 11, b'B', 300, 100_0000),
            attributed,
            add(7, "AAA", 13, b'B', 200, 100_0000),
            execute(7, 11, 100, 901),
            execute_at(7, 12, 10, b'Y', 100_9950),
            execute_at(7, 12, 20, b'N', 100_9950),
            cancel(7, 13, 150),
            replace(7, 12, 14, 80, 100_9900),
            replace(7, 14, 15, 90, 100_9900),
            delete(7, 11),
            hidden(7, "AAA", b'B', 5, 100_5000),
            hidden(7, "AAA", b'S', 6, 100_5000),
            cross(7, "AAA", 5_000_000_000, 100_2500),
            cross(7, "AAA", 0, 100_2500),
            begin(b'B', 7).n64(901).0,
            action(7, "AAA", b'H', "T1"),
            begin(b'h', 7).stock("AAA").raw(b"QH").0,
            begin(b'W', 0).raw(b"2").0,
        ],
    ));
    let expected = [
        "AAA = 300x100.0000|[]",
        "AAA ~ |50x101.0000[]",
        "AAA ~ 500x100.0000|[]",
        "AAA sell 100x100.0000 901[]",
        "AAA ~ 400x100.0000|[]",
        "AAA buy 10x100.9950 77[]",
        "AAA ~ |40x101.0000[]",
        "AAA ~ |20x101.0000[]",
        "AAA ~ 250x100.0000|[]",
        "AAA ~ |0x101.0000,80x100.9900[]",
        "AAA ~ |90x100.9900[]",
        "AAA ~ 50x100.0000|[]",
        "AAA unknown 5x100.5000 78[]",
        "AAA buy 6x100.5000 78[]",
        "AAA unknown 5000000000x100.2500 79[]",
        "AAA up execution 901 counts no more",
        "AAA up trading is halted (T1)",
        "AAA up halted on Nasdaq for its operation",
        "nasdaq up market-wide circuit breaker, level 2",
    ];
    assert_eq!(rig.news(), expected);
    assert_eq!(rig.best("AAA"), "50x100.0000 90x100.9900");
    assert_eq!(rig.state("AAA"), BookState::Verified);
    let counts = rig.itch.desk().symbol(rig.id("AAA")).counts;
    assert_eq!((counts.book_events, counts.trades, counts.snapshots), (10, 5, 0));
    assert_eq!(rig.itch.desk().counts.frames, 21);
    let counts = rig.itch.counts();
    assert_eq!((counts.not_printable, counts.broken_trades), (1, 1));
}

#[test]
fn messages_have_numbers_and_times_where_those_are_known() {
    let stamps = |rig: &Rig| match &rig.out.updates.last().unwrap().event {
        Event::Book(diff) => diff.stamps,
        other => panic!("{other:?}"),
    };
    let messages = [system(b'O'), directory(1, "A"), add(1, "A", 1, b'B', 1, 5)];
    let mut live = rig(Framing::Mold);
    live.binary(&packet(1, &messages));
    let event = Some(NOW - 500);
    let flags = Flags::none();
    assert_eq!(stamps(&live), Stamps { event, received: NOW, sequence: Some(3), flags });
    let mut read = rig(Framing::BinaryFile);
    read.binary(&file(&messages));
    let flags = Flags::UNVERIFIED;
    let expected = Stamps { event: None, received: NOW, sequence: None, flags };
    assert_eq!(stamps(&read), expected);
    let mut options = ItchOptions::new(Framing::BinaryFile, read.itch.desk().options().clone());
    options.date = DateSource::Given("2023-08-22".parse().unwrap());
    let mut dated = rig_with(options);
    let mut late = add(1, "A", 2, b'B', 1, 5);
    dated.binary(&file(&messages));
    assert_eq!(stamps(&dated).event, event);
    late[5..11].fill(0xff);
    dated.binary(&file(&[late]));
    assert_eq!(stamps(&dated).flags, Flags::UNVERIFIED.with(Flags::BAD_TIMESTAMP));
}

#[test]
fn who_missed_the_beginning_has_executions_but_no_book() {
    let mut rig = rig(Framing::Mold);
    rig.binary(&packet(
        500,
        &[
            add(7, "AAA", 1_000, b'S', 50, 10_0000),
            execute(7, 1_000, 20, 901),
            execute(7, 999, 20, 902),
            execute_at(7, 998, 20, b'Y', 9_0000),
            delete(7, 997),
            delete(8, 996),
            execute(8, 995, 1, 903),
            hidden(7, "AAA", b'B', 5, 9_9900),
        ],
    ));
    let expected = [
        "nasdaq up messages come",
        "AAA resync no book: the beginning of the day was missed",
        "AAA buy 20x10.0000 901[]",
        "AAA unknown 20x9.0000 77[\"gap_before\"]",
        "AAA unknown 5x9.9900 78[]",
    ];
    assert_eq!(rig.news(), expected);
    assert_eq!((rig.state("AAA"), &*rig.best("AAA")), (BookState::Resyncing, "- -"));
    let counts = rig.itch.counts();
    assert_eq!((counts.orders_unknown, counts.trades_unpriced), (5, 2));
    // The next day is whole.
    rig.binary(&packet(
        508,
        &[system(b'C'), system(b'O'), directory(9, "AAA"), add(9, "AAA", 1, b'S', 50, 11_0000)],
    ));
    assert_eq!((rig.state("AAA"), &*rig.best("AAA")), (BookState::Verified, "- 50x11.0000"));
}

#[test]
fn a_gap_ends_every_book_for_the_day() {
    let mut rig = rig(Framing::Mold);
    rig.binary(&packet(
        1,
        &[
            system(b'O'),
            directory(1, "A"),
            directory(2, "B"),
            add(1, "A", 1, b'B', 10, 5_0000),
            add(2, "B", 2, b'B', 10, 5_0000),
            execute(1, 1, 1, 1),
        ],
    ));
    rig.news();
    rig.binary(&packet(8, &[add(1, "A", 3, b'B', 10, 6_0000)]));
    assert!(rig.news().is_empty(), "what follows a gap waits");
    let asked = Action::SendBinary(mold::request(*b"  DAY-0001", 7, 1));
    assert_eq!(rig.out.actions, [asked]);
    assert_eq!(rig.best("A"), "9x5.0000 -");
    while rig.out.wake_at.is_some() {
        rig.now = rig.out.wake_at.take().unwrap();
        rig.input(Input::Timer);
    }
    let gap = "resync gap in the venue's sequence";
    let lost = "nasdaq up 1 messages are missing, and will not come";
    assert_eq!(rig.news(), [lost.to_owned(), format!("A {gap}"), format!("B {gap}")]);
    rig.binary(&packet(9, &[execute(1, 3, 4, 2), execute(1, 3, 4, 3)]));
    let trades = ["A sell 4x6.0000 2[\"gap_before\"]", "A sell 4x6.0000 3[]"];
    assert_eq!(rig.news(), trades, "executions go on, books do not");
    assert_eq!(rig.itch.counts().lost, 1);
    let gaps = rig.itch.desk().symbols().map(|(_, symbol)| symbol.counts.gaps);
    assert_eq!(gaps.collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_gap_that_is_filled_changes_nothing() {
    let messages =
        [system(b'O'), directory(1, "A"), add(1, "A", 1, b'B', 10, 5_0000), delete(1, 1)];
    let mut rig = rig(Framing::Mold);
    rig.binary(&packet(1, &messages[..1]));
    rig.binary(&packet(4, &messages[3..]));
    rig.binary(&packet(2, &messages[1..3]));
    rig.binary(&packet(1, &messages));
    assert_eq!((rig.state("A"), &*rig.best("A")), (BookState::Verified, "- -"));
    assert_eq!(rig.itch.counts(), ItchCounts { repeated: 1, ..ItchCounts::default() });
}

#[test]
fn a_crossed_book_is_hidden_and_comes_back_whole() {
    let mut rig = rig(Framing::Mold);
    rig.binary(&packet(
        1,
        &[
            system(b'O'),
            directory(1, "A"),
            add(1, "A", 1, b'B', 10, 5_0000),
            add(1, "A", 2, b'S', 10, 5_0000),
            add(1, "A", 3, b'B', 10, 4_0000),
        ],
    ));
    let best = |rig: &Rig, side| rig.itch.best(rig.id("A"), side).map(|price| price.to_string());
    assert_eq!(rig.best("A"), "- -", "not published");
    assert_eq!(best(&rig, BookSide::Bid).as_deref(), Some("5.0000"));
    assert_eq!(best(&rig, BookSide::Ask).as_deref(), Some("5.0000"));
    rig.binary(&packet(6, &[delete(1, 2), delete(1, 3)]));
    assert_eq!(best(&rig, BookSide::Ask), None);
    let expected = [
        "A = 10x5.0000|[]",
        "A resync crossed book",
        "A = 10x5.0000,10x4.0000|[\"gap_before\"]",
        "A up the book is right again",
        "A ~ 0x4.0000|[]",
    ];
    assert_eq!(rig.news()[2..], expected);
    assert_eq!(rig.state("A"), BookState::Verified);
    assert_eq!(rig.itch.desk().symbol(rig.id("A")).counts.crossed, 1);
    assert_eq!(rig.itch.desk().symbol(rig.id("A")).counts.snapshots, 0, "the venue has none");
}

#[test]
fn after_a_break_that_loses_nothing_executions_go_on_and_books_come_back_whole() {
    let soup = |kind: u8, payload: &[u8]| {
        [&(1 + payload.len() as u16).to_be_bytes()[..], &[kind], payload].concat()
    };
    let accepted = |sequence: u64| soup(b'A', format!("   SESSION{sequence:>20}").as_bytes());
    let mut rig = rig(Framing::Soup);
    rig.input(Input::Connected);
    assert!(matches!(&rig.out.actions[0], Action::SendBinary(login) if login.len() == 49));
    rig.binary(&accepted(1));
    for message in [
        system(b'O'),
        directory(1, "A"),
        directory(2, "B"),
        add(1, "A", 1, b'B', 10, 5_0000),
        add(2, "B", 2, b'B', 10, 5_0000),
        execute(1, 1, 1, 901),
    ] {
        rig.binary(&soup(b'S', &message));
    }
    assert_eq!(rig.state("A"), BookState::Verified);
    rig.news();
    rig.input(Input::Disconnected { reason: "cut" });
    assert_eq!(rig.best("A"), "- -");
    rig.input(Input::Connected);
    rig.binary(&accepted(7));
    rig.binary(&soup(b'S', &cancel(2, 2, 1)));
    let gap = "[\"gap_before\"]";
    let expected = [
        "nasdaq down cut".to_owned(),
        "nasdaq up messages come".to_owned(),
        format!("B = 9x5.0000|{gap}"),
        "B up the book is right again".to_owned(),
        format!("A = 9x5.0000|{gap}"),
        "A up the book is right again".to_owned(),
    ];
    assert_eq!(rig.news(), expected);
    rig.binary(&soup(b'S', &execute(1, 1, 1, 902)));
    assert_eq!(rig.news(), ["A sell 1x5.0000 902[]", "A ~ 8x5.0000|[]"], "nothing was missed");
    // A venue that has nothing to say is as good a sign that the books are right.
    rig.input(Input::Disconnected { reason: "cut" });
    rig.input(Input::Connected);
    rig.binary(&accepted(9));
    assert_eq!(rig.best("A"), "- -");
    rig.binary(&soup(b'H', b""));
    assert_eq!(rig.best("A"), "8x5.0000 -");
    // The venue forgot some: nothing may be trusted any more.
    rig.input(Input::Disconnected { reason: "cut" });
    rig.input(Input::Connected);
    rig.binary(&accepted(12));
    rig.binary(&soup(b'S', &add(1, "A", 9, b'B', 10, 5_0000)));
    assert_eq!(rig.best("A"), "- -");
    rig.news();
    rig.binary(&soup(b'S', &execute(1, 9, 1, 903)));
    assert_eq!(rig.news(), [format!("A sell 1x5.0000 903{gap}")]);
    rig.binary(&soup(b'J', b"S"));
    assert_eq!(reports(&rig.out), ["nasdaq: login refused: there is no such session"]);
    assert_eq!(states(&rig.out).last(), Some(&VenueState::Down));
    assert_eq!(rig.itch.desk().symbol(rig.id("A")).counts.gaps, 1);
}

#[test]
fn a_message_that_cannot_be_read_ends_the_trust_in_its_stock() {
    let mut rig = rig(Framing::Mold);
    let mut side = add(1, "A", 5, b'B', 10, 4_0000);
    side[19] = b'?';
    rig.binary(&packet(
        1,
        &[
            system(b'O'),
            directory(1, "A"),
            directory(2, "B"),
            add(1, "A", 1, b'B', 10, 5_0000),
            add(2, "B", 2, b'B', 10, 5_0000),
            side.clone(),
            side,
            add(2, "B", 3, b'B', 5, 5_0000)[..30].to_vec(),
            other(b'?', 17),
            other(b'I', 50),
            Vec::new(),
        ],
    ));
    let news = rig.news();
    let (of_venue, of_stocks): (Vec<_>, Vec<_>) =
        news[4..].iter().partition(|news| news.starts_with("nasdaq up an unreadable message"));
    let unreadable = "resync unreadable message";
    let again = format!("A {unreadable} (2 so far)");
    // The empty one may have been of any stock; the third time of A is no power of two.
    let of_any = format!("B {unreadable} (2 so far)");
    let all = [&format!("A {unreadable}"), &again, &format!("B {unreadable}"), &of_any];
    assert_eq!(of_stocks, all);
    assert_eq!(of_venue.len(), 3, "the first, the second and the fourth: {of_venue:?}");
    let counts = rig.itch.desk().counts;
    assert_eq!((counts.malformed, counts.unknown, counts.frames), (4, 1, 11));
    assert_eq!(reports(&rig.out).len(), 3, "one for each kind: {:?}", rig.out.actions);
    assert_eq!((&*rig.best("A"), &*rig.best("B")), ("- -", "- -"));
}

#[test]
fn orders_that_cannot_be_end_the_trust_or_make_it_less() {
    let start = [system(b'O'), directory(1, "A"), add(1, "A", 1, b'B', 10, 5_0000)];
    let with = |message: Vec<u8>| {
        let mut rig = rig(Framing::Mold);
        rig.binary(&packet(1, &start));
        rig.binary(&packet(4, &[message, add(1, "A", 99, b'B', 10, 4_0000)]));
        rig
    };
    for unknown in [delete(1, 7), cancel(1, 7, 1), execute(1, 7, 1, 1), replace(1, 7, 8, 1, 1)] {
        let rig = with(unknown);
        assert_eq!((rig.state("A"), &*rig.best("A")), (BookState::Unverifiable, "10x5.0000 -"));
        assert_eq!(rig.itch.desk().symbol(rig.id("A")).counts.deletes_unknown, 1);
    }
    for wrong in [
        add(1, "A", 1, b'B', 10, 5_0000),
        add(1, "A", 2, b'B', 0, 5_0000),
        cancel(1, 1, 11),
        execute(1, 1, 11, 1),
        replace(1, 1, 2, 0, 5_0000),
        directory(1, "OTHER"),
        directory(2, "A"),
        add(2, "A", 3, b'B', 1, 1),
    ] {
        let rig = with(wrong.clone());
        assert_eq!(rig.state("A"), BookState::Resyncing, "{wrong:?}");
        assert_eq!(rig.itch.desk().counts.malformed, 1);
    }
}

#[test]
fn only_what_is_wanted_is_published_and_the_book_is_there_when_it_is() {
    let desk = DeskOptions {
        venue: "nasdaq".into(),
        symbols: vec!["A".into()],
        on_demand: true,
        streams: Streams::ALL,
        ..DeskOptions::default()
    };
    let mut rig = rig_with(ItchOptions::new(Framing::Mold, desk));
    rig.binary(&packet(
        1,
        &[
            system(b'O'),
            directory(1, "A"),
            directory(2, "B"),
            add(1, "A", 1, b'B', 10, 5_0000),
            add(2, "B", 2, b'B', 10, 5_0000),
            execute(1, 1, 1, 1),
        ],
    ));
    assert_eq!(rig.news().len(), 2, "of the venue only");
    assert_eq!(rig.itch.orders().len(), 1, "others' orders are not kept");
    let symbol = rig.id("A");
    for (stream, wanted) in [(Stream::Book, true), (Stream::Trades, true), (Stream::Book, false)] {
        rig.input(Input::Demand { symbol, stream, wanted });
    }
    rig.binary(&packet(7, &[execute(1, 1, 1, 2)]));
    rig.input(Input::Demand { symbol, stream: Stream::Book, wanted: true });
    rig.binary(&packet(8, &[execute(1, 1, 1, 3)]));
    let expected = [
        "A = 9x5.0000|[]",
        "A sell 1x5.0000 2[]",
        "A = 8x5.0000|[\"gap_before\"]",
        "A up the book is right again",
        "A sell 1x5.0000 3[]",
        "A ~ 7x5.0000|[]",
    ];
    assert_eq!(rig.news(), expected);
}

#[test]
fn more_orders_than_there_is_room_for_are_told() {
    let mut options =
        ItchOptions::new(Framing::Mold, rig(Framing::Mold).itch.desk().options().clone());
    options.orders_max = 2;
    let mut rig = rig_with(options);
    let orders = (1..=3).map(|order| add(order as u16, &format!("S{order}"), order, b'B', 1, 1));
    let messages: Vec<_> = [system(b'O')].into_iter().chain(orders).collect();
    rig.binary(&packet(1, &messages));
    assert_eq!(rig.itch.orders().len(), 2);
    assert_eq!(rig.state("S2"), BookState::Verified);
    assert_eq!(rig.state("S3"), BookState::Resyncing);
    assert_eq!(reports(&rig.out).len(), 1);
}

#[test]
fn an_unreadable_order_of_a_stock_not_met_yet_is_not_forgotten() {
    let spoilt = &add(2, "BB", 1, b'B', 5, 1_000_000)[..20];
    let mut rig = rig(Framing::Mold);
    let first = [system(b'O'), directory(1, "AA"), spoilt.to_vec()];
    rig.binary(&packet(1, &first));
    let then = [add(1, "AA", 2, b'B', 5, 1_000_000), add(2, "BB", 3, b'S', 5, 1_010_000)];
    rig.binary(&packet(4, &then));
    assert_eq!((rig.state("AA"), rig.state("BB")), (BookState::Verified, BookState::Resyncing));
    // Of which stock a message of two bytes was, nobody knows.
    rig.binary(&packet(6, &[vec![b'X', 0]]));
    assert_eq!(rig.state("AA"), BookState::Resyncing);
}
