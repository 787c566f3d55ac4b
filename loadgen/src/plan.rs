//! What a run does: checked numbers, the due time and topic of each event, who gets which topic.

pub mod crew;
mod schedule;
mod target;

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use client::{Codec, OnSlow};

pub use self::crew::{Member, Role, Shares};
pub use self::schedule::Schedule;
pub use self::target::Target;
use crate::recorded::Recorded;
use crate::ticks::{Script, TickKind};

/// Topics that can be resumed in one command.
const RESUME_MAX: usize = 1_000;

/// A run that makes sense.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub target: Target,
    /// How many sockets subscribe.
    pub subscribers: usize,
    /// What each of them is.
    pub crew: Arc<[Member]>,
    /// The shares that the crew was made from, in percent.
    pub shares: Shares,
    /// How many topics are published to.
    pub topics: usize,
    /// How many of them each subscriber has that names its topics.
    pub topics_per_subscriber: usize,
    /// What all topics of this run begin with, the final dot included; of ticks, their venue.
    pub prefix: String,
    /// All topics by number.
    pub names: Arc<[String]>,
    /// When events are due.
    pub schedule: Schedule,
    /// Due times, topics and data made ahead: of ticks, and of an exchange's rhythm.
    pub script: Option<Arc<Script>>,
    /// When the messages of a recorded session came; then events are due like that.
    pub recorded: Option<Arc<Recorded>>,
    /// Events are the script's own ticks; otherwise of a fixed size.
    pub ticks: bool,
    /// Events follow the script's own times.
    pub own_rhythm: bool,
    /// Popularity of the topics, summed up to 1; empty when they take turns.
    pub popularity: Arc<[f64]>,
    /// Chooses among topics.
    pub seed: u64,
    /// Bytes of an event's data, where it has a fixed size.
    pub payload: usize,
    /// How most subscribers get their events; publishers always write JSON.
    pub codec: Codec,
    /// Events a second of each topic that subscribers ask for at most.
    pub max_rate: Option<f64>,
    /// What subscribers ask for when they do not keep up.
    pub on_slow: Option<OnSlow>,
    /// Bytes that a slow subscriber reads in a second.
    pub slow_bytes: u64,
    /// Seconds between two departures of a resuming subscriber.
    pub resume_every: f64,
    /// The second of the measured part in which the storm comes.
    pub storm_at: f64,
    /// Threads of subscribers.
    pub threads: usize,
    /// Publishing connections, each with a thread.
    pub publishers: usize,
    /// How long connecting and subscribing may take.
    pub connect: Duration,
    /// How long after the last event to wait for late ones.
    pub drain: Duration,
}

impl Plan {
    /// How many events there are, the warm-up's included.
    #[must_use]
    pub fn events(&self) -> u64 {
        match (&self.script, &self.recorded) {
            (_, Some(recorded)) => recorded.events(self.schedule.measured().end),
            (Some(script), None) if self.own_rhythm => script.due.len() as u64,
            _ => self.schedule.events(),
        }
    }

    /// Nanoseconds after the start at which event `k` is due.
    #[must_use]
    pub fn due(&self, k: u64) -> u64 {
        match (&self.script, &self.recorded) {
            (_, Some(recorded)) => recorded.due(k),
            (Some(script), None) if self.own_rhythm => script.due[index(k)],
            _ => self.schedule.due(k),
        }
    }

    /// The topic of event `k`: the script's, by popularity, or in turn.
    #[must_use]
    pub fn topic_of(&self, k: u64) -> usize {
        match &self.script {
            Some(script) if self.ticks || self.own_rhythm => {
                script.topic_of[index(k)] as usize % self.topics
            }
            _ if self.popularity.is_empty() => index(k % self.topics as u64),
            _ => {
                let at = fraction(mixed(self.seed ^ mixed(k)));
                self.popularity.partition_point(|upto| *upto <= at).min(self.topics - 1)
            }
        }
    }

    /// The publisher of a topic: always the same, so that a topic's events keep their order.
    #[must_use]
    pub fn publisher_of(&self, topic: usize) -> usize {
        topic % self.publishers
    }

