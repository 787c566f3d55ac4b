//! The loads that every system gets.

/// A load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, for people.
    pub words: &'static str,
    /// Subscribing sockets.
    pub subscribers: usize,
    /// Topics.
    pub topics: usize,
    /// Topics of each subscriber.
    pub topics_each: usize,
    /// Events a second over all topics.
    pub rate: f64,
    /// Events due at the same moment.
    pub burst: u32,
    /// This many of a hundred subscribers never read.
    pub slow_percent: f64,
    /// Bytes of an event's data.
    pub payload: usize,
    /// Seconds below which the plan shows nothing: the kernel holds some megabytes for a socket
    /// that is not read, before the server notices.
    pub seconds_min: f64,
    /// Seconds that late events are waited for.
    pub drain: f64,
    /// When all but [`UNTOUCHED`] subscribers are cut; they come back at once.
    pub cut: Cut,
    /// The plan that this one makes a pair with: they are run right after each other.
    pub partner: Option<&'static str>,
}

/// When most subscribers are cut at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Not at all.
    Never,
    /// When everything is over. The same clients on the same threads of the load generator as in
    /// a storm, but nothing is seen of it.
    Afterwards,
    /// In the middle of the measured part.
    Midway,
}

/// Subscribers that a storm does not touch.
pub const UNTOUCHED: usize = 1_000;
/// Before the end of the measured part: later is not allowed, and the last event is long there.
const AFTERWARDS: f64 = 1e-6;
/// Files that a server or loadgen needs beside its sockets.
const OTHER_FILES: u64 = 200;

const STEADY: Plan = Plan {
    name: "steady",
    words: "1,000 subscribers of one topic, 50 events/s, one at a time",
    subscribers: 1_000,
    topics: 1,
    topics_each: 1,
    rate: 50.0,
    burst: 1,
    slow_percent: 0.0,
    payload: 128,
    seconds_min: 0.0,
    drain: 3.0,
    cut: Cut::Never,
    partner: None,
};

const BRISK: Plan = Plan {
    name: "brisk",
    words: "1,000 subscribers of one topic, 100 events/s of 4 KiB: what `slow` is compared with",
    rate: 100.0,
    payload: 4_096,
    seconds_min: 14.0,
    partner: Some("slow"),
    ..STEADY
};

const QUIET: Plan = Plan {
    name: "quiet",
    words: "11,000 subscribers with 2 of 50 topics each, 100 events/s over all topics: what \
            `storm` is compared with; latencies are those of 1,000",
    subscribers: 10_000 + UNTOUCHED,
    topics: 50,
    topics_each: 2,
    rate: 100.0,
    seconds_min: 6.0,
    drain: 15.0,
    cut: Cut::Afterwards,
    partner: Some("storm"),
    ..STEADY
};

/// All loads, in the order in which they are run; of a pair the load without the trouble first.
pub const ALL: [Plan; 9] = [
    STEADY,
    Plan {
        name: "burst",
        words: "1,000 subscribers of one topic, 800 events/s, 16 at a time",
        rate: 800.0,
        burst: 16,
        ..STEADY
    },
    Plan {
        name: "wide",
        words: "5,000 subscribers with 5 of 500 topics each, 500 events/s over all topics",
        subscribers: 5_000,
        topics: 500,
        topics_each: 5,
        rate: 500.0,
        ..STEADY
    },
    Plan {
        name: "bigfan",
        words: "10,000 subscribers of one topic, 5 events/s",
        subscribers: 10_000,
        rate: 5.0,
        ..STEADY
    },
    BRISK,
    Plan {
        name: "slow",
        words: "the same with 5 % of the subscribers never reading; the figures are the others'",
        slow_percent: 5.0,
        partner: Some("brisk"),
        ..BRISK
    },
    QUIET,
    Plan {
        name: "storm",
        words: "the same, but 10,000 are cut at once halfway, and come back; latencies are those \
                of the 1,000 others",
        cut: Cut::Midway,
        partner: Some("quiet"),
        ..QUIET
    },
    Plan {
        name: "memory",
        words: "10,000 idle subscribers of one topic",
        subscribers: 10_000,
        // One event, to see that they are there.
        rate: 0.1,
        ..STEADY
    },
];

