//! What was learned as the numbers of an appliance type's catalogue.

use std::collections::BTreeMap;

use super::{BANDS, Learned};
use crate::appliance::{ApplianceType, Cause};

/// A fault is there for so long before somebody has cured it, in years: with a failure rate it
/// gives the probability that the fault is there now. As in `rate_per_year` of the catalogue.
const WINDOW_YEARS: f64 = 30.0 / 365.0;

impl Learned {
    /// `ty` with the numbers that were learned, for each model that was exposed, by age band
    /// ([`age_band`](super::age_band)). Device states of `ty` fit all of them.
    pub fn teach(&self, ty: &ApplianceType) -> BTreeMap<&str, [ApplianceType; BANDS]> {
        let (false_alarms, successes) = (self.false_alarms(ty), self.successes(ty));
        let taught = |priors: Vec<f64>| ty.taught(&priors, &false_alarms, &successes);
        self.priors(ty).into_iter().map(|(model, priors)| (model, priors.map(taught))).collect()
    }

    /// Prior of each cause of `ty`, in the causes' order, for each model that was exposed, by age band.
    pub fn priors(&self, ty: &ApplianceType) -> BTreeMap<&str, [Vec<f64>; BANDS]> {
        let written: Vec<f64> = ty.causes.iter().map(|cause| cause.prior).collect();
        let everywhere = || std::array::from_fn(|_| written.clone());
        let mut priors: BTreeMap<&str, [Vec<f64>; BANDS]> =
            self.models.keys().map(|model| (model.as_str(), everywhere())).collect();
        for (place, cause) in ty.causes.iter().enumerate() {
            let Some(per_year) = per_year(cause) else { continue };
            let rates = self.rates(&cause.key, per_year);
            for (bands, rates) in priors.values_mut().zip(rates.values()) {
                for (priors, rate) in bands.iter_mut().zip(rates) {
                    priors[place] = -(-rate.mean() * WINDOW_YEARS).exp_m1();
                }
            }
        }
        priors
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

/// Failures a year as the catalogue has them; None for what never or always happens.
fn per_year(cause: &Cause) -> Option<f64> {
    let per_year = -(-cause.prior).ln_1p() / WINDOW_YEARS;
    (per_year > 0.0 && per_year.is_finite()).then_some(per_year)
}
