//! Each cause of the manual, shown as the manual says it shows: it must come first, and the advice be right.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use diagnosis::{
    Advice, ApplianceType, Catalogue, DeviceState, Diagnosis, Observation, Sample, advise, diagnose, observe,
};
use firmware_proto::{BootId, DeviceTime, MessageOrder, Seq, Value};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().unwrap());

type Readings = BTreeMap<&'static str, Value>;

/// One series of messages: seconds since the start in, readings out.
type Series = fn(i64) -> Readings;

struct Seen {
    ty: &'static ApplianceType,
    state: DeviceState,
    diagnosis: Diagnosis,
    now: DeviceTime,
    observations: Vec<Observation>,
}

fn run(key: &str, series: Series, hours: f64) -> Seen {
    let ty = CATALOGUE.get(key).unwrap();
    let mut state = DeviceState::new(ty);
    let mut observations = Vec::new();
    let step = ty.telemetry_interval_ms / 1_000;
    let mut now = DeviceTime(0);
    for (number, second) in (0..(hours * 3_600.0) as i64).step_by(step as usize).enumerate() {
        now = DeviceTime(1_750_000_000_000 + second * 1_000);
        let readings: Vec<(usize, Value)> =
            series(second).into_iter().map(|(name, value)| (ty.datapoint(name).expect(name), value)).collect();
        for (index, value) in &readings {
            ty.datapoints[*index].check(value).unwrap_or_else(|e| panic!("{}: {e}", ty.datapoints[*index].name));
        }
        let readings: Vec<(usize, Value)> = readings.into_iter().map(|reading| rippled(ty, reading, second)).collect();
        let order = Some(MessageOrder { boot_id: BootId(1), seq: Seq(number as u64) });
        observations.extend(observe(ty, &mut state, &Sample { time: now, order, readings: &readings }));
    }
    let diagnosis = diagnose(ty, &state);
    Seen { ty, state, diagnosis, now, observations }
}

/// A temperature as a sensor has it: the last tenth of a kelvin is never at rest.
fn rippled(ty: &ApplianceType, (index, value): (usize, Value), second: i64) -> (usize, Value) {
    let ripple = 0.05 * noise(second, index as i64 + 20);
    let of = &ty.datapoints[index].name;
    let sensed = of.contains("temp_c");
    (index, if sensed { Value::from(value.as_f64().unwrap() + ripple) } else { value })
}

impl Seen {
    fn advice(&self) -> Advice<'_> {
        advise(self.ty, &self.state, &self.diagnosis, self.now, &[])
    }
}

fn common(mut of_type: Readings) -> Readings {
    of_type.insert("local_control_active", Value::Bool(false));
    of_type.insert("child_lock", Value::Bool(false));
    of_type.insert("remote_start_allowed", Value::Bool(true));
    of_type.entry("error_code").or_insert(Value::from(""));
    of_type
}

