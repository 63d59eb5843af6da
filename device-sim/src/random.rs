//! Seeded randomness, one stream for each purpose, so that a fault or a command
//! does not shuffle the weather or the people.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The stream `purpose` of a seed.
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a over the purpose: stable between versions, unlike std's hasher.
        let salt = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(Xoshiro256PlusPlus::seed_from_u64(seed ^ salt))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// A whole number in `[0, end)`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.random_range(0..end) }
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    /// Mean 0, standard deviation 1, never beyond ±3.5: the sum of four uniform
    /// numbers, which is near enough to a normal one and cheap.
    pub fn normal(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.0.random::<f64>()).sum();
        (sum - 2.0) * 3.0_f64.sqrt()
    }

    /// A unit's own factor: 1 give or take `spread` (one standard deviation).
    pub fn tolerance(&mut self, spread: f64) -> f64 {
        1.0 + spread * self.normal()
    }

    /// Waiting time of a Poisson process with this mean.
    pub fn waiting(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.0.random::<f64>()).ln()
    }
}

/// The nearest multiple of `1 / per_unit`, as a sensor with that resolution reports it.
pub(crate) fn quantise(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit
}
