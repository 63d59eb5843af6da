use crate::testing::{Device, HIGH};

const NOTHING: Vec<String> = Vec::new();

#[test]
fn a_symptom_latches_after_its_delay_and_clears_after_its_own() {
    let mut device = Device::new(HIGH);
    device.set("on", true).set("a", 20.0);
    assert_eq!(device.minutes(2), NOTHING);
    assert_eq!(device.minutes(1), ["+high"]);
    assert_eq!(device.minutes(100), NOTHING);
    assert_eq!(device.set("a", 5.0).minutes(3), NOTHING);
    assert_eq!(device.minutes(1), ["-high"]);
}

#[test]
fn the_deadband_tells_nothing_and_pauses_a_run() {
    let mut device = Device::new(HIGH);
    device.set("on", true);
    assert_eq!(device.set("a", 20.0).minutes(2), NOTHING);
    assert_eq!(device.set("a", 9.0).minutes(60), NOTHING);
    assert_eq!(device.set("a", 20.0).minutes(1), ["+high"]);
}

#[test]
fn an_opposite_sample_starts_the_run_again() {
    let mut device = Device::new(HIGH);
    device.set("on", true);
    for _ in 0..20 {
        assert_eq!(device.set("a", 20.0).minutes(2), NOTHING);
        assert_eq!(device.set("a", 5.0).minutes(1), NOTHING);
    }
}

#[test]
fn without_its_condition_a_detector_is_silent() {
    let mut device = Device::new(HIGH);
    assert_eq!(device.set("on", false).set("a", 20.0).minutes(60), NOTHING);
}

#[test]
fn values_of_a_partial_message_are_kept_for_ten_minutes() {
    let mut device = Device::new(HIGH);
    device.set("on", true).set("a", 20.0).minutes(1);
    let mut later = Device::new(HIGH);
    later.state = device.state.clone();
    later.seq = device.seq;
    later.time = device.time;
    later.set("a", 20.0);
    // `on` is not sent any more: it is remembered long enough for the symptom to latch ...
    assert_eq!(later.minutes(2), ["+high"]);
    later.set("a", 5.0).minutes(8);
    // ... and then missing.
    assert_eq!(later.set("a", 20.0).minutes(60), NOTHING);
}

fn drifting(direction: &str) -> Device {
    Device::new(&format!(
        "{HIGH}\n[drifts.drift]\nname = \"Drift\"\nchannel = \"b\"\ndirection = \"{direction}\"\nblock = \"10 min\"\nlearn = 10\nbaseline = [40, 60]\nmin_sigma = 1.0\nfalse_alarm = 0.01\n"
    ))
}

/// Small deterministic noise in [-1, 1].
fn noise(number: u64) -> f64 {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / f64::from(1 << 23) - 1.0
}

fn feed(device: &mut Device, minutes: u64, value: impl Fn(u64) -> f64) -> Vec<String> {
    (0..minutes).flat_map(|minute| device.set("b", value(minute)).minutes(1)).collect()
}

#[test]
fn cusum_finds_a_small_lasting_shift_and_its_end() {
    let mut device = drifting("both");
    assert_eq!(feed(&mut device, 3_000, |m| 50.0 + noise(m)), ["-drift"]);
    let found = feed(&mut device, 150, |m| 52.0 + noise(m));
    assert_eq!(found, ["+drift"], "two standard deviations, within fifteen blocks");
    assert_eq!(feed(&mut device, 400, |m| 50.0 + noise(m)), ["-drift"]);
    assert_eq!(feed(&mut device, 150, |m| 48.0 + noise(m)), ["+drift"]);
}

#[test]
fn ewma_finds_a_large_shift_at_once() {
    let mut device = drifting("up");
    assert_eq!(feed(&mut device, 200, |m| 50.0 + noise(m)), ["-drift"]);
    assert_eq!(feed(&mut device, 30, |_| 75.0), ["+drift"]);
}

#[test]
fn a_drift_in_the_harmless_direction_is_none() {
    let mut device = drifting("up");
    assert_eq!(feed(&mut device, 400, |m| if m < 200 { 50.0 } else { 30.0 }), ["-drift"]);
}

#[test]
fn a_device_that_is_faulty_from_the_start_teaches_no_wrong_baseline() {
    let mut device = drifting("up");
    assert_eq!(feed(&mut device, 200, |_| 90.0), ["+drift"]);
}

#[test]
fn a_slow_fault_is_not_learnt_away() {
    let mut device = drifting("up");
    let found = feed(&mut device, 6_000, |m| 50.0 + m as f64 / 1_000.0 + noise(m));
    assert_eq!(found, ["-drift", "+drift"]);
}

#[test]
fn a_repair_resets_evidence_and_baseline() {
    let mut device = drifting("up");
    feed(&mut device, 200, |_| 50.0);
    assert_eq!(feed(&mut device, 100, |_| 58.0), ["+drift"]);
    device.state.after_repair(&device.ty, "broken");
    assert!(device.state.present().next().is_none());
    assert_eq!(feed(&mut device, 200, |_| 58.0), ["-drift"], "the new level is the baseline");
}
