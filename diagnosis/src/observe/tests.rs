use firmware_proto::{BootId, DeviceTime, MessageOrder, Seq, Value};
use proptest::prelude::*;

use super::*;
use crate::diagnose::{EvidenceState, diagnose};
use crate::state::Restored;
use crate::testing::{Device, HIGH, thing};

#[test]
fn duplicates_change_nothing() {
    let mut device = Device::new(HIGH);
    device.set("on", true).set("a", 20.0).minutes(2);
    let before = device.state.clone();
    for _ in 0..50 {
        device.time = device.time.plus_ms(60_000);
        device.seq -= 1;
        assert!(device.send().is_empty());
    }
    assert_eq!(device.state, before);
}

#[test]
fn evidence_repeated_is_evidence_once() {
    let mut device = Device::new(HIGH);
    device.set("on", true).set("a", 20.0).minutes(10);
    let once = diagnose(&device.ty, &device.state).fault_probability;
    device.minutes(1_000);
    assert_eq!(diagnose(&device.ty, &device.state).fault_probability, once);
}

#[test]
fn trouble_makes_absence_be_shown_anew() {
    let other = HIGH.replace("detectors.high", "detectors.low").replace("a > 10", "b > 10").replace("a < 8", "b < 8");
    let mut device = Device::new(&format!("{HIGH}{other}"));
    assert_eq!(device.set("on", true).set("a", 0.0).set("b", 0.0).minutes(10), ["-high", "-low"]);
    assert_eq!(device.set("a", 20.0).minutes(3), ["+high"]);
    let state_of = |device: &Device| {
        let diagnosis = diagnose(&device.ty, &device.state);
        diagnosis.evidence.iter().find(|e| e.symptom == "low").unwrap().state
    };
    assert_eq!(state_of(&device), EvidenceState::Unknown);
    assert_eq!(device.minutes(4), ["-low"]);
    assert_eq!(state_of(&device), EvidenceState::Absent);
}

#[test]
fn an_unnumbered_device_is_heard() {
    let mut device = Device::new(HIGH);
    let readings = [(device.ty.datapoint("on").unwrap(), Value::Bool(true)), (0, Value::from(20.0))];
    let mut found = Vec::new();
    for minute in 0..5 {
        let sample = Sample { time: DeviceTime(minute * 60_000), order: None, readings: &readings };
        found.extend(observe(&device.ty, &mut device.state, &sample));
    }
    assert_eq!(found.len(), 1);
    insta::assert_snapshot!(found[0].why, @"Too high (a > 10, measured 20) for 2 min");
}

#[test]
fn a_boot_starts_the_settling_again() {
    let mut device = Device::new(&format!("after_boot = \"10 min\"\n{HIGH}"));
    device.set("on", true).set("a", 0.0).minutes(30);
    device.set("a", 20.0);
    let boot = |device: &mut Device, seq: u64| {
        device.time = device.time.plus_ms(60_000);
        let sample = device.sample();
        let order = Some(MessageOrder { boot_id: BootId(2), seq: Seq(seq) });
        let readings = sample.readings.to_vec();
        observe(&device.ty, &mut device.state, &Sample { time: device.time, order, readings: &readings })
    };
    let silent: usize = (0..12).map(|seq| boot(&mut device, seq).len()).sum();
    assert_eq!(silent, 0);
    assert_eq!(boot(&mut device, 12).len(), 1);
}

#[test]
fn a_state_of_another_catalogue_version_starts_afresh() {
    let old = thing(HIGH);
    let new = thing(&HIGH.replace("a > 10", "a > 11"));
    let stored = DeviceState::new(&old);
    assert!(matches!(DeviceState::restore(&old, stored.clone()), Restored::Kept(_)));
    assert!(matches!(DeviceState::restore(&new, stored.clone()), Restored::Fresh(_)));
    let mut state = stored;
    observe(&new, &mut state, &Sample { time: DeviceTime(0), order: None, readings: &[] });
    assert!(state.fits(&new));
}

#[test]
fn other_likelihoods_or_texts_keep_the_state() {
    let renamed = thing(&HIGH.replace("Too high", "Above its limit").replace("0.001", "0.002"));
    assert!(DeviceState::new(&thing(HIGH)).fits(&renamed));
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_map(Value::Double),
        (-50.0..150.0_f64).prop_map(Value::Double),
        any::<i64>().prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        ".{0,80}".prop_map(Value::Text),
        Just(Value::from("cool")),
    ]
}

type Message = (i64, u64, u64, Vec<(usize, Value)>);

