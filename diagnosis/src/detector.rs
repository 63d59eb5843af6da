//! Detectors: what each looks at, what one sample tells it, and when its symptom latches.
//!
//! Each sample tells a detector one of [`Outcome`]. A symptom latches as present or absent
//! only after a run of equal outcomes of the delay's length and the least number of samples;
//! samples that tell nothing pause a run, the opposite outcome starts a new one (on-delay,
//! off-delay and latch as in ISA-18.2).

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
    /// P(symptom latched as present), if no cause linked to it is active.
    pub false_alarm: f64,
    /// It shows a safety lockout: while present, nothing may be done remotely.
    pub lockout: bool,
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

/// A number to be told with a symptom.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Measured {
    /// In the unit of the rule.
    Number(f32),
    /// A length of time.
    Seconds(f32),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DetectorState {
    pub latch: Latch,
    /// What the newest sample told.
    pub last: Outcome,
    /// What the run at hand consists of; `NotApplicable` before the first.
    run: Outcome,
    run_samples: u16,
    run_ms: i64,
    run_since_ms: i64,
    /// When the run began that latched it.
    pub since_ms: i64,
    /// What the rule is about, when it latched.
    pub measured: Option<Measured>,
    pub drift: Option<Box<DriftState>>,
}

impl Detector {
    pub fn start(&self) -> DetectorState {
        let drift = matches!(self.test, Test::Drift(_)).then(Box::default);
        DetectorState { drift, ..DetectorState::default() }
    }

    /// Takes a sample; true if the symptom's latch changed.
    pub fn step(&self, state: &mut DetectorState, values: &impl Values, dt_ms: i64) -> bool {
        let outcome = self.outcome(state, values, dt_ms);
        state.last = outcome;
        if outcome == Outcome::NotApplicable {
            return false;
        }
        state.extend_run(outcome, values.now_ms(), dt_ms);
        let (latch, delay_ms) = match outcome {
            Outcome::Violated => (Latch::Present, self.on_delay_ms),
            _ => (Latch::Absent, self.off_delay_ms),
        };
        let long_enough = state.run_ms >= delay_ms && state.run_samples >= self.min_samples;
        if latch == state.latch || !long_enough {
            return false;
        }
        state.latch = latch;
        state.since_ms = state.run_since_ms;
        state.measured = self.measured(state, values);
        true
    }

    fn outcome(&self, state: &mut DetectorState, values: &impl Values, dt_ms: i64) -> Outcome {
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
            Test::Drift(drift) => match (&mut state.drift, number(&drift.channel, values)) {
                (Some(state), Some(value)) => drift.step(state, value, dt_ms),
                _ => Outcome::NotApplicable,
            },
            Test::Model(_) => Outcome::NotApplicable,
        }
    }

    fn measured(&self, state: &DetectorState, values: &impl Values) -> Option<Measured> {
        match &self.test {
            Test::Rule { violated, .. } => {
                let of = violated.measured(values)?;
                let value = Some(number(of, values)? as f32).filter(|value| value.is_finite())?;
                Some(if of.is_time(values) { Measured::Seconds(value) } else { Measured::Number(value) })
            }
            Test::Model(_) => None,
            Test::Drift(_) => state.drift.as_ref().map(|drift| Measured::Number(drift.level() as f32)),
        }
    }
}

impl DetectorState {
    fn extend_run(&mut self, outcome: Outcome, now_ms: i64, dt_ms: i64) {
        if self.run == outcome {
            self.run_ms = self.run_ms.saturating_add(dt_ms);
            self.run_samples = self.run_samples.saturating_add(1);
        } else {
            self.run = outcome;
            self.run_ms = 0;
            self.run_samples = 1;
            self.run_since_ms = now_ms;
        }
    }

    /// Forgets that the symptom was looked for and not seen; what is being seen just now stays.
    pub fn forget_absence(&mut self) {
        if self.latch == Latch::Absent {
            self.latch = Latch::Unknown;
            self.measured = None;
        }
        if self.run == Outcome::Ok {
            self.run = Outcome::NotApplicable;
        }
    }
}

#[cfg(test)]
mod tests;
