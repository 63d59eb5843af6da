//! How often a residual is far out, and the normal scores that follow.

use std::f64::consts::{PI, TAU};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

/// A family of symmetric distributions with a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Family {
    Normal,
    /// With its degrees of freedom.
    Student(f64),
    Laplace,
}

/// What is tried.
const FAMILIES: [Family; 10] = [
    Family::Normal,
    Family::Student(30.0),
    Family::Student(16.0),
    Family::Student(10.0),
    Family::Student(7.0),
    Family::Student(5.0),
    Family::Student(4.0),
    Family::Student(3.0),
    Family::Student(2.5),
    Family::Laplace,
];
/// Steps of a scale's reweighting; it converges by a factor of two or more each.
const STEPS: usize = 10;
/// A normal score beyond this is as good as impossible.
pub(super) const EXTREME: f64 = 8.0;

/// Scale and family of residuals around 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    /// In the channel's unit; the standard deviation if the family is normal.
    pub(super) scale: f64,
    /// Which of the families.
    pub(super) family: usize,
}

impl Tail {
    /// The likeliest of the families. None if all residuals are 0.
    pub(super) fn fit(residuals: &[f64]) -> Option<Self> {
        let squares: Vec<f64> = residuals.iter().map(|e| e * e).collect();
        let mean_square = squares.iter().sum::<f64>() / squares.len().max(1) as f64;
        if mean_square.is_nan() || mean_square <= 0.0 {
            return None;
        }
        let tails = FAMILIES.iter().enumerate().map(|(at, family)| {
            let (scale, log_likelihood) = family.fit(&squares, mean_square);
            (log_likelihood, Self { scale, family: at })
        });
        tails.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, tail)| tail)
    }

    /// Of a value in units of a typical size that so many values have shown: Student's t.
    pub(super) fn of_few(values: f64) -> Self {
        let known = |family: &Family| matches!(family, Family::Student(freedom) if *freedom <= values);
        let heaviest = FAMILIES.iter().rposition(|family| matches!(family, Family::Student(_)));
        let family = FAMILIES.iter().position(known).or(heaviest).expect("some families are Student's");
        Self { scale: 1.0, family }
    }
}

impl Family {
    /// The likeliest scale for squared residuals, and the log-likelihood of a residual.
    fn fit(self, squares: &[f64], mean_square: f64) -> (f64, f64) {
        let n = squares.len() as f64;
        let mean = |term: &dyn Fn(f64) -> f64| squares.iter().map(|&square| term(square)).sum::<f64>() / n;
        match self {
            Self::Normal => (mean_square.sqrt(), -0.5 * (1.0 + (TAU * mean_square).ln())),
            Self::Laplace => {
                let scale = mean(&f64::sqrt);
                (scale, -1.0 - (2.0 * scale).ln())
            }
            Self::Student(freedom) => {
                // Reweighting by Lange, Little & Taylor (1989).
                let mut square = mean_square;
                for _ in 0..STEPS {
                    let weighted = mean(&|e| (freedom + 1.0) * e / (freedom + e / square));
                    // A channel that mostly repeats itself would shrink the scale to nothing.
                    square = weighted.max(mean_square * 1e-2);
                }
                let half = 0.5 * (freedom + 1.0);
                let constant = ln_gamma(half) - ln_gamma(0.5 * freedom) - 0.5 * (PI * freedom * square).ln();
                (square.sqrt(), constant - half * mean(&|e| (1.0 + e / square / freedom).ln()))
            }
        }
    }

    /// How often a residual is larger than `residual`, in scales.
    fn beyond(self, residual: f64) -> f64 {
        match self {
            Self::Normal => Normal::standard().sf(residual),
            Self::Laplace => 0.5 * (-residual).exp(),
            Self::Student(freedom) => {
                StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are positive").sf(residual)
            }
        }
    }
}

/// Residual to normal score and back, for each family: linear between nodes that are
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
        Self { tables: FAMILIES.iter().map(|&family| table(family)).collect() }
    }

    /// The normal score as likely as `residual`; within ±[`EXTREME`].
    pub(super) fn score(&self, tail: Tail, residual: f64) -> f64 {
        let table = &self.tables[tail.family];
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
        let table = &self.tables[tail.family];
        let node = table.partition_point(|&entry| entry <= score.abs()).clamp(1, NODES - 1) - 1;
        let width = (table[node + 1] - table[node]).max(f64::MIN_POSITIVE);
        let part = ((score.abs() - table[node]) / width).clamp(0.0, 1.0);
        (tail.scale * ((node as f64 + part) * STEP).sinh()).copysign(score)
    }
}

fn table(family: Family) -> Vec<f64> {
    let normal = Normal::standard();
    let score = |node: usize| {
        // Below the smallest double the score is past EXTREME in any case.
        let beyond = family.beyond((node as f64 * STEP).sinh()).max(1e-300);
        (-normal.inverse_cdf(beyond)).clamp(0.0, EXTREME)
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
        let tail = Tail { scale: 2.0, family: 5 };
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
        assert!(tail.family <= 2 && (tail.scale - 3.0).abs() < 0.15, "{tail:?}");
        assert_eq!(Tail::fit(&[0.0; 50]), None);
    }
}
