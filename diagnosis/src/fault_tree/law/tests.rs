use proptest::prelude::*;

use super::*;

fn probability(law: Law) -> f64 {
    law.probability().unwrap()
}

fn assert_close(got: f64, wanted: f64, relative: f64) {
    assert!((got - wanted).abs() <= relative * wanted.abs(), "{got:e} is not {wanted:e}");
}

/// What SCRAM 0.16.2 prints, to its six digits.
#[test]
fn the_laws_of_the_exchange_format() {
    let weibull = |shape, time| Law::Weibull { scale: 20_000.0, shape, age: 0.0, time };
    let tested = |first, time| Law::PeriodicTest { rate: 1e-4, interval: 720.0, first, time };
    let cases = [
        (Law::Exponential { rate: 1e-5, time: 8_760.0 }, 0.083_872_7),
        (Law::Repairable { on_demand: 0.02, rate: 1e-4, repair: 0.05, time: 30.0 }, 0.006_001_21),
        (weibull(2.5, 8_760.0), 0.119_236),
        // The format's shift of 760 in 8760: life begins there.
        (weibull(0.7, 8_000.0), 0.409_363),
        (tested(100.0, 8_760.0), 0.001_998),
        // 8760 is a test's moment: just before it.
        (tested(120.0, 8_760.0), 0.069_469_1),
        (tested(100.0, 50.0), 0.004_987_52),
    ];
    for (law, wanted) in cases {
        assert_close(probability(law), wanted, 5e-6);
    }
}

/// Against 40-digit arithmetic.
#[test]
fn tiny_rates_and_late_ages_keep_their_digits() {
    assert_close(probability(Law::Exponential { rate: 1e-17, time: 3.0 }), 3e-17, 1e-15);
    let late = Law::Weibull { scale: 20_000.0, shape: 2.5, age: 30_000.0, time: 1.0 };
    assert_close(probability(late), 2.296_190_379_218_715_4e-4, 1e-14);
    let rare = Law::Repairable { on_demand: 0.0, rate: 1e-12, repair: 2e-12, time: 2.0 };
    assert_close(probability(rare), 1.999_999_999_994e-12, 1e-15);
}

/// The hazard rate of a Weibull life, summed by Simpson's rule over the mission.
#[test]
fn a_weibull_life_gathers_its_hazard_rate() {
    let (scale, shape, age, time) = (900.0, 1.7, 400.0, 300.0);
    let rate = |t: f64| shape / scale * ((age + t) / scale).powf(shape - 1.0);
    let steps = 1_000;
    let width = time / f64::from(steps);
    let weight = |i: i32| if i == 0 || i == steps { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) };
    let hazard: f64 = (0..=steps).map(|i| weight(i) * rate(f64::from(i) * width)).sum::<f64>() * width / 3.0;
    assert_close(probability(Law::Weibull { scale, shape, age, time }), 1.0 - (-hazard).exp(), 1e-11);
}

/// `p' = rate (1 - p) - repair p`, by the method of Runge and Kutta.
#[test]
fn a_repairable_part_follows_its_differential_equation() {
    let (on_demand, rate, repair, time) = (0.3, 0.02, 0.11, 25.0);
    let change = |p: f64| rate * (1.0 - p) - repair * p;
    let step = time / 2_000.0;
    let walked = (0..2_000).fold(on_demand, |p, _| {
        let a = change(p);
        let b = change(p + step / 2.0 * a);
        let c = change(p + step / 2.0 * b);
        let d = change(p + step * c);
        p + step / 6.0 * (a + 2.0 * b + 2.0 * c + d)
    });
    assert_close(probability(Law::Repairable { on_demand, rate, repair, time }), walked, 1e-11);
}

#[test]
fn a_test_that_rounding_misses_is_still_met() {
    // 0.1 + 0.2 is a shade above 0.3; the third test is then, not a moment ago.
    let law = Law::PeriodicTest { rate: 1.0, interval: 0.1, first: 0.0, time: 0.1 + 0.2 };
    assert_close(probability(law), 1.0 - (-0.1f64).exp(), 1e-12);
}

#[test]
fn a_bad_parameter_is_named() {
    let named = |law: Law| law.probability().unwrap_err().to_string();
    assert_eq!(named(Law::Constant(1.5)), "probability is 1.5; it must be between 0 and 1");
    assert_eq!(named(Law::Constant(f64::NAN)), "probability is NaN; it must be between 0 and 1");
    assert_eq!(
        named(Law::Exponential { rate: -1.0, time: 1.0 }),
        "failure rate is -1; it must be 0 or above and finite"
    );
    assert_eq!(
        named(Law::PeriodicTest { rate: 1.0, interval: 0.0, first: 0.0, time: 1.0 }),
        "test interval is 0; it must be above 0 and finite"
    );
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), 0.0..2.0f64, Just(0.0), Just(f64::MAX), Just(f64::MIN_POSITIVE)]
}

proptest! {
    #[test]
    fn every_law_is_an_error_or_a_probability(a in any_number(), b in any_number(), c in any_number(), d in any_number()) {
        let laws = [
            Law::Constant(a),
            Law::Exponential { rate: a, time: b },
            Law::Weibull { scale: a, shape: b, age: c, time: d },
            Law::Repairable { on_demand: a, rate: b, repair: c, time: d },
            Law::PeriodicTest { rate: a, interval: b, first: c, time: d },
        ];
        for law in laws {
            if let Ok(probability) = law.probability() {
                prop_assert!((0.0..=1.0).contains(&probability), "{law:?} gives {probability}");
            }
        }
    }
}
