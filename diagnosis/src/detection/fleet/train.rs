//! From histories of healthy devices to a baseline.

mod covariance;
mod expectation;
mod motion;
mod ranges;

use std::borrow::Borrow;
use std::collections::HashMap;

use thiserror::Error;

use super::baseline::{Baseline, BaselineError, Model, Parts};
use super::history::HistoryError;
use super::monitor::Monitor;
use super::step::Signs;
use super::{History, Row, Schema, SchemaError};
use crate::calibration::{Calibration, CalibrationError};

/// Scores kept at most; more say no more.
const MOST_SCORES: usize = 4_000_000;

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Name of the model file.
    pub version: String,
    /// Name of what it is trained on.
    pub training_set: String,
    /// Length of the exchangeable unit, ms: a day, or the longest cycle.
    pub unit_ms: i64,
    /// Units after installation or repair that teach the fixed baseline and the device's scale.
    pub fixed_units: f32,
    /// Units that the adapting baseline remembers.
    pub adapt_units: f32,
    /// Chance of a false alarm per unit.
    pub alarm_p: f32,
}

impl Settings {
    /// Device-days; three of them fix the baseline, two are remembered by the adapting one, and one
    /// in a thousand raises a false alarm.
    pub fn new(version: &str, training_set: &str) -> Self {
        Self {
            version: version.to_owned(),
            training_set: training_set.to_owned(),
            unit_ms: 86_400_000,
            fixed_units: 3.0,
            adapt_units: 2.0,
            alarm_p: 1e-3,
        }
    }
}

/// Why nothing could be learnt.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The schema is wrong.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A row does not fit the schema.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A setting is out of its range.
    #[error("settings.{field} must be {rule}")]
    Setting {
        /// Which.
        field: &'static str,
        /// What would be right.
        rule: &'static str,
    },
    /// Half of the devices judge what the other half taught.
    #[error("{devices} devices with rows; training needs at least {LEAST_DEVICES}")]
    TooFewDevices {
        /// How many there are.
        devices: usize,
    },
    /// A channel or an input without any value.
    #[error("{kind} {name:?} has no value in any row; leave it out of the schema or record it")]
    NeverSeen {
        /// `channel` or `input`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// No mode was seen often enough.
    #[error("no mode has {LEAST_ROWS} rows on {LEAST_UNITS} device-days of two devices")]
    NoMode,
    /// Too few device-days.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// What was learnt is no baseline.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
}

/// Fewest devices to train on.
pub(super) const LEAST_DEVICES: usize = 2;
/// Fewest rows and device-days that make a mode known.
pub(super) const LEAST_ROWS: usize = 200;
pub(super) const LEAST_UNITS: usize = Calibration::LEAST_UNITS;

impl Baseline {
    /// Learns from healthy devices; histories of one name are one device's. The model is learnt from
    /// all of them; how rare its scores are is learnt from each half of the devices by a model of
    /// the other half, so that no device is judged by what it taught itself.
    ///
    /// # Errors
    /// Too little to learn from, or rows that do not fit.
    pub fn train<H: Borrow<History>>(
        schema: &Schema,
        histories: &[H],
        settings: &Settings,
    ) -> Result<Self, TrainError> {
        let mut all: Vec<&History> = histories.iter().map(Borrow::borrow).collect();
        check(schema, &all, settings)?;
        all.retain(|history| !history.is_empty());
        let halves = halves(&all)?;
        let mut scores = Scores::default();
        for half in 0..2 {
            let of = |wanted: usize| -> Vec<&History> {
                all.iter().zip(&halves).filter(|(_, half)| **half == wanted).map(|(history, _)| *history).collect()
            };
            let model = learn(schema, &of(1 - half), settings)?;
            scores.collect(&model, &of(half));
        }
        let units = scores.units.len();
        let parts = Parts {
            version: settings.version.clone(),
            training_set: settings.training_set.clone(),
            alarm_p: settings.alarm_p,
            model: learn(schema, &all, settings)?,
            row: Calibration::fit(&mut scores.rows, units)?,
            unit: Calibration::fit(&mut scores.units, units)?,
        };
        Ok(Self::new(parts)?)
    }
}

