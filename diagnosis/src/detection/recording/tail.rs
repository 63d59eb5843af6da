//! How often a residual is far out: Student's t, and the normal scores it gives.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

/// Degrees of freedom that are tried; the last is as good as normal.
const FREEDOMS: [f64; 9] = [2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 16.0, 30.0, f64::INFINITY];
/// Steps of a scale's reweighting; it converges by a factor of two or more each.
const STEPS: usize = 12;
/// A normal score beyond this is as good as impossible.
pub(super) const EXTREME: f64 = 8.0;

/// Scale and weight of the tails of residuals around 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    /// In the channel's unit; the standard deviation if the tail is normal.
    pub(super) scale: f64,
    /// Which of the tried degrees of freedom.
    pub(super) kind: usize,
}

impl Tail {
    /// The likeliest of the tried tails (Lange, Little & Taylor 1989). None if all residuals are 0.
    pub(super) fn fit(residuals: &[f64]) -> Option<Self> {
        let mean_square = residuals.iter().map(|e| e * e).sum::<f64>() / residuals.len().max(1) as f64;
        if mean_square.is_nan() || mean_square <= 0.0 {
            return None;
        }
        let tails = (0..FREEDOMS.len()).map(|kind| {
            let scale = scale(residuals, FREEDOMS[kind], mean_square);
            (log_likelihood(residuals, FREEDOMS[kind], scale), Self { scale, kind })
        });
        tails.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, tail)| tail)
    }
}

fn scale(residuals: &[f64], freedom: f64, mean_square: f64) -> f64 {
    if freedom.is_infinite() {
        return mean_square.sqrt();
    }
    let mut square = mean_square;
    for _ in 0..STEPS {
        let weighted = residuals.iter().map(|e| (freedom + 1.0) / (freedom + e * e / square) * e * e);
        // A channel that mostly repeats itself would shrink the scale to nothing.
        square = (weighted.sum::<f64>() / residuals.len() as f64).max(mean_square * 1e-2);
    }
    square.sqrt()
}

fn log_likelihood(residuals: &[f64], freedom: f64, scale: f64) -> f64 {
    let n = residuals.len() as f64;
    let square = scale * scale;
    if freedom.is_infinite() {
        let sum: f64 = residuals.iter().map(|e| e * e / square).sum();
        return -0.5 * sum - n * (scale.ln() + 0.5 * std::f64::consts::TAU.ln());
    }
    let half = 0.5 * (freedom + 1.0);
    let constant = ln_gamma(half) - ln_gamma(0.5 * freedom) - 0.5 * (freedom * std::f64::consts::PI).ln();
    let sum: f64 = residuals.iter().map(|e| half * (e * e / square / freedom).ln_1p()).sum();
    n * (constant - scale.ln()) - sum
}

/// Residual to normal score and back, for each of the tried tails: linear between nodes that are
/// even in asinh, since a t quantile grows like a power and not like a square root of a logarithm.
pub(super) struct NormalScores {
    tables: Vec<Vec<f64>>,
}

/// The tables, which are the same for everybody.
pub(super) static NORMAL_SCORES: LazyLock<NormalScores> = LazyLock::new(NormalScores::new);

const STEP: f64 = 0.04;
const NODES: usize = 500;

impl NormalScores {
    fn new() -> Self {
        Self { tables: FREEDOMS.iter().map(|&freedom| table(freedom)).collect() }
    }

    /// The normal score as likely as `residual`; within ±[`EXTREME`].
    pub(super) fn score(&self, tail: Tail, residual: f64) -> f64 {
        let table = &self.tables[tail.kind];
        let at = (residual / tail.scale).abs().asinh() / STEP;
        let node = at as usize;
        let score = match table.get(node..node + 2) {
            Some(&[low, high]) => low + (high - low) * (at - node as f64),
            _ => EXTREME,
        };
        score.copysign(residual)
    }

    /// The residual as likely as the normal score `score`.
    pub(super) fn residual(&self, tail: Tail, score: f64) -> f64 {
        let table = &self.tables[tail.kind];
        let node = table.partition_point(|&entry| entry <= score.abs()).clamp(1, NODES - 1) - 1;
        let width = (table[node + 1] - table[node]).max(f64::MIN_POSITIVE);
        let part = ((score.abs() - table[node]) / width).clamp(0.0, 1.0);
        (tail.scale * ((node as f64 + part) * STEP).sinh()).copysign(score)
    }
}

fn table(freedom: f64) -> Vec<f64> {
    let normal = Normal::standard();
    let student = (freedom.is_finite())
        .then(|| StudentsT::new(0.0, 1.0, freedom).expect("the scale and the degrees of freedom are positive"));
    let score = |node: usize| {
        let residual = (node as f64 * STEP).sinh();
        let beyond = student.as_ref().map_or_else(|| normal.sf(residual), |student| student.sf(residual));
        // Below the smallest double the score is past EXTREME in any case.
        (-normal.inverse_cdf(beyond.max(1e-300))).clamp(0.0, EXTREME)
    };
    (0..NODES).map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::super::draws::Draws;
    use super::*;

    #[test]
    fn scores_of_a_t_are_normal_quantiles() {
        let scores = NormalScores::new();
        // Quantiles of t with 5 degrees of freedom (any table): 2.015 at 5 %, 5.893 at 0.1 %.
        let tail = Tail { scale: 2.0, kind: 3 };
        assert!((scores.score(tail, 2.0 * 2.015) - 1.6449).abs() < 2e-3);
        assert!((scores.score(tail, -2.0 * 5.893) + 3.0902).abs() < 2e-3);
        assert!((scores.residual(tail, 3.0902) - 2.0 * 5.893).abs() < 1e-2);
        assert_eq!(scores.score(tail, 1e30), EXTREME);
    }

    #[test]
    fn normal_residuals_are_not_called_heavy() {
        let mut draws = Draws::new(3);
        let residuals: Vec<f64> = (0..5000).map(|_| 3.0 * draws.normal()).collect();
        let tail = Tail::fit(&residuals).unwrap();
        assert!(FREEDOMS[tail.kind] >= 16.0 && (tail.scale - 3.0).abs() < 0.15, "{tail:?}");
        assert_eq!(Tail::fit(&[0.0; 50]), None);
    }
}
