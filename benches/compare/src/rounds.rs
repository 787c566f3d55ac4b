//! One run: a fresh server, loadgen against it, the host watched; and what came of it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value;

use crate::agenda::{Options, Step, WARMUP};
use crate::plans::{Cut, Plan};
use crate::servers::Ours;
use crate::systems::{Found, Places};
use crate::{interrupt, machine};

/// More stolen than this, and a run cannot be used.
pub const STEAL_PERCENT_MAX: f64 = 2.0;
/// More work for others than this, and a run cannot be used.
pub const OTHERS_PERCENT_MAX: f64 = 5.0;
/// Seconds that connecting may take.
const CONNECT: f64 = 60.0;

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
    /// Receive time minus due time; in a storm that of those it did not touch.
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
    /// Subscribing sockets.
    pub subscribers: usize,
    /// Sockets that were cut on purpose.
    pub cut: Option<f64>,
    /// How many of these came back and caught up with what there was.
    pub back: Option<f64>,
    /// From dialling again to having caught up.
    pub back_p99: Option<f64>,
    /// Events that the server said it no longer had.
    pub announced: Option<f64>,
    /// Events that came again, or after later ones.
    pub disorder: Option<f64>,
    /// Sockets that ended and did not come back.
    pub ended: Option<f64>,
    /// How often it was tried; this is the best of them.
    pub attempts: u32,
    /// What loadgen has against the result.
    pub objections: Vec<String>,
}

impl Run {
    /// Whether the host was quiet enough to believe the figures.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.steal_percent <= STEAL_PERCENT_MAX && self.others_percent <= OTHERS_PERCENT_MAX
    }

    /// Events left the publisher later than they were due.
    #[must_use]
    pub fn was_late(&self) -> bool {
        self.objects("publisher was late")
    }

    /// The load generator was the bottleneck.
    #[must_use]
    pub fn was_busy(&self) -> bool {
        self.objects("thread was busy")
    }

    /// Whether the figures are those of the server.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.failed.is_none() && self.is_quiet() && !self.was_late() && !self.was_busy()
    }

    /// Everybody who was cut came back, and nothing was missing, doubled or out of order.
    #[must_use]
    pub fn resumed_all(&self) -> bool {
        let none = |figure: Option<f64>| figure == Some(0.0);
        let back = self.cut.is_some_and(|cut| cut > 0.0) && self.back >= self.cut;
        back && none(self.announced) && none(self.disorder) && none(self.ended)
    }

    /// Whether every event came, at the end of the run at the latest.
    #[must_use]
    pub fn lost_nothing(&self) -> bool {
        self.lost == Some(0.0) && self.missing == Some(0.0)
    }

    fn objects(&self, words: &str) -> bool {
        self.objections.iter().any(|objection| objection.contains(words))
    }

    /// How little it is worth; says nothing of its figures, so that none is picked for them.
    fn faults(&self) -> (bool, bool, u8, f64) {
        let count = u8::from(self.was_late()) + u8::from(self.was_busy());
        (self.failed.is_some(), !self.is_quiet(), count, self.steal_percent + self.others_percent)
    }

    /// Whether another attempt may be better: a server that is behind is late every time.
    fn is_worth_repeating(&self) -> bool {
        !self.is_usable() && (!self.is_quiet() || self.missing.unwrap_or(0.0) == 0.0)
    }
}

/// Makes one run; one that cannot be used is repeated, as long as there are `repeats` left.
///
/// # Errors
/// When a signal asks for the end. Whatever else goes wrong is in the run.
pub fn measure(
    found: &Found,
    step: &Step,
    options: &Options,
    places: &Places,
    repeats: &mut Duration,
) -> anyhow::Result<Run> {
    let one = |attempts: u32| {
        let run = once(found, &step.plan, options, places)
            .unwrap_or_else(|error| Run { failed: Some(format!("{error:#}")), ..Run::default() });
        // Whatever it says went wrong, this is why.
        interrupt::none()?;
        anyhow::Ok(Run {
            plan: step.plan.name.into(),
            system: found.system.name.into(),
            round: step.round,
            subscribers: step.plan.subscribers,
            attempts,
            ..run
        })
    };
    let mut best = one(1)?;
    for attempt in 2..=options.retries + 1 {
        let takes = Duration::from_secs_f64(options.takes(&step.plan));
        if !best.is_worth_repeating() || *repeats < takes {
            break;
        }
        let began = Instant::now();
        let again = one(attempt)?;
        *repeats = repeats.saturating_sub(began.elapsed());
        let better = again.faults() < best.faults();
        best = Run { attempts: attempt, ..if better { again } else { best } };
    }
    Ok(best)
}

