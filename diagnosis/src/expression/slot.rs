//! What functions of time remember between samples: bounded, whatever the number of samples.
//!
//! Bytes a slot: 16, and for a window that is averaged or counted 72, for one whose extremes
//! are kept 80. Lengths of time are `f32` seconds: exact for whole seconds up to half a year.

use serde::{Deserialize, Serialize};

use super::compile::{Flag, Num};
use super::evaluate::{Values, flag, number};
use super::window::{Extremes, Sums};

/// A function of time as the catalogue uses it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slot {
    /// How long a condition has held without a break.
    Held(Flag),
    /// Mean and slope of a number over a window that moves along.
    Mean { of: Num, window_ms: i64 },
    /// Lowest, highest and spread of a number over a window that moves along.
    Range { of: Num, window_ms: i64 },
    /// How often a condition became true within a window that moves along.
    Starts { of: Flag, window_ms: i64 },
    /// For how long altogether a condition held since another was last true.
    Time { of: Flag, since: Flag },
    /// By how much a counter has grown since a condition was last true.
    Rise { of: Num, since: Flag },
    /// A number times hours, over the last stretch that a condition held and that was seen whole.
    Run { of: Num, during: Flag },
}

/// What one slot remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum SlotState {
    Held {
        seconds: f32,
        was: Truth,
    },
    Mean(Box<Sums>),
    Range(Box<Extremes>),
    Starts(Box<Starts>),
    Time {
        seconds: f32,
    },
    Rise {
        last: f64,
        risen: f32,
        /// A value was seen.
        known: bool,
    },
    Run {
        /// Of the stretch under way.
        sum: f32,
        /// Of the last one that was seen whole.
        last: f32,
        stage: Stage,
        /// There was one.
        known: bool,
    },
}

/// What a condition was at the last sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Truth {
    #[default]
    Missing,
    False,
    True,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Starts {
    pub counts: Sums,
    was: Truth,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Part of it was not seen: it does not count.
    Spoilt,
    Outside,
    Inside,
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

impl Step {
    pub fn seconds(self) -> f32 {
        self.dt_ms as f32 / 1_000.0
    }
}

const SECONDS_PER_HOUR: f32 = 3_600.0;

impl Slot {
    pub fn start(&self) -> SlotState {
        match self {
            Self::Held(_) => SlotState::Held { seconds: 0.0, was: Truth::Missing },
            Self::Mean { .. } => SlotState::Mean(Box::default()),
            Self::Range { .. } => SlotState::Range(Box::default()),
            Self::Starts { .. } => SlotState::Starts(Box::default()),
            Self::Time { .. } => SlotState::Time { seconds: 0.0 },
            Self::Rise { .. } => SlotState::Rise { last: 0.0, risen: 0.0, known: false },
            Self::Run { .. } => SlotState::Run { sum: 0.0, last: 0.0, stage: Stage::Spoilt, known: false },
        }
    }

    pub fn step(&self, state: &mut SlotState, values: &impl Values, step: Step) {
        match (self, state) {
            (Self::Held(of), SlotState::Held { seconds, was }) => {
                let now = Truth::from(flag(of, values));
                let goes_on = now == Truth::True && *was == Truth::True && !step.broken;
                *seconds = if goes_on { *seconds + step.seconds() } else { 0.0 };
                *was = now;
            }
            (Self::Mean { of, window_ms }, SlotState::Mean(sums)) => {
                sums.move_to(step.now_ms, *window_ms);
                if let Some(value) = number(of, values) {
                    sums.add(value as f32 * step.seconds(), step.seconds());
                }
            }
            (Self::Range { of, window_ms }, SlotState::Range(extremes)) => {
                extremes.move_to(step.now_ms, *window_ms);
                if let Some(value) = number(of, values) {
                    extremes.add(value, step.seconds());
                }
            }
            (Self::Starts { of, window_ms }, SlotState::Starts(starts)) => {
                starts.step(flag(of, values), *window_ms, step);
            }
            (Self::Time { of, since }, SlotState::Time { seconds }) => {
                if step.broken || flag(since, values) == Some(true) {
                    *seconds = 0.0;
                } else if flag(of, values) == Some(true) {
                    *seconds += step.seconds();
                }
            }
            (Self::Rise { of, since }, SlotState::Rise { last, risen, known }) => {
                let Some(value) = number(of, values) else { return };
                let starts_again = step.broken || !*known || value < *last || flag(since, values) == Some(true);
                *risen = if starts_again { 0.0 } else { *risen + (value - *last) as f32 };
                (*last, *known) = (value, true);
            }
            (Self::Run { of, during }, SlotState::Run { sum, last, stage, known }) => {
                let value = number(of, values);
                let next = match flag(during, values) {
                    Some(false) => Stage::Outside,
                    Some(true) if *stage != Stage::Spoilt && !step.broken && value.is_some() => Stage::Inside,
                    _ => Stage::Spoilt,
                };
                match (*stage, next) {
                    (Stage::Outside, Stage::Inside) => *sum = 0.0,
                    (Stage::Inside, Stage::Inside) => {
                        *sum += value.unwrap_or_default() as f32 * step.seconds() / SECONDS_PER_HOUR;
                    }
                    (Stage::Inside, Stage::Outside) if !step.broken => (*last, *known) = (*sum, true),
                    _ => {}
                }
                *stage = next;
            }
            // A state that does not match its slot is refused when it is restored.
            _ => {}
        }
    }

    /// Whether a stored state is one of this slot.
    pub fn fits(&self, state: &SlotState) -> bool {
        std::mem::discriminant(&self.start()) == std::mem::discriminant(state)
    }
}

impl Starts {
    fn step(&mut self, now: Option<bool>, window_ms: i64, step: Step) {
        self.counts.move_to(step.now_ms, window_ms);
        let now = Truth::from(now);
        if now != Truth::Missing {
            let started = now == Truth::True && self.was == Truth::False && !step.broken;
            self.counts.add(f32::from(u8::from(started)), step.seconds());
        }
        self.was = now;
    }
}

impl From<Option<bool>> for Truth {
    fn from(truth: Option<bool>) -> Self {
        match truth {
            None => Self::Missing,
            Some(false) => Self::False,
            Some(true) => Self::True,
        }
    }
}
