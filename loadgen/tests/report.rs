//! The report of a run: its page in a real browser, its histograms read back by another reader.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser as _;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use loadgen::arguments::Arguments;
use loadgen::assertion::Assertion;
use loadgen::floor::Floor;
use loadgen::report::files::{self, FIGURES, HISTOGRAM, LOG, PAGE};
use loadgen::report::timeline::{ALL, Hop, Quantile, Recording, Sample, Series};
use loadgen::report::{LatencyShown, Report};
use loadgen::run::run;
use loadgen::shared::{Latencies, latencies};

/// A folder that is gone after the test, unless REPORT_TEST_KEEP says where to keep it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = match std::env::var_os("REPORT_TEST_KEEP") {
            Some(kept) => Path::new(&kept).join(name),
            None => std::env::temp_dir().join(format!("loadgen-{}-{name}", std::process::id())),
        };
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var_os("REPORT_TEST_KEEP").is_none() {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}

/// A short run against the floor.
fn measured() -> Report {
    let mut floor = Floor::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let (url, stop) = (format!("ws://{}/ws", floor.address()), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let serving = std::thread::spawn(move || floor.serve(&stopped).unwrap());
    let short = ["--subscribers", "20", "--rate", "200", "--seconds", "0.4", "--warmup", "0.1"];
    let line = ["loadgen", "--url", &url].into_iter().chain(short);
    let plan = Arguments::try_parse_from(line).unwrap().run.plan().unwrap();
    let report = run(&plan, None, &Arc::new(AtomicBool::new(false))).unwrap();
    stop.store(true, Ordering::Relaxed);
    serving.join().unwrap();
    report
}

/// Numbers that look thrown by dice and are the same every time, from 0 to 1.
fn dice(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    f64::from(u32::try_from(*state >> 33).unwrap()) / f64::from(u32::MAX >> 1)
}

/// A latency with the long tail that latencies have, around `typical` nanoseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive")]
fn tail(typical: f64, state: &mut u64) -> u64 {
    let rare = (1.0 - dice(state)).max(1e-9).powf(-0.45);
    (typical * rare * (0.8 + 0.4 * dice(state))) as u64
}

/// What a run of 26 seconds could have recorded, with everything there is to record.
fn recorded() -> Recording {
    let mut recording = Recording::default();
    let mut state = 7;
    let (mut all, mut healthy, mut slow, mut spread) =
        (latencies(), latencies(), latencies(), latencies());
    for step in 1..=104_u32 {
        let (mut interval, mut reading) = (latencies(), latencies());
        let burden = if (60..66).contains(&step) { 12.0 } else { 1.0 };
        for n in 0..2_000 {
            let near = tail(180_000.0 * burden, &mut state);
            let (value, share) =
                if n % 20 == 0 { (near * 40, &mut slow) } else { (near, &mut healthy) };
            share.saturating_record(value);
            if n % 20 > 0 {
                reading.saturating_record(value);
            }
            interval.saturating_record(value);
            spread.saturating_record(tail(60_000.0, &mut state));
        }
        all.add(&interval).unwrap();
        let wobble = dice(&mut state);
        let sample = Sample {
            elapsed: Duration::from_millis(250) * step,
            length: Duration::from_millis(250),
            measured: step > 8,
            latency: if step == 80 { LatencyShown::default() } else { (&interval).into() },
            healthy: Some((&reading).into()),
            delivered: 12_000 + u64::from(step % 7) * 150,
            bytes: 2_600_000 + u64::from(step % 7) * 33_000,
            server_cpu_percent: Some(38.0 + 9.0 * wobble * burden),
            server_resident: Some(48_000_000 + u64::from(step.min(70)) * 90_000),
            busiest_percent: 31.0 + 12.0 * wobble,
            publisher_lag: Some(tail(40_000.0, &mut state)),
            steal_percent: Some(wobble),
        };
        recording.push(sample, &[(ALL, &interval), ("healthy", &reading)]);
    }
    let named = [(ALL, all), ("healthy", healthy), ("never <read>", slow)];
    recording.series =
        named.map(|(name, latencies)| Series { name: name.into(), latencies }).into();
    recording.spread = Some(spread);
    recording
}

/// The way of an event, as a server that tells everything could show it.
fn hops() -> Vec<Hop> {
    let hop = |name: &str, mean: f64, p50, p99| {
        let [p50, p99] = [p50, p99].map(Quantile::Exact);
        Hop { name: name.into(), mean, p50, p99 }
    };
    vec![
        hop("due → sent", 21_000.0, 19_000, 90_000),
        hop("sent → received", 44_000.0, 40_000, 160_000),
        hop("received → published", 9_000.0, 8_000, 31_000),
        hop("published → written", 71_000.0, 60_000, 800_000),
        hop("written → arrived", 88_000.0, 80_000, 900_000),
    ]
}

fn full_report() -> Report {
    Report { recording: recorded(), hops: hops(), hop_sum: None, ..measured() }
}

fn written(name: &str) -> (Folder, Report) {
    let folder = Folder::new(name);
    let report = full_report();
    let assertions = ["p99.9<20s", "lost==1"].map(|text| text.parse::<Assertion>().unwrap());
    let outcomes = assertions.map(|assertion| assertion.check(&report));
    files::prepare(&folder.0).unwrap();
    files::write(&folder.0, &report, &outcomes).unwrap();
    (folder, report)
}

#[test]
fn histograms_are_read_back() {
    let (folder, report) = written("histograms");
    let read = |name: &str| -> Latencies {
        let file = std::fs::read(folder.0.join(name)).unwrap();
        Deserializer::new().deserialize(&mut &file[..]).unwrap()
    };
    let all = report.recording.latencies(ALL).unwrap();
    assert_eq!(&read(HISTOGRAM), all);
    assert_eq!(
        &read("latency-never--read-.hdr"),
        report.recording.latencies("never <read>").unwrap()
    );
    assert_eq!(&read("spread.hdr"), report.recording.spread.as_ref().unwrap());

    let log = std::fs::read(folder.0.join(LOG)).unwrap();
    let (mut sum, mut of_healthy) = (latencies(), latencies());
    let mut count = 0;
    for entry in IntervalLogIterator::new(&log).map(Result::unwrap) {
        let LogEntry::Interval(interval) = entry else { continue };
        let encoded = interval.encoded_histogram();
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, encoded).unwrap();
        let part: Latencies = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        match &*interval.tag().unwrap() {
            ALL => sum.add(part).unwrap(),
            "healthy" => of_healthy.add(part).unwrap(),
            tag => panic!("{tag}"),
        }
        count += 1;
    }
    assert_eq!((count, &sum), (2 * 104, all));
    assert_eq!(&of_healthy, report.recording.latencies("healthy").unwrap());

    let figures = std::fs::read_to_string(folder.0.join(FIGURES)).unwrap();
    assert_eq!(figures, files::json(&report).unwrap());
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["totals"]["received"], report.totals.received);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_run() {
    let folder = Folder::new("refused");
    let file = folder.0.join("file");
    std::fs::write(&file, "").unwrap();
    let said = format!("{:#}", files::prepare(&file).unwrap_err());
    assert!(said.contains("--report: cannot write to"), "{said}");
}

