//! The result as text and as JSON, written anew after each run, so that none is lost.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::agenda::Options;
use crate::plans::Plan;
use crate::rounds::{OTHERS_PERCENT_MAX, Run, STEAL_PERCENT_MAX};
use crate::systems::{Found, System};
use crate::{judge, machine, pairs, table};

/// What a session was asked for and has found so far.
#[derive(Debug)]
pub struct Session {
    /// How much.
    pub options: Options,
    /// Which loads.
    pub plans: Vec<Plan>,
    /// Of whom.
    pub found: Vec<Found>,
    /// So many runs are to be made.
    pub planned: usize,
    /// What came of those that were made.
    pub runs: Vec<Run>,
}

impl Session {
    /// Everything as Markdown.
    #[must_use]
    pub fn text(&self) -> String {
        let Options { rounds, seconds, pairs: pair_rounds, pair_seconds, .. } = self.options;
        let made = self.runs.len();
        let unfinished = match self.planned.saturating_sub(made) {
            0 => String::new(),
            left => format!("**Not complete: {left} of {} runs were not made.** ", self.planned),
        };
        let unusable = self.runs.iter().filter(|run| !run.is_usable()).count();
        let measured = |found: &&Found| self.runs.iter().any(|run| run.system == found.system.name);
        let versions: String = self.found.iter().filter(measured).map(version).collect();
        format!(
            "{unfinished}{}. {rounds} rounds of {seconds} s, {pair_rounds} pairs of {pair_seconds} s. Of \
             {made} runs {unusable} cannot be used as they are: more than {STEAL_PERCENT_MAX} % of \
             the processors were stolen by the host, or more than {OTHERS_PERCENT_MAX} % used by \
             others, or the load generator was late or too busy; they count only where there are \
             no two better ones.\n\n{versions}{}{}\n### What was asked for\n\n{}",
            machine::description(),
            table::markdown(&self.runs, &self.plans),
            pairs::markdown(&self.runs),
            judge::markdown(&judge::judge(&self.runs)),
        )
    }

    /// Writes `compare.json` and `compare.md`; each is whole at any time.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let systems: Vec<_> = self
            .found
            .iter()
            .map(|found| serde_json::json!({"name": found.system.name, "version": found.version}))
            .collect();
        let Options { rounds, seconds, pairs, pair_seconds, retries, .. } = self.options;
        let json = serde_json::json!({
            "machine": machine::description(),
            "rounds": rounds,
            "seconds": seconds,
            "pairs": pairs,
            "pair_seconds": pair_seconds,
            "retries": retries,
            "complete": self.runs.len() == self.planned,
            "systems": systems,
            "targets": judge::judge(&self.runs),
            "runs": self.runs,
        });
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        put(&folder.join("compare.json"), &(serde_json::to_string_pretty(&json)? + "\n"))?;
        put(&folder.join("compare.md"), &self.text())
    }
}

/// Beside first: who is killed in between leaves the old file, not half of a new one.
fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn version(found: &Found) -> String {
    let System { name, words, .. } = found.system;
    format!("- {name}: {words}; {}\n", found.version)
}

/// A run in one line, as it ends.
#[must_use]
pub fn line(run: &Run) -> String {
    let mut line = format!("{:<8} {:<17} round {}", run.plan, run.system, run.round + 1);
    match (&run.failed, run.cpu_microseconds, run.memory) {
        (Some(why), ..) => line.push_str(&format!(": failed: {why}")),
        (None, Some(cpu), _) => line.push_str(&format!(": {cpu:.2} CPU-µs a delivery")),
        (None, None, memory) => {
            line.push_str(&format!(": {:.1} KiB a connection", memory.unwrap_or(0.0) / 1024.0));
        }
    }
    if let Some(tail) = run.p99_9 {
        line.push_str(&format!(", p99.9 {:.1} ms", tail / 1e6));
    }
    if let Some((cut, back)) = run.cut.zip(run.back) {
        let whole = if run.resumed_all() && run.lost_nothing() { "" } else { " not" };
        line.push_str(&format!(", {back:.0} of {cut:.0} back,{whole} gap-free"));
    }
    if !run.is_quiet() {
        let (steal, others) = (run.steal_percent, run.others_percent);
        line.push_str(&format!(" (stolen {steal:.1} %, others' work {others:.0} %)"));
    }
    for (is_so, words) in [(run.was_late(), "publisher late"), (run.was_busy(), "loadgen busy")] {
        if is_so {
            line.push_str(&format!(" ({words})"));
        }
    }
    if run.attempts > 1 {
        line.push_str(&format!(" (best of {} attempts)", run.attempts));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_finished_says_so_and_is_whole_json() {
        let session = Session {
            options: Options::QUICK,
            plans: vec![*Plan::named("steady").unwrap()],
            found: vec![Found::pretended(*System::named("tickwire").unwrap(), false)],
            planned: 2,
            runs: vec![Run {
                plan: "steady".into(),
                system: "tickwire".into(),
                cpu_microseconds: Some(1.0),
                ..Run::default()
            }],
        };
        let folder = std::env::temp_dir().join(format!("compare-report-{}", std::process::id()));
        session.write(&folder).unwrap();
        let text = fs::read_to_string(folder.join("compare.md")).unwrap();
        let json = fs::read_to_string(folder.join("compare.json")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(text.starts_with("**Not complete: 1 of 2 runs were not made.**"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json["complete"], &json["runs"][0]["plan"]),
            (&false.into(), &"steady".into())
        );
        assert_eq!(json["targets"][0]["verdict"], "not measured");
        assert_eq!(
            line(&session.runs[0]),
            "steady   tickwire          round 1: 1.00 CPU-µs a delivery"
        );
    }
}
