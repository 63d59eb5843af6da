//! Symptoms that no rule sees and a trained model tells of.
//!
//! The catalogue says what such a model looks at and which causes it can show; the model itself
//! comes and goes beside it. What it says reaches a device as
//! [`Evidence`](crate::detection::Evidence) by
//! [`DeviceState::take_evidence`](crate::DeviceState::take_evidence). Without a model the
//! symptom is unobserved and changes no posterior.

use crate::appliance::ApplianceType;
use crate::detector::Test;
use crate::expression::evaluate::{flag, number};
use crate::expression::{Flag, Num};
use crate::state::DeviceState;

/// What a model looks at, on behalf of one symptom of the fault tree.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSymptom {
    /// What is judged.
    pub(crate) channels: Vec<Channel>,
    /// What explains the channels: weather, settings, load.
    pub(crate) inputs: Vec<Channel>,
    /// In what state of the appliance; the first that holds counts.
    pub(crate) modes: Vec<Mode>,
    pub(crate) expires_ms: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Channel {
    /// As the catalogue writes it.
    pub name: String,
    pub value: Num,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mode {
    pub name: String,
    pub condition: Flag,
}

impl ModelSymptom {
    /// What is judged: datapoints, or expressions over them.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(|channel| channel.name.as_str())
    }

    /// What explains the channels, such as ambient temperature and setpoint.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|input| input.name.as_str())
    }

    /// The operating modes that are judged, each by itself.
    pub fn modes(&self) -> impl Iterator<Item = &str> {
        self.modes.iter().map(|mode| mode.name.as_str())
    }

    /// How many numbers [`Self::read`] fills: channels, then inputs.
    pub fn width(&self) -> usize {
        self.channels.len() + self.inputs.len()
    }

    /// How long a statement counts after the last reading it rests on, ms of device time.
    pub fn expires_ms(&self) -> i64 {
        self.expires_ms
    }

    /// What a model sees after the newest sample: the index of the mode in force and, in
    /// `values`, the channels and then the inputs, NaN for what is missing. `None` in no mode,
    /// and for a state of another catalogue version. Does not allocate.
    pub fn read(&self, ty: &ApplianceType, state: &DeviceState, values: &mut [f64]) -> Option<usize> {
        if !state.fits(ty) {
            return None;
        }
        let view = state.view(ty);
        let mode = self.modes.iter().position(|mode| flag(&mode.condition, &view) == Some(true))?;
        for (value, channel) in values.iter_mut().zip(self.channels.iter().chain(&self.inputs)) {
            *value = number(&channel.value, &view).unwrap_or(f64::NAN);
        }
        Some(mode)
    }
}

impl ApplianceType {
    /// The symptoms that models may speak for, with their keys.
    pub fn model_symptoms(&self) -> impl Iterator<Item = (&str, &ModelSymptom)> {
        self.detectors.iter().filter_map(|detector| match &detector.test {
            Test::Model(model) => Some((detector.key.as_str(), model)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
