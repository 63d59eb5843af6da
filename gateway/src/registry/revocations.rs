//! Whom the front must disconnect.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use firmware_proto::DeviceId;
use tokio::sync::Notify;

/// Somebody whose connection must end: blocked, removed, or with new credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// A device.
    Device(DeviceId),
    /// A service account: all its connections.
    Account(String),
}

/// Who has been revoked and not been disconnected yet. Each is in it once, so that it holds at most everybody; a
/// queue with a limit would have to lose some, or hold up the request.
#[derive(Debug, Clone, Default)]
pub struct Revocations(Arc<Pending>);

#[derive(Debug, Default)]
struct Pending {
    revoked: Mutex<HashSet<Revoked>>,
    /// How many there ever were.
    count: AtomicU64,
    wake: Notify,
}

impl Revocations {
    /// How many there ever were.
    pub(super) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, revoked: Revoked) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        self.0.revoked.lock().unwrap_or_else(PoisonError::into_inner).insert(revoked);
        self.0.wake.notify_one();
    }

    /// Waits for the next one. For one caller at a time; nothing is lost if the future is dropped.
    pub async fn next(&self) -> Revoked {
        loop {
            if let Some(revoked) = self.take() {
                return revoked;
            }
            self.0.wake.notified().await;
        }
    }

    fn take(&self) -> Option<Revoked> {
        let mut pending = self.0.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        let one = pending.iter().next().cloned()?;
        pending.take(&one)
    }
}
