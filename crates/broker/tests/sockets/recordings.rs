//! `tickwire record` and `tickwire replay` against running brokers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use feeds::recording::{Entry, Frames, Tail, pack};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::harness::{Broker, Client, book, quote, run, trade, within};

const SYNCED_WITHIN: Duration = Duration::from_secs(180);

/// A recording of its own for each test, which is not there yet.
fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recordings");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}-{}", std::process::id()));
    drop(std::fs::remove_file(&path));
    path
}

/// A recorder that runs, and is subscribed.
async fn recorder(broker: &Broker, topics: &str, path: &Path, more: &[&str]) -> Child {
    let url = format!("ws://{}/ws", broker.address());
    let before = broker.metric("tickwire_subscriptions").await;
    let child = Command::new(env!("CARGO_BIN_EXE_tickwire"))
        .args(["record", "--topics", topics, "--url", &url, "--out"])
        .arg(path)
        .args(more)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    broker.until("tickwire_subscriptions", |now| now > before).await;
    child
}

/// Waits for a recorder that ends by itself.
async fn ended(child: Child) -> Output {
    // It ends when its file is on the disk, which a disk that is busy with a build takes its time
    // for.
    let output = tokio::time::timeout(SYNCED_WITHIN, child.wait_with_output());
    let output = output.await.expect("the recorder does not end").unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

async fn replay(broker: &Broker, path: &Path, more: &[&str]) -> Output {
    let url = format!("ws://{}/ws", broker.address());
    let arguments = [&["replay", path.to_str().unwrap(), "--to", &url], more].concat();
    run(&arguments).await
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of a recording after its header.
fn lines(path: &Path) -> Vec<String> {
    let frames: Vec<_> =
        Frames::new(File::open(path).unwrap()).map(|frame| frame.unwrap().text).collect();
    frames.concat().lines().skip(1).map(str::to_owned).collect()
}

/// The data of each topic's events, byte for byte. Between topics there is no order.
fn data(path: &Path) -> BTreeMap<String, Vec<String>> {
    let mut topics: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines(path) {
        match Entry::parse(&line).unwrap() {
            Entry::Event { topic, data, .. } | Entry::Snapshot { topic, data, .. } => {
                topics.entry(topic.into_owned()).or_default().push(data.to_owned());
            }
            other => panic!("{other:?}"),
        }
    }
    topics
}

/// What of data a replay must not change.
fn without_marks(data: &str) -> Value {
    let mut value: Value = serde_json::from_str(data).unwrap();
    if let Some(object) = value.as_object_mut() {
        object.remove("flags");
        object.remove("reset");
    }
    value
}

async fn publish(client: &mut Client, topic: &str, data: Value) {
    client.ask(json!({"op": "publish", "topic": topic, "data": data})).await;
}

#[tokio::test]
async fn a_recording_gives_the_same_data_each_time_it_is_published() {
    let topics = "trade.>,quote.>,book.>,chat.>";
    let source = Broker::start().await;
    let mut client = source.client().await;
    // A book and a quote that are there before the recorder, so that it begins with snapshots.
    publish(&mut client, "book.v.A", book(0)).await;
    publish(&mut client, "quote.v.A", quote(0)).await;
    let original_path = path("original");
    let child = recorder(&source, topics, &original_path, &["--count", "122"]).await;
    for number in 1..=30 {
        publish(&mut client, "trade.v.A", trade(number)).await;
        publish(&mut client, "book.v.A", book(number)).await;
        publish(&mut client, "quote.v.A", quote(number)).await;
        publish(&mut client, "chat.\"room\"", json!({"n": number, "price": 1.5, "text": "ö\n"}))
            .await;
        // A recorder that is behind would get quotes and books merged, as anybody would.
        source.until("tickwire_ledger_delivered_total", |now| now >= 4 * number).await;
    }
    ended(child).await;
    source.shut_down().await;

    let original = data(&original_path);
    assert_eq!(original.values().map(Vec::len).collect::<Vec<_>>(), [31, 30, 31, 30]);
    let mut copies = Vec::new();
    for _ in 0..2 {
        let broker = Broker::start().await;
        let output = replay(&broker, &original_path, &["--speed", "max"]).await;
        assert!(output.status.success(), "{}", said(&output));
        assert!(
            said(&output).starts_with("122 events published to 4 topics in "),
            "{}",
            said(&output)
        );
        copies.push(published(&broker).await);
        broker.shut_down().await;
    }
    let [first, second] = &copies[..] else { panic!("{copies:?}") };
    assert_eq!(first, second);
    for (topic, was) in &original {
        let (seq, now) = &first[topic];
        assert_eq!(*seq, was.len() as u64, "{topic}: every event was published");
        if now.len() == 1 {
            // Only the latest is kept of a quote; of a book it is the whole.
            if topic.starts_with("quote.") {
                assert_eq!(without_marks(was.last().unwrap()), without_marks(&now[0]));
            }
            continue;
        }
        for (was, now) in was.iter().zip(now) {
            assert_eq!(without_marks(was), without_marks(now), "{topic}");
            if topic.starts_with("chat.") {
                // Nobody knows what generic data means, so nobody touches it.
                assert_eq!(was, now);
            } else {
                assert!(now.contains("\"flags\":[\"replayed\"]"), "{now}");
            }
        }
    }
}

/// What was published to the topics, as their histories and states tell: the number of the newest
/// event, and the data of all that are kept, byte for byte.
async fn published(broker: &Broker) -> BTreeMap<String, (u64, Vec<String>)> {
    let mut client = broker.client().await;
    let mut topics = BTreeMap::new();
    for topic in ["trade.v.A", "book.v.A", "quote.v.A", "chat.\"room\""] {
        let answer = client.subscribe_with(&[topic], json!({"history": 1_000})).await;
        let seq = answer[0]["seq"].as_u64().unwrap();
        let told = client.all_until_now().await;
        let data = told.iter().map(|message| message["data"].to_string()).collect();
        topics.insert(topic.to_owned(), (seq, data));
    }
    topics
}

#[tokio::test]
async fn a_torn_recording_is_reported_gone_on_with_and_replayed() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    let path = path("torn");
    let mut child = recorder(&broker, "trade.>", &path, &["--flush", "1"]).await;
    for number in 1..=5 {
        publish(&mut client, "trade.v.A", trade(number)).await;
    }
    let written = async {
        while Frames::new(File::open(&path).unwrap())
            .flatten()
            .map(|f| f.text.lines().count())
            .sum::<usize>()
            < 6
        {
            tokio::task::yield_now().await;
        }
    };
    within("five events in the file", written).await;
    // As `kill -9` does.
    child.kill().await.unwrap();
    broker.until("tickwire_subscriptions", |now| now == 0).await;
    let frame = pack(b"what was on its way when it was killed\n");
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(&frame[..frame.len() - 1]).unwrap();
    drop(file);

    let fresh = Broker::start().await;
    let output = replay(&fresh, &path, &["--speed", "max"]).await;
    assert!(output.status.success(), "{}", said(&output));
    let torn = format!("the last {} bytes are of a frame that was never finished", frame.len() - 1);
    assert!(said(&output).contains(&torn), "{}", said(&output));

    let child = recorder(&broker, "trade.>", &path, &["--count", "2"]).await;
    for number in 6..=7 {
        publish(&mut client, "trade.v.A", trade(number)).await;
    }
    let output = ended(child).await;
    let torn = format!("cut off {} bytes of a frame that was never finished", frame.len() - 1);
    assert!(said(&output).contains(&torn), "{}", said(&output));
    let tail = Frames::new(File::open(&path).unwrap()).skip_all().unwrap();
    assert_eq!(tail, Tail { whole: std::fs::metadata(&path).unwrap().len(), torn: 0 });
    let lines = lines(&path);
    assert_eq!(lines.len(), 8, "{lines:#?}");
    assert!(lines[5].starts_with("{\"resumed\":\""), "{lines:#?}");

    // Of the recorder's absence nothing is to be felt, at any speed.
    let output = replay(&fresh, &path, &["--speed", "1000", "--rebase"]).await;
    assert!(said(&output).starts_with("7 events published to 1 topics"), "{}", said(&output));
    broker.shut_down().await;
    fresh.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_told_with_file_and_line() {
    let broker = Broker::start().await;
    let path = path("wrong");
    let header = r#"{"tickwire":"recording","version":1,"started":"1","topics":["trade.>"]}"#;
    let event = |topic: &str, data: &str| {
        format!("{{\"ts\":\"1\",\"topic\":\"{topic}\",\"seq\":1,\"data\":{data}}}")
    };
    for (lines, words) in [
        (vec!["my notes".into()], "is no recording: damaged at byte 0: no frame begins here"),
        (vec![header.into(), "{}".into()], "wrong-PID, line 2: \"topic\" is missing: {}"),
        (
            vec![header.into(), event("trade.v.A", "7")],
            "line 2: the data of trade.v.A is no object",
        ),
        (
            vec![
                header.into(),
                event("trade.v.A", "{}"),
                event("chat.a", "1"),
                event("chat.*", "1"),
            ],
            "2 events were refused",
        ),
    ] {
        let text = lines.join("\n");
        let frame = if lines.len() == 1 { text.into_bytes() } else { pack(text.as_bytes()) };
        std::fs::write(&path, frame).unwrap();
        let output = replay(&broker, &path, &["--speed", "max"]).await;
        let words = words.replace("PID", &std::process::id().to_string());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(&words), "{words} is not in {}", said(&output));
    }
    broker.shut_down().await;
}

#[tokio::test]
async fn a_file_that_is_no_recording_is_not_recorded_to() {
    let path = path("notes");
    std::fs::write(&path, "my notes").unwrap();
    let output = run(&["record", "--topics", "trade.>", "--out", path.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("exists, and is no recording"), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes");
}

#[tokio::test]
async fn a_file_that_another_recorder_writes_is_not_recorded_to() {
    let broker = Broker::start().await;
    let path = path("shared");
    let mut first = recorder(&broker, "trade.>", &path, &[]).await;
    let url = format!("ws://{}/ws", broker.address());
    let path = path.to_str().unwrap();
    let output = run(&["record", "--topics", "trade.>", "--url", &url, "--out", path]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("another tickwire record is writing to it"),
        "{}",
        said(&output)
    );
    // The lock is gone with whoever held it.
    first.kill().await.unwrap();
    broker.until("tickwire_subscriptions", |now| now == 0).await;
    let mut next = recorder(&broker, "trade.>", Path::new(path), &[]).await;
    next.kill().await.unwrap();
    broker.shut_down().await;
}