    /// Which topics a subscriber has: as many in a row as it names, so that all topics have nearly
    /// the same number of subscribers; of a pattern, all that it covers.
    #[must_use]
    pub fn subset_of(&self, subscriber: usize) -> Subset {
        let topics = self.topics;
        if !self.crew[subscriber].wildcard {
            let first = subscriber.wrapping_mul(self.topics_per_subscriber) % topics;
            return Subset { first, step: 1, count: self.topics_per_subscriber, topics };
        }
        // A pattern over ticks covers one kind.
        let step = match &self.script {
            Some(script) if self.ticks => kinds_of(script),
            _ => 1,
        };
        Subset { first: subscriber % step, step, count: topics / step, topics }
    }

    /// What a subscriber asks for: its topics, or its pattern.
    #[must_use]
    pub fn subscription_of(&self, subscriber: usize) -> Vec<String> {
        if !self.crew[subscriber].wildcard {
            let topics = self.subset_of(subscriber).iter();
            return topics.map(|topic| self.names[topic].clone()).collect();
        }
        match &self.script {
            Some(script) if self.ticks => {
                let kind = script.kinds[self.subset_of(subscriber).first].name();
                vec![format!("{kind}.{}.*", self.prefix)]
            }
            _ => vec![format!("{}*", self.prefix)],
        }
    }

    /// Whether a subscriber's subscription holds something that may be merged, as far as the
    /// plan can know: of generic topics it cannot.
    #[must_use]
    pub fn may_be_merged(&self, subscriber: usize) -> bool {
        let Some(script) = self.script.as_ref().filter(|_| self.ticks) else { return true };
        self.subset_of(subscriber).iter().any(|topic| script.kinds[topic] != TickKind::Trade)
    }

    /// A topic's full name.
    #[must_use]
    pub fn topic_name(&self, topic: usize) -> &str {
        &self.names[topic]
    }

    /// The subscribers of a thread. Those that a storm takes have threads of their own, where
    /// there is more than one: what their return costs here is not to be seen at the others.
    #[must_use]
    pub fn subscribers_of_thread(&self, number: usize) -> Vec<usize> {
        let (storm, others): (Vec<_>, Vec<_>) =
            (0..self.subscribers).partition(|&i| self.crew[i].role == Role::Storm);
        let deal = |all: &[usize], number: usize, threads: usize| {
            all.iter().skip(number).step_by(threads).copied().collect()
        };
        if storm.is_empty() || others.is_empty() || self.threads == 1 {
            return deal(&(0..self.subscribers).collect::<Vec<_>>(), number, self.threads);
        }
        let for_others = (self.threads * others.len()).div_ceil(self.subscribers);
        let for_others = for_others.clamp(1, self.threads - 1);
        match number.checked_sub(for_others) {
            None => deal(&others, number, for_others),
            Some(number) => deal(&storm, number, self.threads - for_others),
        }
    }

    /// How many subscribers are of this kind.
    #[must_use]
    pub fn count(&self, role: Role) -> usize {
        self.crew.iter().filter(|member| member.role == role).count()
    }

    /// Says what makes no sense in the numbers.
    ///
    /// # Errors
    /// The first contradiction, with what would be right.
    pub fn check(&self) -> anyhow::Result<()> {
        self.schedule.check()?;
        ensure!(self.subscribers > 0, "--subscribers: at least one");
        ensure!(self.topics > 0, "--topics: at least one");
        ensure!(
            (1..=self.topics).contains(&self.topics_per_subscriber),
            "--topics-per-subscriber: from 1 to the number of topics, {}",
            self.topics
        );
        ensure!(self.topics_per_subscriber <= 1_000, "--topics-per-subscriber: at most 1000");
        ensure!(self.payload <= 1 << 20, "--payload: at most 1 MiB (1048576)");
        ensure!(self.threads > 0 && self.threads <= 256, "--threads: from 1 to 256");
        ensure!(self.publishers > 0 && self.publishers <= 256, "--publishers: from 1 to 256");
        ensure!(self.slow_bytes > 0, "--slow-bytes: at least 1 byte a second");
        ensure!(self.resume_every >= 0.1, "--resume-every: at least 0.1 seconds");
        let within = (0.0..self.schedule.seconds).contains(&self.storm_at);
        let returning = |member: &Member| matches!(member.role, Role::Resuming | Role::Storm);
        let wide = |(i, member): (usize, &Member)| {
            returning(member) && self.subset_of(i).count > RESUME_MAX
        };
        ensure!(
            !self.crew.iter().enumerate().any(wide),
            "--wildcard-percent: who comes back resumes at most {RESUME_MAX} topics; fewer --topics"
        );
        ensure!(
            within || self.count(Role::Storm) == 0,
            "--storm-at: within the measured part, from 0 to below {} seconds",
            self.schedule.seconds
        );
        let own = |member: &Member| member.wildcard || returning(member);
        ensure!(
            self.target.dialect.is_none()
                || !(self.ticks
                    || self.max_rate.is_some()
                    || self.on_slow.is_some()
                    || self.crew.iter().any(own)),
            "--url: patterns, coming back, --max-rate, --on-slow and ticks are tickwire's own; \
             leave them out for another server"
        );
        Ok(())
    }
}

