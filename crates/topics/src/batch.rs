//! Publishing several events and rousing each shard once, when all of them are in.

use std::fmt;
use std::sync::Arc;

use market::Nanos;
use wire::{Payload, Rejection};

use crate::{Published, Registry, ShardId, Topic};

/// Publishes for one thread, and rouses the shards concerned with [`Batch::rouse`] or when it is
/// dropped. A shard roused by the first event of a burst would write that one alone and the rest
/// in a second write to each socket; roused after the last, it needs one.
pub struct Batch {
    registry: Arc<Registry>,
    /// Shards whose mailbox was empty before this batch, a bit each.
    asleep: u64,
}

impl Batch {
    /// A batch without events.
    #[must_use]
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, asleep: 0 }
    }

    /// Where it publishes to.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Publishes one event; see [`Registry::publish`]. Shards may see it from now on, and do when
    /// the batch is done.
    ///
    /// # Errors
    /// As [`Registry::publish`].
    pub fn publish(
        &mut self,
        topic: &mut Arc<Topic>,
        payload: Payload,
        now: Nanos,
    ) -> Result<Published, Rejection> {
        let (published, asleep) = self.registry.append(topic, payload, now)?;
        self.asleep |= asleep;
        Ok(published)
    }

    /// Rouses the shards that have something new.
    pub fn rouse(&mut self) {
        self.registry.rouse(std::mem::take(&mut self.asleep));
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.rouse();
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("asleep", &self.asleep).finish_non_exhaustive()
    }
}

impl Registry {
    /// Rouses the shards whose bits are set.
    pub(crate) fn rouse(&self, mut shards: u64) {
        while shards != 0 {
            self.mailbox(ShardId::new(shards.trailing_zeros() as usize)).rouse();
            shards &= shards - 1;
        }
    }
}
