//! Messages of the cluster that are not taken: counted always, logged once per window.

use std::time::{Duration, Instant};

use metrics::{Counter, counter};
use tracing::warn;

/// One line per reason and minute: a cluster full of other people's messages must not fill the log.
const WINDOW: Duration = Duration::from_secs(60);

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
pub(super) struct Rejects(Vec<(Reason, Counter, Window)>);

impl Rejects {
    pub fn new() -> Self {
        let entry = |reason: Reason| {
            (reason, counter!("mqtt_external_rejected_total", "reason" => reason.label()), Window::default())
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

/// Lets one line through at a time.
#[derive(Default)]
pub(super) struct Window {
    logged_at: Option<Instant>,
    unlogged: u64,
}

impl Window {
    /// How many lines were held back before this one; `None` if this one is.
    pub fn open(&mut self) -> Option<u64> {
        if self.logged_at.is_some_and(|at| at.elapsed() < WINDOW) {
            self.unlogged += 1;
            return None;
        }
        self.logged_at = Some(Instant::now());
        Some(std::mem::take(&mut self.unlogged))
    }
}
