//! The registry's upkeep: what has grown old or too much is forgotten, unused topics are retired.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use market::Nanos;

use crate::registry::Index;
use crate::{Log, Registry, Topic};

impl Registry {
    pub(crate) fn retire_if(
        &self,
        index: &mut Index,
        topic: &Topic,
        unused: impl FnOnce(&Log) -> bool,
    ) -> bool {
        if topic.has_interest() {
            return false;
        }
        let mut log = topic.log();
        let head = log.head();
        let room = head == 0 || index.numbering.len() < self.limits.topics;
        if log.is_retired() || !room || !unused(&log) {
            return false;
        }
        log.retire();
        drop(log);
        if head == 0 {
            self.unpublished.fetch_sub(1, Ordering::Relaxed);
        } else {
            index.numbering.insert(topic.name().clone(), head);
        }
        self.topics.remove(topic.name());
        index.names.remove(topic.name());
        true
    }

    /// Retires a topic that was made for an event that was then refused.
    pub(crate) fn retire_unpublished(&self, topic: &Topic) {
        self.retire_if(&mut self.index.lock(), topic, |log| log.head() == 0);
    }

    /// Keeps the sum over all topics in step with a log that was read or written.
    pub fn account(&self, before: usize, after: usize) {
        self.history_bytes.fetch_add(after as i64 - before as i64, Ordering::Relaxed);
    }

    /// True when the histories together hold more than they may.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        self.history_bytes() > self.limits.history_bytes
    }

    /// Forgets what has grown too old, retires topics that hold nothing and have no subscriber,
    /// and brings all histories together under their bound, oldest events first. Returns how many
    /// topics were retired. Called at intervals, and soon when [`Registry::is_over_budget`].
    pub fn sweep(&self, now: Nanos) -> usize {
        let topics: Vec<Arc<Topic>> = self.topics.iter().map(|entry| Arc::clone(&entry)).collect();
        let mut retired = 0;
        for topic in &topics {
            let (before, after, unused) = {
                let mut log = topic.log();
                let before = log.bytes();
                log.trim(now, &self.limits.history);
                log.shrink();
                (before, log.bytes(), log.is_empty())
            };
            self.account(before, after);
            if unused && !topic.has_interest() {
                let mut index = self.index.lock();
                retired += usize::from(self.retire_if(&mut index, topic, Log::is_empty));
            }
        }
        if self.is_over_budget() {
            self.forget_oldest(&topics);
        }
        retired
    }

    fn forget_oldest(&self, topics: &[Arc<Topic>]) {
        // An eighth below the bound, so that the next sweep is not due at once.
        let target = self.limits.history_bytes / 8 * 7;
        let mut surplus = self.history_bytes().saturating_sub(target);
        let mut ages: Vec<(Nanos, usize)> = Vec::new();
        for topic in topics {
            ages.extend(topic.log().weights());
        }
        ages.sort_unstable_by_key(|&(published, _)| published);
        let mut cutoff = 0;
        for (published, weight) in ages {
            if surplus == 0 {
                break;
            }
            surplus = surplus.saturating_sub(weight);
            cutoff = published.saturating_add(1);
        }
        for topic in topics {
            let (before, after) = {
                let mut log = topic.log();
                let before = log.bytes();
                log.forget_before(cutoff);
                (before, log.bytes())
            };
            self.account(before, after);
        }
    }
}
