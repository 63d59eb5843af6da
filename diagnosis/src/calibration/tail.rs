//! How often the largest values of all occur: a generalised Pareto tail.

use serde::{Deserialize, Serialize};

/// Standard deviation of what shapes are expected before any value is seen, around 0 (an
/// exponential tail): scores here are made to look like −ln p, whose tail is exponential.
const PRIOR_SHAPE_SD: f64 = 0.05;

/// Shapes beyond are errors of a small sample: −0.5 ends too soon, 0.5 has no variance.
const SHAPE: (f64, f64) = (-0.5, 0.5);

/// P(excess over a threshold > y) = (1 + shape·y / scale)^(−1/shape), for shape 0 exp(−y / scale)
/// (Pickands 1975).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// σ > 0, in the score's unit.
    pub scale: f64,
    /// ξ, without a unit; negative: the tail has an end.
    pub shape: f64,
}

impl Tail {
    /// Fits probability-weighted moments (Hosking & Wallis 1987, eq. 7) and draws the shape towards
    /// 0 by how little the sample knows of it; the scale then keeps the mean excess. `excesses` are
    /// the values minus the threshold, ascending, at least 0; `independent` is how many of them are
    /// no mere repetitions of others. None if they are all 0 or fewer than 5.
    pub fn fit(excesses: &[f64], independent: usize) -> Option<Self> {
        let n = excesses.len() as f64;
        let mean = excesses.iter().sum::<f64>() / n;
        if excesses.len() < 5 || !mean.is_finite() || mean <= 0.0 {
            return None;
        }
        let rank = |at: usize| (n - at as f64 - 0.65) / n;
        let weighted = excesses.iter().enumerate().map(|(at, value)| rank(at) * value).sum::<f64>() / n;
        let raw = 2.0 - mean / (mean - 2.0 * weighted);
        // Var(ξ) of the moments at ξ = 0 is 4/3 / n.
        let known = 1.0 / (1.0 + 4.0 / 3.0 / (independent as f64 * PRIOR_SHAPE_SD * PRIOR_SHAPE_SD));
        let shape = if raw.is_finite() { (raw * known).clamp(SHAPE.0, SHAPE.1) } else { 0.0 };
        Some(Self { scale: mean * (1.0 - shape), shape })
    }

    /// Natural log of the chance that an excess is at least `excess`; −∞ beyond the tail's end.
    pub fn ln_survival(&self, excess: f64) -> f64 {
        let reduced = excess.max(0.0) / self.scale;
        if self.shape.abs() < 1e-6 {
            return -reduced;
        }
        let base = 1.0 + self.shape * reduced;
        if base <= 0.0 { f64::NEG_INFINITY } else { -base.ln() / self.shape }
    }

    /// The excess that is reached with the chance `exp(ln_survival)`.
    pub fn excess(&self, ln_survival: f64) -> f64 {
        if self.shape.abs() < 1e-6 {
            return -ln_survival * self.scale;
        }
        ((-self.shape * ln_survival).exp() - 1.0) * self.scale / self.shape
    }

    pub(super) fn is_valid(&self) -> bool {
        self.scale.is_finite() && self.scale > 0.0 && self.shape.is_finite() && self.shape.abs() <= 1.0
    }
}
