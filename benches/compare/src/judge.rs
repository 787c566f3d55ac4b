//! What was asked for, and whether the runs show it.

use serde::Serialize;

use crate::plans::{ALL as PLANS, Plan};
use crate::rounds::Run;
use crate::select::{Figure, Grade, Ratios};
use crate::systems::OTHERS;

/// A target and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// What is asked for.
    pub target: String,
    /// The bound in words.
    pub must: String,
    /// What was measured, in words.
    pub measured: String,
    /// The ratios behind it, where it is about a ratio.
    pub ratios: Option<Ratios>,
    /// Whether it was reached; none where that was not measured, or not in full.
    pub reached: Option<bool>,
    /// The same with what has to be said of it.
    pub verdict: String,
}

/// The bound of a ratio.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64, &'static str),
    Below(f64, &'static str),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound, _) => value <= bound,
            Self::Below(bound, _) => value < bound,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::AtMost(_, words) | Self::Below(_, words) => words,
        }
    }
}

const OURS: &str = "tickwire";
const CPU: Figure = |run| run.cpu_microseconds;
const MEMORY: Figure = |run| run.memory;
const TAIL: Figure = |run| run.p99_9;
const SPREAD: Figure = |run| run.spread;

/// All targets, judged.
#[must_use]
pub fn judge(runs: &[Run]) -> Vec<Judged> {
    let ratio = |figure, one, base| Ratios::between(runs, one, base, figure);
    let fan = |target, bound, one, base| {
        let ratios = ratio(SPREAD, ("bigfan", one), ("bigfan", base));
        in_full(judged(target, bound, ratios), runs, "bigfan")
    };
    let mut all = vec![
        judged(
            "CPU a delivery, one event at a time, against the floor",
            Bound::AtMost(1.15, "≤ 1.15 ×"),
            ratio(CPU, ("steady", OURS), ("steady", "floor")),
        ),
        judged(
            "CPU a delivery, in bursts, against the coalescing floor",
            Bound::AtMost(1.5, "≤ 1.5 ×"),
            ratio(CPU, ("burst", OURS), ("burst", "floor-coalesce")),
        ),
        best_of_others(runs),
        below_all(runs),
        judged(
            "p99.9 of those who read, with 5 % who never do against without",
            Bound::AtMost(1.3, "≤ 1.3 ×"),
            ratio(TAIL, ("slow", OURS), ("brisk", OURS)),
        ),
        fan(
            "first to last over 10,000 subscribers, against the floor",
            Bound::AtMost(1.2, "≤ 1.2 ×"),
            OURS,
            "floor",
        ),
        fan(
            "first to last, two shards against one",
            Bound::AtMost(0.6, "≤ 0.6 ×"),
            "tickwire-2",
            OURS,
        ),
        fan(
            "first to last, a shard for each core against one",
            Bound::AtMost(0.6, "≤ 0.6 ×"),
            "tickwire-n",
            OURS,
        ),
    ];
    for (system, words) in [(OURS, "one shard"), ("tickwire-n", "a shard for each core")] {
        let storm = [
            judged(
                &format!("storm, {words}: p99.9 of the untouched against quiet"),
                Bound::AtMost(2.0, "≤ 2 ×"),
                ratio(TAIL, ("storm", system), ("quiet", system)),
            ),
            counted(runs, system, words, "all back without a gap", Run::resumed_all),
            counted(runs, system, words, "nothing lost", Run::lost_nothing),
        ];
        all.extend(storm.map(|judged| in_full(judged, runs, "storm")));
    }
    all
}

fn judged(target: &str, bound: Bound, ratios: Option<Ratios>) -> Judged {
    let Some(ratios) = ratios else { return absent(target, bound.words()) };
    let reached = bound.holds(ratios.median());
    let within = ratios.values.iter().filter(|value| bound.holds(**value)).count();
    let mut verdict = if reached { "yes" } else { "no" }.to_owned();
    // A median on one side with rounds on both is less than a proof.
    if within > 0 && within < ratios.values.len() {
        verdict = format!("{verdict}, within it in {within} of {} rounds", ratios.values.len());
    }
    Judged {
        target: target.into(),
        must: bound.words().into(),
        measured: ratios.words(),
        reached: Some(reached),
        verdict: with_grade(verdict, ratios.grade),
        ratios: Some(ratios),
    }
}

fn absent(target: &str, must: &str) -> Judged {
    Judged {
        target: target.into(),
        must: must.into(),
        measured: "–".into(),
        ratios: None,
        reached: None,
        verdict: "not measured".into(),
    }
}

fn with_grade(verdict: String, grade: Grade) -> String {
    match grade.words() {
        Some(words) => format!("{verdict} ({words})"),
        None => verdict,
    }
}

