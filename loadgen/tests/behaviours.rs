//! Subscribers that leave and come back, and ticks that are true or not, against a small server
//! that remembers every event.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use clap::Parser as _;
use loadgen::arguments::Arguments;
use loadgen::frames;
use loadgen::report::Report;
use loadgen::run::run;
use serde_json::{Value, json};

/// What may be done to the data of an event, by its number, before it is sent on.
type Change = fn(u64, &mut Value);

/// All events of all topics, and who is connected.
#[derive(Default)]
struct Memory {
    events: Vec<(String, u64, Value)>,
    subscribers: Vec<(Vec<String>, TcpStream)>,
}

impl Memory {
    fn last(&self, topic: &str) -> u64 {
        self.events.iter().filter(|(name, ..)| name == topic).count() as u64
    }

    fn add(&mut self, topic: &str, data: Value) {
        let seq = self.last(topic) + 1;
        self.events.push((topic.to_owned(), seq, data.clone()));
        for (topics, stream) in &mut self.subscribers {
            if topics.iter().any(|known| known == topic) {
                say(stream, &event(topic, seq, &data));
            }
        }
    }

    fn subscribe(&mut self, mut stream: TcpStream, command: &Value) {
        let names = |value: &Value| value.as_str().unwrap().to_owned();
        let topics: Vec<_> = command["topics"].as_array().unwrap().iter().map(names).collect();
        let line = |topic: &String| json!({"topic": topic, "epoch": "7", "seq": self.last(topic)});
        let lines: Vec<_> = topics.iter().map(line).collect();
        say(&mut stream, &json!({"op": "subscribed", "id": 1, "topics": lines}));
        for (topic, seq, data) in &self.events {
            let position = &command["resume"][topic];
            if position["seq"].as_u64().is_some_and(|had| *seq > had) {
                assert_eq!(position["epoch"], "7");
                say(&mut stream, &event(topic, *seq, data));
            }
        }
        self.subscribers.push((topics, stream));
    }
}

fn event(topic: &str, seq: u64, data: &Value) -> Value {
    json!({"op": "event", "topic": topic, "seq": seq, "ts": "1", "data": data})
}

/// A server for one publisher, who comes first, and any number of subscribers.
fn remembering(change: Change) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let memory = Arc::new(Mutex::new(Memory::default()));
        let mut publisher = upgraded(&listener).unwrap();
        let remembered = Arc::clone(&memory);
        std::thread::spawn(move || {
            let mut number = 0;
            while let Some(mut command) = command(&mut publisher) {
                number += 1;
                change(number, &mut command["data"]);
                let data = command["data"].take();
                remembered.lock().unwrap().add(command["topic"].as_str().unwrap(), data);
            }
        });
        loop {
            // Who goes away in the middle of it is no harm.
            let Some(mut stream) = upgraded(&listener) else { continue };
            if let Some(command) = command(&mut stream) {
                memory.lock().unwrap().subscribe(stream, &command);
            }
        }
    });
    address
}

