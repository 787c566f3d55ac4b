//! Many subscribers of many topics at once, smaller than the benchmark, with each event followed.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Broker, Follower, trade, within};

const SUBSCRIBERS: usize = 500;
const TOPICS: usize = 60;
const EACH: usize = 3;
/// Events of each topic.
const EVENTS: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_subscribers_of_sixty_topics_lose_nothing() {
    let broker = Arc::new(Broker::start().await);
    let names: Arc<Vec<String>> = Arc::new((0..TOPICS).map(|n| format!("trade.x.S{n}")).collect());
    let mut subscribers = JoinSet::new();
    for number in 0..SUBSCRIBERS {
        let mut client = match number % 5 {
            0 => broker.msgpack_client().await,
            _ => broker.client().await,
        };
        let chosen: Vec<&str> =
            (0..EACH).map(|n| names[(number * 7 + n * 19) % TOPICS].as_str()).collect();
        let answer = client.subscribe(&chosen).await;
        let mut followers: Vec<_> =
            answer.as_array().unwrap().iter().map(Follower::subscribed).collect();
        subscribers.spawn(async move {
            while followers.iter().any(|follower| follower.seq < EVENTS) {
                let message = client.next().await;
                assert!(followers.iter_mut().any(|f| f.take(&message)), "{message}");
            }
            client.assert_silence().await;
            assert!(followers.iter().all(|f| f.merged == 0 && f.gaps.is_empty()));
        });
    }
    let mut publishers = JoinSet::new();
    for part in 0..3 {
        let (broker, names) = (Arc::clone(&broker), Arc::clone(&names));
        publishers.spawn(async move {
            let mut client = broker.client().await;
            for n in 1..=EVENTS {
                for name in names.iter().skip(part).step_by(3) {
                    client.tell(name, trade(n)).await;
                }
                client.all_until_now().await;
            }
        });
    }
    within("end of publishing", publishers.join_all()).await;
    within("end of following", subscribers.join_all()).await;
    let ledger = broker.ledger().await;
    ledger.assert_balance();
    let due = (SUBSCRIBERS * EACH) as u64 * EVENTS;
    assert_eq!((ledger.published, ledger.delivered), (due, due), "{ledger:?}");
    assert_eq!(json!([ledger.merged, ledger.dropped, ledger.pending]), json!([0, 0, 0]));
}
