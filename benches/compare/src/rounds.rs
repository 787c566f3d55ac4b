//! One run: a fresh server, loadgen against it, the host watched; and what came of it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value;

use crate::machine;
use crate::plans::Plan;
use crate::servers;
use crate::systems::{Found, Places};

/// More stolen than this, and a run is repeated once and marked if it is no better.
pub const STEAL_PERCENT_MAX: f64 = 2.0;
/// More work for others than this, and a run is marked.
pub const OTHERS_PERCENT_MAX: f64 = 5.0;
/// Seconds of the same load before the measurement.
const WARMUP: f64 = 1.0;
/// Seconds that connecting may take, and that late events are waited for.
const CONNECT: f64 = 60.0;
const DRAIN: f64 = 3.0;

/// The figures of one run. Times in nanoseconds, sizes in bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Run {
    /// The plan's name.
    pub plan: String,
    /// The system's name.
    pub system: String,
    /// Which repetition.
    pub round: u32,
    /// Why there are no figures.
    pub failed: Option<String>,
    /// Processor time of the server for each delivered event.
    pub cpu_microseconds: Option<f64>,
    /// Delivered events a second.
    pub delivered: Option<f64>,
    /// Receive time minus due time.
    pub p50: Option<f64>,
    /// The same.
    pub p99: Option<f64>,
    /// The same.
    pub p99_9: Option<f64>,
    /// From an event's first subscriber to its last, the median event.
    pub spread: Option<f64>,
    /// Resident memory of the server for each connection.
    pub memory: Option<f64>,
    /// What the server's resident memory grew by during the load.
    pub grown: Option<f64>,
    /// Events that never came, though later ones did.
    pub lost: Option<f64>,
    /// Events that had not come when waiting for late ones ended: the server was behind.
    pub missing: Option<f64>,
    /// Events that should have come.
    pub expected: Option<f64>,
    /// Percent of the processors that the host took away.
    pub steal_percent: f64,
    /// Percent of the processors that worked for others than this comparison.
    pub others_percent: f64,
    /// What loadgen has against the result.
    pub objections: Vec<String>,
}

impl Run {
    /// Whether the host was quiet enough to believe the figures.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.steal_percent <= STEAL_PERCENT_MAX && self.others_percent <= OTHERS_PERCENT_MAX
    }
}

/// Runs `plan` against `found`, once more when the host stole too much.
#[must_use]
pub fn measure(found: &Found, plan: &Plan, round: u32, seconds: f64, places: &Places) -> Run {
    let mut run = attempt(found, plan, seconds, places);
    if run.steal_percent > STEAL_PERCENT_MAX {
        let again = attempt(found, plan, seconds, places);
        if again.failed.is_none() && again.steal_percent < run.steal_percent {
            run = again;
        }
    }
    Run { plan: plan.name.into(), system: found.system.name.into(), round, ..run }
}

fn attempt(found: &Found, plan: &Plan, seconds: f64, places: &Places) -> Run {
    once(found, plan, seconds, places)
        .unwrap_or_else(|error| Run { failed: Some(format!("{error:#}")), ..Run::default() })
}

fn once(found: &Found, plan: &Plan, seconds: f64, places: &Places) -> anyhow::Result<Run> {
    let started = found.start(places)?;
    let json = places.scratch.join("report.json");
    drop(fs::remove_file(&json));
    let log = places.scratch.join("loadgen.log");
    let words = fs::File::create(&log)?;
    let mut command = Command::new(&places.loadgen);
    command
        .args(["--url", &started.url, "--threads", "2", "--json"])
        .arg(&json)
        .args(["--server-pid", &started.running.measured.to_string()])
        .args(["--warmup", &WARMUP.to_string(), "--drain", &DRAIN.to_string()])
        .args(["--connect-timeout", &CONNECT.to_string()])
        .args(plan.arguments(seconds))
        .args(&started.arguments)
        .stdin(Stdio::null())
        .stdout(words.try_clone()?)
        .stderr(words);
    let server = started.running.measured;
    let (host, own, theirs) =
        (machine::now(), machine::used(std::process::id()), machine::used(server));
    let mut child = command.spawn().context("cannot start loadgen")?;
    let limit = Duration::from_secs_f64(CONNECT + WARMUP + plan.seconds(seconds) + DRAIN + 20.0);
    if !servers::wait(&mut child, limit) {
        servers::end(&mut child);
        bail!("loadgen did not end in time");
    }
    let (own_after, theirs_after) = (machine::used(std::process::id()), machine::used(server));
    let ours = (own_after.0 + own_after.1).saturating_sub(own.0 + own.1)
        + theirs_after.0.saturating_sub(theirs.0);
    let (steal_percent, others_percent) = machine::between(host, machine::now(), ours);
    let Ok(text) = fs::read_to_string(&json) else {
        let text = fs::read_to_string(&log).unwrap_or_default();
        bail!("{}", text.lines().last().unwrap_or("loadgen said nothing"));
    };
    let report: Value = serde_json::from_str(&text).context("loadgen's report")?;
    Ok(Run { steal_percent, others_percent, ..read(&report, plan) })
}

/// The figures of a report of loadgen.
fn read(report: &Value, plan: &Plan) -> Run {
    let figure = |path: &str| report.pointer(path).and_then(Value::as_f64);
    let loaded = |path: &str| figure(path).filter(|_| !plan.is_idle());
    // Of a server that was so far behind that nothing of the measured part came.
    let timed = |path: &str| loaded(path).filter(|_| figure("/latency/count") > Some(0.0));
    let missing = figure("/totals/missing_at_end").unwrap_or(0.0);
    let objections = report["objections"].as_array().map(Vec::as_slice).unwrap_or_default();
    Run {
        cpu_microseconds: loaded("/server/cpu_microseconds_per_delivered"),
        delivered: loaded("/delivered_per_second"),
        p50: timed("/latency/p50"),
        p99: timed("/latency/p99"),
        p99_9: timed("/latency/p99_9"),
        spread: timed("/spread/p50"),
        memory: figure("/server/resident_per_connection"),
        grown: loaded("/server/resident_end")
            .zip(loaded("/server/resident_connected"))
            .map(|(end, connected)| end - connected),
        lost: figure("/totals/lost").map(|lost| lost - missing),
        missing: Some(missing),
        expected: figure("/totals/expected"),
        objections: objections.iter().filter_map(|o| o.as_str().map(str::to_owned)).collect(),
        ..Run::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_read() {
        let report = json!({"latency": {"count": 8, "p50": 5, "p99": 6, "p99_9": 7}, "spread": {"p50": 3},
            "delivered_per_second": 100.5, "totals": {"lost": 5, "missing_at_end": 3, "expected": 10},
            "server": {"cpu_microseconds_per_delivered": 1.5, "resident_per_connection": 480.0},
            "objections": ["late"]});
        let run = read(&report, Plan::named("steady").unwrap());
        assert_eq!((run.p99_9, run.spread, run.lost), (Some(7.0), Some(3.0), Some(2.0)));
        assert_eq!((run.cpu_microseconds, run.memory), (Some(1.5), Some(480.0)));
        assert_eq!(run.objections, ["late"]);
        assert_eq!(run.missing, Some(3.0));
        let idle = read(&report, Plan::named("memory").unwrap());
        assert_eq!((idle.p50, idle.memory), (None, Some(480.0)));
        assert!(read(&json!({}), Plan::named("steady").unwrap()).delivered.is_none());
    }
}
