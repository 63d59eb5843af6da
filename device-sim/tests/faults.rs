//! Each fault of the manual: it shows as the manual says and within its span, it does not
//! show without the fault, its cure takes it away, and nothing else does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod seen;

use device_sim::{ApplianceKind, Cure, Device, DeviceSpec, Fault, faults, manifest};
use firmware_proto::{Command, CommandResult, DeviceTime, Fence, Outcome, Phase, Severity, Value, ValueMap, body_hash};
use seen::{Seen, signature};

/// A summer midnight; injections are spread over the day from here.
const START: DeviceTime = DeviceTime(1_751_328_000_000);
const HOUR_MS: i64 = 3_600_000;

fn specs(kind: ApplianceKind, count: usize, seed: u64) -> Vec<DeviceSpec> {
    manifest(count * 3, seed).into_iter().filter(|spec| spec.kind == kind).collect()
}

/// Hours from injection until the signature shows; none within `hours`.
fn hours_to_show(fault: &'static Fault, spec: &DeviceSpec, start: DeviceTime, hours: f64) -> Option<f64> {
    let mut device = Device::new(spec, start);
    let mut seen = Seen::default();
    let injected = start.plus_ms(HOUR_MS);
    device.inject_at(injected, fault).unwrap();
    seen.take(device.advance(injected.plus_ms((hours * HOUR_MS as f64) as i64)));
    let shown = signature::first_shown(fault, &seen.rows, 0)?;
    Some(seen.rows[shown].at.since_ms(injected) as f64 / HOUR_MS as f64)
}

fn all_faults() -> impl Iterator<Item = &'static Fault> {
    ApplianceKind::ALL.into_iter().flat_map(|kind| faults(kind))
}

