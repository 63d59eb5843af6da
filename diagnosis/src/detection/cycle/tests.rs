//! Cycles of a made-up heater, and samples that no device should send.

use proptest::prelude::*;

use super::*;

const MINUTE_MS: i64 = 60_000;
const HOW: Segmentation = Segmentation { on_above: 500.0, off_below: 500.0, max_gap_ms: 5 * MINUTE_MS };

fn cut(samples: impl IntoIterator<Item = (i64, f64)>) -> Vec<Cycle> {
    let mut segmenter = Segmenter::new(HOW);
    samples.into_iter().filter_map(|(minute, value)| segmenter.step(minute * MINUTE_MS, value)).collect()
}

/// Off for 2 min, on at 1 kW for 3, off for 4, on for 5, off.
fn two_cycles() -> Vec<(i64, f64)> {
    (0..20)
        .map(|minute| (minute, if (2..5).contains(&minute) || (9..14).contains(&minute) { 1_000.0 } else { 0.0 }))
        .collect()
}

#[test]
fn a_cycle_has_its_duration_energy_and_pause() {
    let cycles = cut(two_cycles());
    let durations: Vec<i64> = cycles.iter().map(|cycle| cycle.duration_ms / MINUTE_MS).collect();
    assert_eq!(durations, [3, 5]);
    assert!((cycles[1].energy - 1_000.0 * 5.0 / 60.0).abs() < 1e-9);
    assert_eq!((cycles[0].pause_ms, cycles[1].pause_ms), (None, Some(4 * MINUTE_MS)));
    let features = cycles[1].features();
    assert!((features[0] - 300f64.ln()).abs() < 1e-9 && features[3].abs() < 1e-9);
}

#[test]
fn duplicates_missing_values_and_time_going_back_a_little_change_nothing() {
    let mut noisy = Vec::new();
    for (minute, value) in two_cycles() {
        noisy.extend([(minute, value), (minute, 7.0), (minute, f64::NAN), (minute - 2, 3_000.0)]);
    }
    noisy.insert(0, (0, f64::INFINITY));
    assert_eq!(cut(noisy), cut(two_cycles()));
}

#[test]
fn a_gap_or_a_clock_set_back_ends_what_is_known_of_a_cycle() {
    let gap = cut([(0, 0.0), (1, 1_000.0), (2, 1_000.0), (60, 1_000.0), (61, 0.0), (65, 1_000.0), (66, 0.0)]);
    let seen: Vec<(i64, bool)> = gap.iter().map(|cycle| (cycle.duration_ms / MINUTE_MS, cycle.whole)).collect();
    assert_eq!(seen, [(1, false), (1, false), (1, true)]);

    let back = cut([(100, 0.0), (101, 1_000.0), (3, 0.0), (4, 1_000.0), (5, 0.0)]);
    let seen: Vec<(i64, bool)> = back.iter().map(|cycle| (cycle.start_ms / MINUTE_MS, cycle.whole)).collect();
    assert_eq!(seen, [(101, false), (4, true)]);
}

#[test]
fn a_restart_in_the_middle_of_a_cycle_loses_nothing() {
    let mut segmenter = Segmenter::new(HOW);
    let mut cycles = Vec::new();
    for (minute, value) in two_cycles() {
        cycles.extend(segmenter.step(minute * MINUTE_MS, value));
        segmenter = serde_json::from_str(&serde_json::to_string(&segmenter).unwrap()).unwrap();
    }
    assert_eq!(cycles, cut(two_cycles()));
}

#[test]
fn the_main_load_is_above_half_of_where_the_energy_goes() {
    // 600 min standby at 2 W, 60 min motor at 200 W, 20 min heater at 2 kW.
    let values: Vec<f64> = [(600, 2.0), (60, 200.0), (20, 2_000.0)].into_iter().flat_map(|(n, w)| vec![w; n]).collect();
    assert_eq!(Segmentation::main_load(&values, 1).unwrap().on_above, 1_000.0);
    assert_eq!(Segmentation::main_load(&[0.0, f64::NAN], 1), None);
}

