//! Remaining life of recorded equipment, against the bars that the examples print.

#![allow(clippy::duplicate_mod, reason = "each example brings its own")]

#[allow(dead_code, reason = "an example's main")]
#[path = "../examples/cmapss.rs"]
mod cmapss;
#[allow(dead_code, reason = "an example's main")]
#[path = "../examples/filter_rul.rs"]
mod filter_rul;
#[path = "../examples/recorded/mod.rs"]
mod recorded;

/// Data: 35 runs of a filter to failure. Split: each run by a model of the 34 others. Bar: mean
/// absolute error of 6.0 s over all samples, and 74 to 86 % within P10 to P90.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn filters_are_foreseen_run_by_run() {
    let Some(text) = recorded::text("filter-rul/run-to-failure-35.csv.gz").unwrap() else { return };
    let asked = filter_rul::leave_runs_out(&filter_rul::runs(&text));
    let samples = asked.len() as f64;
    let error = asked.iter().map(|one| (one.p50 - one.truth).abs()).sum::<f64>() / samples;
    assert!(error <= 6.0, "{error}");
    let within = asked.iter().filter(|one| one.p10 <= one.truth && one.truth <= one.p90).count() as f64 / samples;
    assert!((0.74..=0.86).contains(&within), "{within}");
}

/// Data: C-MAPSS FD001. Split: its own training and test file, life up to 125 cycles, asked after
/// the last cycle. Bar: root mean square error of 12.0 with a model of at most 1 MB.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn turbofans_are_foreseen_by_a_small_model() {
    let text = |name: &str| recorded::text(&format!("cmapss/{name}_FD001.txt.gz")).unwrap();
    let (Some(train), Some(test), Some(lives)) = (text("train"), text("test"), text("RUL")) else { return };
    let model = cmapss::fit(&cmapss::engines(&train), 1);
    assert!(serde_json::to_vec(&model).unwrap().len() <= 1_000_000);
    let asked = cmapss::asked(&model, &cmapss::engines(&test), &lives);
    let error = cmapss::rmse(asked.iter().map(|one| (one[0], one[2])));
    assert!(error <= 12.0, "{error}");
}