/// In which half of the devices, 0 or 1, each history's device is.
fn halves(histories: &[&History]) -> Result<Vec<usize>, TrainError> {
    let mut places = HashMap::new();
    let halves = histories.iter().map(|history| {
        let next = places.len();
        *places.entry(history.device.as_str()).or_insert(next) % 2
    });
    let halves = halves.collect();
    if places.len() < LEAST_DEVICES {
        return Err(TrainError::TooFewDevices { devices: places.len() });
    }
    Ok(halves)
}

fn check(schema: &Schema, histories: &[&History], settings: &Settings) -> Result<(), TrainError> {
    schema.check()?;
    histories.iter().try_for_each(|history| history.check(schema))?;
    let setting = |field, rule| Err(TrainError::Setting { field, rule });
    if settings.unit_ms <= 0 {
        return setting("unit_ms", "above 0");
    }
    if !(settings.fixed_units > 0.0 && settings.fixed_units.is_finite()) {
        return setting("fixed_units", "above 0");
    }
    if !(settings.adapt_units > 0.0 && settings.adapt_units.is_finite()) {
        return setting("adapt_units", "above 0");
    }
    if !(settings.alarm_p > 0.0 && settings.alarm_p < 1.0) {
        return setting("alarm_p", "a chance between 0 and 1");
    }
    Ok(())
}

/// The steps of learning, each with what those before it found.
fn learn(schema: &Schema, histories: &[&History], settings: &Settings) -> Result<Model, TrainError> {
    let mut model = ranges::learn(schema, histories, settings)?;
    expectation::learn(&mut model, histories, settings);
    if model.modes.iter().all(Option::is_none) {
        return Err(TrainError::NoMode);
    }
    motion::learn(&mut model, histories);
    motion::learn_levels(&mut model, histories);
    Ok(model)
}

/// What healthy rows and units score.
#[derive(Default)]
struct Scores {
    rows: Vec<f32>,
    units: Vec<f32>,
}

impl Scores {
    fn collect(&mut self, model: &Model, histories: &[&History]) {
        let stride = stride(histories, MOST_SCORES / 2);
        let mut unit = (0, i64::MIN, f32::NEG_INFINITY);
        replay(model, histories, |device, at, row, _, signs| {
            let score = signs.mode.levels.scores(&signs.statistics).into_iter().fold(f32::NEG_INFINITY, f32::max);
            if at % stride == 0 {
                self.rows.push(score);
            }
            let now = (device, row.time_ms.div_euclid(model.unit_ms));
            if now != (unit.0, unit.1) && unit.2.is_finite() {
                self.units.push(unit.2);
                unit.2 = f32::NEG_INFINITY;
            }
            unit = (now.0, now.1, unit.2.max(score));
        });
        if unit.2.is_finite() {
            self.units.push(unit.2);
        }
    }
}

/// Every how many-th row to keep so that at most so many are kept.
fn stride(histories: &[&History], most: usize) -> usize {
    histories.iter().map(|history| history.len()).sum::<usize>() / most + 1
}

/// Lets each device live through its rows, from a blank monitor on. `see` gets the device's and the
/// row's number.
fn replay(model: &Model, histories: &[&History], mut see: impl FnMut(usize, usize, &Row<'_>, &Monitor, &Signs<'_>)) {
    let mut at = 0;
    for (device, history) in histories.iter().enumerate() {
        let mut monitor = Monitor::of(0);
        for row in history.rows() {
            at += 1;
            if monitor.admit(model, row.time_ms).is_ok()
                && let Ok(signs) = monitor.advance(model, &row)
            {
                see(device, at, &row, &monitor, &signs);
            }
        }
    }
}