#[test]
fn a_run_without_samples_has_a_page_too() {
    let mut report = measured();
    report.recording = Recording::default();
    report.hops.clear();
    report.server = None;
    report.objections = vec!["<script>alert(1)</script>".into()];
    report.usable = false;
    let page = loadgen::report::page::page(&report, &[]);
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"));
    assert!(page.contains("✗ Not usable") && !page.contains("<svg"));
}

/// The browser to test with: the one CHROMIUM names, or one of the usual names in PATH.
fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// The first lines of all requests that a browser makes while it renders `page`: its only way to
/// any network is a proxy, which is this. And the document that came out.
fn rendered(chromium: &Path, folder: &Path, page: &str) -> (Vec<String>, String) {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    // Ends with the process: nobody waits for a browser's next request.
    std::thread::spawn(move || {
        for mut stream in proxy.incoming().flatten() {
            let mut head = [0; 1024];
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let read = stream.read(&mut head).unwrap_or(0);
            let line = String::from_utf8_lossy(&head[..read]).lines().next().map(str::to_owned);
            seen.lock().unwrap().extend(line);
        }
    });
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--proxy-server=http://{address}"))
        .arg("--proxy-bypass-list=<-loopback>")
        .arg(format!("--user-data-dir={}", folder.join("browser").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", folder.join(page).display()))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    std::fs::remove_dir_all(folder.join("browser")).unwrap();
    assert!(output.status.success(), "{}", output.status);
    // What the browser asks its maker about on its own is not the page's doing.
    let own = |line: &String| ["google.com", "googleapis.com"].iter().any(|its| line.contains(its));
    let mut requests = requests.lock().unwrap().clone();
    requests.retain(|line| !own(line));
    (requests, String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_page_renders_in_a_browser_and_asks_for_nothing() {
    let Some(chromium) = chromium() else {
        // Not captured by the test harness, so that it is seen.
        std::io::stderr().write_all(b"SKIPPED: chromium is not installed\n").unwrap();
        return;
    };
    let (folder, _) = written("page");
    // First that the proxy would see a request at all.
    let bait = "<img src=\"http://bait.invalid/picture.png\">";
    std::fs::write(folder.0.join("bait.html"), bait).unwrap();
    let about = |requests: &[String], name: &str| requests.iter().any(|line| line.contains(name));
    let (requests, _) = rendered(&chromium, &folder.0, "bait.html");
    assert!(about(&requests, "bait.invalid"), "{requests:?}");
    std::fs::remove_file(folder.0.join("bait.html")).unwrap();

    let (requests, document) = rendered(&chromium, &folder.0, PAGE);
    assert!(requests.is_empty(), "{requests:?}");
    // Nor is there anything to ask: the only address is the name of SVG in the script.
    let addresses: Vec<_> = document.split("://").skip(1).collect();
    assert!(addresses.iter().all(|rest| rest.starts_with("www.w3.org/2000/svg")), "{addresses:?}");
    for chart in [
        "percentiles",
        "spread",
        "latency",
        "latency-healthy",
        "events",
        "bytes",
        "cpu",
        "memory",
        "generator",
        "lag",
        "hops",
    ] {
        let svg = document.split(&format!("id=\"{chart}\"")).nth(1).expect(chart);
        let svg = svg.split("</svg>").next().unwrap();
        assert!(svg.contains("<title id=") && svg.contains("<desc id="), "{chart}");
        // The script has run: it moves the columns' titles into its tooltip.
        assert!(!svg.contains("</title></rect>") && svg.contains("class=\"cursor\""), "{chart}");
    }
    for words in ["✓ Usable", "✗ Not usable"] {
        let shown = document.contains(words);
        assert_eq!(shown, words.contains("Not") != document.contains("verdict good"), "{words}");
    }
    assert!(document.contains("What became of every event") && document.contains("lost==1"));
    assert!(document.contains("never &lt;read&gt;") && !document.contains("NaN"));
}
