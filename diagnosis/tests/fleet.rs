//! The fleet's monitor on devices whose faults are known.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/simulated/mod.rs"]
mod simulated;

use std::sync::LazyLock;

use diagnosis::detection::fleet::{Alarm, Baseline, Monitor, Row, Settings, Skip, Statistic, Step, StepError, Verdict};
use simulated::{DAY_MS, Device, MINUTE_MS, Process, histories};

static CORRELATED: LazyLock<Baseline> = LazyLock::new(|| train(Process::Correlated));
static APPLIANCE: LazyLock<Baseline> = LazyLock::new(|| train(Process::Appliance));

fn train(process: Process) -> Baseline {
    Baseline::train(&process.schema(), &histories(process, 0..24, 4), &Settings::new("v1", "simulated")).unwrap()
}

fn judge(baseline: &Baseline, monitor: &mut Monitor, row: &Row<'_>) -> Verdict {
    match monitor.step(baseline, row).unwrap() {
        Step::Judged(verdict) => verdict,
        Step::Skipped(skip) => panic!("{skip:?}"),
    }
}

/// A device that lived so many healthy days under its monitor.
fn grown(process: Process, baseline: &Baseline, number: u64, days: i64) -> (Device, Monitor) {
    let (mut device, mut monitor) = (Device::new(process, number), Monitor::new(baseline));
    for _ in 0..days * 1440 {
        device.minute();
        judge(baseline, &mut monitor, &device.row());
    }
    (device, monitor)
}

/// Lives on with a change of the channels, until an alarm is raised; minutes until then, and the verdict.
fn until_alarm(
    baseline: &Baseline,
    (device, monitor): &mut (Device, Monitor),
    minutes: u32,
    mut change: impl FnMut(u32, &mut [f32]),
) -> Option<(u32, Verdict)> {
    (0..minutes).find_map(|minute| {
        device.minute();
        let mut channels = device.channels.clone();
        change(minute, &mut channels);
        let verdict = judge(baseline, monitor, &Row { channels: &channels, ..device.row() });
        (verdict.alarm == Alarm::Raised).then_some((minute, verdict))
    })
}

#[test]
fn a_shift_of_two_sigma_is_found_and_named() {
    let sigma = CORRELATED.expected(0, 0, &[]).unwrap()[3].scale;
    for number in 900..905 {
        let mut grown = grown(Process::Correlated, &CORRELATED, number, 4);
        let found = until_alarm(&CORRELATED, &mut grown, 60, |_, channels| channels[3] += 2.0 * sigma);
        let (minutes, verdict) = found.unwrap();
        assert!(minutes < 30, "device {number}: {minutes} minutes");
        let evidence = grown.1.evidence(&CORRELATED, 0, &verdict, "sensor_off", None);
        assert_eq!(evidence.channels[0].0, "channel 3", "device {number}: {evidence:?}");
        let shares: f64 = evidence.channels.iter().map(|(_, share)| share).sum();
        assert!((shares - 1.0).abs() < 1e-5);
        assert!(evidence.p_value <= 1e-3 && evidence.log_likelihood_ratio > 2.0, "{evidence:?}");
        assert_eq!(evidence.model_version, "v1");
    }
}

#[test]
fn a_lost_correlation_is_found_while_each_channel_stays_in_its_limits() {
    // Channel 5 goes on as before, but as that of another healthy device with the same place.
    for number in 910..915 {
        let mut own = grown(Process::Correlated, &CORRELATED, number, 4);
        let mut other = Device::new(Process::Correlated, number + 1000);
        let mean = |device: &Device| {
            let mut device = device.clone();
            let values: f32 = (0..20_000)
                .map(|_| {
                    device.minute();
                    device.channels[5]
                })
                .sum();
            values / 20_000.0
        };
        let shift = mean(&own.0) - mean(&other);
        let found = until_alarm(&CORRELATED, &mut own, 120, |_, channels| {
            other.minute();
            channels[5] = other.channels[5] + shift;
        });
        let (minutes, verdict) = found.unwrap();
        assert!(minutes < 60, "device {number}: {minutes} minutes");
        assert!(matches!(verdict.leading, Statistic::Shift | Statistic::Remainder), "{verdict:?}");
        let carried = own.1.contributions(&CORRELATED, 0, verdict.leading);
        assert_eq!(carried[0].0, 5, "device {number}: {carried:?}");
    }
}