/// Some of the topics: `count` of them from `first` on in steps, around the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subset {
    first: usize,
    step: usize,
    /// How many there are: its slots.
    pub count: usize,
    topics: usize,
}

impl Subset {
    /// The topics, by slot.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |slot| (self.first + slot * self.step) % self.topics)
    }

    /// Which of them this is, from 0; `None` when it is none of them.
    #[must_use]
    pub fn slot_of(self, topic: usize) -> Option<usize> {
        if topic >= self.topics {
            return None;
        }
        let distance = (topic + self.topics - self.first) % self.topics;
        let slot = distance / self.step;
        (distance.is_multiple_of(self.step) && slot < self.count).then_some(slot)
    }
}

/// How many topics each symbol of a script has.
fn kinds_of(script: &Script) -> usize {
    let first = script.kinds.first();
    script.kinds[1.min(script.kinds.len())..]
        .iter()
        .position(|kind| Some(kind) == first)
        .map_or(script.kinds.len().max(1), |at| at + 1)
}

/// The popularity of `topics` by Zipf's law, summed up to 1; nothing for an exponent of 0.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "numbers of topics")]
pub fn zipf(topics: usize, exponent: f64) -> Arc<[f64]> {
    if exponent == 0.0 {
        return [].into();
    }
    let mut sum = 0.0;
    let mut upto: Vec<f64> = Vec::with_capacity(topics);
    for rank in 1..=topics {
        sum += (rank as f64).powf(-exponent);
        upto.push(sum);
    }
    upto.iter_mut().for_each(|value| *value /= sum);
    upto.into()
}

fn index(k: u64) -> usize {
    usize::try_from(k).expect("numbers of events fit")
}

/// All bits of `value` mixed (the finalizer of SplitMix64).
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[expect(clippy::cast_precision_loss, reason = "the upper 53 bits are kept")]
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_knows_its_slots() {
        for subset in [
            Subset { first: 8, step: 1, count: 3, topics: 10 },
            Subset { first: 1, step: 3, count: 3, topics: 9 },
        ] {
            let topics: Vec<_> = subset.iter().collect();
            for topic in 0..12 {
                let slot = topics.iter().position(|known| *known == topic);
                assert_eq!(subset.slot_of(topic), slot, "{subset:?} {topic}");
            }
        }
    }

    #[test]
    fn popularity_follows_the_law_and_none_is_uniform() {
        assert!(zipf(10, 0.0).is_empty());
        let popularity = zipf(100, 1.0);
        assert!((popularity[99] - 1.0).abs() < 1e-9);
        let mut counts = [0u32; 100];
        for k in 0..100_000_u64 {
            let at = fraction(mixed(7 ^ mixed(k)));
            counts[popularity.partition_point(|upto| *upto <= at).min(99)] += 1;
        }
        // The first is twice the second and ten times the tenth.
        let ratio = |rank: usize| f64::from(counts[0]) / f64::from(counts[rank - 1]);
        assert!((ratio(2) - 2.0).abs() < 0.2 && (ratio(10) - 10.0).abs() < 1.5, "{counts:?}");
    }
}
