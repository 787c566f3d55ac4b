//! What is run when: the plans in groups, the two of a pair right after each other; and how long
//! that takes.

use crate::plans::Plan;
use crate::systems::{Found, System};

/// Seconds of the same load before the measurement.
pub const WARMUP: f64 = 1.0;
/// Systems of which pairs are repeated; the others are shown once.
const PAIRED: [(&str, &[&str]); 2] =
    [("brisk", &["tickwire"]), ("quiet", &["tickwire", "tickwire-n"])];
/// A server's start and end, and a look at everything, in seconds.
const AROUND: f64 = 1.2;
/// Connecting and ending one subscriber, in seconds.
const EACH_SUBSCRIBER: f64 = 0.000_4;
/// Repeats may take so much of the time that the runs of a group take.
const REPEATS: f64 = 0.15;

/// How much is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Repetitions of every plan but the pairs: A B C … A B C …
    pub rounds: u32,
    /// Seconds to measure in each of their runs.
    pub seconds: f64,
    /// Pairs: A B, B A, A B …
    pub pairs: u32,
    /// Pairs of systems that are only there to look at.
    pub others_pairs: u32,
    /// Seconds to measure in each run of a pair.
    pub pair_seconds: f64,
    /// How often a run that cannot be used is repeated.
    pub retries: u32,
}

impl Options {
    /// For a result to be kept.
    pub const FULL: Self =
        Self { rounds: 3, seconds: 4.0, pairs: 5, others_pairs: 1, pair_seconds: 14.0, retries: 2 };
    /// For a first look.
    pub const QUICK: Self =
        Self { rounds: 1, seconds: 3.0, pairs: 2, others_pairs: 0, pair_seconds: 8.0, retries: 1 };

    /// Seconds to measure in a run of `plan`.
    #[must_use]
    pub fn measured(&self, plan: &Plan) -> f64 {
        plan.seconds(if plan.partner.is_some() { self.pair_seconds } else { self.seconds })
    }

    /// Seconds that a run of `plan` takes, about.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    pub fn takes(&self, plan: &Plan) -> f64 {
        AROUND + plan.subscribers as f64 * EACH_SUBSCRIBER + WARMUP + self.measured(plan)
    }

    fn rounds(&self, plan: &Plan, found: &Found) -> u32 {
        let System { name, usually, .. } = found.system;
        if !found.system.can(plan)
            || !(found.named || usually.is_empty() || usually.contains(&plan.name))
        {
            return 0;
        }
        if plan.partner.is_some() {
            let group = |first: &str| first == plan.name || Some(first) == plan.partner;
            let paired = PAIRED.iter().find(|(first, _)| group(first));
            let judged = paired.is_some_and(|(_, systems)| systems.contains(&name));
            return if judged || found.named {
                self.pairs
            } else {
                self.others_pairs.min(self.pairs)
            };
        }
        // Memory hardly differs from one run to the next.
        if plan.is_idle() { self.rounds.min(2) } else { self.rounds }
    }
}

/// One run to be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Which load.
    pub plan: Plan,
    /// Which of the systems that were found.
    pub system: usize,
    /// Which repetition.
    pub round: u32,
}

/// Plans that are run together, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The runs.
    pub steps: Vec<Step>,
    /// Seconds that they take, about.
    pub seconds: f64,
    /// Seconds that repeating some may take.
    pub repeats: f64,
}

/// All runs of `plans` with `found`.
#[must_use]
pub fn agenda(plans: &[Plan], found: &[Found], options: &Options) -> Vec<Group> {
    let mut groups: Vec<Vec<Plan>> = Vec::new();
    for plan in plans {
        let partner = |group: &&mut Vec<Plan>| group.iter().any(|p| plan.partner == Some(p.name));
        match groups.iter_mut().find(partner) {
            Some(group) => group.push(*plan),
            None => groups.push(vec![*plan]),
        }
    }
    groups.iter().map(|plans| group(plans, found, options)).collect()
}

fn group(plans: &[Plan], found: &[Found], options: &Options) -> Group {
    let rounds = |plan: &Plan, system: usize| options.rounds(plan, &found[system]);
    let systems = 0..found.len();
    let most = systems.clone().filter_map(|s| plans.iter().map(|p| rounds(p, s)).max()).max();
    let mut steps = Vec::new();
    for round in 0..most.unwrap_or(0) {
        for system in systems.clone() {
            let mut now: Vec<&Plan> = plans.iter().filter(|p| round < rounds(p, system)).collect();
            // What drifts with time is not always on the same side.
            if round % 2 == 1 {
                now.reverse();
            }
            steps.extend(now.into_iter().map(|plan| Step { plan: *plan, system, round }));
        }
    }
    let seconds = steps.iter().map(|step| options.takes(&step.plan)).sum();
    let repeats = if options.retries > 0 { seconds * REPEATS } else { 0.0 };
    Group { steps, seconds, repeats }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plans, systems};

    fn all(named: bool) -> Vec<Found> {
        systems::ALL.iter().map(|system| Found::pretended(*system, named)).collect()
    }

    #[test]
    fn the_two_of_a_pair_follow_each_other_in_changing_order() {
        let plans: Vec<Plan> = ["slow", "brisk"].map(|n| *Plan::named(n).unwrap()).into();
        let found = [Found::pretended(systems::ALL[0], true)];
        let options = Options { pairs: 3, ..Options::QUICK };
        let groups = agenda(&plans, &found, &options);
        assert_eq!(groups.len(), 1);
        let names: Vec<_> = groups[0].steps.iter().map(|s| (s.plan.name, s.round)).collect();
        let expected =
            [("slow", 0), ("brisk", 0), ("brisk", 1), ("slow", 1), ("slow", 2), ("brisk", 2)];
        assert_eq!(names, expected);
    }

    #[test]
    fn all_of_it_fits_into_the_time_that_is_promised() {
        let minutes = |options: &Options| {
            let groups = agenda(&plans::ALL, &all(false), options);
            groups.iter().map(|group| group.seconds + group.repeats).sum::<f64>() / 60.0
        };
        let (full, quick) = (minutes(&Options::FULL), minutes(&Options::QUICK));
        assert!((35.0..=45.0).contains(&full) && (6.0..=12.0).contains(&quick), "{full} {quick}");
    }

    #[test]
    fn who_cannot_resume_is_in_no_storm_and_message_pack_is_usual() {
        let groups = agenda(&plans::ALL, &all(false), &Options::FULL);
        let found = all(false);
        let with = |plan: &str| {
            let steps = groups.iter().flat_map(|group| &group.steps);
            let names = steps.filter(|s| s.plan.name == plan).map(|s| found[s.system].system.name);
            names.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(with("storm"), ["floor", "tickwire", "tickwire-n"].into());
        assert_eq!(with("quiet"), with("storm"));
        assert!(with("steady").contains("tickwire-msgpack"));
        assert!(with("bigfan").is_superset(&["tickwire", "tickwire-2", "tickwire-n"].into()));
        assert_eq!(all(true).iter().filter(|f| f.system.can(&plans::ALL[7])).count(), 6);
    }
}
