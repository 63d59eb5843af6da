//! Life by use: hours, litres, grams of dust, cycles.
//!
//! A part's life in use is Weibull with median [`Consumable::rated_life`]; what has survived so
//! much use has the rest of that distribution. Use per day is Gamma: the catalogue's guess, then
//! the fleet's ([`UseRate::of_fleet`]), then more and more the device's own (Gamma–Poisson
//! conjugacy, with a day as the unit of counting: days differ, hours of one day hardly do).
//! Remaining days are remaining use by use per day.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use statrs::function::gamma::gamma_lr;

use super::RemainingLife;

const DAY_MS: f64 = 86_400_000.0;
/// Days after which what was used counts half: habits change with season and household.
const HALF_LIFE_DAYS: f64 = 90.0;
/// More than so many times the expected use (and a day's more) is a counter that jumped.
const PLAUSIBLE: f64 = 20.0;
/// Points that stand for each of the two distributions.
const POINTS: usize = 16;
/// Halvings of an interval: to a billionth of the rate.
const BISECTIONS: u32 = 40;

/// A part that is used up: one entry of an appliance type's `consumables.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumable {
    /// Its name, unique in the appliance type.
    pub key: String,
    /// The part that replaces it, by its key in `parts.toml`.
    pub part: String,
    /// Datapoint, or expression over datapoints, that counts use; never falls but by a restart.
    pub counter: String,
    /// What is counted, such as `h`, `l`, `g`, `cycles`.
    pub unit: String,
    /// Use that half of the parts survive, in `unit`.
    pub rated_life: f64,
    /// Standard deviation of life over its mean, between parts; in (0, 1].
    pub spread: f64,
    /// Use a device has in a day, before any was seen, in `unit`.
    pub use_per_day: f64,
    /// Standard deviation of use per day over its mean, between devices; in (0, 2].
    pub use_spread: f64,
    /// Days from order to replacement.
    pub lead_time_days: f64,
    /// Days before the likely end at which to remind.
    pub notice_days: f64,
    /// What to do, for the work order.
    pub action: String,
}

impl Consumable {
    /// What is not in order, as (field, what would be right); None if all is.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        [
            ("rated_life", positive(self.rated_life), "a positive number"),
            ("spread", self.spread > 0.0 && self.spread <= 1.0, "a number above 0 and up to 1"),
            ("use_per_day", positive(self.use_per_day), "a positive number"),
            ("use_spread", self.use_spread > 0.0 && self.use_spread <= 2.0, "a number above 0 and up to 2"),
            ("lead_time_days", self.lead_time_days.is_finite() && self.lead_time_days >= 0.0, "0 or more"),
            ("notice_days", self.notice_days.is_finite() && self.notice_days >= 0.0, "0 or more"),
        ]
        .into_iter()
        .find_map(|(field, valid, right)| (!valid).then_some((field, right)))
    }

    /// Weibull shape by the coefficient of variation: `cv^-1.086` (Justus et al. 1978), within 1 %
    /// from 1 to 10. At least 1: a part that wears gets no better by use.
    fn shape(&self) -> f64 {
        self.spread.powf(-1.086).max(1.0)
    }

    /// Use still to come, in `unit`, that the part `p` of such parts does not survive:
    /// `η ((u/η)^k − ln(1 − p))^(1/k) − u`.
    fn use_left(&self, used: f64, p: f64) -> f64 {
        let shape = self.shape();
        let scale = self.rated_life / std::f64::consts::LN_2.powf(1.0 / shape);
        let hazard = -(-p).ln_1p();
        let gone = (used / scale).powf(shape);
        // As a growth of what was used: the difference of two large numbers says nothing.
        if gone > 1e3 * hazard {
            return used * ((hazard / gone).ln_1p() / shape).exp_m1();
        }
        scale * (gone + hazard).powf(1.0 / shape) - used
    }
}

/// Use per day, as a Gamma distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UseRate {
    /// Mean, in the unit of the consumable.
    pub per_day: f64,
    /// Days of observation that this is worth: the Gamma's shape.
    pub days: f64,
}

impl UseRate {
    /// What the catalogue guesses.
    pub fn of_catalogue(consumable: &Consumable) -> Self {
        Self { per_day: consumable.use_per_day, days: consumable.use_spread.powi(-2) }
    }

