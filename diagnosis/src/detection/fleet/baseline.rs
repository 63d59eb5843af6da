//! What healthy devices of one model and firmware show: learnt once, then never changed.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::lanes::{Lanes, Square};
use super::levels::Levels;
use super::schema::{MAX_INPUTS, Schema, SchemaError, digest};
use crate::calibration::Calibration;

/// Nodes of the hour-of-day table; between them it is linear.
pub(super) const HOURS: usize = 24;

/// The trained model that all monitors of one model and firmware share. Loading one checks it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Baseline {
    pub(super) parts: Parts,
    /// Names version, training set and schema; a monitor knows by it whose numbers it keeps.
    pub(super) id: u64,
    pub(super) alarm_score: f32,
    pub(super) calm_score: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parts {
    pub version: String,
    pub training_set: String,
    /// Chance of a false alarm per unit.
    pub alarm_p: f32,
    pub model: Model,
    /// Of any one row's score, and of a unit's largest.
    pub row: Calibration,
    pub unit: Calibration,
}

/// What is expected and how it varies: everything but how rare a score is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Model {
    pub schema: Schema,
    /// Length of the exchangeable unit, and the usual time between rows, ms.
    pub unit_ms: i64,
    pub interval_ms: i64,
    /// Where a channel's value can be, lowest and highest; beyond it is another unit or a broken wire.
    pub plausible: [Lanes; 2],
    /// The same for inputs: beyond, nobody knows what they do.
    pub known_inputs: [[f32; MAX_INPUTS]; 2],
    /// Rows that "this device scatters as the fleet does" counts for, and 1 / the fleet's
    /// mean of bounded squares.
    pub spread_prior: Lanes,
    pub spread_scale: Lanes,
    /// Rows that teach a device's scale.
    pub spread_rows: f32,
    /// One for each mode; None if the mode was seen too seldom to know it.
    pub modes: Vec<Option<Mode>>,
}

/// One operating mode. Everything after `inverse_scale` is in residual standard deviations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mode {
    /// Expected value: per unit of each input, and at each hour with the inputs at 0.
    pub slopes: [Lanes; MAX_INPUTS],
    pub hours: [Lanes; HOURS],
    /// 1 / residual standard deviation; 0 for a channel the mode never showed.
    pub inverse_scale: Lanes,
    /// Correlation of neighbouring residuals.
    pub autocorrelation: Lanes,
    /// Variance of a long mean times its number of rows: 1 for independent rows, more where
    /// neighbours repeat each other or days differ.
    pub long_run: Lanes,
    /// Rows that "this device is like the fleet" counts for: long-run over between-device variance.
    pub offset_prior: Lanes,
    /// A device's own offset is believed up to here.
    pub offset_bound: Lanes,
    /// Rows that teach the fixed offset, and the least weight of a row in the adapting one.
    pub fixed_rows: f32,
    pub adapt_gain: f32,
    /// Variance of the EWMA, and the inverse of its covariance; 1 / the one, the diagonal of the other.
    pub ewma_variance: Lanes,
    pub ewma_precision: Square,
    pub ewma_inverse: Lanes,
    pub ewma_own: Lanes,
    /// Inverse covariance of a sample within the directions that healthy devices hardly use, 0
    /// without any; 1 / its diagonal, 0 where that is 0.
    pub remainder: Square,
    pub remainder_own: Lanes,
    /// 1 / level that the CUSUM reaches in one row of a hundred.
    pub cusum_unit: Lanes,
    /// It goes no higher: a device that has recovered is soon seen to have.
    pub cusum_cap: Lanes,
    /// 1 / variance of the adapting offset minus the fixed one.
    pub drift_unit: Lanes,
    pub levels: Levels,
}

/// A model file that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// Its schema is wrong.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A number in it is out of its range.
    #[error("the stored baseline is damaged: {field} must be {rule}")]
    Damaged {
        /// Where.
        field: &'static str,
        /// What would be right.
        rule: &'static str,
    },
}

impl Baseline {
    /// What it watches.
    pub fn schema(&self) -> &Schema {
        &self.parts.model.schema
    }

    /// Which model file it is.
    pub fn version(&self) -> &str {
        &self.parts.version
    }

    /// What it was trained on.
    pub fn training_set(&self) -> &str {
        &self.parts.training_set
    }

    /// Length of the exchangeable unit, ms.
    pub fn unit_ms(&self) -> i64 {
        self.parts.model.unit_ms
    }

    /// Whether this mode was seen often enough to be watched.
    pub fn knows_mode(&self, mode: u8) -> bool {
        matches!(self.parts.model.modes.get(usize::from(mode)), Some(Some(_)))
    }

    /// Calibration of a unit's largest score: what p-values of device-days rest on.
    pub fn unit_calibration(&self) -> &Calibration {
        &self.parts.unit
    }

