//! The registry: numbering from many threads, what is kept and forgotten, who makes room for whom.

#![expect(clippy::unwrap_used, reason = "a test's own names and events are good")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use market::{BookDiff, Decimal, Event, Quote, QuoteSide, Stamps};
use topics::{
    Form, HistoryLimits, Mailbox, Pattern, Published, Registry, RegistryLimits, ShardId, Topic,
    TopicName,
};
use wire::command::Command;
use wire::{Code, Codec, CommandReader, JsonText, Payload};

const SHARD: fn() -> ShardId = || ShardId::new(0);
const SECOND: u64 = 1_000_000_000;

fn registry(limits: RegistryLimits) -> Registry {
    Registry::new(limits, 7, vec![Mailbox::new(|| {}), Mailbox::new(|| {})])
}

fn with_history(history: HistoryLimits) -> Registry {
    registry(RegistryLimits { history, ..RegistryLimits::default() })
}

fn name(text: &str) -> TopicName {
    TopicName::parse(text).unwrap()
}

fn text(data: &str) -> JsonText {
    let command = format!(r#"{{"op":"publish","topic":"x","data":{data}}}"#);
    CommandReader::new(1).read(Codec::Json, command.as_bytes(), |command| match command {
        Ok(Command::Publish { data, .. }) => data.opaque(),
        other => panic!("{other:?}"),
    })
}

fn json(data: &str) -> Payload {
    Payload::Json(text(data))
}

fn quote() -> Payload {
    let side = QuoteSide { price: Decimal::ZERO, size: Decimal::ZERO };
    Payload::Market(Event::Quote(Quote { bid: Some(side), ask: None, stamps: Stamps::default() }))
}

fn diff() -> Payload {
    Payload::Market(Event::Book(BookDiff::default()))
}

fn publish(registry: &Registry, topic: &str, payload: Payload, now: u64) -> Published {
    let mut topic = registry.resolve(topic).unwrap();
    registry.publish(&mut topic, payload, now).unwrap()
}

/// First and last event held.
fn held(topic: &Topic) -> (u64, u64) {
    let log = topic.log();
    (log.oldest(), log.head())
}

#[test]
fn numbers_from_many_publishers_are_contiguous_and_readers_see_them_in_order() {
    const PUBLISHERS: u64 = 4;
    const EVENTS: u64 = 3_000;
    let registry = with_history(HistoryLimits { events: 100_000, ..HistoryLimits::default() });
    let topic = registry.watch(SHARD(), &name("chat.x")).unwrap();
    let done = AtomicBool::new(false);
    let mut numbers = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // As a shard reads: told by the mailbox, from where it left off.
            let (mut position, mut moved) = (0, Vec::new());
            loop {
                let last = done.load(Ordering::SeqCst);
                registry.mailbox(SHARD()).take(&mut moved);
                for topic in moved.drain(..) {
                    let mut log = topic.log_for(SHARD());
                    assert!(log.oldest() <= position + 1);
                    let before = log.bytes();
                    for seq in position + 1..=log.head() {
                        let mut frame = Vec::new();
                        log.append_event(&topic, seq, Codec::Json, &mut frame);
                        let told = format!(r#""seq":{seq},"#);
                        assert!(std::str::from_utf8(&frame[2..]).unwrap().contains(&told));
                    }
                    position = log.head();
                    registry.account(before, log.bytes());
                }
                if last {
                    return position;
                }
            }
        });
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| {
                scope.spawn(|| {
                    let numbers =
                        (0..EVENTS).map(|_| publish(&registry, "chat.x", json("1"), 1).seq);
                    let numbers: Vec<_> = numbers.collect();
                    assert!(numbers.is_sorted());
                    numbers
                })
            })
            .collect();
        let numbers: Vec<_> =
            publishers.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect();
        done.store(true, Ordering::SeqCst);
        assert_eq!(reader.join().unwrap(), PUBLISHERS * EVENTS, "nothing stays unannounced");
        numbers
    });
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=PUBLISHERS * EVENTS));
    assert_eq!(held(&topic), (1, PUBLISHERS * EVENTS));
    assert_eq!(registry.history_bytes(), topic.log().bytes());
}

#[test]
fn a_shard_is_told_once_until_it_looks() {
    let registry = registry(RegistryLimits::default());
    registry.watch(SHARD(), &name("chat.x")).unwrap();
    for _ in 0..3 {
        publish(&registry, "chat.x", json("1"), 1);
    }
    let mut moved = Vec::new();
    registry.mailbox(SHARD()).take(&mut moved);
    assert_eq!(moved.len(), 1);
    assert!(registry.mailbox(ShardId::new(1)).is_empty(), "it has no subscriber");
    drop(moved[0].log_for(SHARD()));
    publish(&registry, "chat.x", json("1"), 1);
    assert!(!registry.mailbox(SHARD()).is_empty());
}

