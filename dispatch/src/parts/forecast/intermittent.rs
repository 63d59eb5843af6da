//! The methods of the literature, on series without missing months.
//!
//! Order of operations as in `statsforecast` 2, so that the numbers agree to the last digits.

use std::borrow::Cow;

use super::smoothing::{Smoother, smooth_fitted};

/// Croston's: smoothed size over smoothed interval.
pub(super) fn croston(months: &[f64], alpha: f64) -> f64 {
    let (mut size, mut interval) = (Smoother::new(alpha), Smoother::new(alpha));
    let mut since = 0.0;
    for &pieces in months {
        since += 1.0;
        if pieces > 0.0 {
            size.push(pieces);
            interval.push(since);
            since = 0.0;
        }
    }
    size.forecast().zip(interval.forecast()).map_or(0.0, |(size, interval)| size / interval)
}

/// Teunter, Syntetos and Babai's: smoothed size times smoothed probability.
pub(super) fn tsb(months: &[f64], alpha_size: f64, alpha_probability: f64) -> f64 {
    let (mut size, mut probability) = (Smoother::new(alpha_size), Smoother::new(alpha_probability));
    for &pieces in months {
        probability.push(if pieces > 0.0 { 1.0 } else { 0.0 });
        if pieces > 0.0 {
            size.push(pieces);
        }
    }
    probability.forecast().zip(size.forecast()).map_or(0.0, |(probability, size)| probability * size)
}

/// Croston's with fitted weights.
pub(super) fn croston_optimized(series: &[Cow<'_, [f64]>]) -> Vec<f64> {
    let sizes = series.iter().map(|months| months.iter().copied().filter(|&pieces| pieces > 0.0).collect());
    let mut smoothed = smooth_fitted(&sizes.chain(series.iter().map(|months| intervals(months))).collect::<Vec<_>>());
    let intervals = smoothed.split_off(series.len());
    smoothed.iter().zip(intervals).map(|(size, interval)| if interval > 0.0 { size / interval } else { 0.0 }).collect()
}

/// Blocks of the mean interval.
pub(super) fn adida(series: &[Cow<'_, [f64]>]) -> Vec<f64> {
    let levels: Vec<usize> = series.iter().map(|months| mean_interval(months)).collect();
    let blocks: Vec<_> = series.iter().zip(&levels).map(|(months, &level)| block_sums(months, level)).collect();
    smooth_fitted(&blocks).iter().zip(levels).map(|(sum, level)| sum / level.max(1) as f64).collect()
}

/// Blocks of every length up to the mean interval.
pub(super) fn imapa(series: &[Cow<'_, [f64]>]) -> Vec<f64> {
    let levels: Vec<usize> = series.iter().map(|months| mean_interval(months)).collect();
    let blocks: Vec<_> = series
        .iter()
        .zip(&levels)
        .flat_map(|(months, &highest)| (1..=highest).map(|level| block_sums(months, level)))
        .collect();
    let sums = smooth_fitted(&blocks);
    let mut rest = sums.as_slice();
    levels
        .into_iter()
        .map(|highest| {
            let (own, others) = rest.split_at(highest);
            rest = others;
            let total: f64 = own.iter().zip(1_u32..).map(|(sum, level)| sum / f64::from(level)).sum();
            total / highest.max(1) as f64
        })
        .collect()
}

/// Months from demand to demand, the first counted from before the series.
fn intervals(months: &[f64]) -> Vec<f64> {
    let mut since = 0.0;
    let mut intervals = Vec::new();
    for &pieces in months {
        since += 1.0;
        if pieces > 0.0 {
            intervals.push(since);
            since = 0.0;
        }
    }
    intervals
}

/// Mean interval to the nearest whole month, halves to the even one; 0 without demand.
fn mean_interval(months: &[f64]) -> usize {
    let demands = months.iter().filter(|&&pieces| pieces > 0.0).count();
    let Some(last) = months.iter().rposition(|&pieces| pieces > 0.0) else { return 0 };
    ((last + 1) as f64 / demands as f64).round_ties_even() as usize
}

/// Sums of blocks of this many months; the oldest months that fill no block are left out. None at
/// level 0.
fn block_sums(months: &[f64], level: usize) -> Vec<f64> {
    if level == 0 {
        return Vec::new();
    }
    months[months.len() % level..].chunks_exact(level).map(|block| block.iter().sum()).collect()
}