/// What was measured with fewer subscribers than the plan has, for no more files may be open,
/// may miss a bound but not reach it.
fn in_full(mut judged: Judged, runs: &[Run], plan: &str) -> Judged {
    let wanted = Plan::named(plan).map_or(0, |plan| plan.subscribers);
    let fewest = runs.iter().filter(|run| run.plan == plan).map(|run| run.subscribers).min();
    if let Some(fewest) = fewest.filter(|fewest| *fewest < wanted) {
        let words = format!("{fewest} of {wanted} subscribers");
        judged.verdict = match judged.reached {
            Some(true) => format!("not measured in full: {words}; so far {}", judged.verdict),
            _ => format!("{} ({words})", judged.verdict),
        };
        judged.reached = judged.reached.filter(|reached| !reached);
    }
    judged
}

/// Something was compared with some of the others only: what is missing makes a bound that
/// holds less than reached, but not one that does not.
fn in_part(mut judged: Judged, missing: &[String]) -> Judged {
    if missing.is_empty() || judged.ratios.is_none() {
        return judged;
    }
    let without = format!("without {}", missing.join(", "));
    if judged.reached == Some(true) {
        judged.reached = None;
        judged.verdict = format!("not measured in full: {without}; so far {}", judged.verdict);
    } else {
        judged.verdict = format!("{} ({without})", judged.verdict);
    }
    judged
}

/// In bursts against the one of the others that needs least.
fn best_of_others(runs: &[Run]) -> Judged {
    let (mut best, mut missing): (Option<(&str, Ratios)>, Vec<String>) = (None, Vec::new());
    for other in OTHERS {
        match Ratios::between(runs, ("burst", OURS), ("burst", other), CPU) {
            Some(ratios) if best.as_ref().is_none_or(|(_, b)| b.median() < ratios.median()) => {
                best = Some((other, ratios));
            }
            Some(_) => {}
            None => missing.push(other.into()),
        }
    }
    let (name, ratios) = best.unzip();
    let bound = Bound::AtMost(1.0 / 6.0, "≤ 1/6 (0.167 ×)");
    let mut judged =
        judged("CPU a delivery, in bursts, against the best of systems 3 to 7", bound, ratios);
    if let Some(name) = name {
        judged.measured = format!("{} of {name}", judged.measured);
    }
    in_part(judged, &missing)
}

/// In every plan against each of the others; shown is the worst.
fn below_all(runs: &[Run]) -> Judged {
    let mut worst: Option<(String, Ratios)> = None;
    let mut missing: Vec<String> = Vec::new();
    for plan in PLANS.iter().filter(|plan| !plan.resumes()) {
        let figure = if plan.is_idle() { MEMORY } else { CPU };
        let mut none = true;
        let mut without: Vec<String> = Vec::new();
        for other in OTHERS {
            match Ratios::between(runs, (plan.name, OURS), (plan.name, other), figure) {
                Some(ratios) => {
                    none = false;
                    if worst.as_ref().is_none_or(|(_, w)| w.median() < ratios.median()) {
                        worst = Some((format!("{other} in {}", plan.name), ratios));
                    }
                }
                None => without.push(format!("{other} in {}", plan.name)),
            }
        }
        // A plan that is not there is one word, not five.
        missing.extend(if none { vec![plan.name.to_owned()] } else { without });
    }
    let (place, ratios) = worst.unzip();
    let target = "CPU a delivery (memory: resident) below each of systems 3 to 7 in every plan";
    let mut judged = judged(target, Bound::Below(1.0, "< 1 ×"), ratios);
    if let Some(place) = place {
        judged.measured = format!("at worst {} of {place}", judged.measured);
    }
    in_part(judged, &missing)
}

/// What has to hold in every round of the storm.
fn counted(runs: &[Run], system: &str, words: &str, what: &str, holds: fn(&Run) -> bool) -> Judged {
    let target = format!("storm, {words}: {what}");
    // Also what a busy host disturbs has to be whole, so every round counts.
    let storms: Vec<&Run> =
        runs.iter().filter(|run| run.plan == "storm" && run.system == system).collect();
    let must = "every round";
    if storms.is_empty() {
        return absent(&target, must);
    }
    let good = storms.iter().filter(|run| run.failed.is_none() && holds(run)).count();
    let cut = storms.iter().filter_map(|run| run.cut).fold(0.0, f64::max);
    let reached = good == storms.len();
    Judged {
        target,
        must: must.into(),
        measured: format!("{good} of {} rounds, {cut:.0} cut", storms.len()),
        ratios: None,
        reached: Some(reached),
        verdict: if reached { "yes" } else { "no" }.into(),
    }
}