#[test]
fn a_history_is_bounded_by_events() {
    let limits = HistoryLimits { events: 5, merging_events: 3, ..HistoryLimits::default() };
    let registry = with_history(limits);
    for _ in 0..9 {
        publish(&registry, "chat.x", json("1"), 1);
        publish(&registry, "book.v.x", diff(), 1);
    }
    assert_eq!(held(&registry.get("chat.x").unwrap()), (5, 9));
    assert_eq!(held(&registry.get("book.v.x").unwrap()), (7, 9));
}

#[test]
fn what_the_next_event_stands_for_is_kept_only_until_every_shard_has_read_it() {
    let limits = HistoryLimits { merging_events: 3, ..HistoryLimits::default() };
    let registry = with_history(limits);
    let publish = |times| {
        for _ in 0..times {
            publish(&registry, "quote.v.x", quote(), 1);
        }
    };
    publish(4);
    let topic = registry.get("quote.v.x").unwrap();
    assert_eq!(held(&topic), (4, 4), "nobody is to read it");
    registry.watch(SHARD(), topic.name()).unwrap();
    publish(2);
    assert_eq!(held(&topic), (5, 6), "what was there before the shard came is not for it");
    publish(9);
    assert_eq!(held(&topic), (13, 15), "a shard that does not read bounds nothing");
    drop(topic.log_for(SHARD()));
    publish(1);
    assert_eq!(held(&topic), (16, 16));
    assert_eq!(registry.history_bytes(), topic.log().bytes());
}

#[test]
fn a_history_is_bounded_by_bytes_frames_included_but_holds_the_newest() {
    let limits = HistoryLimits { bytes: 4_000, ..HistoryLimits::default() };
    let registry = with_history(limits);
    let kilobyte = format!("\"{}\"", "x".repeat(1_000));
    for _ in 0..10 {
        publish(&registry, "chat.x", json(&kilobyte), 1);
    }
    let topic = registry.get("chat.x").unwrap();
    let (oldest, head) = held(&topic);
    assert!(topic.log().bytes() <= 4_000 && oldest > 6);
    for seq in oldest..=head {
        topic.log().append_event(&topic, seq, Codec::Json, &mut Vec::new());
    }
    publish(&registry, "chat.x", json(&kilobyte), 1);
    assert!(held(&topic).0 > oldest + 1, "the frames count too");
    publish(&registry, "chat.x", json(&format!("\"{}\"", "x".repeat(9_000))), 1);
    assert_eq!(held(&topic), (12, 12));
}

#[test]
fn a_history_is_bounded_by_age() {
    let limits = HistoryLimits { age: 10 * SECOND, ..HistoryLimits::default() };
    let registry = with_history(limits);
    for second in 0..5 {
        publish(&registry, "chat.x", json("1"), second * SECOND);
        publish(&registry, "quote.v.x", quote(), second * SECOND);
    }
    registry.watch(SHARD(), &name("chat.x")).unwrap();
    assert_eq!(registry.sweep(12 * SECOND), 0);
    assert_eq!(held(&registry.get("chat.x").unwrap()), (3, 5));
    registry.sweep(100 * SECOND);
    assert_eq!(held(&registry.get("chat.x").unwrap()), (6, 5), "even the newest grows old");
    assert_eq!(held(&registry.get("quote.v.x").unwrap()), (5, 5), "but the state stays");
}

#[test]
fn over_all_topics_the_oldest_events_go_first_and_the_state_of_merging_topics_stays() {
    let limits = RegistryLimits { history_bytes: 40_000, ..RegistryLimits::default() };
    let registry = registry(limits);
    let kilobyte = format!("\"{}\"", "x".repeat(1_000));
    for time in 0..30 {
        let topic = format!("chat.{}", time % 3);
        publish(&registry, &topic, json(&kilobyte), time);
    }
    for time in 30..300 {
        publish(&registry, &format!("book.v.{}", time % 3), diff(), time);
    }
    assert!(registry.is_over_budget());
    registry.sweep(300);
    assert!(!registry.is_over_budget());
    // What is held is one run at the end of time.
    let chats = [0, 1, 2].map(|n| held(&registry.get(&format!("chat.{n}")).unwrap()));
    let oldest: Vec<u64> = chats.iter().map(|(oldest, _)| *oldest).collect();
    assert!(oldest.iter().max().unwrap() - oldest.iter().min().unwrap() <= 1, "{chats:?}");
    let left: usize = registry
        .matching(&Pattern::parse(">").unwrap())
        .iter()
        .map(|info| info.topic.log().bytes())
        .sum();
    assert_eq!(registry.history_bytes(), left);
}

