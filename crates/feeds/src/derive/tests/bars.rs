//! Bars: when they are finished, and that they are those that anybody makes of the same trades.

use std::collections::BTreeMap;

use market::Bar;
use proptest::prelude::*;

use super::*;

fn channels() -> Vec<Channel> {
    vec![channel(Kind::Status, "status.x"), channel(Kind::Trade, "trade.x.A-B.C")]
}

fn bars(derive: &Derive, out: Vec<Update>) -> Vec<(String, Bar)> {
    let named = |Update { channel, event }: Update| match event {
        Event::Bar(bar) => (derive.channels()[channel].topic.clone(), bar),
        other => panic!("{other:?}"),
    };
    out.into_iter().map(named).collect()
}

#[test]
fn a_bar_comes_with_the_next_trade_or_a_while_after_its_end() {
    let mut derive = Derive::new("x", DeriveOptions::default());
    let mut out = Vec::new();
    let add = |derive: &mut Derive, out: &mut Vec<Update>, time: Nanos| {
        let event = trade(10_000, 100, at(START + time, START + time));
        derive.update(&channels(), &Update { channel: 1, event }, out);
    };
    assert_eq!(derive.next_due(), None);
    add(&mut derive, &mut out, 0);
    add(&mut derive, &mut out, SECOND);
    let first = bars(&derive, std::mem::take(&mut out));
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].0.as_str(), first[0].1.start), ("bar-1s.x.A-B.C", START));
    // By time: a second and the grace.
    let due = START + 2 * SECOND + 500_000_000;
    derive.tick(due - 1, &mut out);
    assert!(out.is_empty());
    assert_eq!(derive.next_due(), Some(due));
    derive.tick(due, &mut out);
    let second = bars(&derive, std::mem::take(&mut out));
    assert_eq!((second[0].1.start, second[0].1.stamps.received), (START + SECOND, due));
    // The minute is still open, and ends with it too.
    let minute = START - START % (60 * SECOND) + 60 * SECOND + 500_000_000;
    assert_eq!(derive.next_due(), Some(minute));
    derive.tick(minute, &mut out);
    let third = bars(&derive, std::mem::take(&mut out));
    assert_eq!((third[0].0.as_str(), third[0].1.trades), ("bar-1m.x.A-B.C", 2));
    assert_eq!(derive.next_due(), None);
    // A trade that was later than the grace makes no bar a second time.
    add(&mut derive, &mut out, SECOND + 1);
    add(&mut derive, &mut out, 9 * SECOND);
    let late = bars(&derive, out);
    assert_eq!((late[0].1.start, late[0].1.trades), (START + 2 * SECOND, 1));
}

#[test]
fn time_is_the_venues_though_our_clock_is_another() {
    for (ours, theirs) in [(START, START + 5_000 * SECOND), (START + 5_000 * SECOND, START)] {
        let options = DeriveOptions { bars: vec![BarLength::Second], ..DeriveOptions::default() };
        let mut derive = Derive::new("x", options);
        let mut out = Vec::new();
        let event = trade(10_000, 100, at(theirs, ours));
        derive.update(&channels(), &Update { channel: 1, event }, &mut out);
        assert_eq!(derive.next_due(), Some(ours + SECOND + 500_000_000));
        derive.tick(ours + SECOND + 499_999_999, &mut out);
        assert!(out.is_empty());
        derive.tick(ours + SECOND + 500_000_000, &mut out);
        assert_eq!(bars(&derive, out)[0].1.start, theirs);
    }
}

#[test]
fn a_time_without_sense_keeps_no_trade_out_of_its_bar() {
    let mut derive = Derive::new("x", DeriveOptions::default());
    let mut out = Vec::new();
    for event in [START, START + 1_000_000 * SECOND, START + 2] {
        let event = trade(10_000, 100, at(event, START + 3));
        derive.update(&channels(), &Update { channel: 1, event }, &mut out);
    }
    derive.tick(START + 2 * SECOND, &mut out);
    assert_eq!(bars(&derive, out)[0].1.trades, 3);
}

#[test]
fn beyond_the_bound_nothing_is_derived_and_that_is_counted() {
    let options = DeriveOptions { symbols_max: 1, ..DeriveOptions::default() };
    let mut derive = Derive::new("x", options);
    let channels = [
        channel(Kind::Trade, "trade.x.A"),
        channel(Kind::Trade, "trade.x.B"),
        // Of no venue of ours.
        channel(Kind::Trade, "trade.xy.C"),
    ];
    let mut out = Vec::new();
    for second in 0..3 {
        for channel in 0..3 {
            let time = START + second * SECOND;
            let event = trade(10_000, 100, at(time, time));
            derive.update(&channels, &Update { channel, event }, &mut out);
        }
    }
    assert_eq!((out.len(), derive.refused()), (2, 1));
}

