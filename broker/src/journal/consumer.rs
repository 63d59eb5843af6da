//! Who still needs the journal's records.

use std::sync::Arc;

use metrics::{Gauge, gauge};

use super::Position;
use super::shared::Shared;

/// A registered reader: the journal keeps every record from its mark on. Dropping it ends the registration, and the
/// records that only it still needed go with the next release by another. While nobody is registered nothing is
/// deleted.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    id: u64,
    name: String,
    behind: Gauge,
}

impl Consumer {
    pub(super) fn new(shared: Arc<Shared>, id: u64, name: &str) -> Self {
        let behind = gauge!("journal_consumer_behind_records", "consumer" => name.to_owned());
        Self { shared, id, name: name.to_owned(), behind }
    }

    /// What it was registered as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says that this consumer needs no record below `below`. A segment is deleted once all consumers have passed
    /// it. A mark never moves back.
    pub fn release(&self, below: Position) {
        let end = self.shared.progress.borrow().end;
        let below = below.min(end);
        self.behind.set((end.0 - below.0) as f64);
        self.shared.release(self.id, below);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.unregister(self.id);
    }
}