fn message() -> impl Strategy<Value = Message> {
    let time = prop_oneof![0..100_000_000_i64, any::<i64>()];
    (time, 0..3_u64, 0..200_u64, proptest::collection::vec((0..30_usize, value()), 0..20))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_a_device_sends_panics(messages in proptest::collection::vec(message(), 1..60)) {
        let catalogue = crate::Catalogue::builtin().unwrap();
        for ty in catalogue.iter() {
            let mut state = DeviceState::new(ty);
            for (time, boot, seq, readings) in &messages {
                let order = (*seq > 20).then_some(MessageOrder { boot_id: BootId(*boot), seq: Seq(*seq) });
                let time = DeviceTime(*time);
                for observation in observe(ty, &mut state, &Sample { time, order, readings }) {
                    prop_assert!(observation.llr.is_finite());
                }
                let diagnosis = diagnose(ty, &state);
                prop_assert!((0.0..=1.0 + 1e-9).contains(&diagnosis.fault_probability));
                let _ = crate::advise(ty, &state, &diagnosis, time, &[]);
                for cause in &ty.causes {
                    let mut repaired = state.clone();
                    repaired.after_repair(ty, &cause.key);
                }
            }
            let json = serde_json::to_string(&state).unwrap();
            let stored: DeviceState = serde_json::from_str(&json).unwrap();
            prop_assert!(matches!(DeviceState::restore(ty, stored), Restored::Kept(_)));
        }
    }

    #[test]
    fn resending_any_message_changes_nothing(values in proptest::collection::vec((0.0..30.0_f64, any::<bool>()), 1..100), again in 0..100_usize) {
        let mut once = Device::new(HIGH);
        let mut twice = Device::new(HIGH);
        for (number, (a, on)) in values.iter().enumerate() {
            once.set("a", *a).set("on", *on).minutes(1);
            twice.set("a", *a).set("on", *on).minutes(1);
            if number % 7 == again % 7 {
                prop_assert!(twice.send_again().is_empty());
            }
        }
        prop_assert_eq!(diagnose(&once.ty, &once.state), diagnose(&twice.ty, &twice.state));
        prop_assert_eq!(once.state, twice.state);
    }
}

/// What a device sends that cannot be true, minute by minute, while `a` was 20 and is too high.
#[test]
fn what_cannot_be_true_is_no_reading() {
    let sick = || {
        let mut device = Device::new(HIGH);
        device.set("on", true).set("a", 20.0).minutes(1);
        device
    };
    // The last value that could be true counts for ten minutes: long enough to latch.
    for wrong in
        [Value::from(f64::NAN), Value::from(f64::INFINITY), Value::from(20_000.0), Value::from("20"), Value::from(true)]
    {
        assert_eq!(sick().set("a", wrong.clone()).minutes(60), ["+high"], "{wrong:?}");
    }
    // A device that never sent a value that can be true tells nothing.
    let mut mute = Device::new(HIGH);
    assert_eq!(mute.set("on", true).set("a", f64::NAN).minutes(600), Vec::<String>::new());
    assert_eq!(
        diagnose(&mute.ty, &mute.state).fault_probability,
        diagnose(&mute.ty, &DeviceState::new(&mute.ty)).fault_probability
    );
}

#[test]
fn a_datapoint_that_the_type_does_not_know_is_ignored() {
    let (mut one, mut other) = (Device::new(HIGH), Device::new(HIGH));
    for minute in 0..5 {
        let time = DeviceTime(minute * 60_000);
        let known = [(2, Value::Bool(true)), (0, Value::from(20.0))];
        let more =
            [(2, Value::Bool(true)), (99, Value::from(1e300)), (0, Value::from(20.0)), (usize::MAX, Value::from("x"))];
        observe(&one.ty, &mut one.state, &Sample { time, order: None, readings: &known });
        observe(&other.ty, &mut other.state, &Sample { time, order: None, readings: &more });
    }
    assert_eq!(one.state, other.state);
    assert_eq!(one.state.present().count(), 1);
}

#[test]
fn after_a_gap_or_when_time_went_back_windows_begin_afresh() {
    let mean = HIGH.replace("a > 10", "mean(a, 12 min) > 10").replace("a < 8", "mean(a, 12 min) < 8");
    for jump_ms in [3_600_000, 86_400_000_000, -1_800_000, -3_600_000] {
        let mut device = Device::new(&mean);
        device.time = DeviceTime(1_750_000_000_000);
        assert_eq!(device.set("on", true).set("a", 5.0).minutes(60), ["-high"]);
        device.time = device.time.plus_ms(jump_ms);
        // Nothing of the time before counts: the mean needs its window, the symptom its delay.
        let found = device.set("a", 20.0).minutes(8);
        let expected: &[&str] = &[];
        assert_eq!(found, expected, "{jump_ms} ms");
        assert_eq!(device.minutes(12), ["+high"], "{jump_ms} ms");
    }
}

/// Bytes of a state in memory, from the sizes of its parts, with all that models can say.
#[test]
fn a_state_stays_small() {
    for ty in crate::Catalogue::builtin().unwrap().iter() {
        let mut state = DeviceState::new(ty);
        for (key, _) in ty.model_symptoms() {
            let channels = vec![(String::new(), 0.1); 9];
            let evidence = crate::detection::Evidence {
                symptom: key.to_owned(),
                log_likelihood_ratio: 1.0,
                p_value: 0.1,
                channels,
                window_ms: (0, 0),
                model_version: String::new(),
            };
            state.take_evidence(ty, evidence).unwrap();
        }
        let bytes = state.bytes();
        assert!(bytes <= 4_096, "{}: {bytes} bytes", ty.key);
        println!("{}: {bytes} bytes", ty.key);
    }
}
