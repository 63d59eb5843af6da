//! Prices for demand that comes without.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::Cents;
use crate::error::{InputError, check_number};
use crate::random::Random;

/// Greatest price, in currency units.
const MAX_PRICE: f64 = 1e9;

/// Log-normal prices: `median` currency units times `exp(sigma · z)`, where `z` is the standard
/// normal quantile of `(k + 0.5) / 2^52` and `k` the upper 52 bits of each output of SplitMix64
/// (Steele, Lea and Flood 2014) from `seed` on. One cent at least, a billion currency units at most.
///
/// # Errors
/// A median that is not above 0, a sigma outside 0 to 10.
pub fn log_normal(count: usize, median: f64, sigma: f64, seed: u64) -> Result<Vec<Cents>, InputError> {
    check_number(median, 0.01, MAX_PRICE, "median")?;
    check_number(sigma, 0.0, 10.0, "sigma")?;
    let standard = Normal::standard();
    let price = |unit| median * (sigma * standard.inverse_cdf(unit)).exp();
    let cents = |price: f64| Cents((price.min(MAX_PRICE) * 100.0).round().max(1.0) as i64);
    Ok(units(seed).take(count).map(|unit| cents(price(unit))).collect())
}

/// Numbers above 0 and below 1.
pub(super) fn units(seed: u64) -> impl Iterator<Item = f64> {
    let mut random = Random::new(seed);
    std::iter::repeat_with(move || ((random.next() >> 12) as f64 + 0.5) / (1u64 << 52) as f64)
}
