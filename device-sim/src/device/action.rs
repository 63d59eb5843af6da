//! What a device can be told to do, and when it may.

use std::time::Duration;

use firmware_proto::{Command, DeviceTime};

use crate::kind::ApplianceKind;
use crate::physics::{Machine, Panel, Status};

/// An action of the manual, its arguments checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    SelfTest,
    SoftReset,
    PowerCycle,
    Recalibrate(&'static str),
    RestoreParameters,
    RestoreDefrostSchedule,
    ClearLockout,
}

/// How long the controller stays off in a power cycle.
const POWER_OFF: Duration = Duration::from_secs(15);

/// Whether an action changes anything; unknown names count as if they did.
pub(crate) fn is_mutating(action: &str) -> bool {
    action != "self_test"
}

/// Whether an action is of risk class R3 or R4.
pub(super) fn is_high_risk(action: &str) -> bool {
    action == "clear_lockout"
}

impl Action {
    /// Reads the action of a command.
    ///
    /// # Errors
    /// Says what the device does not know and what it would.
    pub fn of(command: &Command, kind: ApplianceKind, machine: &dyn Machine) -> Result<Self, String> {
        let name = command.action.as_str();
        if !kind.actions().contains(&name) {
            return Err(format!("unknown action {name:?}: this {kind} knows {}", kind.actions().join(", ")));
        }
        match name {
            "self_test" => Ok(Self::SelfTest),
            "soft_reset" => Ok(Self::SoftReset),
            "power_cycle_controller" => Ok(Self::PowerCycle),
            "recalibrate_sensor" => recalibration(command, machine),
            "restore_parameters" => Ok(Self::RestoreParameters),
            "restore_defrost_schedule" => Ok(Self::RestoreDefrostSchedule),
            _ => Ok(Self::ClearLockout),
        }
    }

    /// Why the action may not be done now; none if it may.
    pub fn forbidden_because(
        self,
        status: Status,
        panel: &Panel,
        remote_start_allowed: bool,
        now: DeviceTime,
    ) -> Option<String> {
        if self == Self::SelfTest {
            return None;
        }
        if self == Self::ClearLockout {
            return (!remote_start_allowed).then(|| "remote start is not allowed".to_owned());
        }
        if panel.local_control(now) {
            return Some("local control is active: somebody is at the panel".into());
        }
        let stays_clear_of_lockout = matches!(self, Self::SoftReset | Self::PowerCycle | Self::RestoreParameters);
        if status.latched && stays_clear_of_lockout {
            return Some("latched in lockout: a technician must look".into());
        }
        if self == Self::SoftReset && status.gas_open {
            return Some("the gas valve is open".into());
        }
        if self == Self::PowerCycle && panel.child_lock(now) {
            return Some("child lock is on".into());
        }
        let needs_idle = matches!(self, Self::PowerCycle | Self::Recalibrate(_) | Self::RestoreParameters);
        status.busy_because.filter(|_| needs_idle).map(|why| format!("not idle: {why}"))
    }

    /// From the beginning of the work to its end.
    pub fn duration(self) -> Duration {
        match self {
            Self::SelfTest => Duration::from_secs(8),
            Self::SoftReset | Self::RestoreDefrostSchedule => Duration::from_secs(5),
            Self::PowerCycle => POWER_OFF,
            Self::Recalibrate(_) => Duration::from_secs(30),
            Self::RestoreParameters => Duration::from_secs(10),
            Self::ClearLockout => Duration::from_secs(3),
        }
    }

    /// Whether the appliance must not start anything meanwhile.
    pub fn holds_appliance(self) -> bool {
        // A soft reset only holds what burns gas: other appliances go on meanwhile.
        matches!(self, Self::PowerCycle | Self::Recalibrate(_) | Self::RestoreParameters)
    }
}

fn recalibration(command: &Command, machine: &dyn Machine) -> Result<Action, String> {
    let known = machine.sensors();
    let named = command.arguments.get("sensor").and_then(|value| value.as_str());
    let sensor = named.and_then(|name| known.iter().find(|sensor| **sensor == name));
    match sensor {
        Some(sensor) => Ok(Action::Recalibrate(sensor)),
        None => Err(format!("argument \"sensor\" must be one of {}, not {named:?}", known.join(", "))),
    }
}

/// Why it would be unsafe to begin this now, by the physics and the people at the
/// appliance. Apart from [`Action::forbidden_because`], which it keeps watch over.
pub(super) fn unsafe_to_begin(action: Action, status: Status, panel: &Panel, now: DeviceTime) -> Option<&'static str> {
    match action {
        Action::SelfTest => None,
        Action::ClearLockout => Some("a lockout was cleared from afar"),
        _ if panel.local_control(now) => Some("somebody was at the panel"),
        // An offset may be measured on a locked-out appliance: nothing can start.
        Action::Recalibrate(_) | Action::RestoreDefrostSchedule => unsafe_meanwhile(action, status),
        _ if status.latched => Some("a lockout was latched"),
        Action::PowerCycle if panel.child_lock(now) => Some("the child lock was on"),
        _ => unsafe_meanwhile(action, status),
    }
}

/// Why it is unsafe that this is at work now.
pub(super) fn unsafe_meanwhile(action: Action, status: Status) -> Option<&'static str> {
    match action {
        Action::SelfTest => None,
        _ if status.gas_open => Some("gas was open"),
        _ if action.holds_appliance() && status.energised => Some("the appliance was at work"),
        _ => None,
    }
}
