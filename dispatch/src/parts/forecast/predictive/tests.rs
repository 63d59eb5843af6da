use proptest::prelude::*;
use statrs::distribution::{Discrete, NegativeBinomial, Poisson};

use super::*;

fn over(mean: f64, variance: f64, months: u32) -> Predictive {
    MonthlyDemand { mean, variance }.over(months).unwrap()
}

#[test]
fn as_statrs_has_it() {
    for (mean, variance) in [(0.05, 0.06), (0.5, 2.0), (3.0, 9.0), (40.0, 400.0), (700.0, 30_000.0)] {
        let own = over(mean, variance, 1);
        let success = mean / variance;
        let reference = NegativeBinomial::new(mean * success / (1.0 - success), success).unwrap();
        for pieces in 0..=own.most() {
            assert!((own.pmf(pieces) - reference.pmf(u64::from(pieces))).abs() < 2e-9, "{mean} {variance} {pieces}");
        }
    }
    let reference = Poisson::new(6.0).unwrap();
    for pieces in 0..30 {
        assert!((over(3.0, 1.0, 2).pmf(pieces) - reference.pmf(u64::from(pieces))).abs() < 2e-9);
    }
}

#[test]
fn two_months_are_the_convolution_of_one() {
    let (one, two) = (over(1.5, 4.0, 1), over(1.5, 4.0, 2));
    for pieces in 0..=20 {
        let folded: f64 = (0..=pieces).map(|first| one.pmf(first) * one.pmf(pieces - first)).sum();
        assert!((two.pmf(pieces) - folded).abs() < 1e-8);
    }
}

#[test]
fn quantiles_are_the_least_that_suffice() {
    let demand = over(2.0, 5.0, 1);
    for probability in [0.01, 0.5, 0.9, 0.999] {
        let pieces = demand.quantile(probability);
        assert!(demand.cdf(pieces) >= probability);
        assert!(pieces == 0 || demand.cdf(pieces - 1) < probability);
    }
    assert_eq!((demand.quantile(-1.0), demand.quantile(2.0)), (0, demand.most()));
}

#[test]
fn nothing_is_certain_to_be_nothing() {
    for demand in [over(0.0, 0.0, 5), over(3.0, 4.0, 0), over(0.0, 7.0, 1)] {
        assert_eq!((demand.pmf(0), demand.cdf(0), demand.most(), demand.mean()), (1.0, 1.0, 0, 0.0));
    }
}

#[test]
fn what_is_no_demand_is_refused() {
    for (mean, variance) in [(f64::NAN, 1.0), (-1.0, 1.0), (1.0, f64::INFINITY), (1e6, 1.0)] {
        assert!(MonthlyDemand { mean, variance }.over(1).is_err());
    }
}

proptest! {
    #[test]
    fn any_demand_is_a_distribution(mean in 0.0..2_000.0_f64, ratio in 0.1..50.0_f64) {
        let demand = over(mean, mean * ratio, 1);
        prop_assert!((demand.cdf(demand.most()) - 1.0).abs() < 1e-9);
        prop_assert!((demand.mean() - mean).abs() < 1e-5 * (1.0 + mean), "{} for {mean}", demand.mean());
    }

    #[test]
    fn extremes_neither_panic_nor_hang(mean in 0.0..50_000.0_f64, exponent in -20.0..18.0_f64) {
        let demand = over(mean, 10_f64.powf(exponent), 1);
        prop_assert!(demand.mean().is_finite());
    }
}