    /// Expected value of each channel, its residual standard deviation and the correlation of
    /// neighbouring residuals, in the order of the schema; None in a mode it does not know.
    pub fn expected(&self, mode: u8, time_ms: i64, inputs: &[f32]) -> Option<Vec<Expected>> {
        let mode = self.parts.model.modes.get(usize::from(mode))?.as_ref()?;
        let value = mode.expect(time_ms, inputs);
        let channels = 0..self.parts.model.schema.channels.len();
        let scale = |c: usize| if mode.inverse_scale[c] > 0.0 { 1.0 / mode.inverse_scale[c] } else { f32::NAN };
        let of = |c| Expected { value: value[c], scale: scale(c), autocorrelation: mode.autocorrelation[c] };
        Some(channels.map(of).collect())
    }

    pub(super) fn new(parts: Parts) -> Result<Self, BaselineError> {
        parts.model.check()?;
        if !(parts.alarm_p > 0.0 && parts.alarm_p < 1.0) {
            return Err(BaselineError::Damaged { field: "alarm_p", rule: "a chance between 0 and 1" });
        }
        let schema = format!("{:016x}", parts.model.schema.hash());
        let id = digest([parts.version.as_str(), parts.training_set.as_str(), schema.as_str()].into_iter());
        let (alarm_score, calm_score) = (parts.unit.score(parts.alarm_p), parts.row.score(CALM_P));
        Ok(Self { parts, id, alarm_score, calm_score })
    }
}

/// An alarm ends when rows are no stranger than one in twenty of a healthy device.
const CALM_P: f32 = 0.05;

/// What a baseline says about one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Expected value, in the channel's unit.
    pub value: f32,
    /// Standard deviation around it within a device, in the channel's unit; NaN if never seen.
    pub scale: f32,
    /// Correlation of neighbouring residuals.
    pub autocorrelation: f32,
}

impl Mode {
    /// What inputs and the time of day make of each channel. Missing inputs count as 0.
    #[inline(always)]
    pub fn expect(&self, time_ms: i64, inputs: &[f32]) -> Lanes {
        let (hour, part) = hour(time_ms);
        let (from, to) = (&self.hours[hour], &self.hours[(hour + 1) % HOURS]);
        let mut expected = super::lanes::lanes(|c| from[c] + part * (to[c] - from[c]));
        for (slope, input) in self.slopes.iter().zip(inputs) {
            for (value, slope) in expected.iter_mut().zip(slope) {
                *value += slope * input;
            }
        }
        expected
    }
}

/// Node of the hour table before this time, and how far it is to the next, 0 to 1.
#[inline(always)]
pub(super) fn hour(time_ms: i64) -> (usize, f32) {
    let of_day = time_ms.rem_euclid(86_400_000) as u32;
    ((of_day / 3_600_000) as usize, (of_day % 3_600_000) as f32 / 3_600_000.0)
}

impl Model {
    fn check(&self) -> Result<(), BaselineError> {
        self.schema.check()?;
        let damaged = |field, rule| Err(BaselineError::Damaged { field, rule });
        if self.modes.len() != self.schema.modes.len() {
            return damaged("modes", "as many as in the schema");
        }
        if self.unit_ms <= 0 || self.interval_ms <= 0 {
            return damaged("unit_ms and interval_ms", "above 0");
        }
        if !self.plausible.iter().flatten().chain(self.known_inputs.iter().flatten()).all(|end| end.is_finite()) {
            return damaged("plausible and known_inputs", "finite");
        }
        let spread = self.spread_prior.iter().chain(&self.spread_scale).chain([&self.spread_rows]);
        if !spread.into_iter().all(|number| *number > 0.0 && number.is_finite()) {
            return damaged("spread_prior, spread_scale and spread_rows", "above 0");
        }
        self.modes.iter().flatten().try_for_each(Mode::check)
    }
}

impl Mode {
    fn check(&self) -> Result<(), BaselineError> {
        let damaged = |field, rule| Err(BaselineError::Damaged { field, rule });
        let squares = self.ewma_precision.iter().chain(&self.remainder);
        let tables = self.slopes.iter().chain(&self.hours).chain(squares).flatten();
        let lanes = [
            &self.ewma_inverse,
            &self.ewma_own,
            &self.remainder_own,
            &self.autocorrelation,
            &self.offset_bound,
            &self.cusum_unit,
            &self.cusum_cap,
            &self.drift_unit,
        ];
        if !tables.chain(lanes.into_iter().flatten()).chain(self.levels.numbers()).all(|n| n.is_finite()) {
            return damaged("modes", "finite numbers throughout");
        }
        let above = self.long_run.iter().chain(&self.offset_prior).chain(&self.ewma_variance);
        if !above.chain([&self.fixed_rows]).all(|number| *number > 0.0 && number.is_finite()) {
            return damaged("modes: long_run, offset_prior, ewma_variance, fixed_rows", "above 0");
        }
        if !(self.adapt_gain > 0.0 && self.adapt_gain <= 1.0) {
            return damaged("modes: adapt_gain", "above 0 and at most 1");
        }
        if !self.inverse_scale.iter().all(|number| *number >= 0.0 && number.is_finite()) {
            return damaged("modes: inverse_scale", "0 or above");
        }
        Ok(())
    }
}

impl TryFrom<Parts> for Baseline {
    type Error = BaselineError;

    fn try_from(parts: Parts) -> Result<Self, BaselineError> {
        Self::new(parts)
    }
}

impl From<Baseline> for Parts {
    fn from(baseline: Baseline) -> Self {
        baseline.parts
    }
}
