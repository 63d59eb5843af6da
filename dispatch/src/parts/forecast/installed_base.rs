//! Demand from the appliances in use: how many there are, how old their parts, how often parts of that
//! age fail.
//!
//! It knows what a series cannot: a part of a young model whose wear is yet to come, and one whose last
//! appliances go out of use.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::predictive::MonthlyDemand;
use crate::error::{InputError, check_number};

/// Greatest age and horizon, in months: a hundred years.
const MAX_MONTHS: usize = 1_200;

/// Greatest number of failures, and of part-months.
const MAX_SEEN: f64 = 1e12;

/// Greatest number of parts in use.
const MAX_UNITS: f64 = 1e9;

/// What was seen of parts within one band of age.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgeBand {
    /// First age in months; the band lasts to the next one's, the last for ever.
    pub from_month: u32,
    /// Time that parts of this age were watched, in months of one part each; parts that did not fail
    /// count too.
    pub exposure: f64,
    /// Failures in that time.
    pub failures: f64,
}

/// Failures a month of a part of each age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureRates(Vec<Rate>);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Rate {
    from_month: u32,
    mean: f64,
    variance: f64,
}

impl FailureRates {
    /// Gamma-Poisson in each band: what was seen there, and what was seen at all ages with the weight
    /// of `prior_exposure` part-months, so that a band hardly watched is not taken for free of
    /// failures.
    ///
    /// # Errors
    /// No band, bands not rising from month 0, a negative number, no exposure at all, a prior not
    /// above 0.
    pub fn learn(bands: &[AgeBand], prior_exposure: f64) -> Result<Self, InputError> {
        check_number(prior_exposure, f64::MIN_POSITIVE, MAX_SEEN, "prior_exposure")?;
        let first = bands.first().ok_or_else(|| InputError::empty("bands"))?;
        check_number(f64::from(first.from_month), 0.0, 0.0, "bands[0].from_month")?;
        for (index, band) in bands.iter().enumerate() {
            let least = if index == 0 { 0 } else { bands[index - 1].from_month.saturating_add(1) };
            check_number(f64::from(band.from_month), f64::from(least), MAX_MONTHS as f64, "from_month")
                .and_then(|()| check_number(band.exposure, 0.0, MAX_SEEN, "exposure"))
                .and_then(|()| check_number(band.failures, 0.0, MAX_SEEN, "failures"))
                .map_err(|error| error.at("bands", index))?;
        }
        let exposure: f64 = bands.iter().map(|band| band.exposure).sum();
        check_number(exposure, f64::MIN_POSITIVE, MAX_SEEN, "bands.exposure")?;
        let usual = bands.iter().map(|band| band.failures).sum::<f64>() / exposure;
        let rate = |band: &AgeBand| {
            let weight = band.exposure + prior_exposure;
            let mean = (band.failures + usual * prior_exposure) / weight;
            Rate { from_month: band.from_month, mean, variance: mean / weight }
        };
        Ok(Self(bands.iter().map(rate).collect()))
    }

    /// Failures a month of a part of this age in months.
    #[must_use]
    pub fn at(&self, age: u32) -> f64 {
        self.0[self.band(age)].mean
    }

    fn band(&self, age: u32) -> usize {
        self.0.partition_point(|rate| rate.from_month <= age).max(1) - 1
    }

    /// What each of the coming months may bring. `in_use[a]` parts are `a` months old today; each month
    /// the share `retired` of the appliances goes out of use, and a part that failed is followed by a
    /// new one. The variance is Poisson's and that of the rates, which all parts of a band share.
    ///
    /// # Errors
    /// More than 1,200 ages or months, a negative number of parts, a share outside 0 to 1.
    pub fn demand(&self, in_use: &[f64], retired: f64, months: usize) -> Result<Vec<MonthlyDemand>, InputError> {
        check_number(months as f64, 0.0, MAX_MONTHS as f64, "months")?;
        check_number(in_use.len() as f64, 0.0, MAX_MONTHS as f64, "in_use.length")?;
        check_number(retired, 0.0, 1.0, "retired")?;
        for (age, &units) in in_use.iter().enumerate() {
            check_number(units, 0.0, MAX_UNITS, &format!("in_use[{age}]"))?;
        }
        let mut units = in_use.to_vec();
        let mut demands = Vec::with_capacity(months);
        for _ in 0..months {
            demands.push(self.month(&units));
            units = self.month_later(&units, 1.0 - retired);
        }
        Ok(demands)
    }

    fn month(&self, units: &[f64]) -> MonthlyDemand {
        let mut by_band = vec![0.0; self.0.len()];
        for (&count, age) in units.iter().zip(0..) {
            by_band[self.band(age)] += count;
        }
        let (mut mean, mut shared) = (0.0, 0.0);
        for (count, rate) in by_band.iter().zip(&self.0) {
            mean += count * rate.mean;
            shared += count * count * rate.variance;
        }
        MonthlyDemand { mean, variance: mean + shared }
    }

    /// Parts by age a month on: survivors are older, new ones stand where others failed.
    fn month_later(&self, units: &[f64], kept: f64) -> Vec<f64> {
        let failed = |(count, age): (&f64, u32)| count * self.at(age).min(1.0);
        let renewed: f64 = units.iter().zip(0..).map(failed).sum();
        let survivors = units.iter().zip(0..).map(|(count, age)| (count - failed((count, age))) * kept);
        std::iter::once(renewed * kept).chain(survivors).collect()
    }
}
