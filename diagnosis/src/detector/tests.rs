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

#[test]
fn a_symptom_that_comes_and_goes_is_told_once_as_chattering() {
    let mut device =
        Device::new(&HIGH.replace("min_samples = 3", "min_samples = 3\nchatter = { times = 2, within = \"2 h\" }"));
    let bout = |device: &mut Device| {
        let mut seen = device.set("on", true).set("a", 20.0).minutes(3);
        seen.extend(device.set("a", 5.0).minutes(4));
        seen
    };
    assert_eq!(bout(&mut device), ["+high", "-high"]);
    assert_eq!(bout(&mut device), ["+high", "-high"]);
    assert_eq!(bout(&mut device), ["+high"], "the third time within two hours");
    let why = crate::observe::why(&device.ty, &device.state, 0);
    insta::assert_snapshot!(why, @"Too high (a > 10, measured 20) comes and goes, 3 times within 2 h: held as present until gone for as long");
    for _ in 0..50 {
        assert_eq!(bout(&mut device), NOTHING, "no flood");
    }
    assert_eq!(device.set("a", 5.0).minutes(117), ["-high"], "gone for two hours");
    assert_eq!(bout(&mut device), ["+high", "-high"], "and counted anew");
}

#[test]
fn bouts_far_apart_do_not_chatter() {
    let mut device =
        Device::new(&HIGH.replace("min_samples = 3", "min_samples = 3\nchatter = { times = 2, within = \"2 h\" }"));
    device.set("on", true);
    for _ in 0..10 {
        assert_eq!(device.set("a", 20.0).minutes(3), ["+high"]);
        assert_eq!(device.set("a", 5.0).minutes(60), ["-high"]);
    }
}

/// The season takes the level down by four standard deviations, then a fault brings part of it back.
fn after_a_season(device: &mut Device) -> Vec<String> {
    let mut found = feed(device, 200, |m| 50.0 + noise(m));
    found.extend(feed(device, 12_000, |m| 50.0 - 4.0 * m as f64 / 12_000.0 + noise(m)));
    found.extend(feed(device, 300, |m| 49.0 + noise(m)));
    found
}

#[test]
fn a_baseline_that_follows_sees_a_step_that_the_season_hides() {
    let mut fixed = drifting("up");
    assert_eq!(after_a_season(&mut fixed), ["-drift"]);
    let follow = "false_alarm = 0.01\nfollow = \"10 h\"\n";
    let mut two = Device::new(&format!(
        "{HIGH}\n[drifts.drift]\nname = \"Drift\"\nchannel = \"b\"\ndirection = \"up\"\nblock = \"10 min\"\nlearn = 10\nbaseline = [40, 60]\nmin_sigma = 1.0\n{follow}"
    ));
    assert_eq!(after_a_season(&mut two), ["-drift", "+drift"]);
    assert_eq!(feed(&mut two, 6_000, |m| 49.0 + noise(m)), NOTHING, "frozen while in alarm");
    two.state.after_repair(&two.ty, "broken");
    assert_eq!(feed(&mut two, 300, |m| 49.0 + noise(m)), ["-drift"]);
}
