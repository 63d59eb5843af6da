//! From wear clock to time: the loads ahead, by runs that began alike.

use serde::{Deserialize, Serialize};

use super::state::RECENT;
use crate::prognosis::first_passage::FirstPassage;

/// How unlike two loads may be, as a part of the load itself, before their runs tell little about
/// each other: what the feed of one and the same programme differs by.
const LIKENESS: f64 = 0.05;
/// The weight of "it goes on as it did lately" beside a run of quite the same load.
const AS_LATELY: f64 = 1e-3;
/// Runs of a smaller weight are left out.
const NEGLIGIBLE: f64 = 1e-5;
/// Points that stand for the distribution of the clock to go.
const POINTS: usize = 11;

/// The loads of earlier runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Loads {
    /// For each run its clock after each block, from 0.
    clocks: Vec<Vec<f64>>,
}

impl Loads {
    pub(super) fn new(paces: impl Iterator<Item = Vec<f64>>) -> Self {
        let summed = |paces: Vec<f64>| {
            let mut clock = 0.0;
            std::iter::once(0.0)
                .chain(paces.into_iter().map(|pace| {
                    clock += pace;
                    clock
                }))
                .collect()
        };
        Self { clocks: paces.map(summed).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.clocks.len()
    }

    /// The longest run, in blocks.
    pub(super) fn longest(&self) -> usize {
        self.clocks.iter().map(|clocks| clocks.len() - 1).max().unwrap_or(0)
    }

    /// Adds to the distance of each run how differently it was loaded in a block.
    pub(super) fn compare(&self, block: usize, pace: f64, distances: &mut [f64]) {
        for (clocks, distance) in self.clocks.iter().zip(distances) {
            if let Some([from, to]) = clocks.get(block..block + 2) {
                *distance += (to - from - pace).abs();
            }
        }
    }

    /// The ways on for a part after so many blocks and so much clock.
    pub(super) fn ahead(&self, blocks: usize, clock: f64, distances: &[f64], pace: f64) -> Ahead<'_> {
        let weighed = self.clocks.iter().zip(distances).filter_map(|(clocks, distance)| {
            let weight = (-distance / (clock * LIKENESS).max(f64::MIN_POSITIVE)).exp();
            let run = clocks.get(blocks..).filter(|run| run.len() > 1 && weight > NEGLIGIBLE)?;
            Some((run, weight))
        });
        Ahead { runs: weighed.collect(), pace }
    }
}

/// Ways on, each with its weight.
pub(super) struct Ahead<'a> {
    runs: Vec<(&'a [f64], f64)>,
    /// The latest pace.
    pace: f64,
}

impl Ahead<'_> {
    /// The 10, 50 and 90 % quantiles of the blocks until the clock to go has gone.
    pub(super) fn quantiles(&self, to_go: &FirstPassage) -> [f64; 3] {
        let mut times = Vec::with_capacity((self.runs.len() + 1) * POINTS);
        for point in 0..POINTS {
            let clock = to_go.quantile((point as f64 + 0.5) / POINTS as f64);
            times.extend(self.runs.iter().map(|&(run, weight)| (blocks_for(run, clock), weight)));
            times.push((clock / self.pace.max(LEAST_PACE), AS_LATELY));
        }
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        [0.1, 0.5, 0.9].map(|p| weighted_quantile(&times, p))
    }
}

/// Below this pace a part does not wear; its life is then long, but a number.
const LEAST_PACE: f64 = 1e-6;

/// Blocks until a run's clock has gone on by `clock`; after the run's end at its latest pace.
fn blocks_for(run: &[f64], clock: f64) -> f64 {
    let target = run[0] + clock;
    let last = run.len() - 1;
    if target > run[last] {
        let from = last - last.min(RECENT as usize);
        let pace = (run[last] - run[from]) / (last - from).max(1) as f64;
        return last as f64 + (target - run[last]) / pace.max(LEAST_PACE);
    }
    let above = run.partition_point(|&gone| gone < target).clamp(1, last);
    let (low, high) = (run[above - 1], run[above]);
    (above - 1) as f64 + if high > low { (target - low) / (high - low) } else { 1.0 }
}

/// The quantile of sorted values with weights, linear between the middles of their weights.
fn weighted_quantile(sorted: &[(f64, f64)], p: f64) -> f64 {
    let total: f64 = sorted.iter().map(|point| point.1).sum();
    let (mut sum, mut before) = (0.0, None);
    for &(value, weight) in sorted {
        let middle = (sum + 0.5 * weight) / total;
        if middle >= p {
            return match before {
                Some((low, at)) => low + (value - low) * (p - at) / (middle - at),
                None => value,
            };
        }
        before = Some((value, middle));
        sum += weight;
    }
    before.map_or(0.0, |point| point.0)
}