fn once(found: &Found, plan: &Plan, options: &Options, places: &Places) -> anyhow::Result<Run> {
    let started = found.start(places)?;
    let json = places.scratch.join("report.json");
    drop(fs::remove_file(&json));
    let log = places.scratch.join("loadgen.log");
    let words = fs::File::create(&log)?;
    let seconds = options.measured(plan);
    let mut command = Command::new(&places.loadgen);
    command
        .args(["--url", &started.url, "--threads", "2", "--json"])
        .arg(&json)
        .args(["--server-pid", &started.running.measured.to_string()])
        .args(["--warmup", &WARMUP.to_string()])
        .args(["--connect-timeout", &CONNECT.to_string()])
        .args(plan.arguments(seconds))
        .args(&started.arguments)
        .stdin(Stdio::null())
        .stdout(words.try_clone()?)
        .stderr(words);
    let server = started.running.measured;
    let (host, own, theirs) =
        (machine::now(), machine::used(std::process::id()), machine::used(server));
    let mut loadgen = Ours::spawn(&mut command).context("loadgen")?;
    let limit = Duration::from_secs_f64(CONNECT + WARMUP + seconds + plan.drain + 20.0);
    loadgen.finish(limit).context("loadgen")?;
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
    // Where some are cut, who is healthy was not touched by it.
    let group = if plan.resumes() { "/groups/healthy" } else { "/latency" };
    let latency = |name: &str| timed(&format!("{group}/{name}"));
    let stormy = |path: &str| figure(path).filter(|_| plan.cut == Cut::Midway);
    let missing = figure("/totals/missing_at_end").unwrap_or(0.0);
    let objections = report["objections"].as_array().map(Vec::as_slice).unwrap_or_default();
    Run {
        cpu_microseconds: loaded("/server/cpu_microseconds_per_delivered"),
        delivered: loaded("/delivered_per_second"),
        p50: latency("p50"),
        p99: latency("p99"),
        p99_9: latency("p99_9"),
        spread: timed("/spread/p50"),
        memory: figure("/server/resident_per_connection"),
        grown: loaded("/server/resident_end")
            .zip(loaded("/server/resident_connected"))
            .map(|(end, connected)| end - connected),
        lost: figure("/totals/lost").map(|lost| lost - missing),
        missing: Some(missing),
        expected: figure("/totals/expected"),
        cut: stormy("/reconnects"),
        back: stormy("/resume/count"),
        back_p99: stormy("/resume/p99"),
        announced: figure("/totals/announced"),
        disorder: figure("/totals/doubled")
            .zip(figure("/totals/reordered"))
            .map(|(doubled, reordered)| doubled + reordered),
        ended: report["ended"]
            .as_object()
            .map(|reasons| reasons.values().filter_map(Value::as_f64).sum()),
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

    #[test]
    fn of_a_storm_the_latency_of_the_untouched_is_read_and_who_came_back() {
        let report = json!({"latency": {"count": 8, "p99_9": 900},
            "groups": {"healthy": {"p50": 1, "p99": 2, "p99_9": 3}, "storm": {"p99_9": 950}},
            "reconnects": 10, "resume": {"count": 10, "p99": 77}, "ended": {},
            "totals": {"lost": 0, "missing_at_end": 0, "announced": 0, "doubled": 0, "reordered": 0}});
        let run = read(&report, Plan::named("storm").unwrap());
        assert_eq!((run.p99_9, run.back_p99), (Some(3.0), Some(77.0)));
        assert!(run.resumed_all() && run.lost_nothing());
        for worse in [
            Run { back: Some(9.0), ..run.clone() },
            Run { announced: Some(1.0), ..run.clone() },
            Run { disorder: None, ..run.clone() },
            Run { ended: Some(1.0), ..run.clone() },
            Run { cut: Some(0.0), back: Some(0.0), ..run.clone() },
        ] {
            assert!(!worse.resumed_all(), "{worse:?}");
        }
        assert!(!Run { missing: Some(1.0), ..run }.lost_nothing());
        let quiet = read(&report, Plan::named("quiet").unwrap());
        assert_eq!((quiet.p99_9, quiet.cut), (Some(3.0), None));
    }

    #[test]
    fn a_run_is_repeated_for_the_host_but_not_for_a_server_that_is_behind() {
        let late = Run { objections: vec!["the publisher was late".into()], ..Run::default() };
        assert!(late.is_worth_repeating() && !late.is_usable());
        let behind = Run { missing: Some(5.0), ..late.clone() };
        assert!(!behind.is_worth_repeating());
        let stolen = Run { steal_percent: 3.0, ..behind };
        assert!(stolen.is_worth_repeating() && late.faults() < stolen.faults());
        assert!(Run::default().is_usable() && Run::default().faults() < late.faults());
    }
}
