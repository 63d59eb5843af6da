//! What functions of time remember between samples: bounded, whatever the number of samples.

use serde::{Deserialize, Serialize};

use super::compile::{Flag, Num};
use super::evaluate::{Values, flag, number};

/// A function of time as the catalogue uses it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slot {
    /// How long a condition has held without a break.
    Held(Flag),
    /// Mean, lowest, highest and spread of a number over a window that moves along.
    Window { of: Num, window_ms: i64 },
    /// For how long altogether a condition held since another was last true.
    Time { of: Flag, since: Flag },
    /// By how much a counter has grown since a condition was last true.
    Rise { of: Num, since: Flag },
}

/// What one slot remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum SlotState {
    Held {
        since_ms: Option<i64>,
        /// The condition was true or false, not missing.
        known: bool,
    },
    Window(Box<Window>),
    Time {
        held_ms: i64,
    },
    Rise {
        base: Option<f64>,
        last: Option<f64>,
    },
}

/// In how many steps a window moves along: it covers between five sixths and all of its length.
const BUCKETS: usize = 6;

/// Part of a window that must have been seen before it says anything: leaves room for
/// one message in eight to be lost.
const COVERED: f32 = 0.7;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Number of the newest bucket, counted from the epoch.
    newest: i64,
    buckets: [Bucket; BUCKETS],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Bucket {
    samples: u16,
    low: f32,
    high: f32,
    /// Sum of value times seconds.
    sum: f32,
    seconds: f32,
}

/// Time as a sample moves it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Device time of the sample.
    pub now_ms: i64,
    /// Since the sample before; 0 for the first, after a gap, and when time went back.
    pub dt_ms: i64,
    /// The samples before say nothing of what went on since: the first sample, a long gap, or time went back.
    pub broken: bool,
}

impl Slot {
    pub fn start(&self) -> SlotState {
        match self {
            Self::Held(_) => SlotState::Held { since_ms: None, known: false },
            Self::Window { .. } => SlotState::Window(Box::default()),
            Self::Time { .. } => SlotState::Time { held_ms: 0 },
            Self::Rise { .. } => SlotState::Rise { base: None, last: None },
        }
    }

    pub fn step(&self, state: &mut SlotState, values: &impl Values, step: Step) {
        match (self, state) {
            (Self::Held(of), SlotState::Held { since_ms, known }) => {
                let truth = flag(of, values);
                *known = truth.is_some();
                *since_ms = match truth {
                    Some(true) if step.broken => Some(step.now_ms),
                    Some(true) => since_ms.or(Some(step.now_ms)),
                    _ => None,
                };
            }
            (Self::Window { of, window_ms }, SlotState::Window(window)) => {
                window.move_to(step.now_ms, *window_ms);
                if let Some(value) = number(of, values) {
                    window.add(value, step, *window_ms);
                }
            }
            (Self::Time { of, since }, SlotState::Time { held_ms }) => {
                if step.broken || flag(since, values) == Some(true) {
                    *held_ms = 0;
                } else if flag(of, values) == Some(true) {
                    *held_ms = held_ms.saturating_add(step.dt_ms);
                }
            }
            (Self::Rise { of, since }, SlotState::Rise { base, last }) => {
                let Some(value) = number(of, values) else { return };
                let fell = last.is_some_and(|last| value < last);
                if step.broken || base.is_none() || fell || flag(since, values) == Some(true) {
                    *base = Some(value);
                }
                *last = Some(value);
            }
            // A state that does not match its slot is refused when it is restored.
            _ => {}
        }
    }

    /// Whether a stored state is one of this slot.
    pub fn fits(&self, state: &SlotState) -> bool {
        matches!(
            (self, state),
            (Self::Held(_), SlotState::Held { .. })
                | (Self::Window { .. }, SlotState::Window(_))
                | (Self::Time { .. }, SlotState::Time { .. })
                | (Self::Rise { .. }, SlotState::Rise { .. })
        )
    }
}

impl Window {
    fn bucket_ms(window_ms: i64) -> i64 {
        (window_ms / BUCKETS as i64).max(1)
    }

    fn place(number: i64) -> usize {
        number.rem_euclid(BUCKETS as i64) as usize
    }

    fn move_to(&mut self, now_ms: i64, window_ms: i64) {
        let newest = now_ms.div_euclid(Self::bucket_ms(window_ms));
        let passed = newest.saturating_sub(self.newest);
        if !(0..BUCKETS as i64).contains(&passed) {
            self.buckets = Default::default();
        } else {
            (self.newest + 1..=newest).for_each(|number| self.buckets[Self::place(number)] = Bucket::default());
        }
        self.newest = newest;
    }

    fn add(&mut self, value: f64, step: Step, window_ms: i64) {
        let bucket = &mut self.buckets[Self::place(self.newest)];
        let value = (value as f32).clamp(f32::MIN / 1e12, f32::MAX / 1e12);
        let seconds = step.dt_ms.min(window_ms) as f32 / 1_000.0;
        let first = bucket.samples == 0;
        bucket.low = if first { value } else { bucket.low.min(value) };
        bucket.high = if first { value } else { bucket.high.max(value) };
        bucket.sum += value * seconds;
        bucket.seconds += seconds;
        bucket.samples = bucket.samples.saturating_add(1);
    }

    fn covered(&self, window_ms: i64) -> Option<impl Iterator<Item = &Bucket>> {
        let seconds: f32 = self.buckets.iter().map(|b| b.seconds).sum();
        let enough = seconds >= COVERED * window_ms as f32 / 1_000.0;
        enough.then(|| self.buckets.iter().filter(|b| b.samples > 0))
    }

    pub fn mean(&self, window_ms: i64) -> Option<f64> {
        let (sum, seconds) = self.covered(window_ms)?.fold((0.0, 0.0), |(s, t), b| (s + b.sum, t + b.seconds));
        Some(f64::from(sum) / f64::from(seconds))
    }

    pub fn lowest(&self, window_ms: i64) -> Option<f64> {
        self.covered(window_ms)?.map(|b| f64::from(b.low)).reduce(f64::min)
    }

    pub fn highest(&self, window_ms: i64) -> Option<f64> {
        self.covered(window_ms)?.map(|b| f64::from(b.high)).reduce(f64::max)
    }
}