#[test]
fn quiet_states_do_not_keep_the_rest_from_making_room() {
    let limits = RegistryLimits { history_bytes: 50_000, ..RegistryLimits::default() };
    let registry = registry(limits);
    // Two hundred states, old and never to be forgotten, then a stream of events.
    for number in 0..200 {
        publish(&registry, &format!("quote.v.{number}"), quote(), number);
    }
    let states = registry.history_bytes();
    assert!(states < 40_000, "{states}");
    for time in 1_000..1_200 {
        publish(&registry, "chat.x", json("\"some text or other\""), time);
    }
    assert!(registry.is_over_budget());
    registry.sweep(2_000);
    assert!(!registry.is_over_budget(), "{} bytes", registry.history_bytes());
    for number in 0..200 {
        assert_eq!(registry.get(&format!("quote.v.{number}")).unwrap().log().len(), 1);
    }
}

#[test]
fn numbering_goes_on_after_a_topic_was_retired() {
    let registry = with_history(HistoryLimits { age: SECOND, ..HistoryLimits::default() });
    let mut kept = registry.resolve("chat.x").unwrap();
    for _ in 0..3 {
        registry.publish(&mut kept, json("1"), 0).unwrap();
    }
    assert_eq!(registry.sweep(10 * SECOND), 1);
    assert!(registry.is_empty() && registry.get("chat.x").is_none());
    assert_eq!(registry.history_bytes(), 0);
    let old = std::sync::Arc::clone(&kept);
    let published = registry.publish(&mut kept, json("1"), 20 * SECOND).unwrap();
    assert_eq!(published, Published { epoch: 7, seq: 4 });
    assert!(!std::sync::Arc::ptr_eq(&kept, &old), "the publisher was given its successor");
    assert_eq!((kept.start(), held(&kept)), (3, (4, 4)));
}

#[test]
fn a_topic_with_a_subscriber_or_with_a_state_is_not_retired() {
    let registry = with_history(HistoryLimits { age: SECOND, ..HistoryLimits::default() });
    let watched = registry.watch(SHARD(), &name("chat.x")).unwrap();
    let covered = Pattern::parse("news.*").unwrap();
    assert!(registry.watch_pattern(SHARD(), &covered).is_empty());
    publish(&registry, "chat.x", json("1"), 0);
    publish(&registry, "news.x", json("1"), 0);
    publish(&registry, "quote.v.x", quote(), 0);
    assert_eq!(registry.sweep(10 * SECOND), 0);
    registry.unwatch(SHARD(), &watched);
    assert_eq!(registry.sweep(10 * SECOND), 1);
    assert!(registry.get("news.x").is_some() && registry.get("quote.v.x").is_some());
}

#[test]
fn topics_are_limited_and_those_without_an_event_to_half() {
    let registry = registry(RegistryLimits { topics: 6, ..RegistryLimits::default() });
    for number in 0..3 {
        registry.watch(SHARD(), &name(&format!("chat.{number}"))).unwrap();
    }
    let refused = registry.watch(SHARD(), &name("chat.3")).unwrap_err();
    assert_eq!(refused.code, Code::TooMany);
    assert!(refused.message.contains("chat.3") && refused.message.contains("at most 6"));
    // An event makes room: the topic counts among the others then.
    publish(&registry, "chat.0", json("1"), 1);
    registry.watch(SHARD(), &name("chat.3")).unwrap();
    publish(&registry, "chat.4", json("1"), 1);
    publish(&registry, "chat.5", json("1"), 1);
    let full = registry.resolve("chat.6").unwrap_err();
    assert_eq!(full.code, Code::TooMany);
    registry.watch(SHARD(), &name("chat.5")).unwrap();
}

#[test]
fn a_topic_without_events_goes_with_its_last_subscriber() {
    let registry = registry(RegistryLimits { topics: 2, ..RegistryLimits::default() });
    let [one, two] = [0, 1].map(ShardId::new);
    for _ in 0..5 {
        let topic = registry.watch(one, &name("chat.x")).unwrap();
        registry.watch(two, &name("chat.x")).unwrap();
        registry.unwatch(one, &topic);
        assert!(registry.get("chat.x").is_some());
        registry.unwatch(two, &topic);
        assert!(registry.is_empty());
    }
}

#[test]
fn interest_that_came_with_a_pattern_goes_with_it() {
    let registry = registry(RegistryLimits::default());
    let [one, two] = [0, 1].map(ShardId::new);
    let pattern = Pattern::parse("chat.*").unwrap();
    assert!(registry.watch_pattern(one, &pattern).is_empty());
    let topic = registry.watch(two, &name("chat.x")).unwrap();
    registry.unwatch(two, &topic);
    assert!(registry.get("chat.x").is_some(), "the pattern of shard one covers it");
    for topic in registry.unwatch_pattern(one, &pattern, |_| false) {
        registry.unwatch(one, &topic);
    }
    assert!(registry.is_empty());
}

