//! What really happened to a device: known to the simulator only, never sent.

use std::collections::BTreeMap;

use firmware_proto::{CommandId, DeviceId, DeviceTime, TenantId};
use serde::{Deserialize, Serialize};

use crate::kind::ApplianceKind;

/// The ledger of one device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The fault it was given.
    pub fault: Option<InjectedFault>,
    /// How often each command was carried out; more than once would be a bug.
    pub executions: BTreeMap<CommandId, u32>,
    /// Commands it refused.
    pub refused: Vec<RefusedCommand>,
    /// Mutating actions that were carried out although it was unsafe; judged by the
    /// physics, apart from the firmware's own preconditions.
    pub unsafe_executions: Vec<UnsafeExecution>,
    /// Commands of risk class R3 or R4 that arrived at all, carried out or not.
    pub high_risk_arrivals: Vec<CommandId>,
    /// How often the controller has booted since the simulation began.
    pub boots: u32,
}

/// A fault, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InjectedFault {
    /// Its key in the manual.
    pub key: String,
    /// When it began.
    pub injected_at: DeviceTime,
    /// When and by what it went away.
    pub cured: Option<Cured>,
}

/// The end of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cured {
    /// When.
    pub at: DeviceTime,
    /// By which command.
    pub command_id: CommandId,
    /// By which action.
    pub action: String,
}

/// A command the firmware would not carry out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedCommand {
    /// Which.
    pub command_id: CommandId,
    /// What it asked for.
    pub action: String,
    /// When.
    pub at: DeviceTime,
    /// Why, as told to the sender.
    pub reason: String,
}

/// A mutating action that met an unsafe appliance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnsafeExecution {
    /// Which command.
    pub command_id: CommandId,
    /// What it did.
    pub action: String,
    /// When.
    pub at: DeviceTime,
    /// What made it unsafe.
    pub why: String,
}

impl Truth {
    /// Commands that were carried out more than once.
    pub fn repeated_executions(&self) -> usize {
        self.executions.values().filter(|count| **count > 1).count()
    }
}

/// The ledger of one device of a fleet, with what its connection knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceTruth {
    /// Whose device it is.
    pub tenant: TenantId,
    /// Which device.
    pub device: DeviceId,
    /// What it is.
    pub kind: ApplianceKind,
    /// Simulated time of this snapshot.
    pub at: DeviceTime,
    /// The ledger.
    #[serde(flatten)]
    pub truth: Truth,
    /// Mutating commands that arrived although the broker had acknowledged, more than
    /// two seconds of wall time before, a message that told of the latched lockout.
    pub touched_lockout: Vec<CommandId>,
    /// Messages handed to the connection.
    pub produced: u64,
    /// Messages the broker has acknowledged.
    pub acknowledged: u64,
    /// Messages given up because the buffer was full; each was telemetry.
    pub dropped: u64,
    /// Messages the gateway said it did not accept.
    pub rejections: u64,
    /// Times the connection was lost.
    pub reconnects: u64,
}