/// For setting `visible_after`: `cargo test --release -p device-sim --test faults -- --ignored --nocapture`.
#[test]
#[ignore = "measures, asserts nothing"]
fn how_long_faults_take_to_show() {
    let only = std::env::var("FAULTS").unwrap_or_default();
    for fault in all_faults().filter(|fault| format!("{}/{}", fault.kind, fault.key).contains(&only)) {
        let mut spans = Vec::new();
        let mut never = 0;
        for (index, spec) in specs(fault.kind, 96, 11).iter().enumerate() {
            let start = START.plus_ms(index as i64 % 24 * HOUR_MS);
            match hours_to_show(fault, spec, start, 24.0) {
                Some(hours) => spans.push(hours),
                None => never += 1,
            }
        }
        spans.sort_by(f64::total_cmp);
        let at = |share: f64| spans.get((spans.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        println!(
            "{:<18} {:<28} median {:5.2} h  90 % {:5.2} h  98 % {:5.2} h  most {:5.2} h  never {never}  allowed {:?} h",
            fault.kind.key(),
            fault.key,
            at(0.5),
            at(0.9),
            at(0.98),
            at(0.9999),
            fault.visible_after.as_secs() / 3600
        );
    }
}

/// For the same: healthy devices that show a signature.
#[test]
#[ignore = "measures, asserts nothing"]
fn how_often_healthy_devices_show_faults() {
    for kind in ApplianceKind::ALL {
        for spec in specs(kind, 40, 12) {
            let mut device = Device::new(&spec, START);
            let mut seen = Seen::default();
            seen.take(device.advance(START.plus_ms(48 * HOUR_MS)));
            for fault in faults(kind) {
                if let Some(at) = signature::first_shown(fault, &seen.rows, 0) {
                    let hour = seen.rows[at].at.since_ms(START) as f64 / HOUR_MS as f64;
                    println!("{} shows {} after {hour:.2} h", spec.device, fault.key);
                }
            }
        }
    }
}

/// Devices for each fault; their injections are spread over the day.
const UNITS: usize = 6;

#[test]
fn each_fault_shows_within_its_span() {
    for fault in all_faults() {
        for (index, spec) in specs(fault.kind, UNITS, 31).iter().enumerate() {
            let start = START.plus_ms(index as i64 * 4 * HOUR_MS);
            let allowed = fault.visible_after.as_secs_f64() / 3600.0;
            let shown = hours_to_show(fault, spec, start, allowed);
            assert!(
                shown.is_some(),
                "{}/{} on {} (unit {index}): not seen in {allowed} h",
                fault.kind,
                fault.key,
                spec.device
            );
        }
    }
}

#[test]
fn healthy_devices_show_no_fault() {
    for kind in ApplianceKind::ALL {
        for spec in specs(kind, UNITS, 32) {
            let mut device = Device::new(&spec, START);
            let mut seen = Seen::default();
            seen.take(device.advance(START.plus_ms(24 * HOUR_MS)));
            for fault in faults(kind) {
                let shown = signature::first_shown(fault, &seen.rows, 0);
                assert_eq!(shown, None, "{} shows {}", spec.device, fault.key);
            }
            assert!(seen.events.is_empty(), "{}: {:?}", spec.device, seen.events[0]);
            assert_eq!(seen.births, 1);
        }
    }
}

/// A device with a fault that has shown, and a gateway that can act on it.
struct Patient {
    device: Device,
    seen: Seen,
    now: DeviceTime,
    fence: u64,
}

impl Patient {
    fn new(fault: &'static Fault, spec: &DeviceSpec) -> Self {
        let mut device = Device::new(spec, START);
        let mut seen = Seen::default();
        seen.take(device.advance(START.plus_ms(HOUR_MS)));
        device.inject(fault).unwrap();
        let mut patient = Self { device, seen, now: START.plus_ms(HOUR_MS), fence: 0 };
        let from = patient.seen.rows.len();
        let in_time = patient.wait_until(fault.visible_after.as_secs() as i64 * 1000, |patient| {
            signature::first_shown(fault, &patient.seen.rows, from.saturating_sub(300)).is_some()
        });
        assert!(in_time, "{} does not show on {}", fault.key, spec.device);
        patient
    }

    fn live(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        self.seen.take(self.device.advance(self.now));
    }

    fn wait_until(&mut self, at_most_ms: i64, test: impl Fn(&Self) -> bool) -> bool {
        let until = self.now.plus_ms(at_most_ms);
        while self.now < until {
            if test(self) {
                return true;
            }
            self.live(10 * 60_000);
        }
        test(self)
    }

    fn order(&mut self, action: &str, sensor: Option<&str>) -> CommandResult {
        self.fence += 1;
        let arguments: ValueMap = sensor.map(|sensor| ("sensor".to_owned(), Value::from(sensor))).into_iter().collect();
        let command = Command {
            command_id: format!("00000000-0000-7000-8000-{:012}", self.fence).parse().unwrap(),
            fence: Fence(self.fence),
            not_after_ms: self.now.plus_ms(60_000),
            body_hash: body_hash(action, &arguments),
            expected_config_version: None,
            action: action.to_owned(),
            arguments,
        };
        self.seen.take(self.device.command(&command, self.now));
        self.live(2 * 60_000);
        self.seen.results.last().expect("a command is answered").clone()
    }

    /// Orders until the device allows it, for six hours at most.
    fn persist(&mut self, action: &str, sensor: Option<&str>) -> CommandResult {
        let mut result = self.order(action, sensor);
        for _ in 1..180 {
            assert_eq!(result.phase, Phase::Finished);
            if result.outcome != Outcome::Refused {
                break;
            }
            result = self.order(action, sensor);
        }
        result
    }

    fn insist(&mut self, action: &str, sensor: Option<&str>) -> CommandResult {
        let result = self.persist(action, sensor);
        assert_eq!(result.outcome, Outcome::Succeeded, "{action} for six hours: {}", result.reason);
        result
    }

    fn cured(&self) -> bool {
        self.device.truth().fault.as_ref().is_some_and(|fault| fault.cured.is_some())
    }
}

/// Everything short of the cure. A power cycle restarts the control loop as well, which
/// the manual says; and nobody clears a lockout from afar.
fn wrong_actions(fault: &Fault) -> Vec<(&'static str, Option<&'static str>)> {
    let cure = match fault.cure {
        Cure::Remote { action, sensor } => Some((action, sensor)),
        Cure::Visit { .. } => None,
    };
    let another_sensor = match fault.kind {
        ApplianceKind::SplitAc => "discharge_temp",
        ApplianceKind::Refrigerator => "freezer_temp",
        ApplianceKind::GasWaterHeater => "exhaust_temp",
    };
    fault
        .kind
        .actions()
        .iter()
        .map(|action| (*action, (*action == "recalibrate_sensor").then_some(another_sensor)))
        .filter(|wrong| Some(*wrong) != cure && wrong.0 != "clear_lockout")
        .filter(|wrong| !(fault.key == "control_loop_hung" && wrong.0 == "power_cycle_controller"))
        .collect()
}

#[test]
fn wrong_actions_do_not_cure() {
    for fault in all_faults() {
        let spec = &specs(fault.kind, 1, 33)[0];
        let mut patient = Patient::new(fault, spec);
        for (action, sensor) in wrong_actions(fault) {
            // A locked-out heater refuses, and a worn compressor never rests.
            let may_be_refused = matches!(fault.key, "flame_rod_fouled" | "compressor_valve_worn");
            let result = patient.persist(action, sensor);
            assert!(result.outcome == Outcome::Succeeded || may_be_refused, "{action}: {}", result.reason);
            assert!(!patient.cured(), "{}/{} was cured by {action}", fault.kind, fault.key);
        }
        assert_eq!(patient.device.truth().unsafe_executions, []);
    }
}

#[test]
fn the_cure_cures_and_the_signature_goes() {
    for fault in all_faults() {
        let Cure::Remote { action, sensor } = fault.cure else { continue };
        for spec in &specs(fault.kind, 2, 34) {
            let mut patient = Patient::new(fault, spec);
            let result = patient.insist(action, sensor);
            let cured = patient.device.truth().fault.clone().and_then(|fault| fault.cured).expect("cured");
            assert_eq!((cured.command_id, cured.action.as_str()), (result.command_id, action));
            // Masses settle, then a day follows in which it must not come again.
            patient.live(4 * HOUR_MS);
            let from = patient.seen.rows.len();
            patient.live(12 * HOUR_MS);
            let again = signature::first_shown(fault, &patient.seen.rows[from..], 0);
            assert_eq!(again, None, "{}/{} shows again on {}", fault.kind, fault.key, spec.device);
            assert_eq!(patient.seen.last().text("error_code"), "");
            let truth = patient.device.truth();
            assert_eq!((truth.repeated_executions(), truth.unsafe_executions.len()), (0, 0));
        }
    }
}

#[test]
fn codes_come_and_go_as_events() {
    let fault = device_sim::fault(ApplianceKind::SplitAc, "indoor_fan_controller_hung").unwrap();
    let mut patient = Patient::new(fault, &specs(fault.kind, 1, 33)[0]);
    patient.insist("power_cycle_controller", None);
    patient.live(HOUR_MS);
    let told: Vec<_> = patient.seen.events.iter().map(|event| (event.code.as_str(), event.severity)).collect();
    assert_eq!(told.first(), Some(&("E6", Severity::Error)));
    assert_eq!(told.last(), Some(&("E6", Severity::Info)));
    assert_eq!(patient.seen.events.last().unwrap().text, "cleared");
}

#[test]
fn a_foreign_parameter_set_is_told_after_the_next_boot_only() {
    for kind in ApplianceKind::ALL {
        let spec = &specs(kind, 1, 35)[0];
        let mut patient = Patient::new(device_sim::fault(kind, "wrong_parameter_set").unwrap(), spec);
        let set = |patient: &Patient| patient.seen.states.last().unwrap().reported["parameter_set"].clone();
        let own = set(&patient);
        assert_eq!(patient.seen.states.len(), 1);
        patient.insist("power_cycle_controller", None);
        assert_ne!(set(&patient), own);
        let before = patient.seen.states.last().unwrap().config_version;
        patient.insist("restore_parameters", None);
        assert_eq!(set(&patient), own);
        assert_eq!(patient.seen.states.last().unwrap().config_version, before + 1);
    }
}

/// For checking the manual's numbers: what is read once a fault has shown.
#[test]
#[ignore = "measures, asserts nothing"]
fn what_is_read_once_a_fault_shows() {
    for fault in all_faults() {
        let mut at_signature: std::collections::BTreeMap<String, Vec<f64>> = Default::default();
        for (index, spec) in specs(fault.kind, 24, 13).iter().enumerate() {
            let start = START.plus_ms(index as i64 * HOUR_MS);
            let mut device = Device::new(spec, start);
            let mut seen = Seen::default();
            device.inject_at(start.plus_ms(HOUR_MS), fault).unwrap();
            seen.take(device.advance(start.plus_ms(26 * HOUR_MS)));
            let shows = signature::of(fault);
            let Some(first) = signature::first_shown(fault, &seen.rows, 0) else { continue };
            for end in first + 1..=seen.rows.len() {
                if shows(&seen.rows[end.saturating_sub(400)..end]) {
                    for (name, value) in seen.rows[end - 1].numbers() {
                        at_signature.entry(name).or_default().push(value);
                    }
                }
            }
        }
        println!("{}/{}", fault.kind, fault.key);
        for (name, mut values) in at_signature {
            values.sort_by(f64::total_cmp);
            let at = |share: f64| values[(values.len() as f64 * share) as usize];
            println!("    {name:<24} {:8.1} {:8.1} {:8.1}  ({} rows)", at(0.02), at(0.5), at(0.98), values.len());
        }
    }
}
