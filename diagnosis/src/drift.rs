//! A general detector of drifts and level shifts: EWMA and two-sided CUSUM on block means.
//!
//! Neighbouring samples of an appliance are far from independent, so the channel is first
//! averaged over blocks of informative time. The first blocks teach the device's own
//! baseline (Welford's mean and variance), which is then frozen until a repair resets it:
//! a slow fault is not learnt away. Later blocks are standardised to `z`; the EWMA
//! `w = λz + (1-λ)w` alarms beyond `L·sqrt(λ/(2-λ))` (Roberts 1959), the CUSUM
//! `s = max(0, s ± z - k)` beyond `h` (Page 1954).

use serde::{Deserialize, Serialize};

use crate::detector::Outcome;
use crate::expression::Num;

/// In which direction a drift is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    Up,
    Down,
    Both,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drift {
    /// The residual that is watched.
    pub channel: Num,
    pub direction: Direction,
    /// Informative time averaged into one block.
    pub block_ms: i64,
    /// Blocks that teach the baseline.
    pub learn: u32,
    /// Where a healthy baseline can be: a device that is faulty from the start cannot teach a wrong one.
    pub baseline: (f64, f64),
    /// Least standard deviation of a block mean, in the channel's unit: a lucky quiet start must not make it nervous.
    pub min_sigma: f64,
    /// Weight λ of the newest block.
    pub ewma_weight: f64,
    /// Alarm limit L of the EWMA, in standard deviations of the EWMA.
    pub ewma_limit: f64,
    /// Slack k of the CUSUM, in standard deviations.
    pub slack: f64,
    /// Alarm limit h of the CUSUM, in standard deviations.
    pub limit: f64,
}

/// What a drift detector remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DriftState {
    learnt: u32,
    mean: f64,
    squares: f64,
    block_sum: f64,
    block_samples: u32,
    block_ms: i64,
    ewma: f64,
    up: f64,
    down: f64,
    /// EWMA in the channel's unit, for explanations.
    level: f64,
}

/// Largest step in standard deviations that one block may count: one wild block is no drift.
const MAX_Z: f64 = 6.0;

/// A statistic below this part of its limit is well inside; between it and the limit it tells nothing.
const CALM: f64 = 0.5;

impl Drift {
    /// Takes an informative value; tells something only when a block is full and the baseline learnt.
    pub fn step(&self, state: &mut DriftState, value: f64, dt_ms: i64) -> Outcome {
        state.block_sum += value;
        state.block_samples = state.block_samples.saturating_add(1);
        state.block_ms = state.block_ms.saturating_add(dt_ms);
        if state.block_ms < self.block_ms {
            return Outcome::NotApplicable;
        }
        let mean = state.block_sum / f64::from(state.block_samples);
        (state.block_sum, state.block_samples, state.block_ms) = (0.0, 0, 0);
        if !mean.is_finite() {
            return Outcome::NotApplicable;
        }
        if state.learnt < self.learn {
            state.teach(mean);
            return Outcome::NotApplicable;
        }
        self.judge(state, mean)
    }

    fn judge(&self, state: &mut DriftState, block: f64) -> Outcome {
        let centre = state.mean.clamp(self.baseline.0, self.baseline.1);
        let variance = state.squares / f64::from(state.learnt.max(2) - 1);
        let sigma = variance.sqrt().max(self.min_sigma);
        let z = ((block - centre) / sigma).clamp(-MAX_Z, MAX_Z);
        state.ewma = self.ewma_weight * z + (1.0 - self.ewma_weight) * state.ewma;
        // Bounded at twice the limit, so that a device that has recovered is soon seen to have.
        state.up = (state.up + z - self.slack).clamp(0.0, 2.0 * self.limit);
        state.down = (state.down - z - self.slack).clamp(0.0, 2.0 * self.limit);
        state.level = centre + state.ewma * sigma;

        let ewma_limit = self.ewma_limit * (self.ewma_weight / (2.0 - self.ewma_weight)).sqrt();
        let up = (state.up / self.limit).max(state.ewma / ewma_limit);
        let down = (state.down / self.limit).max(-state.ewma / ewma_limit);
        let strain = match self.direction {
            Direction::Up => up,
            Direction::Down => down,
            Direction::Both => up.max(down),
        };
        if strain > 1.0 {
            Outcome::Violated
        } else if strain < CALM {
            Outcome::Ok
        } else {
            Outcome::NotApplicable
        }
    }
}

impl DriftState {
    fn teach(&mut self, block: f64) {
        self.learnt += 1;
        let off = block - self.mean;
        self.mean += off / f64::from(self.learnt);
        self.squares += off * (block - self.mean);
    }

    pub fn level(&self) -> f64 {
        self.level
    }
}