fn upgraded(listener: &TcpListener) -> Option<TcpStream> {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let accept = client::handshake::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
    let answer = format!("HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()?;
    Some(stream)
}

fn command(stream: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = frames::head(&bytes)
            && bytes.len() == head.size + head.payload
        {
            frames::apply_mask(&mut bytes[head.size..], head.mask.unwrap());
            return serde_json::from_slice(&bytes[head.size..]).ok();
        }
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
}

fn say(stream: &mut TcpStream, message: &Value) {
    let text = message.to_string();
    let mut frame = Vec::new();
    frames::push_head(&mut frame, frames::TEXT, text.len(), false);
    frame.extend_from_slice(text.as_bytes());
    // Who has gone away reads no more.
    drop(stream.write_all(&frame));
}

fn load(address: SocketAddr, rest: &[&str]) -> Report {
    let url = format!("ws://{address}/ws");
    let line = ["loadgen", "--url", &url, "--seconds", "0.6", "--warmup", "0.1"];
    let arguments = Arguments::try_parse_from(line.iter().chain(rest)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    run(&arguments.run.plan().unwrap(), None, &stop).unwrap()
}

fn check_whole(report: &Report, expected: u64) {
    let totals = &report.totals;
    assert!(totals.balance(), "{totals:?}");
    assert_eq!((totals.expected, totals.received), (expected, expected), "{totals:?}");
    assert_eq!((totals.lost, totals.doubled, totals.reordered), (0, 0, 0), "{totals:?}");
}

#[test]
fn a_storm_comes_back_without_a_gap() {
    let address = remembering(|_, _| {});
    let plan = ["--subscribers", "10", "--rate", "100", "--topics", "4"];
    let storm = ["--topics-per-subscriber", "2", "--storm-percent", "60", "--storm-at", "0.2"];
    let report = load(address, &[&plan[..], &storm].concat());
    // 70 events over 4 topics; each subscriber has two neighbours of them, of 18, 18, 17 and 17.
    check_whole(&report, 10 * 35);
    assert_eq!((report.reconnects, report.resume.count), (6, 6));
    assert_eq!(report.connect.count, 10);
    let [healthy, storm] = ["healthy", "storm"].map(|name| report.groups[name].count);
    assert_eq!(healthy + storm, report.latency.count);
    assert!(report.figure("untouched.p99").is_some() && report.figure("resume.p99").is_some());
}

#[test]
fn those_that_come_and_go_miss_nothing() {
    let address = remembering(|_, _| {});
    let plan = ["--subscribers", "6", "--rate", "100", "--resume-percent", "50"];
    let report = load(address, &[&plan[..], &["--resume-every", "0.2"]].concat());
    check_whole(&report, 6 * 70);
    assert!(report.reconnects >= 3, "{}", report.reconnects);
    assert!(report.figure("storm.p99").is_none() && report.figure("untouched.p99").is_none());
}

#[test]
fn slow_readers_have_figures_of_their_own() {
    let address = remembering(|_, _| {});
    let plan = ["--subscribers", "4", "--rate", "100", "--trickle-percent", "25"];
    let report = load(address, &[&plan[..], &["--trickle-bytes", "100"]].concat());
    check_whole(&report, 4 * 70);
    assert!(report.groups["slow"].p50 > report.groups["healthy"].p50, "{:?}", report.groups);
}

const TICKS: [&str; 8] =
    ["--data", "ticks", "--rate", "200", "--verify-every", "1", "--topics", "4"];
const KINDS: [&str; 6] =
    ["--kinds", "quote,trade", "--subscribers", "4", "--topics-per-subscriber", "2"];

#[test]
fn ticks_are_compared_with_the_truth() {
    let address = remembering(|_, _| {});
    let report = load(address, &[&TICKS[..], &KINDS].concat());
    let verified = &report.verified;
    assert_eq!((verified.subscribers, verified.wrong), (4, 0), "{verified:?}");
    assert_eq!(verified.compared, report.totals.received);
    assert!(report.latency.count > 0 && report.totals.balance());
}

#[test]
fn a_server_that_changes_a_price_is_found_out() {
    let address = remembering(|number, data| {
        if number == 40 {
            let key = if data["price"].is_null() { "bid_price" } else { "price" };
            data[key] = "0.01".into();
        }
    });
    let report = load(address, &[&TICKS[..], &KINDS].concat());
    assert_eq!(report.verified.wrong, 2, "{:?}", report.verified);
    let objection = report.objections.iter().find(|why| why.contains("not the truth"));
    assert!(objection.is_some() && !report.usable, "{:?}", report.objections);
}

#[test]
fn the_rhythm_and_the_popularity_are_followed() {
    let address = remembering(|_, _| {});
    let plan = ["--subscribers", "4", "--topics", "8", "--topics-per-subscriber", "8"];
    let report = load(address, &[&plan[..], &["--rhythm", "sim", "--rate", "300"]].concat());
    assert!(report.totals.balance() && report.totals.lost == 0, "{:?}", report.totals);
    assert_eq!(report.totals.received, 4 * report.publisher.published);
    let report =
        load(remembering(|_, _| {}), &[&plan[..], &["--zipf", "1", "--rate", "300"]].concat());
    assert_eq!(report.totals.received, 4 * 210);
}
