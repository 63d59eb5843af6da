//! What to do about a diagnosis.

use firmware_proto::DeviceTime;

use crate::appliance::{ApplianceType, Repair};
use crate::diagnose::Diagnosis;
use crate::state::DeviceState;

/// A repair that was tried on the finding at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The repair's key.
    pub repair: String,
    /// Later telemetry showed that it worked; yet here we are again.
    pub verified: bool,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Advice<'a> {
    /// All is well, as far as can be seen.
    Nothing,
    /// Something is wrong, but it is not clear what; or nobody need travel for it.
    Watch {
        /// For people.
        why: String,
    },
    /// Try this remote repair.
    Repair {
        /// Which.
        repair: &'a Repair,
        /// The cause it is to cure.
        cause: String,
        /// For people.
        why: String,
    },
    /// Send a technician.
    WorkOrder {
        /// The likeliest cause.
        cause: String,
        /// For people.
        why: String,
        /// A safety lockout is involved: nothing may be done remotely.
        safety: bool,
    },
}

/// Decides what to do next. `now` is the device's time; `tried` are the repairs of this finding, oldest first.
pub fn advise<'a>(
    _ty: &'a ApplianceType,
    _state: &DeviceState,
    _diagnosis: &Diagnosis,
    _now: DeviceTime,
    _tried: &[Tried],
) -> Advice<'a> {
    Advice::Nothing
}
