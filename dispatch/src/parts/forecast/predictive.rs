//! Distributions of pieces over some months.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};

/// Greatest mean over the months asked for. A part that is needed more often is no spare part, and
/// its table would be long.
pub const MAX_MEAN: f64 = 50_000.0;

/// Greatest variance: beyond, nothing is known.
const MAX_VARIANCE: f64 = 1e18;

/// Where a table ends at the latest; what lies beyond counts as beyond.
const MAX_PIECES: usize = 1 << 17;

/// A table ends where less than this remains.
const TAIL: f64 = 1e-9;

/// What one month may bring: mean and variance, of a negative binomial, or of Poisson's where the
/// variance is not above the mean. Months are taken as independent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthlyDemand {
    /// Pieces expected.
    pub mean: f64,
    /// Their variance.
    pub variance: f64,
}

impl MonthlyDemand {
    /// Pieces over so many months; none over 0 months.
    ///
    /// # Errors
    /// A mean or variance that is negative or not finite; more than [`MAX_MEAN`] pieces expected.
    pub fn over(self, months: u32) -> Result<Predictive, InputError> {
        let months = f64::from(months);
        check_number(self.mean * months, 0.0, MAX_MEAN, "mean")?;
        check_number(self.variance * months, 0.0, MAX_VARIANCE, "variance")?;
        Ok(Predictive::negative_binomial(self.mean * months, self.variance * months))
    }
}

/// Probabilities of 0, 1, 2… pieces.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictive {
    pmf: Vec<f64>,
    cdf: Vec<f64>,
}

impl Predictive {
    /// Probability of exactly so many pieces.
    #[must_use]
    pub fn pmf(&self, pieces: u32) -> f64 {
        self.pmf.get(pieces as usize).copied().unwrap_or(0.0)
    }

    /// Probability of at most so many pieces.
    #[must_use]
    pub fn cdf(&self, pieces: u32) -> f64 {
        self.cdf.get(pieces as usize).copied().unwrap_or(1.0)
    }

    /// Least number of pieces that suffices with this probability; the greatest with any chance
    /// worth naming for 1, 0 for a probability of 0 or below.
    #[must_use]
    pub fn quantile(&self, probability: f64) -> u32 {
        let within = self.cdf.partition_point(|&reached| reached < probability);
        within.min(self.most() as usize) as u32
    }

    /// Pieces that are exceeded with a chance below 1e-9.
    #[must_use]
    pub fn most(&self) -> u32 {
        (self.pmf.len() - 1) as u32
    }

    /// Pieces expected.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.pmf.iter().enumerate().map(|(pieces, chance)| pieces as f64 * chance).sum()
    }

    /// Variance at least that of Poisson; see [`MonthlyDemand`].
    fn negative_binomial(mean: f64, variance: f64) -> Self {
        if mean <= 0.0 {
            return Self { pmf: vec![1.0], cdf: vec![1.0] };
        }
        // P(x + 1) = P(x) · (r + x) / (x + 1) · q, which for r -> ∞ with r · q = mean is Poisson's.
        let q = (1.0 - mean / variance.max(mean)).min(1.0 - 1e-12);
        let base = mean * (1.0 - q);
        let ratio = |pieces: usize| (base + pieces as f64 * q) / (pieces as f64 + 1.0);
        let mode = if base < 1.0 { 0 } else { ((base - 1.0) / (1.0 - q)).ceil() as usize };
        Self::normalised(from_mode(mode.min(MAX_PIECES - 1), ratio))
    }

    fn normalised(mut pmf: Vec<f64>) -> Self {
        let total: f64 = pmf.iter().sum();
        pmf.iter_mut().for_each(|chance| *chance /= total);
        let cdf = pmf
            .iter()
            .scan(0.0, |reached, chance| {
                *reached += chance;
                Some(f64::min(*reached, 1.0))
            })
            .collect();
        Self { pmf, cdf }
    }
}

/// Weights of 0, 1, 2… from the ratio of neighbours, outwards from the mode, where no exponent can
/// underflow.
fn from_mode(mode: usize, ratio: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut weights = vec![0.0; mode + 1];
    weights[mode] = 1.0;
    for pieces in (0..mode).rev() {
        weights[pieces] = weights[pieces + 1] / ratio(pieces);
    }
    let mut total: f64 = weights.iter().sum();
    let mut weight = 1.0;
    for pieces in mode..MAX_PIECES {
        let next = ratio(pieces);
        // Beyond the mode the ratios fall towards q: what remains is below a geometric series.
        if next < 1.0 && weight * next < TAIL * total * (1.0 - next) {
            break;
        }
        weight *= next;
        total += weight;
        weights.push(weight);
    }
    weights
}
