//! Probabilities on a lattice: demand of a lead time, orders outstanding, pieces owed.

use statrs::distribution::{ContinuousCDF, Discrete, NegativeBinomial, Normal, Poisson};
use statrs::function::gamma::ln_gamma;

use super::{Demand, MAX_LATTICE, STEPS_PER_DEVIATION};

/// Probability cut off at each end.
const TAIL: f64 = 1e-13;

/// Standard deviations of normal demand that are kept on each side.
const NORMAL_DEVIATIONS: f64 = 7.0;

/// Mean and variance of demand over some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) variance: f64,
    pub(super) is_normal: bool,
}

impl Moments {
    pub(super) const ZERO: Self = Self { mean: 0.0, variance: 0.0, is_normal: false };

    /// Of one unit of time.
    pub(super) fn of(demand: Demand) -> Self {
        match demand {
            Demand::Poisson { mean } => Self { mean, variance: mean, is_normal: false },
            Demand::NegativeBinomial { mean, variance_to_mean } => {
                Self { mean, variance: mean * variance_to_mean, is_normal: false }
            }
            Demand::Normal { mean, sd } => Self { mean, variance: sd * sd, is_normal: true },
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            mean: self.mean + other.mean,
            variance: self.variance + other.variance,
            is_normal: self.is_normal || other.is_normal,
        }
    }

    pub(super) fn over(self, time: f64) -> Self {
        Self { mean: self.mean * time, variance: self.variance * time, ..self }
    }

    /// More than will ever be asked for.
    pub(super) fn most(self) -> f64 {
        self.mean + 10.0 * self.variance.sqrt()
    }

    /// A fine grid for normal demand, else one piece.
    pub(super) fn lattice_step(self) -> f64 {
        let deviation = self.variance.sqrt();
        let is_smooth = self.is_normal && deviation > 0.0;
        if is_smooth { (deviation / STEPS_PER_DEVIATION).max(self.most() / MAX_LATTICE) } else { 1.0 }
    }

    /// Pieces of one customer: the probability that they are more than `pieces`, over
    /// their mean. Customers of negative-binomial demand take a logarithmic number of
    /// pieces (Quenouille 1949), all others one.
    pub(super) fn more_than_over_mean(self, pieces: usize) -> Vec<f64> {
        let ratio = self.variance / self.mean;
        if self.is_normal || ratio <= 1.0 + 1e-9 {
            return vec![1.0];
        }
        let theta = 1.0 - 1.0 / ratio;
        let mean = (ratio - 1.0) / ratio.ln();
        let (mut more, mut power) = (1.0, 1.0);
        let mut next = |k: usize| {
            let this = more;
            power *= theta;
            more -= power / ((k + 1) as f64 * ratio.ln());
            f64::max(this, 0.0) / mean
        };
        (0..pieces).map(&mut next).collect()
    }
}

/// Probabilities of `first`, `first + 1`, … lattice points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distribution {
    first: i64,
    mass: Vec<f64>,
}

impl Distribution {
    /// Always this value.
    pub(super) fn at(value: i64) -> Self {
        Self { first: value, mass: vec![1.0] }
    }

    /// Demand with these moments: Poisson if they are equal, negative binomial if the
    /// variance is larger, normal if asked for.
    pub(super) fn of(demand: Moments, step: f64) -> Self {
        let Moments { mean, variance, is_normal } = demand;
        if mean <= 0.0 || (is_normal && variance <= 0.0) {
            return Self::at((mean / step).round() as i64);
        }
        if is_normal {
            return Self::normal(mean / step, variance.sqrt() / step);
        }
        let last = demand.most() as u64 + 20;
        let first = (mean - 10.0 * variance.sqrt()).max(0.0) as u64;
        let mass: Vec<f64> = if variance > mean * (1.0 + 1e-9) {
            let success = mean / variance;
            let failures = mean * success / (1.0 - success);
            let binomial = NegativeBinomial::new(failures, success).expect("mean below variance");
            // Long tails: ten deviations are not enough for the tail of a geometric.
            let last = last + (30.0 * variance / mean) as u64;
            (first..=last).map(|k| binomial.pmf(k)).collect()
        } else {
            let poisson = Poisson::new(mean).expect("mean above zero");
            (first..=last).map(|k| poisson.pmf(k)).collect()
        };
        Self { first: first as i64, mass }.trimmed()
    }

    fn normal(mean: f64, deviation: f64) -> Self {
        let normal = Normal::new(mean, deviation).expect("finite and above zero");
        let first = (mean - NORMAL_DEVIATIONS * deviation).floor() as i64;
        let last = (mean + NORMAL_DEVIATIONS * deviation).ceil() as i64;
        let below = |k: i64| normal.cdf(k as f64 - 0.5);
        Self { first, mass: (first..=last).map(|k| below(k + 1) - below(k)).collect() }.trimmed()
    }

