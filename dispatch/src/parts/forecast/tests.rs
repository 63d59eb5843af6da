use proptest::prelude::*;

use super::*;

/// Series and what `statsforecast` 2.1.1 forecasts for them, computed in double precision.
const REFERENCE: &str = include_str!("tests/reference.json");

#[derive(Deserialize)]
struct Reference {
    series: Vec<Vec<f64>>,
    means: std::collections::BTreeMap<String, Vec<f64>>,
}

fn mean(series: &[f64], method: Method) -> f64 {
    forecast(series, method).unwrap().mean
}

fn methods() -> [(&'static str, Method); 6] {
    [
        ("CrostonClassic", Method::Croston { alpha: 0.1 }),
        ("CrostonSBA", Method::Sba { alpha: 0.1 }),
        ("TSB", Method::Tsb { alpha_size: 0.1, alpha_probability: 0.2 }),
        ("CrostonOptimized", Method::CrostonOptimized),
        ("ADIDA", Method::Adida),
        ("IMAPA", Method::Imapa),
    ]
}

#[test]
fn equal_to_statsforecast() {
    let reference: Reference = serde_json::from_str(REFERENCE).unwrap();
    for (name, method) in methods() {
        let ours = forecast_all(&reference.series, method).unwrap();
        for ((series, ours), theirs) in reference.series.iter().zip(ours).zip(&reference.means[name]) {
            let difference = (ours.mean - theirs).abs() / theirs.abs().max(1.0);
            assert!(difference < 1e-9, "{name} of {series:?}: {} against {theirs}", ours.mean);
        }
    }
}

#[test]
fn croston_by_hand() {
    // Sizes 4, 6: 4, then 0.5 · 6 + 0.5 · 4 = 5. Intervals 2, 3: 2, then 2.5.
    let series = [0.0, 4.0, 0.0, 0.0, 6.0, 0.0];
    assert_eq!(mean(&series, Method::Croston { alpha: 0.5 }), 2.0);
    assert_eq!(mean(&series, Method::Sba { alpha: 0.5 }), 1.5);
}

#[test]
fn tsb_fades_with_every_empty_month() {
    // Probability 0, then 0.5, then 0.25; size 8.
    let method = Method::Tsb { alpha_size: 0.5, alpha_probability: 0.5 };
    assert_eq!(mean(&[0.0, 8.0, 0.0], method), 2.0);
    assert_eq!(mean(&[0.0, 8.0, 0.0, 0.0], method), 1.0);
}

#[test]
fn a_missing_month_is_as_though_it_had_not_been() {
    for (_, method) in methods() {
        assert_eq!(mean(&[1.0, f64::NAN, 0.0, 3.0, f64::NAN], method), mean(&[1.0, 0.0, 3.0], method));
    }
}

#[test]
fn short_and_empty_series_are_defined() {
    for (name, method) in methods() {
        assert_eq!(mean(&[0.0; 7], method), 0.0, "{name}");
        assert_eq!(mean(&[0.0], method), 0.0, "{name}");
        assert!((mean(&[3.0], method) - 3.0 * if name == "CrostonSBA" { 0.95 } else { 1.0 }).abs() < 1e-12, "{name}");
        assert_eq!(forecast(&[], method).unwrap_err().to_string(), "series[0]: is empty; give at least one");
        assert!(forecast(&[f64::NAN], method).is_err());
    }
    let forecast = forecast(&[0.0, f64::NAN, 2.0], Method::Adida).unwrap();
    assert_eq!((forecast.months, forecast.demands), (2, 1));
}

#[test]
fn errors_name_the_month() {
    let series = [vec![1.0, 2.0], vec![0.0, -1.0]];
    let error = forecast_all(&series, Method::Imapa).unwrap_err();
    assert_eq!(error.to_string(), "series[1][1]: is -1; give 0 to 1000000000");
    assert_eq!(forecast(&[1.0], Method::Croston { alpha: 0.0 }).unwrap_err().field, "alpha");
    assert!(forecast(&[f64::INFINITY], Method::Adida).is_err());
}

proptest! {
    #[test]
    fn any_series_has_a_finite_forecast_or_an_error(
        series in proptest::collection::vec(prop_oneof![Just(0.0), Just(f64::NAN), 0.0..1e9, any::<f64>()], 0..80),
    ) {
        for (_, method) in methods() {
            if let Ok(forecast) = forecast(&series, method) {
                prop_assert!(forecast.mean.is_finite() && forecast.mean >= 0.0);
            }
        }
    }

    #[test]
    fn together_or_alone_is_the_same(series in proptest::collection::vec(proptest::collection::vec(0_u8..4, 1..30), 1..20)) {
        let series: Vec<Vec<f64>> = series.into_iter().map(|part| part.into_iter().map(f64::from).collect()).collect();
        for (_, method) in methods() {
            let together = forecast_all(&series, method).unwrap();
            for (part, forecast) in series.iter().zip(together) {
                prop_assert_eq!(forecast.mean.to_bits(), mean(part, method).to_bits());
            }
        }
    }
}