#[test]
fn a_slow_ramp_is_found_by_the_fixed_baseline() {
    let sigma = APPLIANCE.expected(0, 0, &[0.0, 0.0]).unwrap()[2].scale;
    let mut grown = grown(Process::Appliance, &APPLIANCE, 920, 5);
    // Three standard deviations in thirty days: in a day less than any scatter.
    let ramp = |minute: u32| 3.0 * minute as f32 / (30.0 * 1440.0);
    let (mut found, mut drift) = (None, 0.0f32);
    for minute in 0..30 * 1440 {
        let (device, monitor) = &mut grown;
        device.minute();
        let mut channels = device.channels.clone();
        channels[2] += ramp(minute) * sigma * if device.mode() == 1 { 6.0 } else { 1.0 };
        let verdict = judge(&APPLIANCE, monitor, &Row { channels: &channels, ..device.row() });
        if verdict.leading == Statistic::Drift && verdict.alarm != Alarm::None {
            found.get_or_insert(minute / 1440);
            drift = verdict.score;
        }
    }
    let carried = grown.1.contributions(&APPLIANCE, 0, Statistic::Drift);
    assert!(found.is_some_and(|day| day < 25), "found on day {found:?}");
    assert_eq!(carried[0].0, 2);
    assert!(drift > 10.0, "the fixed baseline does not forget: {drift}");
}

#[test]
fn a_season_is_explained_by_its_inputs() {
    let (mut device, mut monitor) = grown(Process::Appliance, &APPLIANCE, 930, 5);
    let mut alarmed = 0;
    for minute in 0..30 * 1440 {
        device.minute();
        // Eight degrees warmer in a month, and everything that follows from it.
        let warmer = 8.0 * minute as f32 / (30.0 * 1440.0);
        let inputs = [device.inputs[0] + warmer, device.inputs[1]];
        let scatter = if device.mode() == 1 { 3.0 } else { 0.5 };
        let channels: Vec<f32> = device.channels.iter().map(|value| value + 0.3 * scatter * warmer).collect();
        let row = Row { inputs: &inputs, channels: &channels, ..device.row() };
        if let Step::Judged(verdict) = monitor.step(&APPLIANCE, &row).unwrap() {
            alarmed += u32::from(verdict.alarm == Alarm::Raised);
        }
    }
    assert_eq!(alarmed, 0);
}

#[test]
fn a_new_device_is_judged_by_the_fleet_until_it_is_known() {
    let (mut device, mut monitor) = (Device::new(Process::Correlated, 940), Monitor::new(&CORRELATED));
    device.minute();
    assert!(judge(&CORRELATED, &mut monitor, &device.row()).prior_dominated);
    let (mut device, mut monitor) = grown(Process::Correlated, &CORRELATED, 940, 3);
    device.minute();
    assert!(!judge(&CORRELATED, &mut monitor, &device.row()).prior_dominated);
    monitor.repaired(&CORRELATED);
    device.minute();
    assert!(judge(&CORRELATED, &mut monitor, &device.row()).prior_dominated);
}

