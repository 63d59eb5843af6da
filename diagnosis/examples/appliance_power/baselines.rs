//! What a few lines of code reach, and what the traps would give away.

use diagnosis::detection::cycle::Segmentation;
use nalgebra::{DMatrix, DVector};

use super::days::Day;

/// Scores a day by a device's baseline days.
type Baseline = fn(&[&Day], &Day) -> Option<f64>;

pub const ALL: [(&str, Baseline); 5] = [
    ("minutes above half of the usual load", minutes_on),
    ("energy of the day", energy),
    ("Hotelling's T2 of energy, minutes, cycles", t2),
    ("trap check: index of the last row seen", |_, day| Some(day.watts.len() as f64)),
    ("trap, not allowed: rows of the file", |_, day| Some(day.rows as f64)),
];

fn finite(day: &Day) -> impl Iterator<Item = f64> {
    day.watts.iter().copied().filter(|watts| watts.is_finite())
}

/// Above what a minute counts as on: as the cycles are cut.
fn threshold(baseline: &[&Day]) -> Option<f64> {
    let watts: Vec<f64> = baseline.iter().flat_map(|day| &day.watts).copied().collect();
    Segmentation::main_load(&watts, 0).map(|how| how.on_above)
}

fn minutes_on(baseline: &[&Day], day: &Day) -> Option<f64> {
    let threshold = threshold(baseline)?;
    Some(finite(day).filter(|watts| *watts > threshold).count() as f64)
}

fn energy(_: &[&Day], day: &Day) -> Option<f64> {
    Some(finite(day).sum())
}

fn t2(baseline: &[&Day], day: &Day) -> Option<f64> {
    let threshold = threshold(baseline)?;
    let features = |day: &Day| {
        let on: Vec<bool> = finite(day).map(|watts| watts > threshold).collect();
        let starts = on.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let minutes = on.iter().filter(|on| **on).count();
        let features = [finite(day).sum(), minutes as f64, starts as f64, minutes as f64 / starts.max(1) as f64];
        DVector::from_iterator(4, features.map(|feature: f64| feature.ln_1p()))
    };
    let known: Vec<DVector<f64>> = baseline.iter().map(|day| features(day)).collect();
    let n = known.len() as f64;
    let mean = known.iter().sum::<DVector<f64>>() / n;
    let spread = known.iter().map(|x| (x - &mean) * (x - &mean).transpose()).sum::<DMatrix<f64>>() / n;
    let solid = spread + DMatrix::identity(4, 4) * 1e-3;
    let far = features(day) - mean;
    Some(far.dot(&solid.cholesky()?.solve(&far)))
}
