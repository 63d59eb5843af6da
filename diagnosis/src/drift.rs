//! A general detector of drifts and level shifts: EWMA and two-sided CUSUM on block means.
//!
//! Neighbouring samples of an appliance are far from independent, so the channel is first
//! averaged over blocks of informative time. The first blocks teach the device's own
//! baseline (Welford's mean and variance), which is then frozen until a repair resets it:
//! a slow fault is not learnt away. A second baseline may follow the level slowly, but not while
//! it is strained: a step shows against it even where the season has moved the level since.
//! Later blocks are standardised to `z`; the EWMA
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
    /// Weight of the newest block in the baseline that follows the level; 0 if there is none.
    pub follow: f64,
}

/// What a drift detector remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DriftState {
    learnt: u32,
    mean: f32,
    squares: f32,
    block_sum: f32,
    block_samples: u32,
    block_seconds: f32,
    fixed: Chart,
    /// The baseline that follows.
    recent_mean: f32,
    recent: Chart,
    /// EWMA in the channel's unit, for explanations.
    level: f32,
}

/// A channel against one baseline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Chart {
    ewma: f32,
    up: f32,
    down: f32,
}

/// Largest step in standard deviations that one block may count: one wild block is no drift.
const MAX_Z: f64 = 6.0;

/// Keeps sums finite whatever a channel computes.
const MAX_VALUE: f64 = 1e12;

/// A statistic below this part of its limit is well inside; between it and the limit it tells nothing.
const CALM: f64 = 0.5;

impl Drift {
    /// Takes an informative value; tells something only when a block is full and the baseline learnt.
    pub fn step(&self, state: &mut DriftState, value: f64, dt_ms: i64) -> Outcome {
        state.block_sum += value.clamp(-MAX_VALUE, MAX_VALUE) as f32;
        state.block_samples = state.block_samples.saturating_add(1);
        state.block_seconds += dt_ms as f32 / 1_000.0;
        if state.block_seconds < self.block_ms as f32 / 1_000.0 {
            return Outcome::NotApplicable;
        }
        let mean = f64::from(state.block_sum) / f64::from(state.block_samples);
        (state.block_sum, state.block_samples, state.block_seconds) = (0.0, 0, 0.0);
        if state.learnt < self.learn {
            state.teach(mean);
            return Outcome::NotApplicable;
        }
        self.judge(state, mean)
    }

    fn judge(&self, state: &mut DriftState, block: f64) -> Outcome {
        let centre = f64::from(state.mean).clamp(self.baseline.0, self.baseline.1);
        let variance = f64::from(state.squares) / f64::from(state.learnt.max(2) - 1);
        let sigma = variance.sqrt().max(self.min_sigma);
        let mut strain = self.chart(&mut state.fixed, (block - centre) / sigma);
        state.level = (centre + f64::from(state.fixed.ewma) * sigma) as f32;
        if self.follow > 0.0 {
            let off = block - f64::from(state.recent_mean);
            let recent = self.chart(&mut state.recent, off / sigma);
            if recent < CALM {
                state.recent_mean += (self.follow * off) as f32;
            }
            strain = strain.max(recent);
        }
        if strain > 1.0 {
            Outcome::Violated
        } else if strain < CALM {
            Outcome::Ok
        } else {
            Outcome::NotApplicable
        }
    }

    /// Takes a standardised block; returns how far the worse statistic is along the way to its limit.
    fn chart(&self, chart: &mut Chart, z: f64) -> f64 {
        let z = z.clamp(-MAX_Z, MAX_Z);
        let ewma = self.ewma_weight * z + (1.0 - self.ewma_weight) * f64::from(chart.ewma);
        // Bounded at twice the limit, so that a device that has recovered is soon seen to have.
        let up = (f64::from(chart.up) + z - self.slack).clamp(0.0, 2.0 * self.limit);
        let down = (f64::from(chart.down) - z - self.slack).clamp(0.0, 2.0 * self.limit);
        *chart = Chart { ewma: ewma as f32, up: up as f32, down: down as f32 };
        let ewma_limit = self.ewma_limit * (self.ewma_weight / (2.0 - self.ewma_weight)).sqrt();
        let up = (up / self.limit).max(ewma / ewma_limit);
        let down = (down / self.limit).max(-ewma / ewma_limit);
        match self.direction {
            Direction::Up => up,
            Direction::Down => down,
            Direction::Both => up.max(down),
        }
    }
}

impl DriftState {
    fn teach(&mut self, block: f64) {
        self.learnt += 1;
        let block = block as f32;
        let off = block - self.mean;
        self.mean += off / self.learnt as f32;
        self.squares += off * (block - self.mean);
        self.recent_mean = self.mean;
    }

    pub fn level(&self) -> f32 {
        self.level
    }
}
