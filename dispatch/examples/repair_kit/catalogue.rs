//! Four appliance types with 12 faults each: shares, parts, prices.
//!
//! Washing machine and dishwasher follow Tecchio, Ardente & Mathieux, "Understanding
//! lifetimes and failure modes of defective washing machines and dishwashers" (Journal of
//! Cleaner Production 215, 2019; 11,000 diagnoses of a repair centre), in which failures
//! come first: electronics, shock absorbers and bearings, doors, carbon brushes, pumps;
//! and pumps, electronics, aquastop and valves, foreign objects, doors. The other shares,
//! the parts of each fault and the prices (euros, rounded, as shops for household spares
//! list them) are assumptions. Parts are shared between faults as in life: a seal goes
//! with a pump, a belt with a bearing, a capacitor with a motor.

pub struct Fault {
    pub name: &'static str,
    /// Weight among the faults of the type; the weights need not sum to 1.
    pub share: f64,
    /// One piece of each.
    pub parts: &'static [&'static str],
}

pub struct ApplianceType {
    pub faults: &'static [Fault],
    pub prices: &'static [(&'static str, i64)],
}

const fn fault(name: &'static str, share: f64, parts: &'static [&'static str]) -> Fault {
    Fault { name, share, parts }
}

pub const TYPES: [ApplianceType; 4] = [
    // Washing machine.
    ApplianceType {
        faults: &[
            fault("control_board_dead", 0.14, &["control_board"]),
            fault("bearing_worn", 0.08, &["bearing_set", "drum_seal", "belt"]),
            fault("shock_absorber_worn", 0.07, &["shock_absorbers"]),
            fault("door_lock_broken", 0.12, &["door_lock"]),
            fault("door_seal_torn", 0.05, &["door_seal", "hose_clamps"]),
            fault("brushes_worn", 0.10, &["carbon_brushes"]),
            fault("drain_pump_dead", 0.08, &["drain_pump", "hose_clamps"]),
            fault("heater_dead", 0.09, &["heater", "heater_seal"]),
            fault("temperature_sensor_off", 0.05, &["temperature_sensor", "heater_seal"]),
            fault("inlet_valve_leaks", 0.07, &["inlet_valve"]),
            fault("pressure_switch_stuck", 0.06, &["pressure_switch", "hose_clamps"]),
            fault("motor_dead", 0.09, &["motor", "belt", "carbon_brushes"]),
        ],
        prices: &[
            ("control_board", 140),
            ("bearing_set", 35),
            ("drum_seal", 15),
            ("belt", 15),
            ("shock_absorbers", 35),
            ("door_lock", 30),
            ("door_seal", 50),
            ("hose_clamps", 5),
            ("carbon_brushes", 20),
            ("drain_pump", 35),
            ("heater", 35),
            ("heater_seal", 5),
            ("temperature_sensor", 15),
            ("inlet_valve", 25),
            ("pressure_switch", 25),
            ("motor", 160),
        ],
    },
    // Dishwasher.
    ApplianceType {
        faults: &[
            fault("circulation_pump_dead", 0.15, &["circulation_pump", "sump_seal"]),
            fault("drain_pump_dead", 0.09, &["drain_pump", "sump_seal"]),
            fault("control_board_dead", 0.16, &["control_board"]),
            fault("aquastop_tripped", 0.08, &["aquastop"]),
            fault("inlet_valve_stuck", 0.06, &["inlet_valve"]),
            fault("foreign_object", 0.08, &["drain_filter"]),
            fault("door_lock_broken", 0.07, &["door_lock"]),
            fault("door_spring_broken", 0.06, &["door_springs"]),
            fault("heater_dead", 0.08, &["heater", "sump_seal"]),
            fault("turbidity_sensor_off", 0.05, &["turbidity_sensor"]),
            fault("spray_arm_broken", 0.06, &["spray_arm"]),
            fault("dispenser_stuck", 0.06, &["dispenser"]),
        ],
        prices: &[
            ("circulation_pump", 130),
            ("sump_seal", 5),
            ("drain_pump", 35),
            ("control_board", 150),
            ("aquastop", 60),
            ("inlet_valve", 30),
            ("drain_filter", 20),
            ("door_lock", 30),
            ("door_springs", 20),
            ("heater", 60),
            ("turbidity_sensor", 35),
            ("spray_arm", 20),
            ("dispenser", 45),
        ],
    },
    // Refrigerator.
    ApplianceType {
        faults: &[
            fault("thermostat_off", 0.14, &["thermostat"]),
            fault("door_seal_torn", 0.13, &["door_seal"]),
            fault("start_relay_dead", 0.11, &["start_relay", "start_capacitor"]),
            fault("compressor_dead", 0.07, &["compressor", "filter_drier", "start_relay"]),
            fault("refrigerant_leak", 0.08, &["filter_drier", "refrigerant"]),
            fault("evaporator_fan_dead", 0.11, &["evaporator_fan"]),
            fault("condenser_fan_dead", 0.06, &["condenser_fan"]),
            fault("defrost_heater_dead", 0.09, &["defrost_heater", "defrost_sensor"]),
            fault("defrost_sensor_off", 0.07, &["defrost_sensor"]),
            fault("control_board_dead", 0.08, &["control_board"]),
            fault("water_valve_leaks", 0.03, &["water_valve"]),
            fault("door_switch_broken", 0.03, &["door_switch"]),
        ],
        prices: &[
            ("thermostat", 30),
            ("door_seal", 70),
            ("start_relay", 15),
            ("start_capacitor", 10),
            ("compressor", 180),
            ("filter_drier", 10),
            ("refrigerant", 30),
            ("evaporator_fan", 45),
            ("condenser_fan", 45),
            ("defrost_heater", 35),
            ("defrost_sensor", 15),
            ("control_board", 130),
            ("water_valve", 30),
            ("door_switch", 10),
        ],
    },
    // Gas boiler.
    ApplianceType {
        faults: &[
            fault("igniter_dead", 0.12, &["igniter", "burner_seal"]),
            fault("flame_rod_worn", 0.13, &["flame_rod", "burner_seal"]),
            fault("gas_valve_stuck", 0.07, &["gas_valve", "burner_seal"]),
            fault("fan_worn", 0.09, &["fan", "burner_seal"]),
            fault("pump_stuck", 0.11, &["pump"]),
            fault("diverter_valve_stuck", 0.10, &["diverter_motor"]),
            fault("expansion_vessel_flat", 0.09, &["expansion_vessel"]),
            fault("pressure_sensor_off", 0.07, &["pressure_sensor"]),
            fault("temperature_sensor_off", 0.07, &["temperature_sensor"]),
            fault("plate_exchanger_clogged", 0.06, &["plate_exchanger", "exchanger_seals"]),
            fault("main_exchanger_leaks", 0.02, &["main_exchanger", "exchanger_seals", "burner_seal"]),
            fault("control_board_dead", 0.07, &["control_board"]),
        ],
        prices: &[
            ("igniter", 35),
            ("burner_seal", 10),
            ("flame_rod", 25),
            ("gas_valve", 130),
            ("fan", 190),
            ("pump", 150),
            ("diverter_motor", 60),
            ("expansion_vessel", 80),
            ("pressure_sensor", 40),
            ("temperature_sensor", 20),
            ("plate_exchanger", 110),
            ("exchanger_seals", 10),
            ("main_exchanger", 420),
            ("control_board", 190),
        ],
    },
];
