//! Whole runs against the floor: the books balance, faults are seen, bad plans are explained.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use clap::Parser as _;
use loadgen::accounting::Totals;
use loadgen::arguments::Arguments;
use loadgen::assertion::Assertion;
use loadgen::floor::Floor;
use loadgen::frames;
use loadgen::plan::Target;
use loadgen::report::Report;
use loadgen::report::timeline::Quantile;
use loadgen::run::run;

/// A floor in a thread of its own, stopped when it is dropped.
struct Serving {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(coalesce: bool) -> Self {
        let mut floor = Floor::bind("127.0.0.1:0".parse().unwrap(), coalesce).unwrap();
        let (address, stop) = (floor.address(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = Some(std::thread::spawn(move || floor.serve(&stopped).unwrap()));
        Self { address, stop, thread }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn load(address: SocketAddr, rest: &[&str]) -> anyhow::Result<Report> {
    let url = format!("ws://{address}/ws");
    let line = ["loadgen", "--url", &url].into_iter().chain(rest.iter().copied());
    let arguments = Arguments::try_parse_from(line)?;
    run(&arguments.run.plan()?, None, &Arc::new(AtomicBool::new(false)))
}

fn holds(report: &Report, assertion: &str) -> bool {
    assertion.parse::<Assertion>().unwrap().check(report).holds
}

const SHORT: [&str; 4] = ["--seconds", "0.4", "--warmup", "0.1"];

fn check_clean(report: &Report, expected: u64) {
    assert!(report.totals.balance(), "{:?}", report.totals);
    for fault in ["lost==0", "doubled==0", "reordered==0", "merged==0", "announced==0", "ended==0"]
    {
        assert!(holds(report, fault), "{fault}: {:?} {:?}", report.totals, report.ended);
    }
    assert_eq!((report.totals.expected, report.totals.unasked), (expected, 0));
    assert!(report.latency.count > 0);
    assert_eq!(report.server.unwrap().pid, std::process::id());
}

#[test]
fn every_delivery_is_counted() {
    let floor = Serving::start(false);
    let plan = ["--subscribers", "50", "--rate", "200", "--threads", "2"];
    let report = load(floor.address, &[&plan[..], &SHORT].concat()).unwrap();
    check_clean(&report, 50 * 100);
    assert!(report.table().contains("lost 0; doubled 0, reordered 0"), "{}", report.table());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["totals"]["received"], 5_000);
    assert_eq!(json["plan"]["codec"], "json");
}

#[test]
fn bursts_over_many_topics_and_publishers_coalesced() {
    let floor = Serving::start(true);
    let plan = ["--subscribers", "40", "--topics", "10", "--topics-per-subscriber", "3"];
    let load_plan = ["--rate", "400", "--burst", "16", "--publishers", "3", "--payload", "2000"];
    let report = load(floor.address, &[&plan[..], &load_plan, &SHORT].concat()).unwrap();
    // 200 events over 10 topics are 20 each.
    check_clean(&report, 40 * 3 * 20);
}

#[test]
fn those_that_never_read_are_left_out_and_the_others_lose_nothing() {
    let floor = Serving::start(false);
    let plan = ["--subscribers", "20", "--rate", "100", "--slow-percent", "25"];
    let report = load(floor.address, &[&plan[..], &SHORT].concat()).unwrap();
    check_clean(&report, 15 * 50);
    assert_eq!((report.plan.stalled, report.totals.subscriptions), (5, 15));
    // They have books of their own, which balance.
    let books = &report.books;
    assert!(books.balance, "{books:?}");
    assert_eq!(books.roles.keys().collect::<Vec<_>>(), ["healthy", "stalled"]);
    let never = &books.roles["stalled"];
    let counts = |totals: &Totals| (totals.expected, totals.received, totals.never_read);
    assert_eq!((never.subscribers, counts(&never.totals)), (5, (5 * 50, 0, 5 * 50)));
    assert_eq!(books.roles["healthy"].totals, report.totals);
    assert_eq!(counts(&books.total), (20 * 50, 15 * 50, 5 * 50));
    let [topic] = &books.topics.worst[..] else { panic!("{:?}", books.topics) };
    assert_eq!(topic.totals, books.total);
    assert!(holds(&report, "never_read==250"));
    assert!(
        report.table().contains("received 0 + merged 0 + announced 0 + lost 0 + never read 250")
    );
}

/// What a server says of its writing: at first, and when asked again.
const METRICS: [(f64, u64); 2] = [(1.0, 1_000), (1.05, 1_500)];

/// A floor behind a door: who asks for metrics is told, everybody else is let through.
fn telling(floor: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut asked = 0;
        for mut client in listener.incoming().flatten() {
            let mut first = [0; 12];
            if client.read_exact(&mut first).is_err() {
                continue;
            }
            if &first == b"GET /metrics" {
                let (sum, count) = METRICS[asked.min(1)];
                asked += 1;
                let name = "tickwire_write_latency_seconds";
                let body = format!(
                    "{name}_sum {sum}\n{name}_count {count}\n{name}_bucket{{le=\"0.001\"}} {count}\n\
                     {name}_bucket{{le=\"+Inf\"}} {count}\n"
                );
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                drop(client.write_all((head + &body).as_bytes()));
                continue;
            }
            let mut server = TcpStream::connect(floor).unwrap();
            server.write_all(&first).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
            std::thread::spawn(move || drop(std::io::copy(&mut server, &mut client)));
        }
    });
    address
}

#[test]
fn a_server_that_tells_when_it_wrote_has_a_ledger_with_that_hop() {
    let floor = Serving::start(false);
    let plan = ["--subscribers", "10", "--rate", "100"];
    let report = load(telling(floor.address), &[&plan[..], &SHORT].concat()).unwrap();
    let names: Vec<_> = report.hops.iter().map(|hop| hop.name.as_str()).collect();
    let ways = ["venue → received", "received → published", "published → written"];
    assert_eq!(names, [&ways[..], &["written → arrived"]].concat());
    let written = report.written.unwrap();
    assert_eq!((written.count, written.p99), (500, Quantile::AtMost(1_000_000)));
    // 50 ms over 500 events.
    assert!((written.mean - 100_000.0).abs() < 1e-3 && report.hops[2].mean == written.mean);
    assert!(report.hop_sum.unwrap().error_percent < 1.0, "{:?}", report.hop_sum);
    let rest = report.published_to_arrived.unwrap().mean - written.mean;
    assert!((report.hops[3].mean - rest).abs() < 1e-3);
    // Others have the ledger without it.
    let report = load(floor.address, &[&plan[..], &SHORT].concat()).unwrap();
    assert_eq!((report.hops.len(), report.written.is_none()), (3, true));
}

/// A server that answers `publish` number n with what `events` says, to its one subscriber.
fn faulty(events: fn(u64) -> Vec<u64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut publisher = upgraded(&listener);
        let mut subscriber = upgraded(&listener);
        let subscribe = command(&mut subscriber);
        let topic = subscribe["topics"][0].as_str().unwrap().to_owned();
        let entry = serde_json::json!({"topic": topic, "epoch": "e", "seq": 0});
        say(&mut subscriber, &serde_json::json!({"op": "subscribed", "id": 1, "topics": [entry]}));
        for n in 1.. {
            let data = command(&mut publisher)["data"].clone();
            for seq in events(n) {
                let event = serde_json::json!({"op": "event", "topic": topic, "seq": seq,
                    "ts": "1", "data": data});
                say(&mut subscriber, &event);
            }
        }
    });
    address
}

