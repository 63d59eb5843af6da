use proptest::prelude::*;

use super::*;

/// Parts of 12 months whose demand comes every `interval` months.
fn parts() -> Vec<Vec<f64>> {
    let part =
        |interval: usize, pieces: f64| (0..12).map(move |month| if month % interval == 0 { pieces } else { 0.0 });
    (1..7).map(|interval| part(interval, 2.0).collect()).collect()
}

#[test]
fn an_unknown_part_is_a_usual_one() {
    let model = PooledModel::learn(&parts(), 1.0).unwrap();
    let outlook = model.outlook(&[]);
    // 24, 12, 8, 6, 6 (months 0, 5 and 10) and 4 pieces in 12 months.
    assert!((outlook.mean - 60.0 / 72.0).abs() < 1e-12);
    assert!((outlook.variance - model.variance_scale * outlook.mean.powf(model.variance_exponent)).abs() < 1e-12);
}

#[test]
fn the_mean_is_the_posterior_of_gamma_and_poisson() {
    // Gamma with shape 3 and rate 2; 5 pieces in 4 months make it 8 and 6.
    let model = PooledModel { discount: 1.0, prior_mean: 1.5, prior_months: 2.0, ..PooledModel::default() };
    assert!((model.outlook(&[0.0, 4.0, f64::NAN, 1.0, 0.0]).mean - 8.0 / 6.0).abs() < 1e-12);
}

#[test]
fn credibility_is_noise_over_spread() {
    // Within: 2, 2, 0; of the means 1, 5, 3: variance 4 less a half of the mean within, 4 / 3 / 2.
    let (mean, months) = credibility(&[[0.0, 2.0], [4.0, 6.0], [3.0, 3.0]]).unwrap();
    assert!((mean - 3.0).abs() < 1e-12);
    assert!((months - (4.0 / 3.0) / (4.0 - 2.0 / 3.0)).abs() < 1e-12);
}

#[test]
fn old_months_fade() {
    let model = PooledModel { discount: 0.5, prior_months: 0.25, ..PooledModel::default() };
    assert!(model.outlook(&[9.0, 0.0, 0.0, 0.0, 0.0]).mean < model.outlook(&[0.0, 0.0, 0.0, 0.0, 9.0]).mean / 4.0);
}

#[test]
fn one_burst_does_not_make_every_month_one() {
    let model = PooledModel::learn(&parts(), 1.0).unwrap();
    let (large, huge) = (model.outlook(&[0.0, 1.0, 40.0]), model.outlook(&[0.0, 1.0, 400.0]));
    let factor = |outlook: &MonthlyDemand| outlook.variance / model.usual_variance(outlook.mean);
    assert!((factor(&large) - factor(&huge)).abs() < 1e-9);
}

#[test]
fn the_variance_function_is_found_again() {
    let surprises = (1..2_000).map(|mean| (f64::from(mean), 3.0 * f64::from(mean).powf(1.6))).collect();
    let (scale, exponent) = variance_function(surprises);
    assert!((exponent - 1.6).abs() < 0.05 && (scale.ln() - 3.0_f64.ln()).abs() < 0.3, "{scale} {exponent}");
}

#[test]
fn nothing_to_learn_from_is_an_error() {
    for series in [vec![], vec![vec![1.0]], vec![vec![f64::NAN; 9]]] {
        assert_eq!(PooledModel::learn(&series, 1.0).unwrap_err().field, "series");
    }
    assert_eq!(PooledModel::learn(&parts(), 0.0).unwrap_err().field, "discount");
}

proptest! {
    #[test]
    fn any_past_has_an_outlook(
        series in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(0.0), Just(f64::NAN), 0.0..1e6], 2..20), 1..8),
        discount in 0.01..1.0_f64,
    ) {
        if let Ok(model) = PooledModel::learn(&series, discount) {
            for part in &series {
                let outlook = model.outlook(part);
                prop_assert!(outlook.mean >= 0.0 && outlook.mean.is_finite(), "{outlook:?}");
                prop_assert!(outlook.variance >= 0.0 && outlook.variance.is_finite(), "{outlook:?}");
            }
        }
    }
}
