//! What scores healthy units reach, and how rare a score is by that.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Tail;

/// The tail begins where so many scores are left, within the two rates below: fewer cannot tell its
/// shape, and a tail that begins in the bulk is none.
const TAIL_SCORES: f64 = 300.0;
const TAIL_FROM: (f64, f64) = (1e-3, 0.2);

/// Beyond the rarest unit seen, a tail is believed for this many more powers of ten.
const DECADES_BEYOND: f64 = 3.0;

/// Steps of the table per power of ten below 0.1.
const STEPS: usize = 10;

/// Why scores cannot be calibrated, or a stored calibration not be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// Too few units.
    #[error("{units} healthy units; a calibration needs at least {least}")]
    TooFew {
        /// How many there are.
        units: usize,
        /// How many it takes.
        least: usize,
    },
    /// A score was NaN or infinite.
    #[error("score {at} is not finite")]
    NotFinite {
        /// Its place in the list.
        at: usize,
    },
    /// A stored table that no fit writes.
    #[error("the stored calibration is damaged: {0}")]
    Damaged(&'static str),
}

/// The conformal p-value of a unit that `at_least` of `units` healthy ones reach: (1 + k) / (n + 1)
/// (Vovk, Gammerman & Shafer 2005). Never 0, and valid for any distribution.
pub fn conformal_p(at_least: usize, units: usize) -> f64 {
    (1 + at_least) as f64 / (units + 1) as f64
}

/// p-values by the scores of healthy units: conformal quantiles, then a tail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Calibration(Stored);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stored {
    /// Ascending scores, and ln P(a healthy unit reaches them), which falls.
    scores: Vec<f32>,
    ln_p: Vec<f32>,
    /// From the last score on.
    tail: Option<Tail>,
    /// The least ln p that is ever given.
    floor: f32,
    /// How many units taught it.
    units: usize,
}

impl Calibration {
    /// Fewest units that can be calibrated.
    pub const LEAST_UNITS: usize = 8;

    /// Learns from scores of healthy units. `units` is how many exchangeable units they come from:
    /// as many as scores if each is a unit's, fewer if a unit gave many. Sorts `scores`.
    ///
    /// # Errors
    /// Too few units, or a score that is not finite.
    pub fn fit(scores: &mut [f32], units: usize) -> Result<Self, CalibrationError> {
        if units.min(scores.len()) < Self::LEAST_UNITS {
            return Err(CalibrationError::TooFew { units: units.min(scores.len()), least: Self::LEAST_UNITS });
        }
        if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
            return Err(CalibrationError::NotFinite { at });
        }
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let tail_from = (TAIL_SCORES / scores.len() as f64).clamp(TAIL_FROM.0, TAIL_FROM.1);
        let mut table = Stored { scores: vec![], ln_p: vec![], tail: None, floor: floor(units), units };
        for p in rates(tail_from) {
            let reached = (p * (scores.len() + 1) as f64).floor() as usize;
            let Some(at) = reached.checked_sub(1) else { break };
            table.scores.push(scores[at]);
            table.ln_p.push(p.ln() as f32);
        }
        let threshold = table.scores.last().copied().unwrap_or_default();
        let beyond = scores.iter().take_while(|score| **score > threshold);
        let mut excesses: Vec<f64> = beyond.map(|score| f64::from(score - threshold)).collect();
        excesses.reverse();
        // Of many scores of a unit, the largest repeat each other.
        let independent = if scores.len() > units { excesses.len().min(units / 10) } else { excesses.len() };
        table.tail = Tail::fit(&excesses, independent);
        Ok(Self(table))
    }

    /// How often a healthy unit reaches this score; NaN counts as the calmest of all.
    pub fn p(&self, score: f32) -> f32 {
        self.ln_p(score).exp()
    }

    /// Natural log of [`p`](Self::p).
    pub fn ln_p(&self, score: f32) -> f32 {
        let table = &self.0;
        // Comparing with all of them, some dozens, takes less than halving them again and again.
        let above = table.scores.iter().map(|known| u32::from(*known < score)).sum::<u32>() as usize;
        if above == 0 || score.is_nan() {
            return 0.0;
        }
        let (low, low_ln) = (table.scores[above - 1], table.ln_p[above - 1]);
        if let (Some(high), Some(high_ln)) = (table.scores.get(above), table.ln_p.get(above)) {
            return low_ln + (score - low) / (high - low) * (high_ln - low_ln);
        }
        let beyond = table.tail.map_or(0.0, |tail| tail.ln_survival(f64::from(score - low)));
        (low_ln + beyond as f32).max(table.floor)
    }

    /// The score that a healthy unit reaches with the chance `p`.
    pub fn score(&self, p: f32) -> f32 {
        let (table, ln_p) = (&self.0, p.ln());
        let above = table.ln_p.partition_point(|known| *known > ln_p);
        let last = table.scores.len() - 1;
        if above > last {
            let beyond = table.tail.map_or(0.0, |tail| tail.excess(f64::from(ln_p - table.ln_p[last])));
            return table.scores[last] + beyond as f32;
        }
        if above == 0 {
            return table.scores[0];
        }
        let part = (ln_p - table.ln_p[above - 1]) / (table.ln_p[above] - table.ln_p[above - 1]);
        table.scores[above - 1] + part * (table.scores[above] - table.scores[above - 1])
    }

    /// How many units taught it.
    pub fn units(&self) -> usize {
        self.0.units
    }
}

/// Least ln p: a tail is an extrapolation, and only so far a fair one.
fn floor(units: usize) -> f32 {
    (-((units + 1) as f64).ln() - DECADES_BEYOND * std::f64::consts::LN_10) as f32
}

/// Falling rates of the table, from 0.95 down to `least`.
fn rates(least: f64) -> impl Iterator<Item = f64> {
    let bulk = (1..18).map(|step| 1.0 - 0.05 * f64::from(step));
    let decades = (0..).map(|step: i32| 10f64.powf(-1.0 - f64::from(step) / STEPS as f64));
    bulk.chain(decades).take_while(move |p| *p >= least * 0.999)
}

impl TryFrom<Stored> for Calibration {
    type Error = CalibrationError;

    fn try_from(table: Stored) -> Result<Self, CalibrationError> {
        let damaged = |what| Err(CalibrationError::Damaged(what));
        if table.scores.is_empty() || table.scores.len() != table.ln_p.len() {
            return damaged("scores and rates must be as many, and not none");
        }
        if !table.scores.iter().all(|score| score.is_finite()) || !table.scores.is_sorted() {
            return damaged("scores must be finite and rise");
        }
        if !table.ln_p.iter().all(|p| p.is_finite() && *p <= 0.0) || !table.ln_p.is_sorted_by(|a, b| a > b) {
            return damaged("rates must be chances and fall");
        }
        if table.tail.is_some_and(|tail| !tail.is_valid()) || table.floor != floor(table.units) {
            return damaged("tail out of range");
        }
        Ok(Self(table))
    }
}

impl From<Calibration> for Stored {
    fn from(calibration: Calibration) -> Self {
        calibration.0
    }
}
