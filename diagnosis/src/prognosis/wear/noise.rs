//! How noisy readings are, from their steps.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::prognosis::first_passage::{normal_cdf, normal_density};

/// Blocks the share of readings at the floor is averaged over.
const FLOOR_MEMORY: f64 = 10.0;
/// Blocks the noise is averaged over: noise belongs to sensor and place and hardly changes.
const MEMORY: f64 = 60.0;

/// Running estimate of the standard deviation of white noise on a level that moves slowly, for a
/// sensor that reads 0 where level and noise are below 0.
///
/// Half the mean square of steps is the variance of what is read. At the floor that is less than
/// the noise's: with the level `a` standard deviations above the floor, the variance of a normal
/// value cut off at 0 is `(a² + 1) Φ(a) + a φ(a) − (a Φ(a) + φ(a))²` of it (Tobin 1958), and the
/// share of readings at the floor tells `a = Φ⁻¹(1 − share)`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Noise {
    floor: Mean,
    variance: Mean,
}

/// A mean that forgets.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Mean {
    pub(super) value: f64,
    pub(super) weight: f64,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64, memory: f64) {
        self.weight = (self.weight + 1.0).min(memory);
        self.value += (value - self.value) / self.weight;
    }
}

impl Noise {
    /// Takes a block's mean square step between readings that follow each other, and the share of
    /// its readings at the floor.
    pub(super) fn add(&mut self, mean_square_step: f64, floor_share: f64) {
        self.floor.add(floor_share, FLOOR_MEMORY);
        self.variance.add(0.5 * mean_square_step / cut_variance(self.floor.value), MEMORY);
    }

    /// Standard deviation of a reading.
    pub(super) fn deviation(&self) -> f64 {
        self.variance.value.sqrt()
    }
}

/// The variance of a unit normal value cut off at the quantile `share`.
fn cut_variance(share: f64) -> f64 {
    if share < 0.01 {
        return 1.0;
    }
    let standard = Normal::standard();
    let a = standard.inverse_cdf(1.0 - share.min(0.9));
    let (below, density) = (normal_cdf(a), normal_density(a));
    let mean = a * below + density;
    (a * a + 1.0) * below + a * density - mean * mean
}

/// The mean reading of a level with noise where readings end at 0, and how it moves with the
/// level.
pub(super) fn read_at_floor(level: f64, noise: f64) -> (f64, f64) {
    if noise <= 0.0 {
        return if level > 0.0 { (level, 1.0) } else { (0.0, 0.0) };
    }
    let a = level / noise;
    (level * normal_cdf(a) + noise * normal_density(a), normal_cdf(a))
}
