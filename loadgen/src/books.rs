//! The books in detail: by role of the subscribers and by topic, each of which balances alone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use client::Sequence;
use serde::Serialize;

use crate::accounting::Totals;
use crate::plan::{Plan, Role};

/// Topics that are shown one by one.
const WORST_MAX: usize = 20;

/// What one thread found, or all of them.
#[derive(Debug, Clone)]
pub struct Books {
    /// By the number of the role.
    roles: [Totals; Role::ALL.len()],
    /// By the number of the topic.
    topics: Vec<Totals>,
}

/// What is reported: total = the sum of the roles = the sum of the topics, but for what was not
/// asked for, which has no topic here.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BooksShown {
    /// Everything, of those that never read too.
    pub total: Totals,
    /// Whether the total and every role and topic add up.
    pub balance: bool,
    /// By role, of roles that there are.
    pub roles: BTreeMap<String, RoleBooks>,
    /// By topic.
    pub topics: TopicsShown,
}

/// The books of one role.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RoleBooks {
    /// How many subscribers it has.
    pub subscribers: usize,
    /// Their books.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Some topics one by one, and the others together.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TopicsShown {
    /// How many topics there are.
    pub count: usize,
    /// The worst, at most 20: the most lost first, then doubled and reordered, announced, never
    /// read, merged.
    pub worst: Vec<TopicBooks>,
    /// All that are not among these.
    pub others: Totals,
}

/// The books of one topic.
#[derive(Debug, Clone, Serialize)]
pub struct TopicBooks {
    /// Its name.
    pub topic: String,
    /// Over all its subscribers.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Books {
    /// Empty ones.
    #[must_use]
    pub fn new(topics: usize) -> Self {
        Self { roles: Default::default(), topics: vec![Totals::default(); topics] }
    }

    /// Closes the books of one subscription to a topic, begun after event `start`, whose last
    /// event is `last`.
    pub fn close(
        &mut self,
        role: Role,
        topic: usize,
        sequence: &Sequence,
        (start, last): (u64, u64),
    ) {
        let mut totals = Totals::default();
        if role == Role::Stalled {
            totals.close_unread(sequence, start, last);
        } else {
            totals.close(*sequence, start, last);
        }
        self.roles[role as usize].add(&totals);
        if let Some(sum) = self.topics.get_mut(topic) {
            sum.add(&totals);
        }
    }

    /// Messages to subscribers of a role about topics that were not asked for.
    pub fn note_unasked(&mut self, role: Role, count: u64) {
        self.roles[role as usize].unasked += count;
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        let pairs = self.roles.iter_mut().zip(&other.roles);
        pairs
            .chain(self.topics.iter_mut().zip(&other.topics))
            .for_each(|(sum, more)| sum.add(more));
    }

    /// Everything of those that read.
    #[must_use]
    pub fn of_readers(&self) -> Totals {
        let readers = Role::ALL.into_iter().filter(|role| *role != Role::Stalled);
        sum(readers.map(|role| &self.roles[role as usize]))
    }

    /// For the report on `plan`.
    #[must_use]
    pub fn shown(&self, plan: &Plan) -> BooksShown {
        let mut order: Vec<_> = (0..self.topics.len()).collect();
        order.sort_by_key(|&topic| Reverse(badness(&self.topics[topic])));
        let (worst, others) = order.split_at(order.len().min(WORST_MAX));
        let books = |&topic: &usize| TopicBooks {
            topic: plan.topic_name(topic).to_owned(),
            totals: self.topics[topic],
        };
        let there = Role::ALL.into_iter().map(|role| (role, plan.count(role)));
        let roles = there.filter(|(_, count)| *count > 0).map(|(role, subscribers)| {
            let totals = self.roles[role as usize];
            (role.name().to_owned(), RoleBooks { subscribers, totals })
        });
        let total = sum(&self.roles);
        let by_topic = Totals { unasked: total.unasked, ..sum(&self.topics) };
        BooksShown {
            total,
            balance: by_topic == total
                && self.roles.iter().chain(&self.topics).all(Totals::balance),
            roles: roles.collect(),
            topics: TopicsShown {
                count: self.topics.len(),
                worst: worst.iter().map(books).collect(),
                others: sum(others.iter().map(|&topic| &self.topics[topic])),
            },
        }
    }
}

fn sum<'t>(all: impl IntoIterator<Item = &'t Totals>) -> Totals {
    let mut total = Totals::default();
    all.into_iter().for_each(|totals| total.add(totals));
    total
}

/// What makes a topic worse than another, the most important first.
fn badness(totals: &Totals) -> [u64; 5] {
    let Totals { lost, doubled, reordered, announced, never_read, merged, .. } = *totals;
    [lost, doubled + reordered, announced, never_read, merged]
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    fn plan(line: &[&str]) -> Plan {
        Arguments::try_parse_from(["loadgen"].iter().chain(line)).unwrap().run.plan().unwrap()
    }

    #[test]
    fn roles_and_topics_add_up_to_the_total_and_the_worst_come_first() {
        let plan = plan(&["--subscribers", "10", "--topics", "30", "--slow-percent", "20"]);
        let mut books = Books::new(plan.topics);
        for topic in 0..plan.topics {
            let mut sequence = Sequence::starting_after(0);
            sequence.event(1, 1);
            if topic == 17 {
                // Three are lost.
                sequence.event(5, 5);
            }
            sequence.event(sequence.last() + 1, 9);
            books.close(Role::Healthy, topic, &sequence, (0, 9));
            books.close(Role::Stalled, topic, &Sequence::starting_after(4), (4, 9));
        }
        let mut both = Books::new(plan.topics);
        both.add(&books);
        both.add(&books);
        both.note_unasked(Role::Healthy, 3);
        let shown = both.shown(&plan);
        assert!(shown.balance, "{shown:?}");
        assert_eq!(shown.roles.keys().collect::<Vec<_>>(), ["healthy", "stalled"]);
        let stalled = &shown.roles["stalled"];
        assert_eq!((stalled.subscribers, stalled.totals.expected), (2, 2 * 30 * 5));
        assert_eq!((stalled.totals.received, stalled.totals.never_read), (0, 2 * 30 * 5));
        assert_eq!(stalled.totals.lost, 0);
        let healthy = shown.roles["healthy"].totals;
        assert_eq!((healthy.expected, healthy.lost, healthy.unasked), (2 * 30 * 9, 6, 3));
        assert_eq!(both.of_readers(), healthy);
        assert_eq!((shown.topics.count, shown.topics.worst.len()), (30, WORST_MAX));
        assert_eq!(shown.topics.worst[0].topic, plan.topic_name(17));
        let worst = shown.topics.worst.iter().map(|books| &books.totals);
        let topics = sum(worst.chain([&shown.topics.others]));
        assert_eq!(topics.expected, shown.total.expected);
        // JSON has the counts beside the name.
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["topics"]["worst"][0]["lost"], 6);
        assert_eq!(json["roles"]["stalled"]["never_read"], 300);
    }
}
