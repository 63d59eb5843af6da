//! p-values, likelihood ratios and discoveries against what theory and papers say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/simulated/mod.rs"]
mod simulated;

use diagnosis::calibration::{Calibration, CalibrationError, DiscoveryBudget, Tail, conformal_p, likelihood, merge};
use proptest::prelude::*;
use simulated::Random;
use statrs::distribution::{ContinuousCDF, Normal};

fn exponential(random: &mut Random) -> f64 {
    -random.uniform().ln()
}

#[test]
fn a_conformal_p_value_is_never_0() {
    assert_eq!(conformal_p(0, 99), 0.01);
    assert_eq!(conformal_p(99, 99), 1.0);
}

#[test]
fn p_values_of_new_units_are_as_rare_as_they_say() {
    // Averaged over training sets: one alone is lucky or not.
    let (mut below, mut all) = ([0.0; 3], 0.0);
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut scores: Vec<f32> = (0..2000).map(|_| exponential(&mut random) as f32).collect();
        let calibration = Calibration::fit(&mut scores, 2000).unwrap();
        for _ in 0..20_000 {
            let p = calibration.p(exponential(&mut random) as f32);
            all += 1.0;
            for (count, nominal) in below.iter_mut().zip([1e-1, 1e-2, 1e-3]) {
                *count += f64::from(u8::from(p <= nominal));
            }
        }
    }
    for (count, nominal) in below.iter().zip([1e-1, 1e-2, 1e-3]) {
        let ratio = count / all / nominal;
        assert!((0.8..1.25).contains(&ratio), "{nominal}: {ratio}");
    }
}

#[test]
fn a_tail_is_recognised() {
    for shape in [0.0, 0.3] {
        let mut random = Random::new(7);
        let reached = |e: f64| if shape == 0.0 { 2.0 * e } else { 2.0 * ((shape * e).exp() - 1.0) / shape };
        let mut excesses: Vec<f64> = (0..200_000).map(|_| reached(exponential(&mut random))).collect();
        excesses.sort_by(f64::total_cmp);
        let tail = Tail::fit(&excesses, excesses.len()).unwrap();
        assert!((tail.shape - shape).abs() < 0.02 && (tail.scale - 2.0).abs() < 0.05, "{tail:?}");
        let ln_p = -9.0;
        assert!((tail.ln_survival(tail.excess(ln_p)) - ln_p).abs() < 1e-9);
    }
    assert_eq!(Tail::fit(&[0.0; 50], 50), None);
    assert_eq!(Tail::fit(&[1.0, 2.0], 2), None);
}

#[test]
fn a_calibration_refuses_what_it_cannot_know() {
    let few = CalibrationError::TooFew { units: 3, least: 8 };
    assert_eq!(Calibration::fit(&mut [1.0; 3], 3), Err(few));
    let mut broken = [1.0; 10];
    broken[4] = f32::NAN;
    assert_eq!(Calibration::fit(&mut broken, 10), Err(CalibrationError::NotFinite { at: 4 }));
    let constant = Calibration::fit(&mut [1.0; 100], 100).unwrap();
    assert!(constant.p(1.0) > 0.9, "what all healthy units show is no alarm");
    assert_eq!(constant.p(f32::NAN), 1.0);

    let text = serde_json::to_string(&constant).unwrap();
    assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), constant);
    let damaged = text.replacen("[1.0,", "[2.0,", 1);
    let error = serde_json::from_str::<Calibration>(&damaged).unwrap_err().to_string();
    assert!(error.contains("scores must be finite and rise"), "{error}");
}