fn upgraded(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let accept = client::handshake::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
    let answer = format!("HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    stream
}

/// Ends the thread, quietly, when the other side has gone.
fn command(stream: &mut TcpStream) -> serde_json::Value {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = frames::head(&bytes)
            && bytes.len() == head.size + head.payload
        {
            frames::apply_mask(&mut bytes[head.size..], head.mask.unwrap());
            return serde_json::from_slice(&bytes[head.size..]).unwrap();
        }
        let mut byte = [0];
        match stream.read_exact(&mut byte) {
            Ok(()) => bytes.push(byte[0]),
            Err(_) => loop {
                std::thread::park();
            },
        }
    }
}

fn say(stream: &mut TcpStream, message: &serde_json::Value) {
    let text = message.to_string();
    let mut frame = Vec::new();
    frames::push_head(&mut frame, frames::TEXT, text.len(), false);
    frame.extend_from_slice(text.as_bytes());
    // A run that is over reads no more.
    drop(stream.write_all(&frame));
}

#[test]
fn a_server_that_loses_doubles_and_reorders_is_found_out() {
    // Of each ten: the third is lost, the fifth doubled, the seventh and eighth swapped.
    let address = faulty(|n| match n % 10 {
        3 | 7 => vec![],
        5 => vec![n, n],
        8 => vec![n, n - 1],
        _ => vec![n],
    });
    let plan = ["--subscribers", "1", "--rate", "100", "--threads", "1"];
    let report = load(address, &[&plan[..], &SHORT].concat()).unwrap();
    let totals = report.totals;
    assert!(totals.balance(), "{totals:?}");
    assert_eq!((totals.due, totals.lost, totals.doubled, totals.reordered), (50, 5, 5, 5));
    assert!(!holds(&report, "lost==0"));
}

#[test]
fn a_lost_end_is_lost_too() {
    let address = faulty(|n| if n > 40 { vec![] } else { vec![n] });
    let plan = ["--subscribers", "1", "--rate", "100", "--threads", "1", "--drain", "0"];
    let report = load(address, &[&plan[..], &SHORT].concat()).unwrap();
    assert_eq!((report.totals.received, report.totals.lost), (40, 10));
}

#[test]
fn what_cannot_run_is_explained() {
    let said = |rest: &[&str]| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        format!("{:#}", load(free, rest).unwrap_err())
    };
    assert!(said(&[]).contains("is the server running there?"));
    assert!(said(&["--topics-per-subscriber", "2"]).contains("from 1 to the number of topics, 1"));
    assert!(said(&["--rate", "0"]).contains("--rate"));
    assert!(said(&["--seconds", "nan"]).contains("--seconds"));
    assert!(said(&["--slow-percent", "100"]).contains("somebody has to read"));
    assert!(said(&["--prefix", "a.b"]).contains("one segment"));
    assert!(said(&["--assert", "p42<1ms"]).contains("the figures are"));
    let target = |url: &str| format!("{:#}", Target::parse(url).unwrap_err());
    assert!(target("http://x").contains("must begin with ws://"));
    assert!(target("wss://x").contains("not supported yet"));
    assert!(target("ws://x:many/ws").contains("no host and port"));
}
