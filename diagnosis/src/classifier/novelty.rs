//! Whether a row is like those that were learnt.

use serde::{Deserialize, Serialize};

use crate::robust;

/// Rows kept of those learnt; the distance to the nearest of them costs some 2 µs with 25 features.
const KEPT: usize = 256;
/// Part of the rows left out whose distances make the tail.
const TAIL: f64 = 0.1;
/// How fast the odds of `unknown` rise as a row gets stranger: `p` of what is unknown has density
/// `a p^(a-1)` (the alternatives of Sellke, Bayarri & Berger 2001), that of what is known 1.
const STRANGENESS: f64 = 0.1;

/// Distance to the nearest of the rows learnt, and how far rows of appliances left out lie.
///
/// All features count alike, also those that no known class depends on: one of them may be what
/// tells an unknown class apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Novelty {
    /// Median and reciprocal spread of each feature.
    centres: Vec<f32>,
    weights: Vec<f32>,
    /// Standardised rows, one after the other; a missing value is 0.
    rows: Vec<f32>,
    /// One a class: rows of a rare class lie far from others because there are few, which does not
    /// make them strange (label-conditional conformal prediction, Vovk 2013).
    tails: Vec<Tail>,
}

/// How far a class's rows of appliances left out lie from all those learnt: the part [`TAIL`] lies beyond
/// `from`, by a generalised Pareto distribution (Coles 2001, chapter 4).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    from: f64,
    scale: f64,
    shape: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    centres: Vec<f32>,
    weights: Vec<f32>,
    rows: Vec<f32>,
    tails: Vec<Tail>,
}

impl TryFrom<Raw> for Novelty {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        let features = raw.centres.len();
        let all = [&raw.centres, &raw.weights, &raw.rows];
        if features == 0 || raw.weights.len() != features || !raw.rows.len().is_multiple_of(features) {
            return Err("rows learnt have one value a feature");
        }
        if raw.rows.is_empty() || all.iter().any(|values| values.iter().any(|value| !value.is_finite())) {
            return Err("rows learnt are finite, and there is at least one");
        }
        let sound = |Tail { from, scale, shape }: &Tail| {
            from.is_finite() && *scale > 0.0 && scale.is_finite() && (0.0..=1.0).contains(shape)
        };
        if raw.tails.is_empty() || !raw.tails.iter().all(sound) {
            return Err("distances have a finite beginning, a positive scale and a shape from 0 to 1");
        }
        let Raw { centres, weights, rows, tails } = raw;
        Ok(Novelty { centres, weights, rows, tails })
    }
}

impl Novelty {
    /// Keeps some rows of each class, evenly chosen: a rare class is not to look strange. The rows
    /// of each class come in any order; `folds` tells which were left out together.
    pub(super) fn fit(rows: &[&[f64]], labels: &[usize], folds: &[usize]) -> Self {
        let classes = labels.iter().copied().max().unwrap_or(0) + 1;
        let mut distances: Vec<Vec<f64>> = vec![Vec::new(); classes];
        for fold in 0..=folds.iter().copied().max().unwrap_or(0) {
            let rest: Vec<usize> = (0..rows.len()).filter(|row| folds[*row] != fold).collect();
            let novelty = Self::keep(rows, labels, &rest);
            for row in (0..rows.len()).filter(|row| folds[*row] == fold) {
                distances[labels[row]].push(novelty.nearest(rows[row]).1);
            }
        }
        let all: Vec<usize> = (0..rows.len()).collect();
        let mut novelty = Self::keep(rows, labels, &all);
        novelty.tails = distances.into_iter().map(Tail::fit).collect();
        novelty
    }

    fn keep(rows: &[&[f64]], labels: &[usize], chosen: &[usize]) -> Self {
        let features = rows[0].len();
        let scales: Vec<(f32, f32)> = (0..features).map(|feature| scale(rows, chosen, feature)).collect();
        let (centres, weights) = scales.into_iter().unzip();
        let mut novelty = Novelty { centres, weights, rows: Vec::new(), tails: Vec::new() };
        let classes = labels.iter().copied().max().unwrap_or(0) + 1;
        for class in 0..classes {
            let own: Vec<usize> = chosen.iter().copied().filter(|row| labels[*row] == class).collect();
            let keep = own.len().min(KEPT / classes + 1);
            for number in 0..keep {
                let row = rows[own[number * own.len() / keep]];
                novelty.rows.extend(
                    standardised(row, &novelty.centres, &novelty.weights)
                        .map(|value| if value.is_finite() { value } else { 0.0 }),
                );
            }
        }
        novelty
    }

    /// How many features a row has.
    pub fn features(&self) -> usize {
        self.centres.len()
    }

    /// How many classes have rows.
    pub fn classes(&self) -> usize {
        self.tails.len()
    }

