//! How probable it is that a visit begins too late.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

/// The moment along a route, as a normal distribution around the planned one.
///
/// Travel and work each spread with a fixed share of their length; waiting for a window cuts off
/// what comes too early (the maximum of a normal variable and a constant, by its first two moments:
/// Clark, "The greatest of a finite set of random variables", Operations Research 9, 1961).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    mean: f64,
    variance: f64,
}

impl Moment {
    pub fn certain(at: i64) -> Self {
        Self { mean: at as f64, variance: 0.0 }
    }

    /// After something that takes `seconds`, with this standard deviation over its mean.
    pub fn after(self, seconds: i64, spread: f64) -> Self {
        let seconds = seconds as f64;
        Self { mean: self.mean + seconds, variance: self.variance + (spread * seconds).powi(2) }
    }

    /// Not before `at`.
    pub fn not_before(self, at: i64) -> Self {
        let (at, deviation) = (at as f64, self.variance.sqrt());
        if deviation < 1e-9 {
            return Self { mean: self.mean.max(at), variance: 0.0 };
        }
        let ahead = (self.mean - at) / deviation;
        let (below, density) = (standard().cdf(ahead), standard().pdf(ahead));
        let mean = self.mean * below + at * (1.0 - below) + deviation * density;
        let square = (self.mean.powi(2) + self.variance) * below
            + at.powi(2) * (1.0 - below)
            + (self.mean + at) * deviation * density;
        Self { mean, variance: (square - mean.powi(2)).max(0.0) }
    }

    /// Probability of being later than `at`.
    pub fn later_than(self, at: i64) -> f64 {
        let deviation = self.variance.sqrt();
        if deviation < 1e-9 {
            return if self.mean > at as f64 + 0.5 { 1.0 } else { 0.0 };
        }
        1.0 - standard().cdf((at as f64 - self.mean) / deviation)
    }
}

fn standard() -> Normal {
    Normal::standard()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_cuts_off_what_comes_early() {
        // The maximum of a standard normal variable and 0 has mean 1/√(2π) and variance
        // 1/2 - 1/(2π).
        let moment = Moment { mean: 0.0, variance: 1.0 }.not_before(0);
        assert!((moment.mean - 0.398_942).abs() < 1e-6 && (moment.variance - 0.340_845).abs() < 1e-6, "{moment:?}");
        assert!(Moment::certain(100).after(100, 0.1).not_before(1_000).later_than(1_001) < 1e-9);
    }

    #[test]
    fn spread_adds_up_along_the_way() {
        // Two legs of 300 s and 400 s at a tenth: standard deviation 50 s.
        let moment = Moment::certain(0).after(300, 0.1).after(400, 0.1);
        assert!((moment.later_than(750) - 0.158_655).abs() < 1e-5);
        assert_eq!(Moment::certain(10).later_than(10), 0.0);
        assert_eq!(Moment::certain(11).later_than(10), 1.0);
    }
}
