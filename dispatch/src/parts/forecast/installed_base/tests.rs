use super::*;

fn bands() -> FailureRates {
    let band = |from_month, exposure, failures| AgeBand { from_month, exposure, failures };
    FailureRates::learn(&[band(0, 900.0, 9.0), band(12, 100.0, 11.0)], 100.0).unwrap()
}

#[test]
fn rates_are_shrunk_to_the_usual_one() {
    // The usual rate is 20 failures in 1,000 part-months, which count as 2 in 100.
    assert!((bands().at(3) - 11.0 / 1_000.0).abs() < 1e-12);
    assert!((bands().at(12) - 13.0 / 200.0).abs() < 1e-12);
    assert_eq!(bands().at(12), bands().at(600));
}

#[test]
fn demand_grows_as_a_generation_wears() {
    let mut in_use = vec![0.0; 12];
    in_use[11] = 1_000.0;
    let months = bands().demand(&in_use, 0.0, 2).unwrap();
    assert!((months[0].mean - 11.0).abs() < 1e-9);
    // 989 of them are a year old then, 11 new.
    assert!((months[1].mean - (989.0 * 0.065 + 11.0 * 0.011)).abs() < 1e-9);
    // Poisson, and the rate itself with variance 0.011 / 1,000.
    assert!((months[0].variance - (11.0 + 1e6 * 0.011 / 1_000.0)).abs() < 1e-9);
}

#[test]
fn retired_appliances_ask_for_nothing() {
    let months = bands().demand(&[100.0], 1.0, 3).unwrap();
    assert!(months[0].mean > 0.0);
    assert_eq!((months[1].mean, months[2].mean), (0.0, 0.0));
}

#[test]
fn bad_input_is_named() {
    let band = AgeBand { from_month: 0, exposure: 0.0, failures: 1.0 };
    assert_eq!(FailureRates::learn(&[], 1.0).unwrap_err().field, "bands");
    assert_eq!(FailureRates::learn(&[band], 1.0).unwrap_err().field, "bands.exposure");
    assert_eq!(FailureRates::learn(&[band, band], 1.0).unwrap_err().field, "bands[1].from_month");
    assert_eq!(bands().demand(&[f64::NAN], 0.0, 1).unwrap_err().field, "in_use[0]");
    assert_eq!(bands().demand(&[], 0.0, 9_999).unwrap_err().field, "months");
}