    /// How often a row of an appliance left out lies at least as far from the rows learnt, among
    /// rows of each class and averaged with the classes' probabilities; 1 for all that lies no
    /// farther than most. 0 if more than half of the features are missing.
    pub fn familiarity(&self, row: &[f64], probabilities: &[f64]) -> f64 {
        if row.iter().filter(|value| value.is_nan()).count() * 2 > row.len() {
            return 0.0;
        }
        let distance = self.nearest(row).1;
        let classes = self.tails.iter().zip(probabilities);
        classes.map(|(tail, probability)| probability * tail.probability(distance)).sum()
    }

    /// The part of each feature in the squared distance to the nearest row learnt.
    pub(super) fn parts(&self, row: &[f64]) -> Vec<f64> {
        let (nearest, _) = self.nearest(row);
        let own = standardised(row, &self.centres, &self.weights);
        let known = &self.rows[nearest * self.features()..];
        let squares: Vec<f64> = own
            .zip(known)
            .map(|(own, known)| if own.is_nan() { 0.0 } else { f64::from(own - known).powi(2) })
            .collect();
        let sum = squares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        squares.into_iter().map(|square| square / sum).collect()
    }

    /// The nearest row learnt and the distance to it; missing features are left out, and the rest
    /// count for them.
    fn nearest(&self, row: &[f64]) -> (usize, f64) {
        let own: Vec<f32> = standardised(row, &self.centres, &self.weights).collect();
        let present: Vec<f32> = own.iter().map(|value| f32::from(u8::from(!value.is_nan()))).collect();
        let own: Vec<f32> = own.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect();
        let share = present.iter().sum::<f32>().max(1.0) / own.len() as f32;
        let distances = self.rows.chunks_exact(own.len()).map(|known| {
            let terms = own.iter().zip(known).zip(&present);
            terms.map(|((own, known), present)| present * (own - known) * (own - known)).sum::<f32>()
        });
        let nearest = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        nearest.map_or((0, f64::MAX), |(row, distance)| (row, f64::from(distance / share).sqrt()))
    }
}

/// The probability that a row belongs to a class never seen, from how familiar it looks.
pub(super) fn unknown(familiarity: f64, prior: f64) -> f64 {
    if familiarity <= 0.0 {
        return 1.0;
    }
    let odds = prior / (1.0 - prior) * STRANGENESS * familiarity.powf(STRANGENESS - 1.0);
    if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 }
}

/// Values in spreads from the centre, within what can be squared and summed in `f32`.
fn standardised(row: &[f64], centres: &[f32], weights: &[f32]) -> impl Iterator<Item = f32> {
    let scales = centres.iter().zip(weights);
    row.iter().zip(scales).map(|(value, (centre, weight))| ((*value as f32 - centre) * weight).clamp(-1e15, 1e15))
}

/// Median and reciprocal spread. Where half of the values are one value the standard deviation
/// serves, and a feature that never changed counts in units of itself.
fn scale(rows: &[&[f64]], chosen: &[usize], feature: usize) -> (f32, f32) {
    let mut values: Vec<f64> = chosen.iter().map(|row| rows[*row][feature]).collect();
    let Some(scale) = robust::scale(&mut values) else { return (0.0, 0.0) };
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    let candidates = [scale.spread, deviation, scale.centre.abs(), 1.0];
    let spread = candidates.into_iter().find(|spread| *spread > 1e-9 * scale.centre.abs().max(1e-9)).unwrap_or(1.0);
    (scale.centre as f32, (1.0 / spread) as f32)
}

impl Tail {
    /// By the method of moments (Hosking & Wallis 1987), no lighter than exponential: a lighter tail
    /// would end, and beyond its end nothing would be possible.
    fn fit(mut distances: Vec<f64>) -> Self {
        let from = robust::quantile(&mut distances, 1.0 - TAIL).unwrap_or(0.0);
        let beyond: Vec<f64> = distances.into_iter().filter(|distance| *distance > from).map(|d| d - from).collect();
        let count = beyond.len().max(1) as f64;
        let mean = (beyond.iter().sum::<f64>() / count).max(1e-6 * from.max(1.0));
        let variance = beyond.iter().map(|excess| (excess - mean).powi(2)).sum::<f64>() / count;
        let shape = if variance > 0.0 { (0.5 * (1.0 - mean * mean / variance)).clamp(0.0, 0.45) } else { 0.0 };
        Tail { from, scale: mean * (1.0 - shape), shape }
    }

    fn probability(&self, distance: f64) -> f64 {
        let excess = (distance - self.from) / self.scale;
        if excess <= 0.0 {
            1.0
        } else if self.shape < 1e-6 {
            TAIL * (-excess).exp()
        } else {
            TAIL * (1.0 + self.shape * excess).powf(-1.0 / self.shape)
        }
    }
}
