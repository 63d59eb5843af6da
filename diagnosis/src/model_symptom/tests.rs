use firmware_proto::DeviceTime;

use crate::detection::Evidence;
use crate::diagnose::{EvidenceState, diagnose};
use crate::testing::{Device, HIGH};
use crate::{DeviceState, EvidenceError, Observation};

/// False alarms 0.01, shown by the cause with 0.9; the cause has a prior of 0.01.
const STRAYS: &str = r#"
[models.strays]
name = "Strays from what b explains"
channels = ["a", "a / b"]
inputs = ["b"]
modes.first = "on for 2 min"
modes.second = "not on"
expires = "1 d"
false_alarm = 0.01
"#;

const DAY_MS: i64 = 86_400_000;

fn device() -> Device {
    let mut device = Device::new(&format!("{HIGH}{STRAYS}"));
    device.set("on", true).set("a", 5.0).set("b", 2.0).minutes(1);
    device
}

fn evidence(llr: f64, to: DeviceTime) -> Evidence {
    Evidence {
        symptom: "strays".to_owned(),
        log_likelihood_ratio: llr,
        p_value: 0.002,
        channels: vec![("a".to_owned(), 0.75), ("a / b".to_owned(), 0.25)],
        window_ms: (to.ms() - 3_600_000, to.ms()),
        model_version: "thing-7".to_owned(),
    }
}

fn told(device: &mut Device, llr: f64) -> Option<Observation> {
    device.state.take_evidence(&device.ty, evidence(llr, device.time)).unwrap()
}

fn fault(device: &Device) -> f64 {
    diagnose(&device.ty, &device.state).fault_probability
}

/// The posterior by hand: the symptom is there with 0.9 under the cause, else with 0.01.
fn by_hand(prior: f64, llr: f64) -> f64 {
    let given = |there: f64| there * llr.exp() + (1.0 - there);
    let (fault, none) = (prior * given(0.9), (1.0 - prior) * given(0.01));
    fault / (fault + none)
}

#[test]
fn a_models_word_weighs_as_bayes_has_it() {
    let mut device = device();
    let before = fault(&device);
    for llr in [-3.0, -0.2, 0.4, 2.0, 6.0, 500.0] {
        let observed = told(&mut device, llr).unwrap();
        let expected = by_hand(before, llr.clamp(-40.0, 40.0));
        assert!((fault(&device) - expected).abs() < 1e-9, "{llr}: {} {expected}", fault(&device));
        assert_eq!(observed.present, llr > 0.0);
    }
}

#[test]
fn without_a_model_nothing_changes() {
    let mut with = device();
    let mut without = Device::new(HIGH);
    without.set("on", true).set("a", 5.0).set("b", 2.0).minutes(1);
    with.set("a", 20.0).minutes(5);
    without.set("a", 20.0).minutes(5);
    assert_eq!(diagnose(&with.ty, &with.state), diagnose(&without.ty, &without.state));
}

#[test]
fn newer_replaces_and_older_is_dropped() {
    let mut device = device();
    told(&mut device, 3.0);
    let once = fault(&device);
    told(&mut device, 3.0);
    assert_eq!(fault(&device), once);
    let earlier = evidence(9.0, device.time.plus_ms(-1));
    assert_eq!(device.state.take_evidence(&device.ty, earlier), Ok(None));
    assert_eq!(fault(&device), once);
    told(&mut device, -3.0);
    assert!(fault(&device) < 0.01);
}

#[test]
fn it_counts_until_it_expires_or_a_repair() {
    let mut device = device();
    told(&mut device, 5.0);
    device.time = device.time.plus_ms(DAY_MS - 60_000);
    device.minutes(1);
    assert!(fault(&device) > 0.3);
    device.minutes(1);
    assert!(fault(&device) < 0.02);

    told(&mut device, 5.0);
    device.state.after_repair(&device.ty, "broken");
    assert!(fault(&device) < 0.02);
}

#[test]
fn after_the_clock_went_back_newer_words_still_count() {
    let mut device = device();
    told(&mut device, 5.0);
    device.time = device.time.plus_ms(-30 * DAY_MS);
    device.minutes(1);
    assert!(fault(&device) < 0.02, "evidence from a month ahead has expired");
    assert!(told(&mut device, 5.0).is_some());
    assert!(fault(&device) > 0.3);
}

#[test]
fn trouble_makes_a_model_look_anew() {
    let mut device = device();
    told(&mut device, -4.0);
    device.set("a", 20.0).minutes(5);
    let diagnosis = diagnose(&device.ty, &device.state);
    assert!(diagnosis.evidence.iter().all(|e| e.symptom != "strays"));
}

#[test]
fn it_is_stored_and_explained() {
    let mut device = device();
    let observed = told(&mut device, 4.0).unwrap();
    insta::assert_snapshot!(observed.why, @"Strays from what b explains (model thing-7, p = 0.002: a 75 %, a / b 25 %) over 60 min");
    let stored = serde_json::to_string(&device.state).unwrap();
    let state = DeviceState::restore(&device.ty, serde_json::from_str(&stored).unwrap()).into_state();
    assert_eq!(state, device.state);
    let diagnosis = diagnose(&device.ty, &state);
    let told = diagnosis.evidence.iter().find(|e| e.symptom == "strays").unwrap();
    assert_eq!((told.state, told.why.as_str()), (EvidenceState::Present, observed.why.as_str()));
}

#[test]
fn what_cannot_be_taken_is_named() {
    let mut device = device();
    let time = device.time;
    let mut refused = |change: fn(&mut Evidence)| {
        let mut evidence = evidence(1.0, time);
        change(&mut evidence);
        device.state.take_evidence(&device.ty, evidence).unwrap_err().to_string()
    };
    let found = [
        refused(|e| e.symptom = "high".to_owned()),
        refused(|e| e.log_likelihood_ratio = f64::NAN),
        refused(|e| e.p_value = 1.5),
        refused(|e| e.channels[0].1 = f64::NAN),
        refused(|e| e.window_ms = (5, 4)),
    ];
    insta::assert_snapshot!(found.join("\n"), @r#"
    "high" is no model's symptom of thing: known are strays
    strays: log_likelihood_ratio is NaN, must be a finite number
    strays: p_value is 1.5, must be from 0 to 1
    strays: channels is [("a", NaN), ("a / b", 0.25)], must be shares from 0 to 1
    strays: window_ms is (5, 4), must be two times, the earlier first
    "#);
    let error = device.state.take_evidence(&device.ty, evidence(f64::INFINITY, time));
    assert!(matches!(error, Err(EvidenceError::BadNumber { .. })));
    assert!(fault(&device) < 0.02);
}

#[test]
fn a_model_reads_its_channels_in_its_modes() {
    let mut device = device();
    let ty = device.ty.clone();
    let (key, model) = ty.model_symptoms().next().unwrap();
    assert_eq!((key, model.width()), ("strays", 3));
    assert_eq!(model.channels().collect::<Vec<_>>(), ["a", "a / b"]);
    assert_eq!(model.modes().collect::<Vec<_>>(), ["first", "second"]);
    let mut values = [0.0; 3];
    assert_eq!(model.read(&ty, &device.state, &mut values), None, "on, but not for long");
    device.minutes(2);
    assert_eq!(model.read(&ty, &device.state, &mut values), Some(0));
    assert_eq!(values, [5.0, 2.5, 2.0]);
    device.set("on", false).set("b", 0.0).minutes(1);
    assert_eq!(model.read(&ty, &device.state, &mut values), Some(1));
    assert!(values[1].is_nan());
    assert_eq!([values[0], values[2]], [5.0, 0.0]);
}
