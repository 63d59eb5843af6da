//! What was learned as the numbers of an appliance type's catalogue.

use super::{Learned, age_band};
use crate::appliance::ApplianceType;

/// A fault is there for so long before somebody has cured it, in years: with a failure rate it
/// gives the probability that the fault is there now. As in `rate_per_year` of the catalogue.
const WINDOW_YEARS: f64 = 30.0 / 365.0;

impl Learned {
    /// Prior of each cause of `ty` for an appliance of this model and age: in the causes' order.
    pub fn priors(&self, ty: &ApplianceType, model: &str, age_years: f64) -> Vec<f64> {
        let prior = |cause: &crate::Cause| {
            let per_year = -(-cause.prior).ln_1p() / WINDOW_YEARS;
            let learned = (per_year > 0.0 && per_year.is_finite()).then(|| self.rates(&cause.key, per_year));
            let rate = learned.and_then(|rates| Some(rates.get(model)?[age_band(age_years)].mean()));
            rate.map_or(cause.prior, |rate| -(-rate * WINDOW_YEARS).exp_m1())
        };
        ty.causes.iter().map(prior).collect()
    }

    /// False-alarm rate of each detector of `ty`, in the order of [`ApplianceType::symptoms`].
    pub fn false_alarms(&self, ty: &ApplianceType) -> Vec<f64> {
        let each = ty.detectors.iter().enumerate();
        each.map(|(index, detector)| {
            let speaks_for = |cause: &str| ty.model.speaks_for(index, cause);
            self.false_alarm(&detector.key, detector.false_alarm, WINDOW_YEARS, speaks_for).mean()
        })
        .collect()
    }

    /// P(verified | cause) of each remote repair of `ty`, in its order.
    pub fn successes(&self, ty: &ApplianceType) -> Vec<f64> {
        ty.repairs.iter().map(|repair| self.repaired(&repair.key, repair.success).mean()).collect()
    }
}
