//! Books against a naive one: random streams, mutated bytes, and what a message allocates.

use std::collections::BTreeMap;

use market::Book;
use proptest::prelude::*;

use super::*;
use crate::adapter::Stream;

/// A book as anybody would write it: a list of orders, summed up when asked.
#[derive(Debug, Default, Clone)]
struct Naive(BTreeMap<u64, (u16, u8, u32, u32)>);

impl Naive {
    /// Levels of a side, best first, as text.
    fn levels(&self, locate: u16, side: u8) -> Vec<String> {
        let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
        for &(_, _, shares, price) in self.0.values().filter(|o| o.0 == locate && o.1 == side) {
            *sums.entry(price).or_default() += u64::from(shares);
        }
        let mut levels: Vec<_> = sums.into_iter().collect();
        if side == b'B' {
            levels.reverse();
        }
        let text = |(price, shares)| format!("{shares}x{}.{:04}", price / 10_000, price % 10_000);
        levels.into_iter().map(text).collect()
    }
}

fn levels(book: &Book, side: BookSide) -> Vec<String> {
    book.levels(side).map(|level| format!("{}x{}", level.size, level.price)).collect()
}

/// What to do with which of the live orders.
#[derive(Debug, Clone)]
enum Step {
    Add { stock: u16, bid: bool, shares: u32, price: u32 },
    Reduce { which: usize, shares: u32, execute: bool },
    Delete { which: usize },
    Replace { which: usize, shares: u32, price: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let shares = prop_oneof![1u32..500, Just(u32::MAX)];
    let step = prop_oneof![
        4 => (1u16..4, any::<bool>(), shares.clone(), 0u32..30)
            .prop_map(|(stock, bid, shares, price)| Step::Add { stock, bid, shares, price }),
        2 => (any::<usize>(), 1u32..400, any::<bool>())
            .prop_map(|(which, shares, execute)| Step::Reduce { which, shares, execute }),
        2 => any::<usize>().prop_map(|which| Step::Delete { which }),
        1 => (any::<usize>(), shares, 0u32..30)
            .prop_map(|(which, shares, price)| Step::Replace { which, shares, price }),
    ];
    proptest::collection::vec(step, 0..200)
}

/// The messages of a valid day, and the naive book after each; bids are below offers.
fn play(steps: &[Step]) -> Vec<(Vec<u8>, Naive)> {
    let price_of =
        |side: u8, price: u32| if side == b'B' { 10_000 + price } else { 10_100 + price };
    let mut naive = Naive::default();
    let mut next = 1u64;
    let mut played = vec![(system(b'O'), naive.clone())];
    played.extend((1..4).map(|stock| (directory(stock, &format!("S{stock}")), naive.clone())));
    for step in steps {
        let pick = |which: usize| {
            let at = which.checked_rem(naive.0.len())?;
            naive.0.iter().nth(at).map(|(&order, &held)| (order, held))
        };
        let message = match *step {
            Step::Add { stock, bid, shares, price } => {
                let side = if bid { b'B' } else { b'S' };
                let price = price_of(side, price);
                next += 1;
                naive.0.insert(next, (stock, side, shares, price));
                add(stock, &format!("S{stock}"), next, side, shares, price)
            }
            Step::Reduce { which, shares, execute: executed } => {
                let Some((order, (stock, side, held, price))) = pick(which) else { continue };
                let shares = shares.min(held);
                if shares == held {
                    naive.0.remove(&order);
                } else {
                    naive.0.insert(order, (stock, side, held - shares, price));
                }
                if executed {
                    execute(stock, order, shares, 1)
                } else {
                    cancel(stock, order, shares)
                }
            }
            Step::Delete { which } => {
                let Some((order, (stock, ..))) = pick(which) else { continue };
                naive.0.remove(&order);
                delete(stock, order)
            }
            Step::Replace { which, shares, price } => {
                let Some((order, (stock, side, ..))) = pick(which) else { continue };
                let price = price_of(side, price);
                next += 1;
                naive.0.remove(&order);
                naive.0.insert(next, (stock, side, shares, price));
                replace(stock, order, next, shares, price)
            }
        };
        played.push((message, naive.clone()));
    }
    played
}

/// Every verified book is the naive one.
fn is_right(rig: &Rig, naive: &Naive) -> Result<(), TestCaseError> {
    for (_, symbol) in rig.itch.desk().symbols() {
        let locate: u16 = symbol.native[1..].parse().unwrap();
        if symbol.state() != BookState::Verified {
            continue;
        }
        for (letter, side) in [(b'B', BookSide::Bid), (b'S', BookSide::Ask)] {
            prop_assert_eq!(levels(symbol.book(), side), naive.levels(locate, letter));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_valid_day_leads_to_the_naive_book(steps in steps()) {
        let mut rig = rig(Framing::Mold);
        for (at, (message, naive)) in play(&steps).into_iter().enumerate() {
            rig.binary(&packet(at as u64 + 1, &[message]));
            is_right(&rig, &naive)?;
            prop_assert_eq!(rig.itch.orders().len(), naive.0.len());
        }
        let counts = rig.itch.desk().counts;
        prop_assert_eq!((counts.malformed, counts.unknown), (0, 0));
        for (_, symbol) in rig.itch.desk().symbols() {
            prop_assert!(symbol.counts.snapshots == 0 || symbol.state() == BookState::Verified);
        }
    }

    /// Whatever is dropped, doubled or swapped on the way: a verified book is the true one.
    #[test]
    fn no_loss_leaves_a_verified_book_that_is_wrong(
        steps in steps(),
        faults in proptest::collection::vec((0usize..3, 0usize..200), 0..6),
    ) {
        let day = play(&steps);
        let mut order: Vec<usize> = (0..day.len()).collect();
        for (fault, at) in faults {
            let at = at % order.len();
            match fault {
                0 if order.len() > 1 => drop(order.remove(at)),
                1 => order.insert(at, order[at]),
                _ => {
                    let next = (at + 1) % order.len();
                    order.swap(at, next);
                }
            }
        }
        let mut rig = rig(Framing::Mold);
        for &at in &order {
            rig.binary(&packet(at as u64 + 1, &[day[at].0.clone()]));
        }
        rig.itch.finish(NOW, &mut rig.out);
        // What came first is where it began; all up to the first hole was taken in order.
        let reached = (order[0]..).take_while(|at| order.contains(at)).last().unwrap_or(0);
        let whole = order[0] == 0 && order.iter().all(|&at| at <= reached);
        if whole {
            is_right(&rig, &day[reached].1)?;
        } else {
            let verified = |state| state == BookState::Verified;
            prop_assert!(!rig.itch.desk().symbols().any(|(_, symbol)| verified(symbol.state())));
        }
        prop_assert_eq!(rig.itch.counts().lost > 0, order.iter().any(|&at| at > reached));
    }

    #[test]
    fn mutated_messages_never_panic(
        steps in steps(),
        mutations in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..20),
        framing in prop_oneof![Just(Framing::BinaryFile), Just(Framing::Mold), Just(Framing::Soup)],
        cut in 1usize..300,
    ) {
        let messages: Vec<Vec<u8>> = play(&steps).into_iter().map(|(message, _)| message).collect();
        let mut bytes = match framing {
            Framing::Mold => packet(1, &messages),
            Framing::BinaryFile | Framing::Soup => file(&messages),
        };
        for (at, byte) in mutations {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let mut rig = rig(framing);
        rig.input(Input::Connected);
        match framing {
            Framing::Mold => rig.binary(&bytes),
            Framing::BinaryFile | Framing::Soup => bytes.chunks(cut).for_each(|c| rig.binary(c)),
        }
        // Each message of its own too, so that one wrong length does not hide all others.
        for message in bytes.chunks(36) {
            rig.binary(&packet(1, &[message.to_vec()]));
        }
        rig.input(Input::Timer);
        rig.input(Input::Disconnected { reason: "over" });
        rig.itch.finish(NOW, &mut rig.out);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        inputs in proptest::collection::vec(any::<Vec<u8>>(), 0..9),
        types in proptest::collection::vec(any::<u8>(), 9),
        known in proptest::collection::vec(0usize..23, 9),
    ) {
        let kinds = b"SRHYLVWKJhAFECXDUPQBINO";
        for framing in [Framing::BinaryFile, Framing::Mold, Framing::Soup] {
            let mut rig = rig(framing);
            rig.input(Input::Connected);
            for ((bytes, kind), known) in inputs.iter().zip(&types).zip(&known) {
                rig.binary(bytes);
                // As a message of a type, of its own length.
                let mut message = bytes.clone();
                message.resize(message::length(kinds[*known]).unwrap(), *kind);
                message[0] = kinds[*known];
                rig.binary(&packet(1, &[message.clone()]));
                rig.binary(&file(&[message]));
                rig.input(Input::Text(bytes));
                rig.input(Input::Timer);
            }
        }
    }
}

#[test]
fn a_message_allocates_what_its_event_holds_and_nothing_else() {
    let mut rig = rig(Framing::BinaryFile);
    let orders =
        (1..=1_000u64).map(|order| add(1, "A", order, b'B', 1_000, 10_000 + order as u32 % 50));
    let start = [system(b'O'), directory(1, "A"), hidden(1, "A", b'B', 5, 9_9900)];
    let messages: Vec<_> = start.into_iter().chain(orders).collect();
    rig.binary(&file(&messages));
    // A change of the book has its list of levels, a trade nothing.
    let changes: Vec<_> = (1..=900u64).map(|order| execute(1, order, 10, 1 << 40)).collect();
    let hidden: Vec<_> = (1..=900).map(|_| hidden(1, "A", b'B', 5, 9_9900)).collect();
    for (messages, each) in [(changes, 1), (hidden, 0)] {
        let bytes = file(&messages);
        rig.out = Output { updates: Vec::with_capacity(4_000), ..Output::default() };
        let counted = allocation_counter::measure(|| rig.binary(&bytes));
        assert_eq!(counted.count_total, each * 900, "{counted:?}");
    }
    // Without anybody who wants to know, an order costs nothing but its place.
    let wanted = |wanted| Input::Demand { symbol: SymbolId(0), stream: Stream::Book, wanted };
    rig.input(wanted(false));
    let cancels: Vec<_> = (1..=900u64).map(|order| cancel(1, order, 10)).collect();
    let bytes = file(&cancels);
    let counted = allocation_counter::measure(|| rig.binary(&bytes));
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

/// A million live orders of 8,000 stocks, with half as many levels, held by the order book alone,
/// and by an adapter that publishes all of it, whose desk holds the levels once more.
#[test]
fn a_live_order_costs_less_than_150_bytes() {
    const ORDERS: u64 = 1_000_000;
    let place = |order: u64| {
        // Scattered, and the same each time.
        let mixed = order.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let side = if mixed & 1 == 0 { BookSide::Bid } else { BookSide::Ask };
        let base = if side == BookSide::Bid { 100_0000 } else { 101_0000 };
        (((mixed >> 1) % 8_000) as u16 + 1, side, base + (mixed / 16_000 % 36) as u32 * 100)
    };
    let mut book = OrderBook::default();
    let counted = allocation_counter::measure(|| {
        for order in 1..=ORDERS {
            let (locate, side, price) = place(order);
            book.add(order, Order { price, shares: 100, locate, side }).unwrap();
        }
    });
    let alone = counted.bytes_current as u64 / ORDERS;
    let sides = [BookSide::Bid, BookSide::Ask];
    let of = |locate: u16| sides.map(|side| book.levels(locate, side).len()).iter().sum::<usize>();
    let levels: usize = (1..=8_000).map(of).sum();
    assert!((400_000..600_000).contains(&levels), "{levels} levels");
    assert!(alone < 75, "{alone} B an order");
    assert!(counted.bytes_max / ORDERS < 150, "{counted:?}");

    let mut rig = rig(Framing::BinaryFile);
    let (itch, out) = (&mut rig.itch, &mut rig.out);
    let counted = allocation_counter::measure(|| {
        itch.handle(Input::Binary(&file(&[system(b'O')])), NOW, out);
        for order in 1..=ORDERS {
            let (locate, side, price) = place(order);
            let letter = if side == BookSide::Bid { b'B' } else { b'S' };
            let stock = format!("S{locate}");
            let message = add(locate, &stock, order, letter, 100, price);
            itch.handle(Input::Binary(&file(&[message])), NOW, out);
            out.updates.clear();
        }
    });
    let whole = counted.bytes_current as u64 / ORDERS;
    assert_eq!(rig.itch.orders().len() as u64, ORDERS);
    assert!(whole < 150, "{whole} B an order with all that is published");
    println!("{alone} B a live order in the book, {whole} B with the desk; {levels} levels");
}
