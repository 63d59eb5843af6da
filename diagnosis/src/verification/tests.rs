use firmware_proto::Value;

use super::*;
use crate::testing::{Device, HIGH};

/// A device whose fault has just been repaired.
fn repaired() -> (Device, Verification) {
    let mut device = Device::new(HIGH);
    device.set("on", true).set("a", 20.0).set("b", 1.0).minutes(5);
    device.state.after_repair(&device.ty, "broken");
    let verification = Verification::new(&device.ty.repairs[0], device.time);
    (device, verification)
}

fn step(device: &mut Device, verification: &mut Verification, minutes: u64) -> Verdict {
    let mut verdict = Verdict::Pending;
    for _ in 0..minutes {
        device.minutes(1);
        verdict = verification.step(&device.ty, &device.state, &device.sample());
        if verdict != Verdict::Pending {
            break;
        }
    }
    verdict
}

#[test]
fn a_cured_device_is_verified_after_the_hold_time() {
    let (mut device, mut verification) = repaired();
    device.set("a", 5.0);
    assert_eq!(step(&mut device, &mut verification, 5), Verdict::Pending);
    let Verdict::Verified { why } = step(&mut device, &mut verification, 1) else { panic!() };
    insta::assert_snapshot!(why, @"not seen for 5 min in 6 samples: high");
}

#[test]
fn a_device_that_is_not_cured_fails_after_the_grace_period() {
    let (mut device, mut verification) = repaired();
    assert_eq!(step(&mut device, &mut verification, 4), Verdict::Pending);
    let Verdict::Failed { why } = step(&mut device, &mut verification, 1) else { panic!() };
    insta::assert_snapshot!(why, @"Too high: still there 5 min after the action");
}

#[test]
fn a_device_that_needs_the_grace_period_is_verified_later() {
    let (mut device, mut verification) = repaired();
    assert_eq!(step(&mut device, &mut verification, 3), Verdict::Pending);
    device.set("a", 5.0);
    assert_eq!(step(&mut device, &mut verification, 5), Verdict::Pending);
    assert!(matches!(step(&mut device, &mut verification, 1), Verdict::Verified { .. }));
}

#[test]
fn too_little_seen_is_inconclusive() {
    let (mut device, mut verification) = repaired();
    device.set("on", false);
    assert_eq!(step(&mut device, &mut verification, 30), Verdict::Pending);
    let Verdict::Inconclusive { why } = step(&mut device, &mut verification, 1) else { panic!() };
    insta::assert_snapshot!(why, @"in 30 min too few informative samples, 4 of each are needed: high 0");

    let (device, verification) = repaired();
    assert_eq!(verification.expire(&device.ty, device.time.plus_ms(30 * 60_000)), Verdict::Pending);
    let late = verification.expire(&device.ty, device.time.plus_ms(31 * 60_000));
    assert!(matches!(late, Verdict::Inconclusive { .. }));
}

#[test]
fn a_guard_out_of_band_holds_the_verdict_up() {
    let (mut device, mut verification) = repaired();
    device.set("a", 5.0).set("b", 200.0);
    assert_eq!(step(&mut device, &mut verification, 30), Verdict::Pending);
    let verdict = step(&mut device, &mut verification, 1);
    assert_eq!(verdict, Verdict::Inconclusive { why: "`b < 100` did not hold".to_owned() });
}

#[test]
fn duplicates_are_not_counted() {
    let (mut device, mut verification) = repaired();
    device.set("a", 5.0).minutes(1);
    for _ in 0..50 {
        assert_eq!(verification.step(&device.ty, &device.state, &device.sample()), Verdict::Pending);
    }
    assert_eq!(verification.ok_samples, [1]);
}

#[test]
fn it_survives_being_stored() {
    let (mut device, mut verification) = repaired();
    device.set("a", 5.0);
    for _ in 0..5 {
        assert_eq!(step(&mut device, &mut verification, 1), Verdict::Pending);
        verification = serde_json::from_str(&serde_json::to_string(&verification).unwrap()).unwrap();
        device.state = serde_json::from_str(&serde_json::to_string(&device.state).unwrap()).unwrap();
    }
    assert!(matches!(step(&mut device, &mut verification, 1), Verdict::Verified { .. }));
}

#[test]
fn another_catalogue_ends_it() {
    let (mut device, mut verification) = repaired();
    device.ty.repairs.clear();
    device.set("a", Value::from(5.0));
    assert!(matches!(step(&mut device, &mut verification, 1), Verdict::Inconclusive { .. }));
}
