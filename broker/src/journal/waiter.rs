//! Who waits for the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;

/// One task that waits for records of its own. It is woken once for each batch that holds any of them, and by no
/// other: with hundreds of connections, to wake all for each batch costs more than the batch.
#[derive(Debug)]
pub(crate) struct Waiter {
    waker: AtomicWaker,
    /// First position of the batch that wakes it next.
    batch: AtomicU64,
}

impl Waiter {
    pub fn new() -> Self {
        Self { waker: AtomicWaker::new(), batch: AtomicU64::new(u64::MAX) }
    }

    /// Wakes this task from now on.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Whether it is not among those whom the batch wakes yet. To be called under the lock of the queue.
    pub(super) fn joins(&self, batch: u64) -> bool {
        self.batch.swap(batch, Ordering::Relaxed) != batch
    }
}
