//! One sample into the state; out come the symptoms that changed.

use firmware_proto::{DeviceTime, MessageOrder, Value};
use serde::Serialize;

use crate::appliance::ApplianceType;
use crate::state::DeviceState;

/// The readings of one message.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// When, by the device's clock.
    pub time: DeviceTime,
    /// Which message; a sample at or before the last one taken is ignored. None if the device does not number them.
    pub order: Option<MessageOrder>,
    /// Datapoint index and value. May be part of the datapoints: the others keep their last value for ten minutes.
    pub readings: &'a [(usize, Value)],
}

/// A symptom that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observation {
    /// Which symptom: the detector's key.
    pub symptom: String,
    /// It is there, or it was seen not to be there.
    pub present: bool,
    /// Natural log of P(this | some fault) / P(this | no fault).
    pub llr: f64,
    /// For people.
    pub why: String,
    /// Device time of the sample that decided.
    pub time: DeviceTime,
}

/// Takes a sample into the state and returns the symptoms that changed, as a rule none.
///
/// A state of another catalogue version is started afresh.
pub fn observe(_ty: &ApplianceType, _state: &mut DeviceState, _sample: &Sample<'_>) -> Vec<Observation> {
    Vec::new()
}
