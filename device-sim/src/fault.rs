//! The faults of the manual: what cures them, and how long they take to show.

use std::time::Duration;

use serde::Serialize;

use crate::kind::ApplianceKind::{self, GasWaterHeater, Refrigerator, SplitAc};

/// What takes a fault away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Cure {
    /// A command to the device.
    Remote {
        /// The action that cures it.
        action: &'static str,
        /// The `sensor` argument it needs, if it needs one.
        sensor: Option<&'static str>,
    },
    /// A technician with these parts; no command helps.
    Visit {
        /// Part keys, as the manual names them.
        parts: &'static [&'static str],
    },
}

/// One fault of one appliance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Name in the manual; unique within the type.
    pub key: &'static str,
    /// Which type can have it.
    pub kind: ApplianceKind,
    /// What takes it away.
    pub cure: Cure,
    /// From injection until the manual's signature has shown on nearly every unit,
    /// whatever the hour. People decide a part of it (draws, switching off).
    pub visible_after: Duration,
    /// From then until it can be handled: the cure's precondition comes true, and
    /// enough telemetry follows to see the effect (or a work order is written).
    pub handling: Duration,
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

const fn remote(
    kind: ApplianceKind,
    key: &'static str,
    action: &'static str,
    sensor: Option<&'static str>,
    visible_after: Duration,
    handling: Duration,
) -> Fault {
    Fault { key, kind, cure: Cure::Remote { action, sensor }, visible_after, handling }
}

const fn visit(
    kind: ApplianceKind,
    key: &'static str,
    parts: &'static [&'static str],
    visible_after: Duration,
    handling: Duration,
) -> Fault {
    Fault { key, kind, cure: Cure::Visit { parts }, visible_after, handling }
}

const SPLIT_AC: &[Fault] = &[
    visit(SplitAc, "refrigerant_leak", &["valve_core", "refrigerant_r32"], hours(6), hours(2)),
    remote(SplitAc, "indoor_fan_controller_hung", "power_cycle_controller", None, hours(3), hours(3)),
    visit(SplitAc, "outdoor_fan_motor_worn", &["outdoor_fan_motor"], hours(4), hours(2)),
    remote(SplitAc, "room_sensor_offset", "recalibrate_sensor", Some("room_temp"), hours(6), hours(6)),
    remote(SplitAc, "wrong_parameter_set", "restore_parameters", None, hours(10), hours(6)),
    remote(SplitAc, "control_loop_hung", "soft_reset", None, hours(9), hours(4)),
    visit(SplitAc, "compressor_valve_worn", &["ac_compressor"], hours(6), hours(2)),
];

const REFRIGERATOR: &[Fault] = &[
    visit(Refrigerator, "door_seal_worn", &["door_gasket"], hours(6), hours(2)),
    remote(Refrigerator, "defrost_timer_lost", "restore_defrost_schedule", None, hours(11), hours(2)),
    visit(Refrigerator, "defrost_heater_open", &["defrost_heater"], hours(7), hours(2)),
    visit(Refrigerator, "compressor_valve_worn", &["rf_compressor"], hours(6), hours(2)),
    remote(Refrigerator, "evap_fan_controller_hung", "power_cycle_controller", None, hours(2), hours(3)),
    remote(Refrigerator, "fridge_sensor_offset", "recalibrate_sensor", Some("fridge_temp"), hours(2), hours(3)),
    remote(Refrigerator, "wrong_parameter_set", "restore_parameters", None, hours(5), hours(4)),
];

const GAS_WATER_HEATER: &[Fault] = &[
    visit(GasWaterHeater, "igniter_dead", &["igniter"], hours(5), hours(2)),
    visit(GasWaterHeater, "flame_rod_fouled", &["flame_rod"], hours(7), hours(2)),
    remote(GasWaterHeater, "fan_controller_hung", "power_cycle_controller", None, hours(5), hours(4)),
    visit(GasWaterHeater, "fan_motor_worn", &["fan_motor"], hours(5), hours(2)),
    remote(GasWaterHeater, "outlet_sensor_offset", "recalibrate_sensor", Some("outlet_temp"), hours(3), hours(3)),
    remote(GasWaterHeater, "wrong_parameter_set", "restore_parameters", None, hours(7), hours(4)),
    remote(GasWaterHeater, "control_loop_hung", "soft_reset", None, hours(7), hours(4)),
    visit(GasWaterHeater, "heat_exchanger_scaled", &["descaling_kit"], hours(5), hours(2)),
];

/// The faults that a type can have.
pub fn faults(kind: ApplianceKind) -> &'static [Fault] {
    match kind {
        SplitAc => SPLIT_AC,
        Refrigerator => REFRIGERATOR,
        GasWaterHeater => GAS_WATER_HEATER,
    }
}

/// The fault of a type by its key.
pub fn fault(kind: ApplianceKind, key: &str) -> Option<&'static Fault> {
    faults(kind).iter().find(|fault| fault.key == key)
}
