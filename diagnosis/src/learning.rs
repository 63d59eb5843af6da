//! What finished cases teach: failure rates, detectors, repairs.
//!
//! 1. Whoever closes a case folds its [`Outcome`] into the [`Learned`] of the appliance type,
//!    once; device-years go in with [`Learned::expose`].
//! 2. [`Learned`] only counts: it can be stored, and merged with that of another place.
//! 3. [`Learned::rates`], [`Learned::detected`], [`Learned::false_alarm`] and
//!    [`Learned::repaired`] weigh the counts against what the catalogue says and what the rest
//!    of the fleet shows, with credible intervals.
//!
//! Only a confirmed cause counts fully. A part that was replaced is no fault confirmed: see
//! [`REPLACED`]. A visit that found nothing is counted against the detectors that called for
//! it. Not here: who writes outcomes, that each is folded once, and when trees are re-weighed.

mod chance;
mod rate;
mod weights;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use chance::{Chance, Trials};
pub use rate::{Count, Rate, pooled};

/// Ends of the age bands, in years: first-year failures, use, wear; the last has no end.
pub const AGE_BANDS: [f64; 4] = [1.0, 3.0, 7.0, 12.0];

/// How many age bands there are.
pub const BANDS: usize = AGE_BANDS.len() + 1;

/// What a replaced part counts, times the probability of its cause at that time. An engineering
/// estimate: no figure for household appliances was found. That many removed parts prove good is
/// known of aircraft and electronics ("no fault found": Khan et al., "No Fault Found events in
/// maintenance engineering Part 1", Reliability Engineering & System Safety 123, 2014, 183-195);
/// that the complaint went away, for most also with a part that was good, says little more.
pub const REPLACED: f64 = 0.5;

/// The age band an age belongs to.
pub fn age_band(age_years: f64) -> usize {
    AGE_BANDS.partition_point(|end| *end <= age_years)
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Somebody saw the cause.
    Confirmed(String),
    /// A part was replaced that these causes call for; nobody saw a cause.
    Replaced(Vec<String>),
    /// A remote repair of this cause was verified by later telemetry.
    Cured(String),
    /// Somebody looked, and there was no fault.
    NoFault,
}

/// A remote repair that was tried in a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The repair's key.
    pub repair: String,
    /// The cause it cures.
    pub cause: String,
    /// Whether later telemetry showed that it worked.
    pub verified: bool,
}

/// A finished case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Model of the appliance.
    pub model: String,
    /// Its age, in years.
    pub age_years: f64,
    /// How it ended.
    pub found: Found,
    /// Probability of each cause when the case was closed, before anybody looked.
    pub posterior: BTreeMap<String, f64>,
    /// The symptoms that were known, and whether they were present.
    pub symptoms: BTreeMap<String, bool>,
    /// Remote repairs, in order.
    pub attempts: Vec<Attempt>,
}

/// What was counted for one appliance type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    models: BTreeMap<String, Lives>,
    /// By detector, then by the cause that was there.
    detected: BTreeMap<String, BTreeMap<String, Trials>>,
    /// By detector: visits that found no fault.
    unfounded: BTreeMap<String, Trials>,
    repairs: BTreeMap<String, Trials>,
}

/// What the appliances of one model went through, by age band.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Lives {
    years: [f64; BANDS],
    failures: BTreeMap<String, [f64; BANDS]>,
    no_fault_found: u64,
}

impl Learned {
    /// Adds the whole life of an appliance under observation, from age 0 on.
    pub fn expose_life(&mut self, model: &str, age_years: f64) {
        let starts = std::iter::once(0.0).chain(AGE_BANDS);
        for (start, end) in starts.zip(AGE_BANDS.into_iter().chain([f64::INFINITY])) {
            if age_years > start {
                self.expose(model, start, age_years.min(end) - start);
            }
        }
    }

    /// Adds time that appliances of a model spent under observation.
    pub fn expose(&mut self, model: &str, age_years: f64, device_years: f64) {
        self.models.entry(model.to_owned()).or_default().years[age_band(age_years)] += device_years;
    }