impl Plan {
    /// The plan with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|plan| plan.name == name)
    }

    /// The plan with no more subscribers than `files` open files allow.
    #[must_use]
    pub fn within(mut self, files: u64) -> Self {
        let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        self.subscribers = self.subscribers.min(room.max(1));
        self
    }

    /// Deliveries a second that the plan asks of the server.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub fn offered(&self) -> f64 {
        let readers = self.subscribers as f64 * (1.0 - self.slow_percent / 100.0);
        readers * self.rate * self.topics_each as f64 / self.topics as f64
    }

    /// Whether there is nothing to see but memory.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.rate < 1.0
    }

    /// Whether clients are cut and come back with `resume`, which only some servers understand.
    #[must_use]
    pub fn resumes(&self) -> bool {
        self.cut != Cut::Never
    }

    /// The seconds to measure, when so many are asked for.
    #[must_use]
    pub fn seconds(&self, wanted: f64) -> f64 {
        if self.is_idle() { 1.0 } else { wanted.max(self.seconds_min) }
    }

    /// The plan in loadgen's words.
    #[must_use]
    pub fn arguments(&self, seconds: f64) -> Vec<String> {
        let seconds = self.seconds(seconds);
        let mut pairs: Vec<(&str, String)> = vec![
            ("--subscribers", self.subscribers.to_string()),
            ("--topics", self.topics.to_string()),
            ("--topics-per-subscriber", self.topics_each.to_string()),
            ("--rate", self.rate.to_string()),
            ("--burst", self.burst.to_string()),
            ("--slow-percent", self.slow_percent.to_string()),
            ("--payload", self.payload.to_string()),
            ("--seconds", seconds.to_string()),
            ("--drain", self.drain.to_string()),
        ];
        let at = match self.cut {
            Cut::Never => None,
            Cut::Afterwards => Some(seconds - AFTERWARDS),
            Cut::Midway => Some(seconds / 2.0),
        };
        if let Some(at) = at {
            pairs.push(("--storm-percent", self.cut_percent().to_string()));
            pairs.push(("--storm-at", at.to_string()));
        }
        pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn cut_percent(&self) -> f64 {
        let cut = self.subscribers.saturating_sub(UNTOUCHED);
        cut as f64 * 100.0 / self.subscribers as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_adds_up() {
        let offered = |name: &str| Plan::named(name).unwrap().offered();
        assert_eq!(offered("steady"), 50_000.0);
        assert_eq!(offered("burst"), 800_000.0);
        // Each topic has 50 subscribers.
        assert_eq!(offered("wide"), 500.0 * 50.0);
        assert_eq!(offered("slow"), 95_000.0);
        assert_eq!(offered("storm"), 44_000.0);
        assert!(Plan::named("nothing").is_none());
    }

    #[test]
    fn the_two_of_a_pair_differ_in_the_trouble_alone() {
        for plan in ALL.iter().filter(|plan| plan.partner.is_some()) {
            let partner = plan.partner.and_then(Plan::named).unwrap();
            assert_eq!(partner.partner, Some(plan.name));
            let alike = Plan {
                name: plan.name,
                words: plan.words,
                partner: plan.partner,
                slow_percent: plan.slow_percent,
                cut: plan.cut,
                ..*partner
            };
            assert_eq!(alike, *plan);
        }
        let (quiet, storm) = (Plan::named("quiet").unwrap(), Plan::named("storm").unwrap());
        let (quiet, storm) = (quiet.arguments(10.0), storm.arguments(10.0));
        let differ: Vec<_> = quiet.iter().zip(&storm).filter(|(a, b)| a != b).collect();
        assert_eq!(differ, [(&"9.999999".to_owned(), &"5".to_owned())]);
    }

    #[test]
    fn where_fewer_files_may_be_open_fewer_come_but_the_untouched_stay() {
        let storm = Plan::named("storm").unwrap();
        assert_eq!(storm.within(20_000), *storm);
        let few = storm.within(4_200);
        assert_eq!((few.subscribers, few.cut_percent()), (4_000, 75.0));
        let line = loadgen_plan(&few.arguments(6.0));
        assert_eq!(line.count(loadgen::plan::Role::Storm), 3_000);
        let line = loadgen_plan(&storm.arguments(6.0));
        assert_eq!(line.count(loadgen::plan::Role::Healthy), UNTOUCHED);
    }

    #[test]
    fn loadgen_understands_every_plan() {
        for plan in &ALL {
            assert_eq!(loadgen_plan(&plan.arguments(2.5)).subscribers, plan.subscribers);
        }
    }

    fn loadgen_plan(arguments: &[String]) -> loadgen::plan::Plan {
        use clap::Parser as _;
        let line = std::iter::once("loadgen".to_owned()).chain(arguments.iter().cloned());
        loadgen::arguments::Arguments::try_parse_from(line).unwrap().run.plan().unwrap()
    }
}