/// The bars of `length` that anybody makes of all trades: price and size by time.
fn expected(trades: &[(Nanos, i64, i64)], length: Nanos) -> Vec<(Nanos, [i64; 5], u64)> {
    let mut groups: BTreeMap<Nanos, Vec<(i64, i64)>> = BTreeMap::new();
    for (time, price, size) in trades {
        groups.entry(time / length * length).or_default().push((*price, *size));
    }
    groups
        .into_iter()
        .map(|(start, trades)| {
            let prices = || trades.iter().map(|(price, _)| *price);
            let volume = trades.iter().map(|(_, size)| size).sum();
            let [open, close] = [trades[0].0, trades[trades.len() - 1].0];
            let (high, low) = (prices().max().unwrap(), prices().min().unwrap());
            (start, [open, high, low, close, volume], trades.len() as u64)
        })
        .collect()
}

proptest! {
    #[test]
    fn bars_are_those_that_anybody_makes_of_the_trades(
        steps in prop::collection::vec((0u64..1_500, 9_000i64..11_000, 1i64..500, 0u64..400), 1..200),
        behind in -3_000i64..3_000,
        each in 1u64..700,
    ) {
        let mut derive = Derive::new("x", DeriveOptions::default());
        let (mut out, mut trades) = (Vec::new(), Vec::new());
        let (mut time, mut clock) = (START, 0);
        let milli = 1_000_000;
        let here = |time: Nanos| time.checked_add_signed(behind * 1_000_000).unwrap();
        for (pause, price, size, delay) in steps {
            time += pause * milli;
            trades.push((time, price, size));
            // Messages come in order, each after a while on its way that is below the grace.
            let received = (here(time) + delay * milli).max(clock);
            while clock < received {
                // The owner may look at any time, not only when it is due.
                clock = if clock == 0 { received } else { (clock + each * milli).min(received) };
                derive.tick(clock, &mut out);
            }
            let update = Update { channel: 1, event: trade(price, size, at(time, received)) };
            derive.update(&channels(), &update, &mut out);
        }
        while let Some(due) = derive.next_due() {
            derive.tick(due, &mut out);
        }
        let bars = bars(&derive, out);
        for length in BarLength::ALL {
            let made: Vec<_> = bars
                .iter()
                .filter(|(topic, _)| topic.starts_with(length.prefix()))
                .map(|(_, bar)| {
                    assert_eq!(bar.stamps.event, Some(bar.start + length.nanos()));
                    let numbers = [bar.open, bar.high, bar.low, bar.close, bar.volume];
                    (bar.start, numbers, bar.trades)
                })
                .collect();
            let expected: Vec<_> = expected(&trades, length.nanos())
                .into_iter()
                .map(|(start, numbers, count)| (start, numbers.map(decimal), count))
                .collect();
            prop_assert_eq!(made, expected);
        }
    }

    #[test]
    fn in_whatever_order_trades_come_each_is_in_one_bar_and_no_bar_comes_twice(
        steps in prop::collection::vec((0u64..100_000, 0u64..100_000, 0u64..4_000), 1..100),
    ) {
        let mut derive = Derive::new("x", DeriveOptions::default());
        let mut out = Vec::new();
        for (event, received, pause) in &steps {
            let stamps = at(START + event * 1_000_000, START + received * 1_000_000);
            let update = Update { channel: 1, event: trade(10_000, 1, stamps) };
            derive.update(&channels(), &update, &mut out);
            derive.tick(stamps.received + pause * 1_000_000, &mut out);
        }
        while let Some(due) = derive.next_due() {
            derive.tick(due, &mut out);
        }
        let bars = bars(&derive, out);
        for length in BarLength::ALL {
            let made = bars.iter().filter(|(topic, _)| topic.starts_with(length.prefix()));
            let starts: Vec<Nanos> = made.clone().map(|(_, bar)| bar.start).collect();
            prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", starts);
            let trades: u64 = made.map(|(_, bar)| bar.trades).sum();
            prop_assert_eq!(trades, steps.len() as u64);
        }
    }
}
