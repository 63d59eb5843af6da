use std::cell::Cell;

use super::*;

const PLAN: Sampling = Sampling { trials: 20_000, seed: 7 };

fn event(spread: Option<Spread>) -> Event {
    Event { name: "valve".to_owned(), label: String::new(), kind: EventKind::Basic, law: None, spread }
}

fn log_normal(error_factor: f64) -> Event {
    event(Some(Spread::LogNormal { error_factor }))
}

fn of_one(spread: Spread, probability: f64) -> Result<Uncertainty, UncertaintyError> {
    propagate(&[event(Some(spread))], &[probability], PLAN, &|| false, &mut |all| all[0])
}

fn assert_close(got: f64, wanted: f64, relative: f64) {
    assert!((got - wanted).abs() <= relative * wanted.abs(), "{got:e} is not {wanted:e}");
}

#[test]
fn one_event_has_its_own_law() {
    let (mean, error_factor) = (1e-4f64, 5.0f64);
    let seen = of_one(Spread::LogNormal { error_factor }, mean).unwrap();
    // Moments of the log-normal law.
    let sigma = error_factor.ln() / 1.644_853_626_951_472_7;
    let median = mean * (-sigma * sigma / 2.0).exp();
    assert_close(seen.mean, mean, 0.01);
    assert_close(seen.deviation, mean * ((sigma * sigma).exp() - 1.0).sqrt(), 0.1);
    assert_close(seen.median, median, 0.01);
    assert_close(seen.p95, median * error_factor, 0.01);
    assert_close(seen.p05, median / error_factor, 0.01);
    assert_close(seen.error_factor.unwrap(), error_factor, 0.01);
    assert_eq!((seen.trials, seen.cut), (20_000, 0));

    let seen = of_one(Spread::Uniform { min: 0.2, max: 0.4 }, 0.9).unwrap();
    assert_close(seen.mean, 0.3, 1e-3);
    assert_close(seen.p05, 0.21, 1e-3);
    assert_close(seen.deviation, 0.2 / 12f64.sqrt(), 1e-3);

    let seen = of_one(Spread::Beta { alpha: 2.0, beta: 8.0 }, 0.9).unwrap();
    assert_close(seen.mean, 0.2, 1e-3);
    assert_close(seen.deviation, (0.16f64 / 11.0).sqrt(), 1e-2);
}

/// The mean of a product of independent factors is the product of their means. Each seed says
/// where it lies with 95 % confidence: of 200, 180 to 198 are right but once in 10,000 times.
#[test]
fn the_mean_is_as_well_known_as_is_said() {
    let events = [log_normal(10.0), log_normal(4.0), event(Some(Spread::Uniform { min: 0.0, max: 1.0 }))];
    let right = (0..200).filter(|seed| {
        let plan = Sampling { trials: 2_000, seed: *seed };
        let seen = propagate(&events, &[1e-3, 1e-2, 0.5], plan, &|| false, &mut |all| all.iter().product()).unwrap();
        (seen.mean_interval.0..=seen.mean_interval.1).contains(&5e-6)
    });
    let right = right.count();
    assert!((176..=199).contains(&right), "{right} of 200");
}

/// A sum is what stratified draws are best at: far better than independent ones.
#[test]
fn strata_sharpen_the_mean() {
    let events = vec![event(Some(Spread::Uniform { min: 0.0, max: 0.1 })); 5];
    let seen = propagate(&events, &[0.05; 5], PLAN, &|| false, &mut |all| all.iter().sum()).unwrap();
    let independent = seen.deviation / (seen.trials as f64).sqrt();
    assert!(seen.mean_interval.1 - seen.mean_interval.0 < independent / 10.0);
    assert_close(seen.mean, 0.25, 1e-4);
}

#[test]
fn a_seed_draws_the_same_again() {
    let draw = |seed| {
        let events = [log_normal(3.0), event(None)];
        propagate(&events, &[0.01, 0.5], Sampling { trials: 1_000, seed }, &|| false, &mut |all| all[0] * all[1])
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn draws_above_one_are_cut_and_counted() {
    let seen = of_one(Spread::LogNormal { error_factor: 10.0 }, 0.9).unwrap();
    assert!(seen.cut > 0);
    assert!(seen.p95 <= 1.0);
}

#[test]
fn stopping_keeps_whole_batches() {
    let stopped_after = |limit: usize| {
        let asked = Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) >= limit;
        propagate(&[log_normal(3.0)], &[0.01], PLAN, &stop, &mut |all| all[0])
    };
    assert_eq!(stopped_after(350).unwrap().trials, 300);
    assert_eq!(stopped_after(199), Err(UncertaintyError::Stopped { trials: 100 }));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let named = |spread| of_one(spread, 0.1).unwrap_err().to_string();
    assert_eq!(
        named(Spread::LogNormal { error_factor: 0.5 }),
        "event \"valve\": error factor is 0.5; it must be 1 or above and finite"
    );
    assert_eq!(
        named(Spread::Beta { alpha: f64::NAN, beta: 1.0 }),
        "event \"valve\": alpha is NaN; it must be between 0.01 and 1e8"
    );
    assert_eq!(
        named(Spread::Uniform { min: 0.3, max: 0.2 }),
        "event \"valve\": least value is 0.3; it must be between 0 and the greatest value"
    );
    let refused = |events: &[Event], trials| {
        propagate(events, &[0.1], Sampling { trials, seed: 1 }, &|| false, &mut |all| all[0]).unwrap_err()
    };
    assert_eq!(refused(&[event(None)], 1_000), UncertaintyError::NothingUncertain);
    assert_eq!(refused(&[log_normal(2.0)], 10), UncertaintyError::Trials(10));
    assert_eq!(refused(&[log_normal(2.0)], MAX_TRIALS + 1), UncertaintyError::Trials(MAX_TRIALS + 1));
}