#[test]
fn an_event_that_is_refused_leaves_no_topic_behind() {
    let limits = HistoryLimits { book_levels: 1, ..HistoryLimits::default() };
    let registry = with_history(limits);
    let mut topic = registry.resolve("book.v.x").unwrap();
    let level = |price| market::Level {
        price: Decimal::new(price, 0).unwrap(),
        size: Decimal::new(1, 0).unwrap(),
    };
    let diff = market::BookDiff { bids: vec![level(1), level(2)], ..Default::default() };
    let event = Payload::Market(Event::Book(diff));
    let refused = registry.publish(&mut topic, event, 1).unwrap_err();
    assert_eq!(refused.code, Code::BadData);
    assert!(registry.is_empty());
    // Nor does one that was opened by a publisher that never came back.
    registry.resolve("chat.x").unwrap();
    registry.sweep(1);
    assert!(registry.is_empty());
}

#[test]
fn a_new_topic_is_announced_to_all_shards_whose_patterns_cover_it() {
    let registry = registry(RegistryLimits::default());
    let [one, two] = [0, 1].map(ShardId::new);
    let _covered = registry.watch_pattern(one, &Pattern::parse("chat.>").unwrap());
    let _covered = registry.watch_pattern(two, &Pattern::parse("news.>").unwrap());
    publish(&registry, "chat.x", json("1"), 1);
    let mut moved = Vec::new();
    registry.mailbox(one).take(&mut moved);
    assert_eq!(moved[0].name().as_str(), "chat.x");
    assert!(registry.mailbox(two).is_empty());
}

#[test]
fn a_merge_is_the_latest_whatever_the_history_still_holds() {
    let registry = with_history(HistoryLimits { merging_events: 1, ..HistoryLimits::default() });
    for _ in 0..5 {
        publish(&registry, "quote.v.x", quote(), 1);
    }
    let topic: Arc<Topic> = registry.get("quote.v.x").unwrap();
    let mut frame = Vec::new();
    let merged = topic.log().append_merged(&topic, 2, Codec::Json, Form::Shortest, &mut frame);
    assert_eq!(merged, topics::Merged::Event);
    let text = std::str::from_utf8(&frame[4..]).unwrap();
    assert!(text.contains(r#""from":2,"merged":4"#), "{text}");
}

#[test]
fn of_the_best_of_all_venues_only_the_latest_counts() {
    let registry = registry(RegistryLimits::default());
    publish(&registry, "nbbo.BTC-USD", json("1"), 1);
    publish(&registry, "nbbos.BTC-USD", json("1"), 1);
    let merging = |text| registry.merging(&name(text));
    assert_eq!(merging("nbbo.BTC-USD"), topics::Merging::Latest);
    assert_eq!(merging("nbbos.BTC-USD"), topics::Merging::Never);
    assert_eq!(registry.resolve("nbbo.BTC-USD").unwrap().merging(), topics::Merging::Latest);
    assert!(registry.may_merge(&Pattern::parse("nbbo.>").unwrap()));
}

#[test]
fn a_name_is_wanted_by_itself_or_through_a_pattern_whether_it_exists_or_not() {
    let registry = registry(RegistryLimits::default());
    let (one, two) = (ShardId::new(0), ShardId::new(1));
    let trade = name("trade.v.A");
    let mut changes = registry.interest_changes();
    let mut changed = |registry: &Registry| {
        let before = std::mem::replace(&mut changes, registry.interest_changes());
        before != changes
    };
    assert!(!registry.is_wanted(&trade));
    let topic = registry.watch(one, &trade).unwrap();
    assert!(registry.is_wanted(&trade) && changed(&registry));
    registry.unwatch(one, &topic);
    assert!(!registry.is_wanted(&trade) && changed(&registry));

    let pattern = Pattern::parse("trade.v.*").unwrap();
    assert!(registry.watch_pattern(two, &pattern).is_empty());
    assert!(registry.get("trade.v.A").is_none(), "nobody published to it");
    assert!(registry.is_wanted(&trade) && changed(&registry));
    assert!(!registry.is_wanted(&name("quote.v.A")));
    publish(&registry, "trade.v.A", json("1"), 1);
    assert!(registry.is_wanted(&trade), "now that it exists too");
    for topic in registry.unwatch_pattern(two, &pattern, |_| false) {
        registry.unwatch(two, &topic);
    }
    assert!(!registry.is_wanted(&trade) && changed(&registry));
    publish(&registry, "trade.v.A", json("2"), 2);
    assert!(!changed(&registry), "events are nobody's interest");
}