    /// Without the ends that hardly ever occur; sums to 1.
    fn trimmed(self) -> Self {
        let total: f64 = self.mass.iter().sum();
        let (mut left, mut right) = (0.0, 0.0);
        let skip = self
            .mass
            .iter()
            .take_while(|&&p| {
                left += p;
                left < TAIL * total
            })
            .count();
        let keep = self.mass.len()
            - self
                .mass
                .iter()
                .rev()
                .take_while(|&&p| {
                    right += p;
                    right < TAIL * total
                })
                .count();
        let mass = &self.mass[skip..keep.max(skip + 1)];
        let total: f64 = mass.iter().sum();
        Self { first: self.first + skip as i64, mass: mass.iter().map(|p| p / total).collect() }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut mass = vec![0.0; self.mass.len() + other.mass.len() - 1];
        for (i, p) in self.mass.iter().enumerate() {
            for (sum, q) in mass[i..].iter_mut().zip(&other.mass) {
                *sum += p * q;
            }
        }
        Self { first: self.first + other.first, mass }.trimmed()
    }

    /// What is owed at this level: `(X - level)⁺`.
    pub(super) fn excess(&self, level: i64) -> Self {
        let at_most = (level - self.first + 1).clamp(0, self.mass.len() as i64) as usize;
        let (within, beyond) = self.mass.split_at(at_most);
        let gap = (self.first - level).max(1) as usize;
        let mut mass = vec![0.0; gap];
        mass[0] = within.iter().sum();
        mass.extend(beyond);
        Self { first: 0, mass }.trimmed()
    }

    /// The share of one of several takers in pieces owed. `ratio`: variance over mean of
    /// the demand they come from. Values must not be negative.
    ///
    /// Single pieces (ratio 1) are owed to each independently: binomial. Pieces of batches
    /// go together: what is owed is the latest demand, so given `b` pieces, a taker's part
    /// is that of one of several negative-binomial demands with sum `b` over the time in
    /// which `b` pieces are asked for on average: beta-binomial, of variance `ratio` times
    /// the binomial's for large `b`.
    pub(super) fn shared(&self, share: f64, ratio: f64) -> Self {
        if share >= 1.0 {
            return self.clone();
        }
        if ratio <= 1.0 + 1e-9 {
            return self.thinned(share);
        }
        let mut mass = vec![0.0; self.last().max(0) as usize + 1];
        for (b, p) in self.iter() {
            if b <= 0 {
                mass[0] += p;
                continue;
            }
            let pieces = b as f64;
            let (own, others) = (share * pieces / (ratio - 1.0), (1.0 - share) * pieces / (ratio - 1.0));
            let log_first =
                ln_gamma(pieces + others) + ln_gamma(own + others) - ln_gamma(others) - ln_gamma(pieces + own + others);
            let mut part = log_first.exp();
            for (k, sum) in mass.iter_mut().take(b as usize + 1).enumerate() {
                *sum += p * part;
                let k = k as f64;
                part *= (pieces - k) * (k + own) / ((k + 1.0) * (pieces - k - 1.0 + others));
            }
        }
        Self { first: 0, mass }.trimmed()
    }

    /// Each piece independently (Horner's rule on the generating function).
    fn thinned(&self, share: f64) -> Self {
        let mut result: Vec<f64> = vec![0.0];
        let zeros = std::iter::repeat_n(0.0, self.first.max(0) as usize);
        for p in self.mass.iter().rev().copied().chain(zeros) {
            result.push(0.0);
            for k in (0..result.len()).rev() {
                let from_below = if k > 0 { result[k - 1] * share } else { 0.0 };
                result[k] = result[k] * (1.0 - share) + from_below;
            }
            result[0] += p;
        }
        Self { first: 0, mass: result }.trimmed()
    }

    /// Points with their probabilities.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, f64)> {
        (self.first..).zip(self.mass.iter().copied())
    }

    pub(super) fn mean(&self) -> f64 {
        self.iter().map(|(x, p)| x as f64 * p).sum()
    }

    pub(super) fn first(&self) -> i64 {
        self.first
    }

    pub(super) fn last(&self) -> i64 {
        self.first + self.mass.len() as i64 - 1
    }

    /// `E[(X - level)⁺]`.
    pub(super) fn mean_excess(&self, level: i64) -> f64 {
        self.iter().filter(|(x, _)| *x > level).map(|(x, p)| (x - level) as f64 * p).sum()
    }

    /// `P(X ≤ level)`.
    pub(super) fn at_most(&self, level: i64) -> f64 {
        self.iter().take_while(|(x, _)| *x <= level).map(|(_, p)| p).sum()
    }

    /// The least value that is not exceeded with this probability.
    pub(super) fn quantile(&self, probability: f64) -> i64 {
        let mut sum = 0.0;
        let reached = self.iter().find(|(_, p)| {
            sum += p;
            sum >= probability
        });
        reached.map_or(self.last(), |(x, _)| x)
    }
}
