//! The manual's signatures, over all rows up to one.

use device_sim::Fault;

use super::Row;

/// Index of the first row by which the fault's signature has shown, from `from` on.
pub fn first_shown(fault: &Fault, rows: &[Row], from: usize) -> Option<usize> {
    let shows = of(fault);
    (from + 1..=rows.len()).find(|end| shows(&rows[from..*end])).map(|end| end - 1)
}

/// The signature of a fault: does it show at the end of these rows?
pub fn of(fault: &Fault) -> fn(&[Row]) -> bool {
    match (fault.kind.key(), fault.key) {
        ("split-ac", "refrigerant_leak") => refrigerant_leak,
        ("split-ac", "indoor_fan_controller_hung") => indoor_fan_hung,
        ("split-ac", "outdoor_fan_motor_worn") => outdoor_fan_worn,
        ("split-ac", "room_sensor_offset") => room_sensor_offset,
        ("split-ac", "wrong_parameter_set") => ac_wrong_parameters,
        ("split-ac", "control_loop_hung") => ac_loop_hung,
        ("split-ac", "compressor_valve_worn") => ac_valve_worn,
        ("refrigerator", "door_seal_worn") => door_seal_worn,
        ("refrigerator", "defrost_timer_lost") => defrost_timer_lost,
        ("refrigerator", "defrost_heater_open") => defrost_heater_open,
        ("refrigerator", "compressor_valve_worn") => fridge_valve_worn,
        ("refrigerator", "evap_fan_controller_hung") => evap_fan_hung,
        ("refrigerator", "fridge_sensor_offset") => fridge_sensor_offset,
        ("refrigerator", "wrong_parameter_set") => fridge_wrong_parameters,
        ("gas-water-heater", "igniter_dead") => igniter_dead,
        ("gas-water-heater", "flame_rod_fouled") => flame_rod_fouled,
        ("gas-water-heater", "fan_controller_hung") => heater_fan_hung,
        ("gas-water-heater", "fan_motor_worn") => heater_fan_worn,
        ("gas-water-heater", "outlet_sensor_offset") => outlet_sensor_offset,
        ("gas-water-heater", "wrong_parameter_set") => heater_wrong_parameters,
        ("gas-water-heater", "control_loop_hung") => heater_loop_hung,
        ("gas-water-heater", "heat_exchanger_scaled") => heat_exchanger_scaled,
        (kind, key) => panic!("no signature of {kind} {key}: write one from the manual"),
    }
}

/// The last `count` rows, if there are as many.
fn last(rows: &[Row], count: usize) -> Option<&[Row]> {
    rows.len().checked_sub(count).map(|begin| &rows[begin..])
}

fn last_all(rows: &[Row], count: usize, test: impl Fn(&Row) -> bool) -> bool {
    last(rows, count).is_some_and(|window| window.iter().all(test))
}

fn mean(rows: &[Row], value: impl Fn(&Row) -> f64) -> f64 {
    rows.iter().map(value).sum::<f64>() / rows.len() as f64
}

/// Constant to 0.1 over the rows.
fn constant(rows: &[Row], name: &str) -> bool {
    let values = || rows.iter().map(|row| row.number(name));
    values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min) <= 0.101
}

fn settled_at(rows: &[Row], hz: f64) -> bool {
    last_all(rows, 15, |row| row.number("compressor_hz") >= hz)
}

fn over_setpoint(row: &Row) -> f64 {
    row.number("room_temp_c") - row.number("setpoint_c")
}

/// Amps against what the manual expects of this frequency and outdoor coil.
fn amps_share(row: &Row) -> f64 {
    let pressure = 1.0 + 0.012 * (row.number("outdoor_coil_temp_c") - 40.0);
    row.number("compressor_a") / (0.075 * row.number("compressor_hz") * pressure)
}

fn refrigerant_leak(rows: &[Row]) -> bool {
    settled_at(rows, 40.0)
        && last_all(rows, 5, |row| {
            row.number("indoor_coil_temp_c") > 16.0
                && row.number("discharge_temp_c") - row.number("outdoor_coil_temp_c") > 44.0
                && amps_share(row) < 0.9
        })
}

fn indoor_fan_hung(rows: &[Row]) -> bool {
    last_all(rows, 4, |row| row.number("indoor_fan_target_rpm") >= 700.0 && row.number("indoor_fan_rpm") == 0.0)
        && rows.last().is_some_and(|row| row.text("error_code") == "E6")
}

