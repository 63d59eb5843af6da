//! Why a device is strange, in words that a fault tree takes.

use super::lanes::{Lanes, lanes, times};
use super::{Baseline, Monitor, Statistic, Verdict};
use crate::calibration::likelihood::{Labelled, bound};
use crate::detection::Evidence;

// A channel's part in a quadratic form x'Mx is how much of it goes if this channel alone is put right,
// (Mx)²/M (reconstruction-based contribution, Alcala & Qin 2009): the faulty channel of a single fault
// has the largest.
impl Monitor {
    /// The channels that carry a statistic, with shares that sum to 1, largest first; channels
    /// below 1 % are left out. `mode` is that of the last row. Empty if nothing carries it.
    pub fn contributions(&self, baseline: &Baseline, mode: u8, statistic: Statistic) -> Vec<(usize, f32)> {
        let Some(Some(model)) = baseline.parts.model.modes.get(usize::from(mode)) else { return vec![] };
        let own = &self.modes[usize::from(mode)];
        let parts: Lanes = match statistic {
            Statistic::Ewma => lanes(|c| self.ewma[c].powi(2) / model.ewma_variance[c]),
            Statistic::Cusum => lanes(|c| self.up[c].max(self.down[c]) * model.cusum_unit[c]).map(|part| part * part),
            Statistic::Shift => {
                let product = times(&model.ewma_precision, &self.ewma);
                lanes(|c| if model.ewma_own[c] > 0.0 { product[c].powi(2) / model.ewma_own[c] } else { 0.0 })
            }
            Statistic::Remainder => self.remainder,
            Statistic::Drift => {
                lanes(|c| (own.adapting[c] - own.fixed[c]).powi(2) * model.drift_unit[c] / self.spread[c])
            }
        };
        let channels = 0..baseline.parts.model.schema.channels.len();
        let whole: f32 = channels.clone().map(|c| parts[c]).sum();
        let mut shares: Vec<(usize, f32)> =
            channels.map(|c| (c, parts[c] / whole)).filter(|(_, share)| *share >= 0.01).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let kept: f32 = shares.iter().map(|(_, share)| share).sum();
        shares.iter_mut().for_each(|(_, share)| *share /= kept);
        shares
    }

    /// What the verdict on the last row, which was in `mode`, says for a symptom. The p-value is that
    /// of the device-day. The likelihood ratio comes from labels where there are any, else it is
    /// the most that the p-value can stand for.
    pub fn evidence(
        &self,
        baseline: &Baseline,
        mode: u8,
        verdict: &Verdict,
        symptom: &str,
        labels: Option<&Labelled>,
    ) -> Evidence {
        let names = &baseline.parts.model.schema.channels;
        let shares = self.contributions(baseline, mode, verdict.leading);
        let p_value = f64::from(verdict.p_unit);
        let last = self.last_ms.unwrap_or_default();
        let unit_ms = baseline.parts.model.unit_ms;
        let first = if verdict.leading == Statistic::Drift {
            last.saturating_sub(unit_ms)
        } else {
            last.div_euclid(unit_ms).saturating_mul(unit_ms)
        };
        Evidence {
            symptom: symptom.to_owned(),
            log_likelihood_ratio: labels.map_or_else(|| bound(p_value), |labels| labels.log_ratio(p_value)),
            p_value,
            channels: shares.into_iter().map(|(c, share)| (names[c].clone(), f64::from(share))).collect(),
            window_ms: (first, last),
            model_version: baseline.parts.version.clone(),
        }
    }
}