    /// What the fleet's devices used: mean and spread of their rates by moments, each device
    /// counting once, with the catalogue's guess as one device more. `devices` are use and days
    /// seen; those of less than a day are left out.
    pub fn of_fleet(consumable: &Consumable, devices: &[(f64, f64)]) -> Self {
        let guess = Self::of_catalogue(consumable);
        let seen = |&&(used, days): &&(f64, f64)| days >= 1.0 && used >= 0.0 && used.is_finite() && days.is_finite();
        let rates: Vec<(f64, f64)> = devices.iter().filter(seen).map(|&(used, days)| (used / days, days)).collect();
        let count = rates.len() as f64 + 1.0;
        let mean = (rates.iter().map(|rate| rate.0).sum::<f64>() + guess.per_day) / count;
        let apart = guess.per_day * guess.per_day / guess.days;
        // A device's rate strays by its few days too: that part is not between devices.
        let between = rates.iter().map(|&(rate, days)| (rate - mean).powi(2) - mean * mean / days).sum::<f64>();
        let variance = ((between + apart) / count).max(mean * mean * 1e-3);
        Self { per_day: mean, days: mean * mean / variance }
    }

    /// With what a device used in so many days.
    fn with(self, used: f64, days: f64) -> Self {
        let total = self.days + days;
        Self { per_day: (self.per_day * self.days + used) / total, days: total }
    }

    /// The rate that the part `p` of devices stays below, by bisection of the Gamma distribution.
    fn quantile(self, p: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0 + 20.0 / self.days.sqrt() + 20.0 / self.days);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if gamma_lr(self.days, middle * self.days) < p { low = middle } else { high = middle }
        }
        self.per_day * high.max(1e-6)
    }
}

/// One consumable of one device: what it has used of it. Some dozen bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct UseLife {
    /// Use since the part was new.
    used: f64,
    /// Use and days lately, older ones counting less.
    lately: (f64, f64),
    /// Time and counter of the last reading.
    last: Option<(i64, f64)>,
}

impl UseLife {
    /// A part that had been used before it was watched.
    pub fn used_already(used: f64) -> Self {
        Self { used: used.max(0.0), ..Self::default() }
    }

    /// Use since the part was new, in the consumable's unit.
    pub fn used(&self) -> f64 {
        self.used
    }

    /// Takes a reading of the counter. One that is no number, below 0 or not later than the last
    /// is ignored. A counter that fell has restarted: what it shows now was used since. A rise
    /// beyond all reason is a counter that was set: the expected use is taken in its place.
    pub fn take(&mut self, rate: UseRate, time_ms: i64, counter: f64) {
        if !(counter.is_finite() && counter >= 0.0) {
            return;
        }
        let Some((last_ms, last)) = self.last else {
            self.last = Some((time_ms, counter));
            return;
        };
        if time_ms <= last_ms {
            return;
        }
        self.last = Some((time_ms, counter));
        let days = time_ms.saturating_sub(last_ms) as f64 / DAY_MS;
        let expected = rate.with(self.lately.0, self.lately.1).per_day;
        let shown = if counter >= last { counter - last } else { counter };
        let used = if shown > PLAUSIBLE * expected * (days + 1.0) { expected * days } else { shown };
        self.used += used;
        let kept = 0.5_f64.powf(days / HALF_LIFE_DAYS);
        self.lately = (self.lately.0 * kept + used, self.lately.1 * kept + days);
    }

    /// The part was replaced. What is known of the device's habits stays.
    pub fn replaced(&mut self) {
        self.used = 0.0;
    }

    /// Days the part still lasts. `rate` is the fleet's ([`UseRate::of_fleet`]) or the catalogue's.
    pub fn remaining(&self, consumable: &Consumable, rate: UseRate) -> RemainingLife {
        let own = rate.with(self.lately.0, self.lately.1);
        let at = |point: usize| (point as f64 + 0.5) / POINTS as f64;
        let uses = (0..POINTS).map(|point| consumable.use_left(self.used, at(point)));
        let rates: Vec<f64> = (0..POINTS).map(|point| own.quantile(at(point))).collect();
        let mut days: Vec<f64> = uses.flat_map(|left| rates.iter().map(move |rate| left / rate)).collect();
        let mut quantile = |p| crate::robust::quantile(&mut days, p).expect("there are points");
        let [p10, p50, p90] = [0.1, 0.5, 0.9].map(&mut quantile);
        RemainingLife::new(p10, p50, p90, self.lately.1 < rate.days)
    }
}