fn outdoor_fan_worn(rows: &[Row]) -> bool {
    settled_at(rows, 20.0)
        && last_all(rows, 5, |row| {
            let rise_k = row.number("outdoor_coil_temp_c") - row.number("outdoor_temp_c");
            let expected_k = if row.number("compressor_hz") > 50.0 { 24.0 } else { 13.0 };
            row.number("outdoor_fan_rpm") < 0.7 * row.number("outdoor_fan_target_rpm") && rise_k > expected_k
        })
}

fn room_sensor_offset(rows: &[Row]) -> bool {
    last_all(rows, 26, |row| row.number("compressor_hz") == 0.0)
        && last_all(rows, 1, |row| row.number("room_temp_c") - row.number("indoor_coil_temp_c") > 2.0)
}

fn ac_wrong_parameters(rows: &[Row]) -> bool {
    last_all(rows, 10, |row| {
        (23.5..30.5).contains(&row.number("compressor_hz"))
            && over_setpoint(row) > 1.5
            && row.text("error_code").is_empty()
    }) && last(rows, 10).is_some_and(|window| constant(window, "compressor_hz"))
}

fn ac_loop_hung(rows: &[Row]) -> bool {
    let Some(window) = last(rows, 12) else { return false };
    let hz = window[0].number("compressor_hz");
    hz > 0.0
        && constant(window, "compressor_hz")
        && window.iter().all(|row| {
            let over_k = over_setpoint(row);
            // At its upper limit with a warm room, or its lower with a cool one, it is right.
            (over_k > 1.5 && hz < 89.0) || (over_k < -1.5 && hz > 20.5) || over_k < -2.5
        })
}

fn ac_valve_worn(rows: &[Row]) -> bool {
    settled_at(rows, 40.0)
        && last_all(rows, 5, |row| {
            row.number("indoor_coil_temp_c") > 15.5
                && row.number("outdoor_coil_temp_c") - row.number("outdoor_temp_c") < 5.5
                && row.number("discharge_temp_c") < 57.0
                && amps_share(row) < 0.75
        })
}

fn compressor_on(row: &Row) -> bool {
    row.yes("compressor_on")
}

fn share_on(rows: &[Row]) -> f64 {
    let awake: Vec<_> = rows.iter().filter(|row| !row.yes("defrost_active")).collect();
    awake.iter().filter(|row| compressor_on(row)).count() as f64 / awake.len().max(1) as f64
}

fn watts_normal(rows: &[Row]) -> bool {
    rows.iter().filter(|row| compressor_on(row)).all(|row| row.number("compressor_w") > 82.0)
}

fn door_seal_worn(rows: &[Row]) -> bool {
    last(rows, 180).is_some_and(|window| {
        share_on(window) > 0.77
            && watts_normal(window)
            && last_all(rows, 8, |row| {
                compressor_on(row) && !row.yes("door_open") && row.number("evaporator_temp_c") < -20.0
            })
            && mean(window, |row| f64::from(u8::from(row.yes("door_open")))) < 0.05
            // The hours after a defrost or a change of cut-out run long without any fault.
            && mean(window, |row| row.number("freezer_temp_c")) < -15.5
    })
}

fn defrost_timer_lost(rows: &[Row]) -> bool {
    let since = rows.iter().rposition(|row| row.yes("defrost_active")).map_or(0, |at| at + 1);
    rows[since..].iter().filter(|row| compressor_on(row)).count() > 270
}

fn defrost_heater_open(rows: &[Row]) -> bool {
    last_all(rows, 6, |row| {
        row.yes("defrost_active") && row.number("defrost_heater_a") == 0.0 && row.number("evaporator_temp_c") < -2.0
    })
}

fn fridge_valve_worn(rows: &[Row]) -> bool {
    last_all(rows, 120, |row| compressor_on(row) && row.number("compressor_w") < 75.0)
        && last_all(rows, 5, |row| row.number("evaporator_temp_c") > -17.5 && row.number("freezer_temp_c") > -15.5)
}

fn evap_fan_hung(rows: &[Row]) -> bool {
    last_all(rows, 5, |row| row.number("evap_fan_target_rpm") > 0.0 && row.number("evap_fan_rpm") == 0.0)
        && last_all(rows, 1, |row| row.number("evaporator_temp_c") < -32.0 && row.text("error_code") == "F3")
}

