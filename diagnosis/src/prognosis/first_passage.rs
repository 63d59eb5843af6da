//! When a Wiener process with drift first passes a level: the inverse Gaussian distribution
//! (Chhikara and Folks, "The inverse Gaussian distribution", 1989, ch. 2 and 11).
//!
//! With drift `ν > 0`, variance `s²` per unit of time and a distance `d` to go, the time is
//! inverse Gaussian with mean `μ = d / ν` and shape `λ = d² / s²`; its variance is `μ³ / λ`.

use statrs::function::erf::erfc;
use std::f64::consts::FRAC_1_SQRT_2;

/// An inverse Gaussian distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstPassage {
    mean: f64,
    shape: f64,
}

/// Steps of bisection: from an interval of a factor 2^64 to the last bit of a double.
const STEPS: u32 = 120;

impl FirstPassage {
    /// By mean and variance of the time, both in its unit; None unless both are positive and
    /// finite.
    pub fn new(mean: f64, variance: f64) -> Option<Self> {
        let shape = mean * mean * mean / variance;
        let valid = mean > 0.0 && mean.is_finite() && variance > 0.0 && shape > 0.0 && shape.is_finite();
        valid.then_some(Self { mean, shape })
    }

    /// The part of passages up to `time`:
    /// `Φ(√(λ/t)(t/μ − 1)) + e^(2λ/μ) Φ(−√(λ/t)(t/μ + 1))`.
    pub fn cdf(&self, time: f64) -> f64 {
        if time <= 0.0 {
            return 0.0;
        }
        let root = (self.shape / time).sqrt();
        let late = normal_cdf(root * (time / self.mean - 1.0));
        (late + scaled_tail(2.0 * self.shape / self.mean, root * (time / self.mean + 1.0))).clamp(0.0, 1.0)
    }

    /// The time by which the part `p` (in (0, 1)) has passed.
    pub fn quantile(&self, p: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.mean);
        while self.cdf(high) < p && high < self.mean * 1e9 {
            (low, high) = (high, high * 2.0);
        }
        for _ in 0..STEPS {
            let middle = 0.5 * (low + high);
            if high - low <= 1e-9 * high {
                break;
            }
            if self.cdf(middle) < p { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }
}

/// The normal distribution function.
pub(super) fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z * FRAC_1_SQRT_2)
}

/// The normal density.
pub(super) fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// `e^log_factor · Φ(−z)` for `z >= 0`, also where one overflows and the other vanishes: beyond
/// z = 25 by `Φ(−z) ≈ φ(z)/z · (1 − 1/z² + 3/z⁴)` (Abramowitz and Stegun 26.2.12).
fn scaled_tail(log_factor: f64, z: f64) -> f64 {
    if z < 25.0 && log_factor < 600.0 {
        return log_factor.exp() * normal_cdf(-z);
    }
    let series = 1.0 - 1.0 / (z * z) + 3.0 / z.powi(4);
    let log_density = -0.5 * z * z - 0.5 * (2.0 * std::f64::consts::PI).ln();
    (log_factor + log_density - z.ln()).exp() * series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1, `invgauss.cdf(x, mu / lam, scale=lam)` for mean 1, shape 1, 3 and 200.
    #[test]
    fn distribution_agrees_with_scipy() {
        for (shape, time, expected) in REFERENCE {
            let passage = FirstPassage::new(1.0, 1.0 / shape).unwrap();
            assert!((passage.cdf(time) - expected).abs() < 1e-9, "shape {shape} time {time}: {}", passage.cdf(time));
            assert!((passage.quantile(expected) - time).abs() < 1e-6 * time);
        }
    }

    /// Independent of the closed form: the density integrated by Simpson's rule.
    #[test]
    fn distribution_is_the_integral_of_the_density() {
        let (mean, shape): (f64, f64) = (170.0, 17_000.0);
        let density = |t: f64| {
            (shape / (2.0 * std::f64::consts::PI * t.powi(3))).sqrt()
                * (-shape * (t - mean).powi(2) / (2.0 * mean * mean * t)).exp()
        };
        let (steps, end) = (4000, 190.0);
        let h = (end - 1.0) / f64::from(steps);
        let at = |i: i32| density(1.0 + h * f64::from(i));
        let inner: f64 = (1..steps).map(|i| if i % 2 == 1 { 4.0 * at(i) } else { 2.0 * at(i) }).sum();
        let integral = h / 3.0 * (at(0) + inner + at(steps));
        let passage = FirstPassage::new(mean, mean.powi(3) / shape).unwrap();
        assert!((passage.cdf(end) - integral).abs() < 1e-9);
    }

    #[test]
    fn nearly_certain_passages_neither_overflow_nor_vanish() {
        let passage = FirstPassage::new(1000.0, 1e-6).unwrap();
        assert!((passage.quantile(0.5) - 1000.0).abs() < 1e-3);
        assert!(passage.quantile(0.1) < passage.quantile(0.9));
        assert_eq!(FirstPassage::new(0.0, 1.0), None);
        assert_eq!(FirstPassage::new(1.0, f64::NAN), None);
    }

    const REFERENCE: [(f64, f64, f64); 6] = [
        (1.0, 0.3, 0.165726619829),
        (1.0, 2.0, 0.885475425986),
        (3.0, 0.3, 0.021376214244),
        (3.0, 2.0, 0.937786002255),
        (200.0, 0.9, 0.072649551569),
        (200.0, 1.1, 0.916904237418),
    ];
}
