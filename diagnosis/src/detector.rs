//! Detectors: what each looks at, what one sample tells it, and when its symptom latches.
//!
//! How the catalogue's words map to those of ISA-18.2 / IEC 62682:
//!
//! | ISA-18.2 | `detectors.toml` |
//! |---|---|
//! | alarm condition, setpoint | `violated` |
//! | deadband | what is neither `violated` nor `ok` tells nothing |
//! | on-delay, off-delay | `on_delay`, `off_delay`, each with `min_samples` |
//! | latching alarm | every symptom: what is not seen to be gone stays |
//! | suppression by design | `when`, `after_boot` |
//! | chattering alarm | `chatter = { times = 5, within = "24 h" }`, which is the default |
//! | stale, frozen reading | no value for ten minutes is missing; `spread(x, 3 h) < 0.01` stands still |
//!
//! Each sample tells a detector one of [`Outcome`]. A symptom latches as present or absent
//! only after a run of equal outcomes of the delay's length and the least number of samples;
//! samples that tell nothing pause a run, the opposite outcome starts a new one (on-delay,
//! off-delay and latch as in ISA-18.2).
//!
//! A symptom that latches too often within a time is *chattering* (ISA-18.2, 16.5): it is told
//! once more, as chattering, and stays latched until it has been gone for all of that time.

use serde::{Deserialize, Serialize};

use crate::drift::{Drift, DriftState};
use crate::expression::evaluate::{flag, number};
use crate::expression::{Flag, Values};
use crate::model_symptom::ModelSymptom;

/// What watches for one symptom.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Detector {
    /// The symptom's key.
    pub key: String,
    /// For people.
    pub name: String,
    /// All must hold for a sample to tell anything.
    pub when: Vec<Flag>,
    pub test: Test,
    /// The rule as written, for explanations.
    pub rule: String,
    pub after_boot_ms: i64,
    pub on_delay_ms: i64,
    pub off_delay_ms: i64,
    pub min_samples: u16,
    pub chatter: Chatter,
    /// P(symptom latched as present), if no cause linked to it is active.
    pub false_alarm: f64,
    /// It shows a safety lockout: while present, nothing may be done remotely.
    pub lockout: bool,
}

/// When a symptom that comes and goes is chattering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chatter {
    /// It latches as present more often than this ...
    pub times: u8,
    /// ... within this time.
    pub within_ms: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Rule {
        violated: Flag,
        /// Without it, all that is not violated is ok; with it, what is neither tells nothing.
        ok: Option<Flag>,
    },
    Drift(Drift),
    /// No sample tells anything: a model does, from outside.
    Model(ModelSymptom),
}

/// What one sample tells a detector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    #[default]
    NotApplicable,
    Ok,
    Violated,
}

/// Whether a symptom is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Latch {
    #[default]
    Unknown,
    Present,
    Absent,
}

/// What the number told with a symptom is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Measured {
    #[default]
    Nothing,
    /// In the unit of the rule.
    Number,
    /// A length of time.
    Seconds,
}

/// 28 bytes: a device has dozens. Stored without what is as it was at the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DetectorState {
    #[serde(skip_serializing_if = "is_default")]
    pub latch: Latch,
    /// What the newest sample told.
    #[serde(skip_serializing_if = "is_default")]
    pub last: Outcome,
    /// What the run at hand consists of; `NotApplicable` before the first.
    #[serde(skip_serializing_if = "is_default")]
    run: Outcome,
    /// What `value` is.
    #[serde(skip_serializing_if = "is_default")]
    pub measured: Measured,
    /// Comes and goes too often.
    #[serde(skip_serializing_if = "is_default")]
    pub chattering: bool,
    /// How often it latched as present since `first_s`.
    #[serde(skip_serializing_if = "is_default")]
    pub latches: u8,
    #[serde(skip_serializing_if = "is_default")]
    run_samples: u16,
    #[serde(skip_serializing_if = "is_default")]
    run_seconds: f32,
    #[serde(skip_serializing_if = "is_default")]
    run_since_s: u32,
    /// When the run began that latched it.
    #[serde(skip_serializing_if = "is_default")]
    pub since_s: u32,
    /// When the first of `latches` was.
    #[serde(skip_serializing_if = "is_default")]
    first_s: u32,
    /// What the rule is about, when it latched.
    #[serde(skip_serializing_if = "is_default")]
    pub value: f32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Device time in whole seconds; a time before 1970 or after 2106 is taken as the nearer of the two.
pub(crate) fn whole_seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX)
}

