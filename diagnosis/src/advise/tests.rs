use firmware_proto::{DeviceTime, Value};

use super::*;
use crate::catalogue::Catalogue;
use crate::diagnose::diagnose;
use crate::observe::{Sample, observe};
use crate::testing::{Device, HIGH};

fn sick() -> Device {
    // A false alarm so rare that one symptom is enough to act.
    let mut device = Device::new(&HIGH.replace("0.001", "0.00001"));
    device.set("on", true).set("a", 20.0).minutes(5);
    device
}

fn tried(verified: &[bool]) -> Vec<Tried> {
    verified.iter().map(|verified| Tried { repair: "broken".to_owned(), verified: *verified }).collect()
}

fn advice(device: &Device, tried: &[Tried]) -> &'static str {
    let diagnosis = diagnose(&device.ty, &device.state);
    match advise(&device.ty, &device.state, &diagnosis, device.time, tried) {
        Advice::Nothing => "nothing",
        Advice::Watch { .. } => "watch",
        Advice::Repair { .. } => "repair",
        Advice::WorkOrder { safety: false, .. } => "work order",
        Advice::WorkOrder { safety: true, .. } => "safety",
    }
}

#[test]
fn the_same_repair_is_tried_twice_then_a_technician_goes() {
    let device = sick();
    assert_eq!(advice(&device, &[]), "repair");
    assert_eq!(advice(&device, &tried(&[false])), "repair");
    assert_eq!(advice(&device, &tried(&[false, false])), "work order");
    assert_eq!(advice(&device, &tried(&[true, false])), "work order");
    assert_eq!(advice(&device, &tried(&[true, true])), "work order");
}

#[test]
fn an_action_that_is_not_automatic_is_left_to_people() {
    let mut device = sick();
    device.ty.actions[0].automatic = false;
    assert_eq!(advice(&device, &[]), "work order");
    device.ty.actions[0].automatic = true;
    device.ty.actions[0].risk = RiskClass::R4;
    assert_eq!(advice(&device, &[]), "work order");
}

#[test]
fn weak_evidence_is_watched_and_health_is_left_alone() {
    let mut device = Device::new(HIGH);
    assert_eq!(advice(&device, &[]), "nothing");
    device.set("on", true).set("a", 20.0).minutes(5);
    // Prior 0.01, likelihoods 0.9 against 0.001: odds of nine.
    assert_eq!(advice(&device, &[]), "repair");
    let mut device = Device::new(&HIGH.replace("0.001", "0.003"));
    device.set("on", true).set("a", 20.0).minutes(5);
    assert_eq!(advice(&device, &[]), "watch");
}

#[test]
fn a_cause_that_nobody_travels_for_is_watched() {
    let mut device = sick();
    device.ty.causes[0].handling = Handling::Watch;
    device.ty.repairs.clear();
    assert_eq!(advice(&device, &[]), "watch");
}

#[test]
fn a_lockout_or_evidence_for_one_forbids_every_remote_action() {
    let mut device = sick();
    device.ty.causes[0].lockout = true;
    assert_eq!(advice(&device, &[]), "safety");
    let mut device = sick();
    device.ty.detectors[0].lockout = true;
    assert_eq!(advice(&device, &[]), "safety");
}

#[test]
fn a_latched_lockout_beats_a_fault_that_could_be_cured() {
    let catalogue = Catalogue::builtin().unwrap();
    let ty = catalogue.get("gas-water-heater").unwrap();
    let mut state = crate::DeviceState::new(ty);
    let mut send = |minute: i64, readings: &[(&str, Value)]| {
        let readings: Vec<(usize, Value)> =
            readings.iter().map(|(name, value)| (ty.datapoint(name).unwrap(), value.clone())).collect();
        observe(ty, &mut state, &Sample { time: DeviceTime(minute * 20_000), order: None, readings: &readings });
    };
    for minute in 0..60 {
        send(minute, &[("error_code", "E5".into()), ("fan_target_rpm", 2_000.0.into()), ("fan_rpm", 0.0.into())]);
    }
    send(60, &[("lockout", true.into())]);
    let now = DeviceTime(61 * 20_000);
    let diagnosis = diagnose(ty, &state);
    assert_eq!(diagnosis.ranked[0].cause, "fan_controller_hung");
    assert!(matches!(advise(ty, &state, &diagnosis, now, &[]), Advice::WorkOrder { safety: true, .. }));
}

#[test]
fn an_unclear_cause_is_decided_once_the_trouble_has_settled() {
    let catalogue = Catalogue::builtin().unwrap();
    let ty = catalogue.get("gas-water-heater").unwrap();
    let mut state = crate::DeviceState::new(ty);
    let flowing = [("water_flow_lpm", Value::from(8.0)), ("burner_on", Value::Bool(false))];
    let readings: Vec<_> = flowing.iter().map(|(name, value)| (ty.datapoint(name).unwrap(), value.clone())).collect();
    let at = |step: i64| DeviceTime(step * 20_000);
    for step in 0..30 {
        observe(ty, &mut state, &Sample { time: at(step), order: None, readings: &readings });
    }
    let diagnosis = diagnose(ty, &state);
    assert!(diagnosis.fault_probability > 0.9 && diagnosis.ranked[0].probability < 0.6, "{diagnosis:?}");
    assert!(matches!(advise(ty, &state, &diagnosis, at(30), &[]), Advice::Watch { .. }));
    let settled = at(30).plus_ms(ty.settle_ms);
    assert!(!matches!(advise(ty, &state, &diagnosis, settled, &[]), Advice::Watch { .. }));
}