#[test]
fn an_alarm_stands_until_a_repair() {
    let mut grown = grown(Process::Correlated, &CORRELATED, 950, 4);
    until_alarm(&CORRELATED, &mut grown, 60, |_, channels| channels[0] += 9.0).unwrap();
    let (mut device, mut monitor) = grown;
    for _ in 0..5 * 1440 {
        device.minute();
        device.channels[0] += 9.0;
        let verdict = judge(&CORRELATED, &mut monitor, &device.row());
        assert_eq!(verdict.alarm, Alarm::Standing, "a lasting fault is not learnt as normal");
    }
    monitor.repaired(&CORRELATED);
    assert!(!monitor.alarm());
    let mut healthy = (device, monitor);
    assert_eq!(until_alarm(&CORRELATED, &mut healthy, 1440, |_, _| {}), None);
}

#[test]
fn rows_that_cannot_be_judged_say_why_and_teach_nothing() {
    let (mut device, mut monitor) = grown(Process::Appliance, &APPLIANCE, 960, 1);
    device.minute();
    let good = device.row();
    judge(&APPLIANCE, &mut monitor, &good);
    let next = Row { time_ms: good.time_ms + MINUTE_MS, ..good };
    let nothing = [f32::NAN; 8];
    let mixed: Vec<f32> = (0..8).map(|c| if c < 4 { f32::INFINITY } else { 1e7 }).collect();
    for (row, skip) in [
        (good, Skip::Duplicate),
        (Row { time_ms: good.time_ms - 1, ..good }, Skip::TimeWentBack),
        (Row { time_ms: i64::MIN, ..good }, Skip::TimeWentBack),
        (Row { mode: 2, ..next }, Skip::UnknownMode),
        (Row { mode: 255, ..next }, Skip::UnknownMode),
        (Row { inputs: &[f32::NAN, 50.0], ..next }, Skip::InputMissing(0)),
        (Row { inputs: &[15.0, 1e6], ..next }, Skip::InputOutside(1)),
        (Row { channels: &nothing, ..next }, Skip::NoChannel(255, 0)),
        (Row { channels: &mixed, ..next }, Skip::NoChannel(15, 240)),
    ] {
        let before = monitor.clone();
        let mut after = monitor.clone();
        assert_eq!(after.step(&APPLIANCE, &row), Ok(Step::Skipped(skip)), "{row:?}");
        assert_eq!(
            after.contributions(&APPLIANCE, 0, Statistic::Shift),
            before.contributions(&APPLIANCE, 0, Statistic::Shift)
        );
        assert!(after.is_valid());
    }
    let width = |field, found, expected| Err(StepError::Width { field, found, expected });
    let (before, wide) = (monitor.clone(), [20.0; 9]);
    assert_eq!(monitor.step(&APPLIANCE, &Row { channels: &wide, ..next }), width("channels", 9, 8));
    assert_eq!(monitor.step(&APPLIANCE, &Row { inputs: &[1.0], ..next }), width("inputs", 1, 2));
    assert!(matches!(monitor.step(&CORRELATED, &next), Err(StepError::OtherBaseline { .. })));
    assert_eq!(monitor, before);
}

#[test]
fn a_wrong_unit_is_told_and_the_other_channels_are_judged() {
    let (mut device, mut monitor) = grown(Process::Correlated, &CORRELATED, 970, 2);
    let mut healthy = monitor.clone();
    for _ in 0..200 {
        device.minute();
        let expected = judge(&CORRELATED, &mut healthy, &device.row());
        let mut channels = device.channels.clone();
        channels[1] *= 1000.0;
        channels[6] = f32::NAN;
        let verdict = judge(&CORRELATED, &mut monitor, &Row { channels: &channels, ..device.row() });
        assert_eq!((verdict.implausible, verdict.missing), (1 << 1, 1 << 6));
        assert_eq!((expected.implausible, expected.missing), (0, 0));
    }
    assert!(monitor.is_valid());
}

#[test]
fn a_clock_set_back_for_good_is_followed() {
    let (mut device, mut monitor) = grown(Process::Correlated, &CORRELATED, 980, 1);
    device.time_ms -= 400 * DAY_MS;
    let skipped = (0..100)
        .filter(|_| {
            device.minute();
            matches!(monitor.step(&CORRELATED, &device.row()).unwrap(), Step::Skipped(Skip::TimeWentBack))
        })
        .count();
    assert!((1..30).contains(&skipped), "{skipped} rows were lost");
}

