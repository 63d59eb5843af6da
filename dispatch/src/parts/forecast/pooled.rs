//! Means and variances learned over all parts.
//!
//! A part with three demands in four years says little about itself and much about parts like it.
//! Its mean is the credibility estimate of Bühlmann (1967), which is the posterior mean of a gamma
//! prior on a Poisson rate, with older months discounted; its variance is that of a part of the same
//! mean, times a factor of its own that is shrunk to 1 in the same way.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::predictive::MonthlyDemand;
use crate::error::{InputError, check_number};

/// A month's squared error counts at most this many times the usual one: a burst says that there are
/// bursts, not that every month is one.
const GREATEST_SURPRISE: f64 = 8.0;

/// Months that the usual variance counts for, against a part's own.
const VARIANCE_PRIOR_MONTHS: f64 = 6.0;

/// Bounds of the prior's weight in months.
const PRIOR_MONTHS: (f64, f64) = (0.25, 60.0);

/// Groups of months of like mean that the usual variance is fitted through.
const GROUPS: usize = 20;

/// What was learned over all parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PooledModel {
    /// Weight of a month against the one after it, above 0 and at most 1.
    pub discount: f64,
    /// Pieces a month of a part that nothing is known of.
    pub prior_mean: f64,
    /// Months that the prior counts for.
    pub prior_months: f64,
    /// Usual variance of a month at mean 1; it is `scale · mean ^ exponent`.
    pub variance_scale: f64,
    /// See `variance_scale`.
    pub variance_exponent: f64,
}

impl Default for PooledModel {
    /// Before anything is learned: a piece a month, Poisson.
    fn default() -> Self {
        Self { discount: 1.0, prior_mean: 1.0, prior_months: 1.0, variance_scale: 1.0, variance_exponent: 1.0 }
    }
}

impl PooledModel {
    /// Learns from the past of many parts.
    ///
    /// # Errors
    /// A discount outside 0 to 1; no part with two known months.
    pub fn learn<S: AsRef<[f64]>>(series: &[S], discount: f64) -> Result<Self, InputError> {
        check_number(discount, 0.01, 1.0, "discount")?;
        let (prior_mean, prior_months) = credibility(series).ok_or_else(|| InputError::empty("series"))?;
        let mut model = Self { discount, prior_mean, prior_months, variance_scale: 1.0, variance_exponent: 1.0 };
        let mut surprises = Vec::new();
        for part in series {
            model.walk(part.as_ref(), |expected, pieces| surprises.push((expected, (pieces - expected).powi(2))));
        }
        (model.variance_scale, model.variance_exponent) = variance_function(surprises);
        Ok(model)
    }

    /// What the next month of a part may bring, given its past; NaN is a month not recorded.
    #[must_use]
    pub fn outlook(&self, past: &[f64]) -> MonthlyDemand {
        let (mut surprise, mut months) = (VARIANCE_PRIOR_MONTHS, VARIANCE_PRIOR_MONTHS);
        let mean = self.walk(past, |expected, pieces| {
            let ratio = (pieces - expected).powi(2) / self.usual_variance(expected);
            surprise = surprise * self.discount + ratio.min(GREATEST_SURPRISE);
            months = months * self.discount + 1.0;
        });
        MonthlyDemand { mean, variance: self.usual_variance(mean) * surprise / months }
    }

    /// Variance of a month of a part with this mean.
    fn usual_variance(&self, mean: f64) -> f64 {
        self.variance_scale * mean.max(f64::MIN_POSITIVE).powf(self.variance_exponent)
    }

    /// Goes through the months with what was expected of each by those before it; ends with what is
    /// expected of the next.
    fn walk(&self, past: &[f64], mut month: impl FnMut(f64, f64)) -> f64 {
        let (mut pieces_seen, mut months_seen) = (0.0, 0.0);
        let expected = |pieces_seen: f64, months_seen: f64| {
            (self.prior_months * self.prior_mean + pieces_seen) / (self.prior_months + months_seen)
        };
        for &pieces in past.iter().filter(|pieces| !pieces.is_nan()) {
            month(expected(pieces_seen, months_seen), pieces);
            pieces_seen = pieces_seen * self.discount + pieces;
            months_seen = months_seen * self.discount + 1.0;
        }
        expected(pieces_seen, months_seen)
    }
}

/// Mean over all parts, and the months it counts for: variance within a part over variance between
/// parts (Bühlmann and Straub 1970, by moments). Nothing without a part with two months.
fn credibility<S: AsRef<[f64]>>(series: &[S]) -> Option<(f64, f64)> {
    let moments: Vec<(f64, f64, f64)> = series.iter().filter_map(|part| moments(part.as_ref())).collect();
    let parts = moments.len() as f64;
    let mean = moments.iter().map(|part| part.1).sum::<f64>() / parts;
    let within = moments.iter().map(|part| part.2).sum::<f64>() / parts;
    let noise = moments.iter().map(|part| part.2 / part.0).sum::<f64>() / parts;
    let between = moments.iter().map(|part| (part.1 - mean).powi(2)).sum::<f64>() / (parts - 1.0).max(1.0) - noise;
    let months = if between > 0.0 { within / between } else { f64::INFINITY };
    (!moments.is_empty()).then(|| (mean, months.clamp(PRIOR_MONTHS.0, PRIOR_MONTHS.1)))
}

/// Known months, their mean and their variance.
fn moments(part: &[f64]) -> Option<(f64, f64, f64)> {
    let known = || part.iter().filter(|pieces| !pieces.is_nan());
    let months = known().count() as f64;
    let mean = known().sum::<f64>() / months;
    let variance = known().map(|pieces| (pieces - mean).powi(2)).sum::<f64>() / (months - 1.0);
    (months >= 2.0).then_some((months, mean, variance))
}

/// Scale and exponent of a power law (Taylor 1961) through groups of like mean.
fn variance_function(mut surprises: Vec<(f64, f64)>) -> (f64, f64) {
    surprises.sort_by(|one, other| one.0.total_cmp(&other.0));
    let size = surprises.len().div_ceil(GROUPS).max(1);
    let points: Vec<(f64, f64)> = surprises
        .chunks(size)
        .map(|group| {
            let count = group.len() as f64;
            let mean = group.iter().map(|month| month.0).sum::<f64>() / count;
            let variance = group.iter().map(|month| month.1).sum::<f64>() / count;
            (mean, variance)
        })
        .filter(|&(mean, variance)| mean > 0.0 && variance > 0.0)
        .map(|(mean, variance)| (mean.ln(), variance.ln()))
        .collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / count, sum.1 + point.1 / count));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let joint: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    // 1 is Poisson's, 2 that of sizes in proportion to the mean; outside lies noise of few points.
    let exponent = if spread > 1e-9 { (joint / spread).clamp(0.0, 2.0) } else { 1.0 };
    if points.is_empty() { (1.0, 1.0) } else { ((y - exponent * x).exp(), exponent) }
}
