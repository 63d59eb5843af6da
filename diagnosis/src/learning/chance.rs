//! Chances: of a detector to show, of a repair to work.

use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

use super::quantile;

/// Trials with two outcomes; parts of a trial where it is not certain that it was one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// It did.
    pub hits: f64,
    /// It did not.
    pub misses: f64,
}

/// What is known of a probability: Beta(`alpha`, `beta`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Hits, counting those the catalogue is worth.
    pub alpha: f64,
    /// Misses, counting those the catalogue is worth.
    pub beta: f64,
    /// The part of what is known that was seen; below one half the catalogue prevails.
    pub own_share: f64,
}

/// Trials that the catalogue's word is worth: a number that somebody wrote down from
/// experience, which a handful of cases may overturn.
const PRIOR_TRIALS: f64 = 4.0;

/// Of the rarer outcome the catalogue is worth at least so much: a false-alarm rate of one in a
/// thousand is not overturned by four quiet months.
const PRIOR_RARE: f64 = 0.5;

impl Trials {
    /// Adds a trial, or part of one.
    pub fn add(&mut self, hit: bool, weight: f64) {
        *(if hit { &mut self.hits } else { &mut self.misses }) += weight;
    }

    /// Adds trials from elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
    }

    /// What the trials say, where the catalogue says `expected`.
    pub fn chance(&self, expected: f64) -> Chance {
        let expected = expected.clamp(1e-6, 1.0 - 1e-6);
        let worth = PRIOR_TRIALS.max(PRIOR_RARE / expected.min(1.0 - expected));
        let seen = self.hits + self.misses;
        Chance {
            alpha: worth * expected + self.hits,
            beta: worth * (1.0 - expected) + self.misses,
            own_share: seen / (seen + worth),
        }
    }
}

impl Chance {
    /// The expected probability.
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// The interval that holds the probability with `level`, as much left out below as above.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        let chance = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
        let below = |log_odds| beta_reg(self.alpha, self.beta, chance(log_odds));
        let at = |probability| chance(quantile(below, probability, (self.alpha / self.beta).ln()));
        (at((1.0 - level) / 2.0), at((1.0 + level) / 2.0))
    }
}
