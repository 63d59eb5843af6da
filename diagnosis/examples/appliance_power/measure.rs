//! Areas under the curve, and how sure they are.

use std::collections::BTreeMap;

use super::days::{Day, Device};

/// Resamples of the bootstrap.
const RESAMPLES: usize = 500;

/// A mean over kinds of fault, with the bootstrap's interval from 5 % to 95 %.
pub struct Figure {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

pub struct Figures {
    /// By device and kind of fault.
    pub each: Vec<((String, String), f64)>,
    /// The mean over devices and kinds of fault of each kind of appliance.
    pub by_kind: Vec<(String, Figure)>,
    pub all: Figure,
}

/// A scored day: which healthy day it is or was made from, and its score.
type Scored = (usize, f64);

struct Case {
    kind: String,
    name: (String, String),
    healthy: Vec<Scored>,
    faulty: Vec<Scored>,
}

/// Scores every day; days for which there is no score are left out, healthy and faulty alike.
pub fn measure(devices: &[Device], score: impl Fn(&Device, &Day) -> Option<f64>) -> Figures {
    let mut cases = Vec::new();
    for device in devices {
        let scored = |days: &[Day]| -> Vec<Scored> {
            days.iter().filter_map(|day| Some((device.source(day), score(device, day)?))).collect()
        };
        let healthy = scored(&device.healthy);
        for (fault, days) in &device.faulty {
            let name = (device.name.clone(), fault.clone());
            cases.push(Case { kind: device.kind.clone(), name, healthy: healthy.clone(), faulty: scored(days) });
        }
    }
    figures(&cases)
}

fn figures(cases: &[Case]) -> Figures {
    let each: Vec<f64> = cases.iter().map(|case| area(&case.healthy, &case.faulty, &|_| 1.0)).collect();
    let mut random = 7;
    // The recorded day is what is drawn: a healthy day and all faults put into it come together.
    let drawn: Vec<Vec<f64>> = (0..RESAMPLES).map(|_| resample(cases, &mut random)).collect();
    let kinds: std::collections::BTreeSet<&String> = cases.iter().map(|case| &case.kind).collect();
    let figure = |of: &dyn Fn(&Case) -> bool| {
        let mean = |values: &[f64]| {
            let some: Vec<f64> = cases.iter().zip(values).filter(|(case, _)| of(case)).map(|(_, v)| *v).collect();
            some.iter().sum::<f64>() / some.len() as f64
        };
        let mut means: Vec<f64> = drawn.iter().map(|values| mean(values)).collect();
        means.sort_unstable_by(f64::total_cmp);
        Figure { mean: mean(&each), low: means[RESAMPLES / 20], high: means[RESAMPLES - 1 - RESAMPLES / 20] }
    };
    let by_kind = kinds.iter().map(|kind| ((*kind).clone(), figure(&|case| case.kind == **kind))).collect();
    let all = figure(&|_| true);
    Figures { each: cases.iter().map(|case| case.name.clone()).zip(each).collect(), by_kind, all }
}

fn resample(cases: &[Case], random: &mut u64) -> Vec<f64> {
    let mut weights: BTreeMap<(&str, usize), f64> = BTreeMap::new();
    let devices: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.name.0.as_str(), case)).collect();
    for (device, case) in devices {
        for _ in 0..case.healthy.len() {
            let (source, _) = case.healthy[draw(random) as usize % case.healthy.len()];
            *weights.entry((device, source)).or_default() += 1.0;
        }
    }
    let weight = |case: &Case, source| weights.get(&(case.name.0.as_str(), source)).copied().unwrap_or(0.0);
    cases.iter().map(|case| area(&case.healthy, &case.faulty, &|source| weight(case, source))).collect()
}

/// The probability that a faulty day scores above a healthy one, ties counting half, each day with
/// the weight of its source; 0.5 without weight.
fn area(healthy: &[Scored], faulty: &[Scored], weight: &dyn Fn(usize) -> f64) -> f64 {
    let (mut above, mut pairs) = (0.0, 0.0);
    for (fault_source, fault) in faulty {
        for (source, score) in healthy {
            let pair = weight(*fault_source) * weight(*source);
            let won = if fault > score {
                1.0
            } else if fault == score {
                0.5
            } else {
                0.0
            };
            above += pair * won;
            pairs += pair;
        }
    }
    if pairs > 0.0 { above / pairs } else { 0.5 }
}

/// SplitMix64 (Steele et al. 2014), its upper half.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) >> 32
}
