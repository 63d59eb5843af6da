//! How channels vary together.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::detection::fleet::lanes::{Lanes, Square, ZERO};
use crate::detection::fleet::schema::MAX_CHANNELS;

/// Least eigenvalue of a correlation matrix that is inverted, for all of it and for its remainder:
/// a direction that is quieter is so by rounding or by luck.
const LEAST_EIGENVALUE: f64 = 1e-3;
const LEAST_REMAINDER: f64 = 1e-2;

/// Directions with less than this part of a channel's own variance are those that healthy devices
/// hardly use; the others are the principal components.
const REMAINDER: f64 = 0.5;

/// Second moments about 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Covariance {
    rows: f64,
    products: [[f64; MAX_CHANNELS]; MAX_CHANNELS],
    /// Σ of the fourth power of the lengths.
    fourth: f64,
}

impl Covariance {
    pub fn push(&mut self, vector: &Lanes) {
        let vector = vector.map(f64::from);
        self.rows += 1.0;
        for (row, value) in self.products.iter_mut().zip(vector) {
            for (product, other) in row.iter_mut().zip(vector) {
                *product += value * other;
            }
        }
        self.fourth += vector.iter().map(|value| value * value).sum::<f64>().powi(2);
    }

    pub fn variance(&self, channel: usize) -> f64 {
        self.products[channel][channel] / self.rows.max(1.0)
    }

    /// Inverse of the whole covariance; 0 for channels that do not vary. `repeats` is how many
    /// neighbouring rows say the same.
    pub fn precision(&self, repeats: f64) -> Square {
        self.inverse(repeats, |eigenvalue| 1.0 / eigenvalue.max(LEAST_EIGENVALUE))
    }

    /// Inverse within the directions outside of the principal components (Jackson & Mudholkar
    /// 1979), each in units of its own spread, so that the quietest count as well.
    pub fn remainder(&self, repeats: f64) -> Square {
        self.inverse(
            repeats,
            |eigenvalue| if eigenvalue < REMAINDER { 1.0 / eigenvalue.max(LEAST_REMAINDER) } else { 0.0 },
        )
    }

    fn inverse(&self, repeats: f64, weight: impl Fn(f64) -> f64) -> Square {
        let active: Vec<usize> = (0..MAX_CHANNELS).filter(|c| self.variance(*c) > 1e-9).collect();
        let deviation = |at: usize| self.variance(active[at]).sqrt();
        let kept = 1.0 - self.shrinkage(repeats);
        let correlation = DMatrix::from_fn(active.len(), active.len(), |i, j| {
            let covariance = self.products[active[i]][active[j]] / self.rows;
            if i == j { 1.0 } else { kept * covariance / (deviation(i) * deviation(j)) }
        });
        let eigen = SymmetricEigen::new(correlation);
        let weights = DMatrix::from_diagonal(&eigen.eigenvalues.map(weight));
        let inverse = &eigen.eigenvectors * weights * eigen.eigenvectors.transpose();
        let mut lanes = [ZERO; MAX_CHANNELS];
        for (i, row) in active.iter().enumerate() {
            for (j, column) in active.iter().enumerate() {
                lanes[*row][*column] = (inverse[(i, j)] / (deviation(i) * deviation(j))) as f32;
            }
        }
        lanes
    }

    /// How far correlations are drawn to 0 (Ledoit & Wolf 2004, with as many rows as are independent).
    fn shrinkage(&self, repeats: f64) -> f64 {
        let squared: f64 = self.products.iter().flatten().map(|product| (product / self.rows).powi(2)).sum();
        let error = (self.fourth / self.rows - squared) / (self.rows / repeats);
        let mean = (0..MAX_CHANNELS).map(|c| self.variance(c)).sum::<f64>() / MAX_CHANNELS as f64;
        let distance = squared - MAX_CHANNELS as f64 * mean * mean;
        if distance > 0.0 { (error / distance).clamp(0.0, 1.0) } else { 1.0 }
    }
}
