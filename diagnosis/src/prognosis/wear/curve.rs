//! The fleet's curve of level over wear clock.

use serde::{Deserialize, Serialize};

/// A rising polyline; beyond its ends it goes on as its last pieces do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Curve {
    /// Clocks and levels, both strictly rising; at least two.
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// From points of (clock, level), both strictly rising; None of fewer than two.
    pub(super) fn new(points: Vec<(f64, f64)>) -> Option<Self> {
        let rising = points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1);
        (points.len() >= 2 && rising).then_some(Self { points })
    }

    /// The level at a clock. Before the first point it stays.
    pub(super) fn level(&self, clock: f64) -> f64 {
        let first = self.points[0];
        if clock <= first.0 {
            return first.1;
        }
        let above = self.points.partition_point(|point| point.0 < clock);
        let (low, high) = self.piece(above);
        low.1 + (clock - low.0) * (high.1 - low.1) / (high.0 - low.0)
    }

    /// The clock at a level.
    pub(super) fn clock(&self, level: f64) -> f64 {
        let above = self.points.partition_point(|point| point.1 < level);
        let (low, high) = self.piece(above);
        low.0 + (level - low.1) * (high.0 - low.0) / (high.1 - low.1)
    }

    /// How fast the level rises about a clock, over `reach` to both sides: a filter that knows its
    /// place badly must not believe the slope at one point.
    pub(super) fn slope(&self, clock: f64, reach: f64) -> f64 {
        (self.level(clock + reach) - self.level(clock - reach)) / (2.0 * reach)
    }

    fn piece(&self, above: usize) -> ((f64, f64), (f64, f64)) {
        let above = above.clamp(1, self.points.len() - 1);
        (self.points[above - 1], self.points[above])
    }
}

/// The rising sequence nearest to `values` in least squares (pool adjacent violators, Ayer 1955).
pub(super) fn isotonic(values: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for &value in values {
        let (mut sum, mut count) = (value, 1);
        while let Some(&(before, members)) = pools.last() {
            if before / members as f64 <= sum / count as f64 {
                break;
            }
            pools.pop();
            sum += before;
            count += members;
        }
        pools.push((sum, count));
    }
    pools.iter().flat_map(|&(sum, count)| std::iter::repeat_n(sum / count as f64, count)).collect()
}