/// A heater of 2 kW whose load wanders by 0.5 % a minute and that heats for about `minutes`.
fn heat(seed: u64, minutes: f64, held: usize) -> Cycle {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    let ordinary = (minutes * (0.1 * normal()).exp()).round() as usize;
    let mut log = 0.0;
    let mut trace: Vec<f64> = Vec::new();
    for _ in 0..ordinary + held {
        log += 0.005 * normal();
        trace.push((2_000.0 * f64::exp(log)).round());
    }
    let samples = trace.len();
    let duration_ms = samples as i64 * MINUTE_MS;
    let energy = trace.iter().sum::<f64>() / 60.0;
    Cycle {
        start_ms: 0,
        duration_ms,
        pause_ms: Some(6 * 3_600_000),
        whole: true,
        energy,
        peak: 2_100.0,
        samples,
        trace,
    }
}

fn taught(cycles: u64) -> Usual {
    let mut usual = Usual::new(None, 1.0);
    (0..cycles).for_each(|seed| usual.learn(&heat(seed * 77 + 1, 40.0, 0)));
    usual
}

#[test]
fn a_load_held_on_is_told_from_an_ordinary_one() {
    let usual = taught(30);
    let said =
        |held: usize| -> Vec<Held> { (0..40).map(|n| usual.held(&heat(9_000 + n, 40.0, held)).unwrap()).collect() };
    let (ordinary, held) = (day(&said(0)).unwrap(), day(&said(20)).unwrap());
    assert!(ordinary < 0.0 && held > 2.0, "{ordinary} {held}");
    // An odds ratio above 20 is rare on ordinary cycles: below 1 in 20 for a true Bayes factor.
    assert!(said(0).iter().filter(|held| held.log_bayes_factor > 20f64.ln()).count() <= 2);
    let overrun: i64 = said(20).iter().map(|held| held.overrun_ms / MINUTE_MS).sum::<i64>() / 40;
    assert!((10..=30).contains(&overrun), "{overrun}");
}

#[test]
fn a_new_device_is_judged_by_its_fleet_and_says_so() {
    let fleet = Fleet::of(&[taught(20), taught(10)]).unwrap();
    let mut new = Usual::new(Some(fleet), 1.0);
    assert!(Usual::new(None, 1.0).held(&heat(5, 40.0, 0)).is_none());
    let (ordinary, long) = (new.held(&heat(5, 40.0, 0)).unwrap(), new.held(&heat(5, 400.0, 0)).unwrap());
    assert!(ordinary.prior_dominated && ordinary.from_duration < long.from_duration);
    (0..5).for_each(|seed| new.learn(&heat(seed, 40.0, 0)));
    assert!(!new.prior_dominated());
    assert_eq!(Fleet::of(&[]), None);
}

#[test]
fn what_is_usual_stays_small() {
    let mut usual = taught(2_000);
    let size = serde_json::to_string(&usual).unwrap().len();
    (0..500).for_each(|seed| usual.learn(&heat(seed, 40.0, 0)));
    assert!(serde_json::to_string(&usual).unwrap().len() < size * 11 / 10 && size < 40_000);
    let endless = Cycle { samples: 10_000_000, duration_ms: 10_000_000 * MINUTE_MS, ..heat(1, 300.0, 0) };
    assert!(usual.held(&endless).is_some());
}

proptest! {
    #[test]
    fn no_samples_make_it_panic(samples in prop::collection::vec((prop_oneof![any::<i64>(), 0..5_000_000i64], any::<f64>()), 0..300)) {
        let mut segmenter = Segmenter::new(HOW);
        let mut usual = taught(3);
        for (time, value) in samples {
            if let Some(cycle) = segmenter.step(time, value) {
                prop_assert!(cycle.duration_ms >= 0 && cycle.trace.len() <= MAX_TRACE);
                cycle.features();
                if let Some(held) = usual.held(&cycle) {
                    prop_assert!(held.log_bayes_factor.is_finite());
                }
                usual.learn(&cycle);
            }
        }
    }
}