#[test]
fn models_and_monitors_survive_storage_exactly() {
    let (mut device, mut monitor) = grown(Process::Appliance, &APPLIANCE, 990, 2);
    let text = serde_json::to_string(&*APPLIANCE).unwrap();
    let baseline: Baseline = serde_json::from_str(&text).unwrap();
    assert_eq!(baseline, *APPLIANCE);
    let mut stored: Monitor = serde_json::from_str(&serde_json::to_string(&monitor).unwrap()).unwrap();
    assert_eq!(stored, monitor);
    device.minute();
    assert_eq!(stored.step(&baseline, &device.row()), monitor.step(&APPLIANCE, &device.row()));

    let fresh = Monitor::new(&baseline);
    assert_eq!(serde_json::from_str::<Monitor>(&serde_json::to_string(&fresh).unwrap()).unwrap(), fresh);

    let damaged = text.replacen("\"unit_ms\":86400000", "\"unit_ms\":0", 1);
    let error = serde_json::from_str::<Baseline>(&damaged).unwrap_err().to_string();
    assert!(error.contains("unit_ms"), "{error}");
}

#[test]
fn each_finished_day_is_told_once() {
    let (mut device, mut monitor) = (Device::new(Process::Correlated, 997), Monitor::new(&CORRELATED));
    let mut finished = vec![];
    for minute in 0..3 * 1440 + 10 {
        device.minute();
        // The first rows of each day cannot be judged.
        let row = Row { mode: if minute % 1440 < 5 { 9 } else { 0 }, ..device.row() };
        if let Step::Judged(verdict) = monitor.step(&CORRELATED, &row).unwrap() {
            finished.extend(verdict.finished_unit);
        }
    }
    assert_eq!(finished.len(), 3, "{finished:?}");
    assert!(finished.iter().all(|p| *p > 1e-3));
}

#[test]
fn a_step_takes_no_memory() {
    let (mut device, mut monitor) = grown(Process::Appliance, &APPLIANCE, 995, 1);
    assert!(size_of::<Monitor>() <= 1024);
    let steps = allocation_counter::measure(|| {
        for _ in 0..500 {
            device.minute();
            judge(&APPLIANCE, &mut monitor, &device.row());
        }
    });
    assert_eq!(steps.count_total, 0);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn false_alarms_are_as_rare_as_they_say() {
    // The whole table, with more devices and processes: the example `false_alarms`.
    let process = Process::Ar;
    let settings = Settings::new("v1", "simulated");
    let baseline = Baseline::train(&process.schema(), &histories(process, 0..100, 10), &settings).unwrap();
    let (mut rows, mut units, mut rare_rows, mut rare_units) = (0.0, 0.0, [0.0; 2], 0.0);
    for number in 1000..1200 {
        let (mut device, mut monitor) = (Device::new(process, number), Monitor::new(&baseline));
        for _ in 0..10 * 1440 + 1 {
            device.minute();
            let verdict = judge(&baseline, &mut monitor, &device.row());
            rows += 1.0;
            rare_rows[0] += f64::from(u8::from(verdict.p_row <= 1e-2));
            rare_rows[1] += f64::from(u8::from(verdict.p_row <= 1e-3));
            if let Some(p) = verdict.finished_unit {
                units += 1.0;
                rare_units += f64::from(u8::from(p <= 1e-2));
            }
        }
    }
    let ratios = [rare_rows[0] / rows / 1e-2, rare_rows[1] / rows / 1e-3, rare_units / units / 1e-2];
    assert!(ratios.iter().all(|ratio| (0.5..=2.0).contains(ratio)), "{ratios:?}");
}
