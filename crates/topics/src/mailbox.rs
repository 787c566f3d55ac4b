//! How a shard learns that a topic moved: each topic stands in its mailbox at most once.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Topic;

/// Rouses the thread that owns a mailbox. Called from any publishing thread; must not block.
pub trait Wake: Send + Sync {
    /// Something came in after the mailbox had been empty.
    fn wake(&self);
}

impl<F: Fn() + Send + Sync> Wake for F {
    fn wake(&self) {
        self();
    }
}

/// The topics that moved since one shard last looked. Bounded by the number of topics, because a
/// topic enters only when its dirty bit for this shard was clear.
pub struct Mailbox {
    moved: Mutex<Vec<Arc<Topic>>>,
    wake: Box<dyn Wake>,
}

impl Mailbox {
    /// An empty mailbox whose owner is roused by `wake`.
    pub fn new(wake: impl Wake + 'static) -> Self {
        Self { moved: Mutex::new(Vec::new()), wake: Box::new(wake) }
    }

    /// Puts a topic in; true when the mailbox was empty, so that its owner must be roused.
    pub(crate) fn put(&self, topic: &Arc<Topic>) -> bool {
        let mut moved = self.moved.lock();
        moved.push(Arc::clone(topic));
        moved.len() == 1
    }

    /// Rouses the owner.
    pub(crate) fn rouse(&self) {
        self.wake.wake();
    }

    /// Swaps what came in against `empty`, which keeps its capacity in use.
    ///
    /// # Panics
    /// When `empty` is not.
    pub fn take(&self, empty: &mut Vec<Arc<Topic>>) {
        assert!(empty.is_empty(), "the caller would lose the topics it still holds");
        std::mem::swap(&mut *self.moved.lock(), empty);
    }

    /// True when nothing came in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moved.lock().is_empty()
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("moved", &self.moved.lock().len()).finish_non_exhaustive()
    }
}
