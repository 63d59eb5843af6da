//! Prices for demand that comes without.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::Cents;

/// Log-normal prices: `median` currency units times `exp(sigma · z)`, where `z` is the standard
/// normal quantile of `(k + 0.5) / 2^52` and `k` the upper 52 bits of each output of SplitMix64
/// (Steele, Lea and Flood 2014) from `seed` on. At least one cent.
#[must_use]
pub fn log_normal(count: usize, median: f64, sigma: f64, seed: u64) -> Vec<Cents> {
    let standard = Normal::standard();
    let mut state = seed;
    let mut unit = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((mixed >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    };
    (0..count).map(|_| Cents((median * (sigma * standard.inverse_cdf(unit())).exp() * 100.0).round().max(1.0) as i64)).collect()
}