/// All targets as a table in Markdown.
#[must_use]
pub fn markdown(judged: &[Judged]) -> String {
    let mut text =
        "| target | must | measured (median, spread) | reached? |\n|---|---|---|---|\n".to_owned();
    for Judged { target, must, measured, verdict, .. } in judged {
        text.push_str(&format!("| {target} | {must} | {measured} | {verdict} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(plan: &str, system: &str, round: u32, figure: f64) -> Run {
        Run {
            plan: plan.into(),
            system: system.into(),
            round,
            cpu_microseconds: Some(figure),
            memory: Some(figure),
            p99_9: Some(figure),
            spread: Some(figure),
            subscribers: Plan::named(plan).unwrap().subscribers,
            ..Run::default()
        }
    }

    fn about<'j>(judged: &'j [Judged], words: &str) -> &'j Judged {
        judged.iter().find(|judged| judged.target.contains(words)).unwrap()
    }

    #[test]
    fn without_runs_nothing_was_measured() {
        let judged = judge(&[]);
        assert!(judged.iter().all(|j| j.reached.is_none() && j.verdict == "not measured"));
        assert_eq!(markdown(&judged).lines().count(), judged.len() + 2);
    }

    #[test]
    fn a_bound_is_on_the_median_and_rounds_on_the_other_side_are_told() {
        let mut runs = Vec::new();
        for (round, figure) in [1.0, 1.1, 1.4].into_iter().enumerate() {
            let round = u32::try_from(round).unwrap();
            runs.push(run("slow", "tickwire", round, figure));
            runs.push(run("brisk", "tickwire", round, 1.0));
            runs.push(run("bigfan", "tickwire-2", round, figure));
            runs.push(run("bigfan", "tickwire", round, 1.0));
        }
        let judged = judge(&runs);
        let slow = about(&judged, "who never do");
        assert_eq!(slow.measured, "1.10 × (1.00–1.40, 3 rounds)");
        assert_eq!((slow.reached, &*slow.verdict), (Some(true), "yes, within it in 2 of 3 rounds"));
        assert_eq!(about(&judged, "two shards").verdict, "no");
        runs.iter_mut().for_each(|run| run.others_percent = 50.0);
        assert_eq!(about(&judge(&runs), "two shards").verdict, "no (host busy)");
    }

    #[test]
    fn some_of_the_others_are_not_all_of_them() {
        let mut runs = vec![run("burst", "tickwire", 0, 1.0), run("burst", "nats", 0, 10.0)];
        let sixth = |runs: &[Run]| about(&judge(runs), "best of systems").clone();
        let part = sixth(&runs);
        assert_eq!((part.reached, part.measured.contains("of nats")), (None, true), "{part:?}");
        for other in OTHERS {
            runs.push(run("burst", other, 0, 20.0));
        }
        assert_eq!(sixth(&runs).reached, Some(true));
        runs.push(run("burst", "ws", 1, 3.0));
        runs.push(run("burst", "tickwire", 1, 1.0));
        runs.retain(|run| run.system != "ws" || run.round == 1);
        let missed = sixth(&runs);
        assert_eq!((missed.reached, missed.measured.ends_with("of ws")), (Some(false), true));
        let all = about(&judge(&runs), "in every plan").clone();
        assert!(all.reached.is_none() && all.verdict.contains("steady, wide"), "{all:?}");
        runs.push(run("memory", "tickwire", 0, 2.0));
        runs.push(run("memory", "nchan", 0, 1.0));
        assert_eq!(about(&judge(&runs), "in every plan").reached, Some(false));
    }

    #[test]
    fn a_storm_has_to_be_whole_in_every_round() {
        let whole = Run {
            cut: Some(10.0),
            back: Some(10.0),
            lost: Some(0.0),
            missing: Some(0.0),
            announced: Some(0.0),
            disorder: Some(0.0),
            ended: Some(0.0),
            ..run("storm", "tickwire", 0, 1.9)
        };
        let mut runs = vec![run("quiet", "tickwire", 0, 1.0), whole.clone()];
        let verdicts = |runs: &[Run]| {
            let judged = judge(runs);
            ["one shard: p99.9", "one shard: all back", "one shard: nothing lost"]
                .map(|words| about(&judged, words).reached)
        };
        assert_eq!(verdicts(&runs), [Some(true); 3]);
        let few = [runs[0].clone(), Run { subscribers: 2_800, ..whole.clone() }];
        assert_eq!(verdicts(&few), [None; 3]);
        runs.push(Run { round: 1, lost: Some(1.0), others_percent: 90.0, ..whole.clone() });
        assert_eq!(verdicts(&runs), [Some(true), Some(true), Some(false)]);
        runs.push(Run { round: 2, failed: Some("gone".into()), ..whole });
        assert_eq!(verdicts(&runs), [Some(true), Some(false), Some(false)]);
    }
}
