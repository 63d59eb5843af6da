//! Five statistics on one scale.

use serde::{Deserialize, Serialize};

/// How many statistics are watched; [`Statistic`](super::Statistic) names them.
pub(super) const STATISTICS: usize = 5;

/// What drift, the last statistic, counts for. It changes over days, so that a training fleet shows
/// few independent values of it, and what it seldom reaches is hard to know. At half weight healthy
/// devices hardly ever lead with it, and a slow fault is found a little later.
const DRIFT_WEIGHT: f32 = 0.5;

/// Makes every statistic comparable: its score is about −ln of how often a healthy row reaches it.
/// A line through the median and the 99 % quantile; the tails of squares and of CUSUMs are
/// exponential, so that the line stays true beyond. What is not true about it, the calibration of
/// the largest score repairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Levels {
    median: [f32; STATISTICS],
    rise: [f32; STATISTICS],
}

impl Levels {
    /// Learns from the values of each statistic in healthy rows; sorts them.
    pub fn fit(values: &mut [Vec<f32>; STATISTICS]) -> Self {
        let mut levels = Self::default();
        for (statistic, values) in values.iter_mut().enumerate() {
            values.sort_unstable_by(f32::total_cmp);
            let quantile = |p: f64| values.get((p * values.len() as f64) as usize).copied().unwrap_or(0.0);
            let (median, rare) = (quantile(0.5), quantile(0.99));
            levels.median[statistic] = median;
            // A statistic that healthy rows never move is not watched.
            let weight = if statistic + 1 == STATISTICS { DRIFT_WEIGHT } else { 1.0 };
            levels.rise[statistic] = if rare > median { weight * 50f32.ln() / (rare - median) } else { 0.0 };
        }
        levels
    }

    #[inline(always)]
    pub fn scores(&self, statistics: &[f32; STATISTICS]) -> [f32; STATISTICS] {
        std::array::from_fn(|s| std::f32::consts::LN_2 + (statistics[s] - self.median[s]) * self.rise[s])
    }

    pub fn numbers(&self) -> impl Iterator<Item = &f32> {
        self.median.iter().chain(&self.rise)
    }
}