    /// Adds a finished case. Folding a case twice counts it twice.
    pub fn fold(&mut self, outcome: &Outcome) {
        let lives = self.models.entry(outcome.model.clone()).or_default();
        for (cause, weight) in outcome.causes() {
            lives.failures.entry(cause.clone()).or_default()[age_band(outcome.age_years)] += weight;
        }
        match &outcome.found {
            // The posterior was made from the very symptoms: what is not confirmed teaches nothing of them.
            Found::Confirmed(cause) => {
                for (symptom, present) in &outcome.symptoms {
                    let of_symptom = self.detected.entry(symptom.clone()).or_default();
                    of_symptom.entry(cause.clone()).or_default().add(*present, 1.0);
                }
            }
            Found::NoFault => {
                lives.no_fault_found += 1;
                for (symptom, present) in &outcome.symptoms {
                    self.unfounded.entry(symptom.clone()).or_default().add(*present, 1.0);
                }
            }
            Found::Replaced(_) | Found::Cured(_) => {}
        }
        for attempt in &outcome.attempts {
            let there = outcome.causes().find(|(cause, _)| **cause == attempt.cause).map_or(0.0, |(_, weight)| weight);
            self.repairs.entry(attempt.repair.clone()).or_default().add(attempt.verified, there);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (model, lives) in &other.models {
            let own = self.models.entry(model.clone()).or_default();
            add(&mut own.years, &lives.years);
            own.no_fault_found += lives.no_fault_found;
            for (cause, failures) in &lives.failures {
                add(own.failures.entry(cause.clone()).or_default(), failures);
            }
        }
        for (symptom, causes) in &other.detected {
            merge_trials(self.detected.entry(symptom.clone()).or_default(), causes);
        }
        merge_trials(&mut self.unfounded, &other.unfounded);
        merge_trials(&mut self.repairs, &other.repairs);
    }

    /// Failure rate of a cause, by model and age band, where the catalogue expects
    /// `per_year` failures a year. Every model that was exposed is there.
    pub fn rates(&self, cause: &str, per_year: f64) -> BTreeMap<&str, [Rate; BANDS]> {
        let none = [0.0; BANDS];
        let cells = self.models.values().flat_map(|lives| {
            let failures = lives.failures.get(cause).unwrap_or(&none);
            (0..BANDS).map(|band| Count { failures: failures[band], years: lives.years[band] })
        });
        let rates = pooled(&cells.collect::<Vec<_>>(), per_year);
        let rows = rates.chunks_exact(BANDS).map(|row| std::array::from_fn(|band| row[band]));
        self.models.keys().map(String::as_str).zip(rows).collect()
    }

    /// P(symptom present | cause), where the catalogue says `expected`.
    pub fn detected(&self, detector: &str, cause: &str, expected: f64) -> Chance {
        let trials = self.detected.get(detector).and_then(|causes| causes.get(cause));
        trials.copied().unwrap_or_default().chance(expected)
    }

    /// P(symptom present | no cause that the detector speaks for), where the catalogue says
    /// `expected`. Trials are cases that ended otherwise, by `speaks_for`, and quiet time: one
    /// trial per `window_years` that a device was observed.
    pub fn false_alarm(
        &self,
        detector: &str,
        expected: f64,
        window_years: f64,
        speaks_for: impl Fn(&str) -> bool,
    ) -> Chance {
        let mut trials = self.unfounded.get(detector).copied().unwrap_or_default();
        for (_, others) in self.detected.get(detector).into_iter().flatten().filter(|(cause, _)| !speaks_for(cause)) {
            trials.merge(others);
        }
        trials.misses += self.models.values().flat_map(|lives| lives.years).sum::<f64>() / window_years;
        trials.chance(expected)
    }

    /// P(a repair is verified | its cause), where the catalogue says `expected`.
    pub fn repaired(&self, repair: &str, expected: f64) -> Chance {
        self.repairs.get(repair).copied().unwrap_or_default().chance(expected)
    }

    /// Visits to appliances of a model that found no fault.
    pub fn no_fault_found(&self, model: &str) -> u64 {
        self.models.get(model).map_or(0, |lives| lives.no_fault_found)
    }
}

impl Outcome {
    /// The causes that were there, and how much each counts: at most 1.
    fn causes(&self) -> impl Iterator<Item = (&String, f64)> {
        let posterior = |cause: &String| self.posterior.get(cause).copied().unwrap_or(0.0);
        let (causes, weight) = match &self.found {
            Found::Confirmed(cause) => (std::slice::from_ref(cause), None),
            Found::Cured(cause) => (std::slice::from_ref(cause), Some(1.0)),
            Found::Replaced(causes) => (causes.as_slice(), Some(REPLACED)),
            Found::NoFault => ([].as_slice(), None),
        };
        causes.iter().map(move |cause| (cause, weight.map_or(1.0, |weight| weight * posterior(cause))))
    }
}

/// Where `below`, which grows from 0 to 1, reaches a probability: bisection, on a scale on which
/// the answer lies within some hundreds of `about`.
fn quantile(below: impl Fn(f64) -> f64, probability: f64, about: f64) -> f64 {
    const FAR: f64 = 700.0;
    let (mut low, mut high) = (about - FAR, about + FAR);
    for _ in 0..f64::MANTISSA_DIGITS {
        let middle = f64::midpoint(low, high);
        *(if below(middle) < probability { &mut low } else { &mut high }) = middle;
    }
    high
}

fn add(own: &mut [f64; BANDS], other: &[f64; BANDS]) {
    own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
}

fn merge_trials(own: &mut BTreeMap<String, Trials>, other: &BTreeMap<String, Trials>) {
    for (key, trials) in other {
        own.entry(key.clone()).or_default().merge(trials);
    }
}

#[cfg(test)]
mod tests;
