//! Each fault of the manual: it shows as the manual says and within its span, it does not
//! show without the fault, its cure takes it away, and nothing else does.

mod seen;

use device_sim::{ApplianceKind, Device, DeviceSpec, Fault, faults, manifest};
use firmware_proto::DeviceTime;
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
