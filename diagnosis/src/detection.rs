//! State detection (ISO 13374): what a stream of numbers says about being in order.
//!
//! Detectors here know no appliance type. They turn channels into [`Evidence`], which a fault
//! tree takes as it takes a latched symptom, only softer.

pub mod cycle;
pub mod fleet;
pub mod peers;
pub mod recording;
pub mod univariate;

use serde::{Deserialize, Serialize};

/// What a detector or model says about one device at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which symptom of the fault tree it speaks for.
    pub symptom: String,
    /// Natural log of P(what was seen | some fault) / P(what was seen | none).
    pub log_likelihood_ratio: f64,
    /// How often a healthy device looks at least as strange; 0 to 1.
    pub p_value: f64,
    /// The channels that carry it and their shares, which sum to 1, largest first.
    pub channels: Vec<(String, f64)>,
    /// Device time of the first and last reading it rests on, ms.
    pub window_ms: (i64, i64),
    /// Which model file said so.
    pub model_version: String,
}