fn with(mut base: Readings, changed: &[(&'static str, Value)]) -> Readings {
    base.extend(changed.iter().cloned());
    base
}

fn number(readings: &Readings, name: &str) -> f64 {
    readings[name].as_f64().unwrap()
}

/// Small deterministic noise in [-1, 1].
fn noise(second: i64, salt: i64) -> f64 {
    let mixed = (second.wrapping_mul(0x9E37_79B9) ^ salt.wrapping_mul(0x85EB_CA6B)).wrapping_mul(0x27D4_EB2F);
    (mixed.rem_euclid(2_001) as f64 - 1_000.0) / 1_000.0
}

fn ac(second: i64) -> Readings {
    let hz = 50.0 + 6.0 * (second as f64 / 2_000.0).sin() + 0.4 * noise(second, 1);
    common(BTreeMap::from([
        ("power_w", Value::from(hz * 16.0)),
        ("mode", Value::from("cool")),
        ("setpoint_c", Value::from(24.0)),
        ("room_temp_c", Value::from(24.3 + 0.1 * noise(second, 2))),
        ("outdoor_temp_c", Value::from(31.0)),
        ("indoor_coil_temp_c", Value::from(10.5 + 0.3 * noise(second, 3))),
        ("outdoor_coil_temp_c", Value::from(42.0 + 0.3 * noise(second, 4))),
        ("discharge_temp_c", Value::from(72.0 + noise(second, 5))),
        ("compressor_hz", Value::from(hz)),
        ("compressor_a", Value::from(0.078 * hz)),
        ("indoor_fan_rpm", Value::from(1_000.0 + 15.0 * noise(second, 6))),
        ("indoor_fan_target_rpm", Value::from(1_000.0)),
        ("outdoor_fan_rpm", Value::from(845.0 + 10.0 * noise(second, 7))),
        ("outdoor_fan_target_rpm", Value::from(850.0)),
    ]))
}

fn ac_stopped(second: i64) -> Readings {
    let room = 25.0 + 0.1 * noise(second, 2);
    with(
        ac(second),
        &[
            ("room_temp_c", room.into()),
            ("compressor_hz", 0.0.into()),
            ("compressor_a", 0.0.into()),
            ("indoor_coil_temp_c", (25.0 - 13.0 * (-(second as f64) / 300.0).exp()).into()),
            ("outdoor_coil_temp_c", 31.5.into()),
            ("outdoor_fan_target_rpm", 0.0.into()),
            ("outdoor_fan_rpm", 0.0.into()),
        ],
    )
}

fn fridge(second: i64) -> Readings {
    let minute = second / 60;
    // A defrost of 20 min every 6.5 h; cycles of 36 min on, 42 min off between.
    let defrost = minute % 390 >= 370;
    let since_defrost = minute % 390;
    let on = !defrost && minute % 78 < 36;
    let into_run = (minute % 78) as f64;
    let evaporator = match (defrost, on) {
        (true, _) => -15.0 + ((minute % 390) - 370) as f64 * 1.2,
        (_, true) => -25.0 + 12.0 * (-into_run / 4.0).exp(),
        _ => -17.0,
    };
    let heating = defrost && evaporator < 5.0;
    let after = 3.0 * (-(since_defrost as f64) / 30.0).exp();
    let flag = Value::Bool;
    common(BTreeMap::from([
        ("power_w", Value::from(if on { 98.0 } else { 3.0 })),
        ("fridge_temp_c", Value::from(4.5 + 0.6 * noise(second, 1))),
        ("fridge_aux_temp_c", Value::from(4.6 + 0.6 * noise(second, 2))),
        ("freezer_temp_c", Value::from(-18.0 + after + 0.3 * noise(second, 3))),
        ("fridge_setpoint_c", Value::from(4.0)),
        ("freezer_setpoint_c", Value::from(-18.0)),
        ("evaporator_temp_c", Value::from(evaporator + 0.2 * noise(second, 4))),
        ("ambient_temp_c", Value::from(23.5)),
        ("compressor_on", flag(on)),
        ("compressor_w", Value::from(if on { 95.0 + noise(second, 5) } else { 0.0 })),
        ("defrost_active", flag(defrost)),
        ("defrost_heater_a", Value::from(if heating { 0.75 } else { 0.0 })),
        ("evap_fan_rpm", Value::from(if on { 2_390.0 + 20.0 * noise(second, 6) } else { 0.0 })),
        ("evap_fan_target_rpm", Value::from(if on { 2_400.0 } else { 0.0 })),
        ("door_open", flag(minute % 47 == 0)),
    ]))
}

/// A draw of five minutes every forty.
fn heater(second: i64) -> Readings {
    let cycle = second % 2_400;
    let draw = cycle < 300;
    let burning = draw && cycle >= 20;
    let flow = if draw { 7.5 + 0.2 * noise(second, 1) } else { 0.0 };
    let rest = (cycle - 300) as f64;
    let outlet = match (draw, burning) {
        (true, true) => 45.0 - 25.0 * (-((cycle - 20) as f64) / 12.0).exp() + 0.3 * noise(second, 2),
        (true, false) => 25.0,
        _ => 24.0 + 21.0 * (-rest / 420.0).exp(),
    };
    let inlet = if draw { 15.0 } else { 24.0 - 9.0 * (-rest / 420.0).exp() };
    let gas = if burning { 0.2477 * flow * (outlet.max(44.0) - inlet) } else { 0.0 };
    let target = if burning { 1_500.0 + 19.0 * gas } else { 0.0 };
    let warm = 1.0 - (-((cycle - 20) as f64) / 20.0).exp();
    let exhaust = if burning { 24.0 + (86.0 + 0.5 * gas) * warm } else { 24.0 + 60.0 * (-rest.max(0.0) / 200.0).exp() };
    common(BTreeMap::from([
        ("power_w", Value::from(if burning { 45.0 } else { 2.0 })),
        ("water_flow_lpm", Value::from(flow)),
        ("inlet_temp_c", Value::from(inlet)),
        ("outlet_temp_c", Value::from(outlet)),
        ("setpoint_c", Value::from(45.0)),
        ("burner_on", Value::Bool(burning)),
        ("gas_valve_open", Value::Bool(burning)),
        ("gas_valve_pct", Value::from(gas)),
        ("flame_current_ua", Value::from(if burning { 5.5 + 0.3 * noise(second, 3) } else { 0.0 })),
        ("fan_rpm", Value::from(target * (1.0 + 0.01 * noise(second, 4)))),
        ("fan_target_rpm", Value::from(target)),
        ("ignition_attempts", Value::Int(second / 2_400 + 1)),
        ("exhaust_temp_c", Value::from(exhaust)),
        ("lockout", Value::Bool(false)),
    ]))
}

/// Like [`heater`], without flame: what stands idle in a draw.
fn heater_cold(second: i64) -> Readings {
    let base = heater(second);
    let drawing = number(&base, "water_flow_lpm") > 0.0;
    let cold = [
        ("burner_on", Value::Bool(false)),
        ("gas_valve_open", Value::Bool(false)),
        ("gas_valve_pct", Value::from(0.0)),
        ("flame_current_ua", Value::from(0.0)),
        ("fan_rpm", Value::from(0.0)),
        ("fan_target_rpm", Value::from(0.0)),
        ("exhaust_temp_c", Value::from(24.0)),
        ("outlet_temp_c", Value::from(if drawing { 16.0 } else { 23.0 })),
        ("inlet_temp_c", Value::from(if drawing { 15.0 } else { 23.0 })),
    ];
    with(base, &cold)
}

fn meter(second: i64) -> Readings {
    let minute = second / 60;
    let on = minute % 60 < 20;
    BTreeMap::from([("power_w", Value::from(if on { 90.0 + 2.0 * noise(second, 1) } else { 0.3 }))])
}

enum Expected {
    Repair(&'static str),
    Visit,
    Safety,
    Watch,
}

struct Case {
    ty: &'static str,
    cause: &'static str,
    expected: Expected,
    hours: f64,
    series: Series,
}

fn cases() -> Vec<Case> {
    let case = |ty, cause, expected, hours, series| Case { ty, cause, expected, hours, series };
    vec![
        case("split-ac", "refrigerant_leak", Expected::Visit, 3.0, |s| {
            with(
                ac(s),
                &[
                    ("indoor_coil_temp_c", 18.5.into()),
                    ("discharge_temp_c", 102.0.into()),
                    ("compressor_hz", (88.0 + noise(s, 1)).into()),
                    ("compressor_a", (88.0 * 0.075 * 0.7).into()),
                    ("room_temp_c", 26.5.into()),
                ],
            )
        }),
        case("split-ac", "indoor_fan_controller_hung", Expected::Repair("power_cycle_controller"), 1.0, |s| {
            let running = s % 1_800 < 240;
            let base = if running { ac(s) } else { ac_stopped(s % 1_800) };
            let coil = if running { 0.5 } else { 20.0 };
            let code = if s > 300 { "E6" } else { "" };
            with(
                base,
                &[
                    ("indoor_fan_rpm", 0.0.into()),
                    ("indoor_coil_temp_c", coil.into()),
                    ("room_temp_c", 27.0.into()),
                    ("error_code", code.into()),
                ],
            )
        }),
        case("split-ac", "outdoor_fan_motor_worn", Expected::Visit, 1.5, |s| {
            with(
                ac(s),
                &[
                    ("outdoor_fan_rpm", 380.0.into()),
                    ("outdoor_coil_temp_c", 57.0.into()),
                    ("discharge_temp_c", 93.0.into()),
                ],
            )
        }),
        case("split-ac", "room_sensor_offset", Expected::Repair("recalibrate_sensor"), 1.0, |s| {
            let base = ac_stopped(s);
            let read = number(&base, "room_temp_c") + 2.6;
            with(base, &[("mode", "off".into()), ("room_temp_c", read.into())])
        }),
        case("split-ac", "wrong_parameter_set", Expected::Repair("restore_parameters"), 3.0, |s| {
            with(
                ac(s),
                &[
                    ("compressor_hz", 27.0.into()),
                    ("compressor_a", (36.0 * 0.078).into()),
                    ("room_temp_c", 26.2.into()),
                    ("indoor_coil_temp_c", 13.0.into()),
                    ("discharge_temp_c", 66.0.into()),
                ],
            )
        }),
        case("split-ac", "control_loop_hung", Expected::Repair("soft_reset"), 2.0, |s| {
            with(ac(s), &[("compressor_hz", 52.4.into()), ("room_temp_c", 22.0.into())])
        }),
        case("split-ac", "compressor_valve_worn", Expected::Visit, 2.5, |s| {
            with(
                ac(s),
                &[
                    ("indoor_coil_temp_c", 19.0.into()),
                    ("outdoor_coil_temp_c", 34.0.into()),
                    ("discharge_temp_c", 49.0.into()),
                    ("compressor_hz", (89.0 + 0.4 * noise(s, 1)).into()),
                    ("compressor_a", (89.0 * 0.075 * 0.65).into()),
                    ("room_temp_c", 27.0.into()),
                ],
            )
        }),
        case("refrigerator", "door_seal_worn", Expected::Visit, 14.0, |s| {
            let minute = s / 60;
            let defrost = minute % 230 >= 210;
            let on = !defrost && minute % 60 < 53;
            let evaporator = if defrost { -10.0 + (minute % 230 - 210) as f64 } else { -24.0 };
            with(
                fridge(s),
                &[
                    ("compressor_on", Value::Bool(on)),
                    ("compressor_w", (if on { 96.0 } else { 0.0 }).into()),
                    ("defrost_active", Value::Bool(defrost)),
                    ("defrost_heater_a", (if defrost { 0.75 } else { 0.0 }).into()),
                    ("evaporator_temp_c", evaporator.into()),
                    ("evap_fan_rpm", (if on { 2_400.0 } else { 0.0 }).into()),
                    ("evap_fan_target_rpm", (if on { 2_400.0 } else { 0.0 }).into()),
                ],
            )
        }),
        case("refrigerator", "defrost_timer_lost", Expected::Repair("restore_defrost_schedule"), 9.5, |s| {
            fridge(s / 60 % 78 * 60)
        }),
        case("refrigerator", "defrost_heater_open", Expected::Visit, 7.5, |s| {
            let base = fridge(s);
            let defrost = base["defrost_active"] == Value::Bool(true);
            let cold = if defrost { -16.0 } else { number(&base, "evaporator_temp_c") };
            with(base, &[("defrost_heater_a", 0.0.into()), ("evaporator_temp_c", cold.into())])
        }),
        case("refrigerator", "compressor_valve_worn", Expected::Visit, 6.0, |s| {
            let warm =
                [("freezer_temp_c", (-9.0).into()), ("fridge_aux_temp_c", 9.5.into()), ("fridge_temp_c", 9.5.into())];
            let base = with(fridge(s + 9_000), &warm);
            if base["defrost_active"] == Value::Bool(true) {
                return base;
            }
            with(
                base,
                &[
                    ("compressor_on", Value::Bool(true)),
                    ("compressor_w", 62.0.into()),
                    ("evaporator_temp_c", (-13.0).into()),
                    ("evap_fan_rpm", 2_400.0.into()),
                    ("evap_fan_target_rpm", 2_400.0.into()),
                ],
            )
        }),
        case("refrigerator", "evap_fan_controller_hung", Expected::Repair("power_cycle_controller"), 1.5, |s| {
            let base = fridge(s);
            let cold = if base["compressor_on"] == Value::Bool(true) { -34.0 } else { -20.0 };
            with(
                base,
                &[
                    ("evap_fan_rpm", 0.0.into()),
                    ("evaporator_temp_c", cold.into()),
                    ("error_code", (if s > 600 { "F3" } else { "" }).into()),
                ],
            )
        }),
        case("refrigerator", "fridge_sensor_offset", Expected::Repair("recalibrate_sensor"), 2.5, |s| {
            let base = fridge(s);
            with(base, &[("fridge_temp_c", 4.2.into()), ("fridge_aux_temp_c", 1.0.into())])
        }),
        case("refrigerator", "wrong_parameter_set", Expected::Repair("restore_parameters"), 6.0, |s| {
            with(fridge(s), &[("freezer_temp_c", (-11.5).into())])
        }),
        case("gas-water-heater", "igniter_dead", Expected::Visit, 2.5, |s| {
            let attempts = s / 2_400 * 3 + (s % 2_400 / 20).min(3);
            let code = if s % 2_400 > 100 { "E1" } else { "" };
            let prepurge = s % 2_400 < 60;
            let rpm = if prepurge { 2_000.0 } else { 0.0 };
            with(
                heater_cold(s),
                &[
                    ("ignition_attempts", Value::Int(attempts)),
                    ("error_code", code.into()),
                    ("fan_rpm", rpm.into()),
                    ("fan_target_rpm", rpm.into()),
                ],
            )
        }),
        case("gas-water-heater", "flame_rod_fouled", Expected::Safety, 2.0, |s| {
            if s < 4_800 {
                return with(heater(s), &[("flame_current_ua", 1.5.into())]);
            }
            with(heater_cold(s), &[("lockout", Value::Bool(true)), ("error_code", "E2".into())])
        }),
        case("gas-water-heater", "fan_controller_hung", Expected::Repair("power_cycle_controller"), 1.5, |s| {
            let drawing = s % 2_400 < 40;
            with(
                heater_cold(s),
                &[
                    ("fan_target_rpm", (if drawing { 2_000.0 } else { 0.0 }).into()),
                    ("error_code", (if s % 2_400 > 20 { "E5" } else { "" }).into()),
                    ("ignition_attempts", Value::Int(7)),
                ],
            )
        }),
        case("gas-water-heater", "fan_motor_worn", Expected::Visit, 2.5, |s| {
            let base = heater(s);
            let (rpm, exhaust) = (number(&base, "fan_rpm") * 0.7, number(&base, "exhaust_temp_c"));
            let hot = if rpm > 0.0 { exhaust + 30.0 } else { exhaust };
            with(base, &[("fan_rpm", rpm.into()), ("exhaust_temp_c", hot.into())])
        }),
        case("gas-water-heater", "outlet_sensor_offset", Expected::Repair("recalibrate_sensor"), 2.5, |s| {
            let base = heater(s);
            let (outlet, gas) = (number(&base, "outlet_temp_c"), number(&base, "gas_valve_pct"));
            let burning = gas > 0.0;
            let read = if burning { outlet } else { outlet + 6.0 };
            with(base, &[("outlet_temp_c", read.into()), ("gas_valve_pct", (gas * 0.8).into())])
        }),
        case("gas-water-heater", "wrong_parameter_set", Expected::Repair("restore_parameters"), 2.5, |s| {
            let base = heater(s);
            if base["burner_on"] == Value::Bool(false) {
                return base;
            }
            let outlet = 15.0 + 45.0 / (0.2477 * number(&base, "water_flow_lpm"));
            with(base, &[("gas_valve_pct", 45.0.into()), ("outlet_temp_c", outlet.into())])
        }),
        case("gas-water-heater", "control_loop_hung", Expected::Repair("soft_reset"), 2.5, |s| {
            let base = heater(s);
            if base["burner_on"] == Value::Bool(false) {
                return base;
            }
            let outlet = 15.0 + 66.0 / (0.2477 * number(&base, "water_flow_lpm"));
            with(base, &[("gas_valve_pct", 66.0.into()), ("outlet_temp_c", outlet.into())])
        }),
        case("gas-water-heater", "heat_exchanger_scaled", Expected::Visit, 2.5, |s| {
            let base = heater(s);
            let (gas, exhaust) = (number(&base, "gas_valve_pct"), number(&base, "exhaust_temp_c"));
            let hot = if gas > 0.0 { exhaust + 65.0 } else { exhaust };
            with(base, &[("gas_valve_pct", (gas * 1.38).into()), ("exhaust_temp_c", hot.into())])
        }),
        case("power-meter", "runs_too_long", Expected::Visit, 24.0 * 14.0, |s| {
            let longer = s > 8 * 86_400 && s / 60 % 120 < 60;
            if longer { with(meter(s), &[("power_w", 90.0.into())]) } else { meter(s) }
        }),
        case("power-meter", "draws_too_much", Expected::Watch, 24.0 * 6.0, |s| {
            let base = meter(s);
            let more = if s > 4 * 86_400 { 1.8 } else { 1.0 };
            let power = number(&base, "power_w") * more;
            with(base, &[("power_w", power.into())])
        }),
        case("power-meter", "never_stops", Expected::Visit, 13.0, |_| BTreeMap::from([("power_w", 130.0.into())])),
        case("power-meter", "no_consumption", Expected::Watch, 24.0 * 5.0, |_| {
            BTreeMap::from([("power_w", 0.0.into())])
        }),
    ]
}

#[test]
fn each_cause_comes_first_with_the_right_advice() {
    let mut wrong = Vec::new();
    for Case { ty, cause, expected, hours, series } in cases() {
        let seen = run(ty, series, hours);
        let first = &seen.diagnosis.ranked[0];
        let advice = seen.advice();
        let advised = match (&expected, &advice) {
            (Expected::Repair(action), Advice::Repair { repair, .. }) => repair.action == *action,
            (Expected::Visit, Advice::WorkOrder { safety: false, .. }) => true,
            (Expected::Safety, Advice::WorkOrder { safety: true, .. }) => true,
            (Expected::Watch, Advice::Watch { .. }) => true,
            _ => false,
        };
        if first.cause != cause || first.probability < 0.85 || !advised {
            wrong.push(format!("{ty} {cause}: {advice:?}\n{}\n", seen.diagnosis.explanation));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_repair_of_the_catalogue_has_a_case() {
    let cases = cases();
    for ty in CATALOGUE.iter() {
        for repair in &ty.repairs {
            assert!(cases.iter().any(|c| c.ty == ty.key && c.cause == repair.cause), "{} {}", ty.key, repair.cause);
        }
    }
}

#[test]
fn healthy_appliances_show_nothing() {
    let healthy: [(&str, Series); 5] = [
        ("split-ac", ac),
        ("split-ac", ac_stopped),
        ("refrigerator", fridge),
        ("gas-water-heater", heater),
        ("power-meter", meter),
    ];
    for (key, series) in healthy {
        let seen = run(key, series, 72.0);
        let present: Vec<_> = seen.observations.iter().filter(|o| o.present).collect();
        assert!(present.is_empty(), "{key}: {present:?}");
        assert_eq!(seen.advice(), Advice::Nothing, "{key}");
        assert!(seen.diagnosis.fault_probability < 0.05, "{key}: {}", seen.diagnosis.fault_probability);
    }
}

#[test]
fn explanations_are_for_people() {
    let cases = cases();
    for (ty, cause) in [
        ("split-ac", "refrigerant_leak"),
        ("refrigerator", "defrost_heater_open"),
        ("gas-water-heater", "flame_rod_fouled"),
        ("power-meter", "never_stops"),
    ] {
        let case = cases.iter().find(|c| c.ty == ty && c.cause == cause).unwrap();
        let seen = run(case.ty, case.series, case.hours);
        insta::assert_snapshot!(format!("{ty}_{cause}"), seen.diagnosis.explanation);
    }
}