fn fridge_sensor_offset(rows: &[Row]) -> bool {
    last(rows, 30)
        .is_some_and(|window| mean(window, |row| row.number("fridge_temp_c") - row.number("fridge_aux_temp_c")) > 2.0)
}

fn fridge_wrong_parameters(rows: &[Row]) -> bool {
    last(rows, 150).is_some_and(|window| {
        window.iter().all(|row| row.number("freezer_temp_c") > -14.0)
            && window.iter().any(|row| !compressor_on(row) && !row.yes("defrost_active"))
            && window.iter().any(compressor_on)
            && watts_normal(window)
    })
}

fn burning(row: &Row) -> bool {
    row.yes("burner_on")
}

/// Burning for the last `count` rows.
fn burns(rows: &[Row], count: usize) -> bool {
    last_all(rows, count, burning)
}

fn igniter_dead(rows: &[Row]) -> bool {
    // Attempts grow by three within one draw in which nothing burns.
    last(rows, 4).is_some_and(|window| {
        window[1..].iter().all(|row| row.number("water_flow_lpm") > 0.0)
            && window.iter().all(|row| !burning(row) && row.number("flame_current_ua") == 0.0)
            && window[3].number("ignition_attempts") - window[0].number("ignition_attempts") >= 3.0
            && window[3].text("error_code") == "E1"
    })
}

fn flame_rod_fouled(rows: &[Row]) -> bool {
    last_all(rows, 1, |row| row.yes("lockout") && row.text("error_code") == "E2")
}

fn heater_fan_hung(rows: &[Row]) -> bool {
    last_all(rows, 2, |row| {
        row.number("fan_target_rpm") > 0.0 && row.number("fan_rpm") == 0.0 && row.text("error_code") == "E5"
    })
}

fn heater_fan_worn(rows: &[Row]) -> bool {
    burns(rows, 5)
        && last_all(rows, 3, |row| {
            let share = row.number("fan_rpm") / row.number("fan_target_rpm");
            let normal_exhaust_c = 110.0 + 0.5 * row.number("gas_valve_pct");
            share < 0.83 && row.number("exhaust_temp_c") > normal_exhaust_c + 12.0 && row.text("error_code").is_empty()
        })
}

fn outlet_sensor_offset(rows: &[Row]) -> bool {
    last_all(rows, 91, |row| row.number("water_flow_lpm") == 0.0)
        && last_all(rows, 1, |row| row.number("outlet_temp_c") - row.number("inlet_temp_c") > 3.2)
}

fn heater_wrong_parameters(rows: &[Row]) -> bool {
    burns(rows, 4)
        && last(rows, 3).is_some_and(|window| {
            constant(window, "gas_valve_pct")
                && window.iter().all(|row| {
                    (39.0..51.0).contains(&row.number("gas_valve_pct"))
                        && row.number("setpoint_c") - row.number("outlet_temp_c") > 4.0
                })
        })
}

/// Gas for each unit of flow and rise, against the manual's.
fn gas_share(row: &Row) -> f64 {
    let needed_w = row.number("water_flow_lpm") * (row.number("outlet_temp_c") - row.number("inlet_temp_c")) * 69.77;
    row.number("gas_valve_pct") / (needed_w / (0.88 * 320.0))
}

fn heater_loop_hung(rows: &[Row]) -> bool {
    let burnt: Vec<Row> = rows.iter().rev().take(400).filter(|row| burning(row)).take(8).cloned().collect();
    let flows = || burnt.iter().map(|row| row.number("water_flow_lpm"));
    burnt.len() == 8
        && burnt.iter().all(|row| (gas_share(row) - 1.0).abs() < 5.0)
        && constant(&burnt, "gas_valve_pct")
        && flows().fold(f64::MIN, f64::max) - flows().fold(f64::MAX, f64::min) > 1.0
        && burns(rows, 3)
        && last_all(rows, 1, |row| {
            let off_k = row.number("outlet_temp_c") - row.number("setpoint_c");
            let pct = row.number("gas_valve_pct");
            off_k.abs() > 4.0 && (pct < 99.0 || off_k > 0.0) && (pct > 12.5 || off_k < 0.0)
        })
}

fn heat_exchanger_scaled(rows: &[Row]) -> bool {
    burns(rows, 6) && last_all(rows, 3, |row| gas_share(row) > 1.22 && row.number("exhaust_temp_c") > 178.0)
}