impl Detector {
    /// Whether it remembers a drift.
    pub fn drifts(&self) -> bool {
        matches!(self.test, Test::Drift(_))
    }

    /// Takes a sample; true if the symptom's latch changed. `drift` is what it remembers, if it drifts.
    pub fn step(
        &self,
        state: &mut DetectorState,
        mut drift: Option<&mut DriftState>,
        values: &impl Values,
        dt_ms: i64,
    ) -> bool {
        let outcome = self.outcome(drift.as_deref_mut(), values, dt_ms);
        state.last = outcome;
        if outcome == Outcome::NotApplicable {
            return false;
        }
        state.extend_run(outcome, values.now_ms(), dt_ms);
        let (latch, delay_ms) = match outcome {
            Outcome::Violated => (Latch::Present, self.on_delay_ms),
            _ if state.chattering => (Latch::Absent, self.off_delay_ms.max(self.chatter.within_ms)),
            _ => (Latch::Absent, self.off_delay_ms),
        };
        let long_enough = state.run_seconds >= delay_ms as f32 / 1_000.0 && state.run_samples >= self.min_samples;
        if latch == state.latch || !long_enough {
            return false;
        }
        state.latch = latch;
        state.since_s = state.run_since_s;
        (state.measured, state.value) = self.measured(drift.as_deref(), values);
        state.count(latch, self.chatter, values.now_ms());
        true
    }

    fn outcome(&self, drift: Option<&mut DriftState>, values: &impl Values, dt_ms: i64) -> Outcome {
        let settled = values.since_boot_ms() >= self.after_boot_ms;
        if !settled || !self.when.iter().all(|condition| flag(condition, values) == Some(true)) {
            return Outcome::NotApplicable;
        }
        match &self.test {
            Test::Rule { violated, ok } => match (flag(violated, values), ok) {
                (Some(true), _) => Outcome::Violated,
                (Some(false), None) => Outcome::Ok,
                (Some(false), Some(ok)) if flag(ok, values) == Some(true) => Outcome::Ok,
                _ => Outcome::NotApplicable,
            },
            Test::Drift(of) => match (drift, number(&of.channel, values)) {
                (Some(state), Some(value)) => of.step(state, value, dt_ms),
                _ => Outcome::NotApplicable,
            },
            Test::Model(_) => Outcome::NotApplicable,
        }
    }

    fn measured(&self, drift: Option<&DriftState>, values: &impl Values) -> (Measured, f32) {
        let (kind, value) = match (&self.test, drift) {
            (Test::Rule { violated, .. }, _) => {
                let of = violated.measured(values);
                let is_time = of.is_some_and(|of| of.is_time(values));
                let kind = if is_time { Measured::Seconds } else { Measured::Number };
                (kind, of.and_then(|of| number(of, values)).map(|value| value as f32))
            }
            (_, drift) => (Measured::Number, drift.map(DriftState::level)),
        };
        value.filter(|value| value.is_finite()).map_or_else(Default::default, |value| (kind, value))
    }
}

impl DetectorState {
    fn extend_run(&mut self, outcome: Outcome, now_ms: i64, dt_ms: i64) {
        if self.run == outcome {
            self.run_seconds += dt_ms as f32 / 1_000.0;
            self.run_samples = self.run_samples.saturating_add(1);
        } else {
            self.run = outcome;
            self.run_seconds = 0.0;
            self.run_samples = 1;
            self.run_since_s = whole_seconds(now_ms);
        }
    }

    /// Counts how often it latched; one that is seen to be gone for good begins anew.
    fn count(&mut self, latch: Latch, chatter: Chatter, now_ms: i64) {
        let now_s = whole_seconds(now_ms);
        if latch == Latch::Absent {
            self.latches = if self.chattering { 0 } else { self.latches };
            self.chattering = false;
            return;
        }
        let recent = now_s.checked_sub(self.first_s).is_some_and(|s| i64::from(s) * 1_000 <= chatter.within_ms);
        if self.latches == 0 || !recent {
            (self.latches, self.first_s) = (0, now_s);
        }
        self.latches = self.latches.saturating_add(1);
        self.chattering = self.latches > chatter.times;
    }

    /// Forgets that the symptom was looked for and not seen; what is being seen just now stays.
    pub fn forget_absence(&mut self) {
        if self.latch == Latch::Absent {
            self.latch = Latch::Unknown;
            self.measured = Measured::Nothing;
        }
        if self.run == Outcome::Ok {
            self.run = Outcome::NotApplicable;
        }
    }
}

#[cfg(test)]
mod tests;
