//! From a row's largest score to how often a healthy recording shows as much.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::draws::Draws;
use super::experience::LEAST_P;
use super::surprise::{Expectation, Memory};

/// Simulated rows to judge after each simulated training.
const JUDGED_ROWS: usize = 2_000;
/// Rows before them that bring the memory into its usual state.
const SETTLING_ROWS: usize = 400;
/// Longer trainings are simulated as if they had so many rows: what is uncertain of the parameters
/// is small by then.
pub(super) const MOST_TRAINED_ROWS: usize = 2_000;
/// The share of rows whose tail is fitted and not counted.
const TAIL_SHARE: f64 = 0.005;
/// Entries of the table below the tail.
const ENTRIES: usize = 200;

/// Survival function of the largest score of healthy rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    /// Quantiles of the statistic, from the share 1 down to [`TAIL_SHARE`] in even steps.
    quantiles: Vec<f64>,
    /// Generalised Pareto beyond the last quantile.
    shape: f64,
    scale: f64,
}

impl Calibration {
    /// By simulation: healthy recordings of the fitted kind are simulated, fitted on as many rows
    /// as there were, and judged afterwards, so that what is uncertain of the parameters and the
    /// dependence of consecutive rows are both paid for (parametric bootstrap; Efron & Tibshirani
    /// 1993, chapter 6).
    pub(super) fn simulated(expectation: &Expectation, channels: usize, trained_rows: usize) -> Self {
        let trained = trained_rows.min(MOST_TRAINED_ROWS);
        // Many channels give many chances a row, and cost as much more.
        let rounds = (400 / channels).clamp(12, 30);
        let mut draws = Draws::new(trained as u64);
        let mut largest = Vec::with_capacity(rounds * JUDGED_ROWS);
        for _ in 0..rounds {
            let rows = expectation.simulate(trained + JUDGED_ROWS, &mut || draws.normal());
            let (train, judge) = rows.split_at(trained * channels);
            let refitted = Expectation::fit(&[train.to_vec()], channels);
            let settle = &train[train.len().saturating_sub(SETTLING_ROWS * channels)..];
            largest.extend(judged(&refitted, settle, judge, channels));
        }
        Self::of(largest)
    }

    /// From largest scores of healthy rows; there must be some.
    pub(super) fn of(largest: Vec<f64>) -> Self {
        let mut statistics: Vec<f64> = largest.into_iter().map(statistic).collect();
        statistics.sort_unstable_by(|a, b| b.total_cmp(a));
        let last = statistics.len() - 1;
        let at = |share: f64| statistics[(share * last as f64).round() as usize];
        let step = (1.0 - TAIL_SHARE) / ENTRIES as f64;
        let quantiles: Vec<f64> = (0..=ENTRIES).map(|entry| at(1.0 - step * entry as f64)).collect();
        let start = quantiles[ENTRIES];
        let beyond: Vec<f64> = statistics.iter().map(|statistic| statistic - start).take_while(|x| *x > 0.0).collect();
        let (shape, scale) = generalised_pareto(&beyond);
        Self { quantiles, shape, scale }
    }

    /// How often a healthy row has at least this largest score; [`LEAST_P`] to 1.
    pub(super) fn p_value(&self, largest: f64) -> f64 {
        let statistic = statistic(largest);
        let beyond = statistic - self.quantiles[ENTRIES];
        if beyond >= 0.0 {
            let survival = if self.shape < 1e-9 {
                (-beyond / self.scale).exp()
            } else {
                (1.0 + self.shape * beyond / self.scale).powf(-1.0 / self.shape)
            };
            return (TAIL_SHARE * survival).max(LEAST_P);
        }
        let above = self.quantiles.partition_point(|quantile| *quantile <= statistic);
        if above == 0 {
            return 1.0;
        }
        let (low, high) = (self.quantiles[above - 1], self.quantiles[above]);
        let entry = (above - 1) as f64 + (statistic - low) / (high - low).max(f64::MIN_POSITIVE);
        1.0 - entry * (1.0 - TAIL_SHARE) / ENTRIES as f64
    }
}

/// The largest scores of `judge` after `train`.
pub(super) fn judged(expectation: &Expectation, train: &[f64], judge: &[f64], channels: usize) -> Vec<f64> {
    let mut memory = Memory::new(channels);
    for row in train.chunks_exact(channels) {
        expectation.step(&mut memory, row);
    }
    judge.chunks_exact(channels).filter_map(|row| expectation.step(&mut memory, row)).collect()
}

/// -ln of the two-sided tail of a normal score, whose own tail is close to exponential.
fn statistic(score: f64) -> f64 {
    -(2.0 * Normal::standard().sf(score)).ln()
}

/// Shape and scale by probability-weighted moments (Hosking & Wallis 1987), from the largest down.
/// The shape is kept in 0 to 0.5: a bounded tail would make a p-value of 0.
fn generalised_pareto(descending: &[f64]) -> (f64, f64) {
    let n = descending.len() as f64;
    if n < 10.0 {
        return (0.0, 1.0);
    }
    let mean = descending.iter().sum::<f64>() / n;
    let weighted = descending.iter().enumerate().map(|(rank, x)| x * rank as f64 / (n - 1.0)).sum::<f64>() / n;
    let shape = (2.0 - mean / (mean - 2.0 * weighted)).clamp(0.0, 0.5);
    (shape, mean * (1.0 - shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_score_gets_its_own_p_value() {
        let mut draws = Draws::new(9);
        let calibration = Calibration::of((0..200_000).map(|_| draws.normal().abs()).collect());
        for (score, p) in [(1.0, 0.3173), (2.5758, 0.01), (3.2905, 0.001), (4.4172, 1e-5)] {
            let ratio = calibration.p_value(score) / p;
            assert!((0.75..1.33).contains(&ratio), "{score}: {ratio}");
        }
        assert_eq!(calibration.p_value(0.0), 1.0);
    }
}
