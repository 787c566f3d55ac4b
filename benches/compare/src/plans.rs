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
}

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
};

/// All loads, in the order in which they are run.
pub const ALL: [Plan; 7] = [
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
    Plan {
        name: "brisk",
        words: "1,000 subscribers of one topic, 100 events/s of 4 KiB: what `slow` is compared with",
        rate: 100.0,
        payload: 4_096,
        seconds_min: 14.0,
        ..STEADY
    },
    Plan {
        name: "slow",
        words: "the same with 5 % of the subscribers never reading; the figures are the others'",
        rate: 100.0,
        payload: 4_096,
        seconds_min: 14.0,
        slow_percent: 5.0,
        ..STEADY
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

    /// The seconds to measure, when so many are asked for.
    #[must_use]
    pub fn seconds(&self, wanted: f64) -> f64 {
        if self.is_idle() { 1.0 } else { wanted.max(self.seconds_min) }
    }

    /// The plan in loadgen's words.
    #[must_use]
    pub fn arguments(&self, seconds: f64) -> Vec<String> {
        let pairs: [(&str, String); 8] = [
            ("--subscribers", self.subscribers.to_string()),
            ("--topics", self.topics.to_string()),
            ("--topics-per-subscriber", self.topics_each.to_string()),
            ("--rate", self.rate.to_string()),
            ("--burst", self.burst.to_string()),
            ("--slow-percent", self.slow_percent.to_string()),
            ("--payload", self.payload.to_string()),
            ("--seconds", self.seconds(seconds).to_string()),
        ];
        pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
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
        assert!(Plan::named("nothing").is_none());
    }
}
