//! What a planned repair consists of.

use diagnosis::{Action, ApplianceType, Repair, RiskClass};
use firmware_proto::{Command, CommandId, DeviceTime, Downlink, Encoding, Fence, ServerTime, body_hash, encode};
use uuid::Uuid;

use crate::repair::RepairState;
use crate::shard::room::{Repairing, Room};
use crate::store::changes::{Change, NewRepair, QueuedCommand};
use crate::store::json;

/// How long a device may take up a command, by its own clock. Long enough for a bad
/// connection, short enough that people still expect it.
const COMMAND_VALIDITY_MS: i64 = 30 * 60_000;

/// Namespace of ids that follow from what they are about.
const NAMESPACE: Uuid = Uuid::from_u128(0x6665_7474_6c65_4000_8000_0000_0000_0001);

/// An id that is the same whenever it is made from the same text.
pub fn id_of(text: &str) -> String {
    Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
}

/// A repair about to begin.
pub struct Planned {
    /// What the store gets.
    pub change: Change,
    /// What the room remembers.
    pub repairing: Repairing,
}

impl Planned {
    /// Plans one attempt. `person` is who asked; without one it is automatic.
    pub fn new(
        room: &Room,
        repair: &Repair,
        action: &Action,
        person: Option<&str>,
        why: &str,
        now: ServerTime,
    ) -> Self {
        let attempt =
            1 + room.memory.tried_lately(now).iter().filter(|tried| tried.repair == repair.key).count() as i64;
        let state = first_state(action, person.is_some());
        let finding = room.memory.case.as_ref().map(|case| case.finding.clone());
        let id = match &finding {
            Some(finding) if person.is_none() => id_of(&format!("{finding}/{}/{attempt}", repair.key)),
            _ => Uuid::now_v7().to_string(),
        };
        let change = Change::RepairPlanned(NewRepair {
            id: id.clone(),
            finding,
            device: room.address.device.clone(),
            cause: repair.cause.clone(),
            repair: repair.key.clone(),
            action: action.name.clone(),
            arguments: json(&repair.arguments),
            risk: format!("{:?}", action.risk),
            body_hash: body_hash(&action.name, &repair.arguments),
            state,
            reason: why.to_owned(),
            attempt,
            issued_by: person.unwrap_or("diagnosis").to_owned(),
            at: now,
        });
        let repairing = Repairing {
            id,
            version: 1,
            key: repair.key.clone(),
            cause: repair.cause.clone(),
            state,
            since: now,
            automatic: person.is_none(),
            refusals: 0,
            not_before: DeviceTime(i64::MIN),
            command: None,
            verification: None,
            inconclusive: 0,
        };
        Self { change, repairing }
    }
}

/// R0 and R1 run at once, R2 where the catalogue says so or a person asks;
/// R3 and R4 never without a second person.
fn first_state(action: &Action, by_person: bool) -> RepairState {
    let free = action.risk <= RiskClass::R2 && (action.automatic || by_person);
    if free { RepairState::Queued } else { RepairState::AwaitingApproval }
}

/// The command of a repair, with the next fence.
pub fn command(room: &mut Room, ty: &ApplianceType, repair: &Repair, now: ServerTime) -> (CommandId, Change) {
    let fence = Fence(room.memory.fence.0 + 1);
    room.memory.fence = fence;
    let id = CommandId(Uuid::now_v7());
    let valid_ms = COMMAND_VALIDITY_MS.max(ty.action(&repair.action).map_or(0, |action| action.timeout_ms));
    let message = Command {
        command_id: id,
        fence,
        not_after_ms: room.device_now(now).plus_ms(valid_ms),
        body_hash: body_hash(&repair.action, &repair.arguments),
        expected_config_version: None,
        action: repair.action.clone(),
        arguments: repair.arguments.clone(),
    };
    let queued = Change::CommandQueued(QueuedCommand {
        command_id: id.to_string(),
        repair: room.memory.repairing.as_ref().map(|repairing| repairing.id.clone()).unwrap_or_default(),
        device: room.address.device.clone(),
        topic: room.address.topic(&firmware_proto::Topic::Command(id)),
        payload: encode(&Downlink::Command(message), Encoding::Protobuf),
        fence: fence.0,
        at: now,
        expires: now.plus_ms(valid_ms),
    });
    (id, queued)
}
