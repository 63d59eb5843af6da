//! What a part will need: point forecasts of one series, and distributions over a lead time.
//!
//! 1. [`forecast_all`]: the methods of the literature on intermittent demand, series by series.
//! 2. [`PooledModel`](pooled::PooledModel): learned over all parts, so that a part with three
//!    demands in four years borrows from its kind.
//! 3. [`FailureRates`](installed_base::FailureRates): from the appliances in use and their age.
//! 4. [`Predictive`](predictive::Predictive): pieces over the lead time, which is what a stock level
//!    is set by. A method is chosen by the stock it leads to, not by its forecast error: with mostly
//!    empty months the error rewards a forecast of zero.
//!
//! A series is one number a month, oldest first; NaN is a month that nobody recorded and is left
//! out, as though the month had not been.

pub mod installed_base;
mod intermittent;
pub mod pooled;
pub mod predictive;
mod smoothing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};

/// Greatest demand of one month that is taken: beyond it sums of squares lose whole pieces.
pub const MAX_DEMAND: f64 = 1e9;

/// Smoothing weight of Croston's method where none is given (Syntetos and Boylan 2005).
pub const ALPHA: f64 = 0.1;

/// How one series is extrapolated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// Size and interval of demands smoothed apart, their ratio (Croston 1972).
    Croston {
        /// Weight of the newest, above 0 and at most 1.
        alpha: f64,
    },
    /// Croston's with each weight fitted to its own squared error within 0.1 to 0.3.
    CrostonOptimized,
    /// Croston's less its bias, a factor of 1 - alpha / 2 (Syntetos and Boylan 2005).
    Sba {
        /// Weight of the newest, above 0 and at most 1.
        alpha: f64,
    },
    /// Size smoothed at demands, probability of a demand smoothed every month, so that a part that
    /// nobody asks for fades (Teunter, Syntetos and Babai 2011).
    Tsb {
        /// Weight of the newest size.
        alpha_size: f64,
        /// Weight of the newest month.
        alpha_probability: f64,
    },
    /// Months summed to blocks of the mean interval, smoothed with a fitted weight, spread again
    /// (Nikolopoulos et al. 2011).
    Adida,
    /// The mean over all block lengths up to the mean interval (Petropoulos and Kourentzes 2015).
    Imapa,
}

/// What is expected of one month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Pieces a month.
    pub mean: f64,
    /// Known months it rests on.
    pub months: usize,
    /// Of these, months with demand.
    pub demands: usize,
}

/// Extrapolates one series; see [`forecast_all`].
///
/// # Errors
/// Those of [`forecast_all`], for `series[0]`.
pub fn forecast(series: &[f64], method: Method) -> Result<Forecast, InputError> {
    Ok(forecast_all(&[series], method)?[0])
}

/// Extrapolates many series. They are smoothed several at a time, so this is faster than one by one;
/// the numbers are the same to the last bit.
///
/// All zero forecasts zero. One demand forecasts its size over its age at the time (what every
/// method of intervals makes of a single one), TSB its size times the smoothed probability.
///
/// # Errors
/// A weight outside 0 to 1; a series without a known month; an infinite, negative or too large
/// number. The field is `series[i][month]`.
pub fn forecast_all<S: AsRef<[f64]>>(series: &[S], method: Method) -> Result<Vec<Forecast>, InputError> {
    method.check()?;
    let known = series
        .iter()
        .enumerate()
        .map(|(index, months)| known_months(months.as_ref(), index))
        .collect::<Result<Vec<_>, _>>()?;
    let means = match method {
        Method::Croston { alpha } => known.iter().map(|months| intermittent::croston(months, alpha)).collect(),
        Method::Sba { alpha } => {
            known.iter().map(|months| intermittent::croston(months, alpha) * (1.0 - alpha / 2.0)).collect()
        }
        Method::Tsb { alpha_size, alpha_probability } => {
            known.iter().map(|months| intermittent::tsb(months, alpha_size, alpha_probability)).collect()
        }
        Method::CrostonOptimized => intermittent::croston_optimized(&known),
        Method::Adida => intermittent::adida(&known),
        Method::Imapa => intermittent::imapa(&known),
    };
    Ok(known.iter().zip::<Vec<f64>>(means).map(|(months, mean)| Forecast::of(months, mean)).collect())
}

impl Forecast {
    fn of(months: &[f64], mean: f64) -> Self {
        Self { mean, months: months.len(), demands: months.iter().filter(|&&pieces| pieces > 0.0).count() }
    }
}

impl Method {
    fn check(self) -> Result<(), InputError> {
        let weights: &[(f64, &str)] = match self {
            Self::Croston { alpha } | Self::Sba { alpha } => &[(alpha, "alpha")],
            Self::Tsb { alpha_size, alpha_probability } => {
                &[(alpha_size, "alpha_size"), (alpha_probability, "alpha_probability")]
            }
            Self::CrostonOptimized | Self::Adida | Self::Imapa => &[],
        };
        weights.iter().try_for_each(|&(weight, field)| check_number(weight, f64::MIN_POSITIVE, 1.0, field))
    }
}

/// The months that were recorded.
fn known_months(months: &[f64], index: usize) -> Result<Cow<'_, [f64]>, InputError> {
    let mut missing = 0;
    for (month, &pieces) in months.iter().enumerate() {
        if pieces.is_nan() {
            missing += 1;
        } else if !(0.0..=MAX_DEMAND).contains(&pieces) {
            let field = format!("series[{index}][{month}]");
            return Err(InputError::out_of_range(&field, pieces, 0.0, MAX_DEMAND));
        }
    }
    match missing {
        _ if missing == months.len() => Err(InputError::empty(&format!("series[{index}]"))),
        0 => Ok(Cow::Borrowed(months)),
        _ => Ok(Cow::Owned(months.iter().copied().filter(|pieces| !pieces.is_nan()).collect())),
    }
}
