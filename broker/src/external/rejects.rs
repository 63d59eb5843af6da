//! Messages of the cluster that are not taken: counted always, logged once per window.

use metrics::{Counter, counter};
use tracing::warn;

use crate::log_window::LogWindow;

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No topic of ours.
    Topic,
    /// Outside our filters: the cluster remembers a subscription from before.
    Filter,
    /// Larger than a message may be.
    TooLarge,
    /// A retained copy.
    Retained,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Topic, Self::Filter, Self::TooLarge, Self::Retained];

    fn label(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Filter => "filter",
            Self::TooLarge => "too_large",
            Self::Retained => "retained",
        }
    }
}

/// Counters and log windows, one for each reason.
pub(super) struct Rejects(Vec<(Reason, Counter, LogWindow)>);

impl Rejects {
    pub fn new() -> Self {
        let entry = |reason: Reason| {
            (reason, counter!("mqtt_external_rejected_total", "reason" => reason.label()), LogWindow::default())
        };
        Self(Reason::ALL.into_iter().map(entry).collect())
    }

    pub fn note(&mut self, reason: Reason, topic: &str, detail: &str) {
        let Some((_, counter, window)) = self.0.iter_mut().find(|entry| entry.0 == reason) else { return };
        counter.increment(1);
        if let Some(unlogged) = window.open() {
            warn!(
                reason = reason.label(),
                topic,
                detail,
                unlogged_before = unlogged,
                "a message of the cluster was not taken"
            );
        }
    }
}
