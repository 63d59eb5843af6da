//! From a p-value to a likelihood ratio.
//!
//! A healthy unit's p-value is uniform on 0..1. Of a faulty one it is known that small values are
//! more frequent; the family a·p^(a−1), 0 < a ≤ 1, says how much. Without labels the most that any
//! member of the family grants is the bound; with labels `a` is learnt.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Labels that the belief "a tells nothing" (a = 1) counts for: a few lucky cases prove little.
const PRIOR_LABELS: f64 = 2.0;

/// The largest log likelihood ratio that a p-value can stand for, −ln(−e·p·ln p) for p < 1/e, else
/// 0 (Sellke, Bayarri & Berger 2001). `p` is a chance above 0; NaN tells nothing.
pub fn bound(p: f64) -> f64 {
    let p = p.max(f64::MIN_POSITIVE);
    if p < (-1f64).exp() { -1.0 - p.ln() - (-p.ln()).ln() } else { 0.0 }
}

/// What confirmed faults showed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Labelled {
    power: f64,
    labels: usize,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    power: f64,
    labels: usize,
}

/// A stored likelihood that no fit writes.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("the power of the p-value must be above 0 and at most 1, it is {power}")]
pub struct LikelihoodError {
    power: f64,
}

impl Labelled {
    /// Learns from the p-values of units with a confirmed fault, one a fault. Maximum likelihood of
    /// a·p^(a−1), drawn towards a = 1; values that are no chances are left out.
    pub fn fit(p_values: &[f64]) -> Self {
        let chances = p_values.iter().filter(|p| **p > 0.0 && **p <= 1.0);
        let (labels, surprise) = chances.fold((0, 0.0), |(count, sum), p| (count + 1, sum - p.ln()));
        let power = (labels as f64 + PRIOR_LABELS) / (surprise + PRIOR_LABELS);
        Self { power: power.min(1.0), labels }
    }

    /// Natural log of P(p | faulty) / P(p | healthy), never above [`bound`]; below 0 if the p-value
    /// is more like a healthy one's.
    pub fn log_ratio(&self, p: f64) -> f64 {
        let p = p.max(f64::MIN_POSITIVE);
        self.power.ln() + (self.power - 1.0) * p.ln()
    }

    /// How many faults taught it.
    pub fn labels(&self) -> usize {
        self.labels
    }
}

impl TryFrom<Stored> for Labelled {
    type Error = LikelihoodError;

    fn try_from(Stored { power, labels }: Stored) -> Result<Self, LikelihoodError> {
        if power > 0.0 && power <= 1.0 { Ok(Self { power, labels }) } else { Err(LikelihoodError { power }) }
    }
}

impl From<Labelled> for Stored {
    fn from(Labelled { power, labels }: Labelled) -> Self {
        Self { power, labels }
    }
}
