//! Did the repair work? Judged from telemetry after the action alone.

use firmware_proto::DeviceTime;
use serde::{Deserialize, Serialize};

use crate::appliance::{ApplianceType, Repair};
use crate::observe::Sample;
use crate::state::DeviceState;

/// What verification says so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Not enough seen yet.
    Pending,
    /// It worked.
    Verified {
        /// For people.
        why: String,
    },
    /// It did not work.
    Failed {
        /// For people.
        why: String,
    },
    /// Too little was seen to tell.
    Inconclusive {
        /// For people.
        why: String,
    },
}

/// A verification under way; stored between samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    repair: String,
    started: DeviceTime,
}

impl Verification {
    /// Begins at the device time of the command's final result.
    pub fn new(repair: &Repair, started: DeviceTime) -> Self {
        Self { repair: repair.key.clone(), started }
    }

    /// Judges one sample. Call it after [`observe`](crate::observe) has taken the same sample,
    /// and only with samples whose `(boot_id, seq)` is greater than that of the command's final result.
    pub fn step(&mut self, _ty: &ApplianceType, _state: &DeviceState, _sample: &Sample<'_>) -> Verdict {
        Verdict::Pending
    }

    /// For silent devices: inconclusive once `now` has passed the window, pending before.
    pub fn expire(&self, _ty: &ApplianceType, _now: DeviceTime) -> Verdict {
        Verdict::Pending
    }
}