proptest! {
    #[test]
    fn a_higher_score_is_never_less_rare(seed: u64, count in 8usize..3000, a in -3.0f32..30.0, b in -3.0f32..30.0) {
        let mut random = Random::new(seed);
        let mut scores: Vec<f32> = (0..count).map(|_| exponential(&mut random) as f32).collect();
        let calibration = Calibration::fit(&mut scores, count).unwrap();
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(calibration.p(high) <= calibration.p(low) + 1e-6);
        prop_assert!(calibration.p(high) > 0.0);
        let p = calibration.p(high);
        // Within the table and the believed tail, a p-value leads back to its score.
        if (1e-4..0.9).contains(&p) && count > 500 {
            prop_assert!((calibration.p(calibration.score(p)) / p - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn labels_never_claim_more_than_the_bound(p in 1e-12f64..1.0, labels in prop::collection::vec(1e-9f64..1.0, 0..30)) {
        let labelled = likelihood::Labelled::fit(&labels);
        prop_assert!(labelled.log_ratio(p) <= likelihood::bound(p) + 1e-9);
    }
}

#[test]
fn the_bound_is_that_of_the_paper() {
    // Sellke, Bayarri & Berger 2001, table 1: −e·p·ln p.
    for (p, bayes_factor) in [(0.1, 0.625), (0.05, 0.407), (0.01, 0.125), (0.005, 0.072), (0.001, 0.0188)] {
        let bound = (-likelihood::bound(p)).exp();
        assert!((bound - bayes_factor).abs() < 0.001, "{p}: {bound}");
    }
    assert_eq!(likelihood::bound(0.5), 0.0);
    assert!(likelihood::bound(0.0).is_finite());
}

#[test]
fn labels_teach_how_much_a_p_value_means() {
    let mut random = Random::new(3);
    // Of faults whose p-values follow a·p^(a−1) with a = 0.2.
    let seen: Vec<f64> = (0..500).map(|_| random.uniform().powf(5.0)).collect();
    let labelled = likelihood::Labelled::fit(&seen);
    let truth = 0.2f64.ln() - 0.8 * 0.001f64.ln();
    assert!((labelled.log_ratio(0.001) - truth).abs() < 0.2, "{}", labelled.log_ratio(0.001));
    assert!(labelled.log_ratio(0.9) < 0.0, "a healthy day speaks against a fault that shows");
    assert_eq!(likelihood::Labelled::fit(&[]).log_ratio(1e-6), 0.0, "without labels nothing is known");
}

#[test]
fn merged_p_values_hold_under_any_dependence() {
    let normal = Normal::standard();
    for correlation in [0.0f64, 0.5, 0.9, 0.999] {
        let (mut random, mut below) = (Random::new(11), [0.0; 2]);
        let runs = 60_000;
        for _ in 0..runs {
            let shared = random.normal();
            let p: Vec<f64> = (0..6)
                .map(|_| normal.sf(correlation.sqrt() * shared + (1.0 - correlation).sqrt() * random.normal()))
                .collect();
            let merged = merge::cauchy(&p).unwrap();
            below[0] += f64::from(u8::from(merged <= 0.01));
            below[1] += f64::from(u8::from(merged <= 0.001));
        }
        let rates = below.map(|count| count / f64::from(runs));
        assert!(rates[0] < 0.0135 && rates[1] < 0.0018, "correlation {correlation}: {rates:?}");
        assert!(rates[0] > 0.004, "correlation {correlation}: it must not fall silent: {rates:?}");
    }
}

#[test]
fn one_opinion_told_six_times_stays_one() {
    for p in [1e-12, 1e-6, 1e-3, 0.2] {
        let merged = merge::cauchy(&[p; 6]).unwrap();
        assert!((merged / p - 1.0).abs() < 1e-3, "{p}: {merged}");
    }
    assert_eq!(merge::cauchy(&[]), None);
    assert_eq!(merge::cauchy(&[f64::NAN, 7.0]), None);
    assert!(merge::cauchy(&[0.0, 1.0, 1.0]).unwrap() < 1e-12);
}

#[test]
fn most_discoveries_in_a_fleet_are_right() {
    // 100,000 device-days, one in a hundred faulty; nine in ten faults show.
    let (mut false_share, mut found_share, runs) = (0.0, 0.0, 5);
    for seed in 0..runs {
        let mut random = Random::new(seed);
        let mut budget = DiscoveryBudget::new(0.1).unwrap();
        let (mut faulty, mut right, mut wrong) = (0.0, 0.0, 0.0);
        for _ in 0..100_000 {
            let fault = random.uniform() < 0.01;
            let shown = fault && random.uniform() < 0.9;
            let p = if shown { 1e-5 * random.uniform() } else { random.uniform() };
            faulty += f64::from(u8::from(fault));
            if budget.test(p) {
                *(if fault { &mut right } else { &mut wrong }) += 1.0;
            }
        }
        false_share += wrong / f64::max(right + wrong, 1.0) / f64::from(runs as u8);
        found_share += right / faulty / f64::from(runs as u8);
        assert_eq!(budget.discoveries() as f64, right + wrong);
    }
    assert!(false_share <= 0.1, "false share {false_share}");
    assert!(found_share > 0.8, "found share {found_share}");
}

#[test]
fn a_healthy_fleet_is_left_alone() {
    let mut random = Random::new(23);
    let runs = (0..100).filter(|_| {
        let mut budget = DiscoveryBudget::new(0.1).unwrap();
        (0..2000).filter(|_| budget.test(random.uniform())).count() > 0
    });
    let wrong = runs.count();
    assert!(wrong <= 15, "{wrong} of 100 healthy days raised something; 10 are borne");
    assert!(DiscoveryBudget::new(0.0).is_err() && DiscoveryBudget::new(f64::NAN).is_err());
}
