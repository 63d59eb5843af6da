//! How a row of one channel depends on the rows before it.

use serde::{Deserialize, Serialize};

/// The longest memory that is tried, rows.
pub(super) const LONGEST: usize = 12;

/// `x[t] - mean = Σ coefficient[k] (x[t-1-k] - mean) + residual[t]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Autoregression {
    pub(super) mean: f64,
    pub(super) coefficients: Vec<f64>,
}

impl Autoregression {
    /// Burg's method (1975), whose model is always stable, at the order with the least AICc
    /// (Hurvich & Tsai 1989).
    pub(super) fn fit(values: &[f64]) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n.max(1) as f64;
        let mut forward: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let mut backward = forward.clone();
        let mut variance = forward.iter().map(|x| x * x).sum::<f64>() / n.max(1) as f64;
        let mut coefficients: Vec<f64> = Vec::new();
        let mut best = (aicc(variance, 0, n), Vec::new());
        for order in 1..=LONGEST.min(n / 10) {
            let (mut cross, mut power) = (0.0, 0.0);
            for t in order..n {
                cross += forward[t] * backward[t - 1];
                power += forward[t] * forward[t] + backward[t - 1] * backward[t - 1];
            }
            if power <= 0.0 {
                break;
            }
            let reflection = 2.0 * cross / power;
            for t in (order..n).rev() {
                let (ahead, behind) = (forward[t], backward[t - 1]);
                forward[t] = ahead - reflection * behind;
                backward[t] = behind - reflection * ahead;
            }
            let last = coefficients.clone();
            for (coefficient, mirrored) in coefficients.iter_mut().zip(last.iter().rev()) {
                *coefficient -= reflection * mirrored;
            }
            coefficients.push(reflection);
            variance *= 1.0 - reflection * reflection;
            let criterion = aicc(variance, order, n);
            if criterion < best.0 {
                best = (criterion, coefficients.clone());
            }
        }
        Self { mean, coefficients: best.1 }
    }

    /// What is expected after `history`, newest first.
    pub(super) fn expect(&self, history: &[f64]) -> f64 {
        let step = |sum: f64, (coefficient, past): (&f64, &f64)| sum + coefficient * (past - self.mean);
        self.coefficients.iter().zip(history).fold(self.mean, step)
    }
}

fn aicc(variance: f64, order: usize, n: usize) -> f64 {
    let (n, parameters) = (n as f64, (order + 2) as f64);
    n * variance.max(f64::MIN_POSITIVE).ln() + 2.0 * parameters * n / (n - parameters - 1.0).max(1.0)
}

/// Puts the newest value in front of a history and drops the oldest.
pub(super) fn remember(history: &mut [f64; LONGEST], value: f64) {
    history.copy_within(0..LONGEST - 1, 1);
    history[0] = value;
}

#[cfg(test)]
mod tests {
    use super::super::draws::Draws;
    use super::*;

    #[test]
    fn a_known_process_is_found_again() {
        let mut draws = Draws::new(1);
        let mut values = vec![0.0, 0.0];
        for t in 2..20_000 {
            let value: f64 = 1.2 * values[t - 1] - 0.5 * values[t - 2] + draws.normal();
            values.push(value);
        }
        let fitted = Autoregression::fit(&values);
        assert!((fitted.coefficients[0] - 1.2).abs() < 0.03, "{fitted:?}");
        assert!((fitted.coefficients[1] + 0.5).abs() < 0.03, "{fitted:?}");
        assert!(fitted.coefficients[2..].iter().all(|coefficient| coefficient.abs() < 0.04), "{fitted:?}");
    }

    #[test]
    fn a_flat_channel_expects_itself() {
        let flat = Autoregression::fit(&[7.0; 100]);
        assert_eq!(flat.expect(&[7.0; LONGEST]), 7.0);
    }
}
