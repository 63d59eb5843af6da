//! One place after the other: the exact optimum.

use super::StockTree;
use super::distribution::Distribution;

/// A place as the recursion sees it, from the customer upwards.
pub(super) struct Stage {
    /// Holding cost here less the holding cost above.
    pub(super) echelon_holding: f64,
    pub(super) demand: Distribution,
}

/// A cost as a function of stock on lattice points `low..`; linear below.
struct Curve {
    low: i64,
    values: Vec<f64>,
}

impl Curve {
    fn at(&self, x: i64) -> f64 {
        let last = self.values.len() - 1;
        match x - self.low {
            below if below < 0 => self.values[0] + (self.values[0] - self.values[1]) * -below as f64,
            i => self.values[(i as usize).min(last)],
        }
    }

    fn lowest(&self) -> (i64, f64) {
        let least = |a: (usize, f64), b: (usize, f64)| if b.1 < a.1 { b } else { a };
        let (i, cost) = self.values.iter().copied().enumerate().fold((0, f64::INFINITY), least);
        (self.low + i as i64, cost)
    }
}

/// Echelon base-stock levels from the customer upwards, in lattice points, by Clark &
/// Scarf (1960) in the form of Chen & Zheng (1994):
/// `g_j(y) = E[h_j (y - D_j) + g_{j-1}(min(S_{j-1}, y - D_j))]`, `S_j = argmin g_j`,
/// `g_0(x) = (b + Σ h) x⁻`. Also the cost per lattice step of stock, pipeline included.
pub(super) fn echelon_levels(stages: &[Stage], backorder: f64) -> (Vec<i64>, f64) {
    let most: i64 = stages.iter().map(|s| s.demand.last().max(1)).sum();
    let (low, high) = (-most, most);
    let penalty = backorder + stages.iter().map(|s| s.echelon_holding).sum::<f64>();
    let mut below = Curve { low, values: (low..=high).map(|x| penalty * (-x).max(0) as f64).collect() };
    let mut levels = Vec::with_capacity(stages.len());
    let mut cost = 0.0;
    for stage in stages {
        let least = stage.demand.first().min(0);
        let after = |x: i64| stage.echelon_holding * x as f64 + below.at(x);
        // Negative normal demand looks beyond the upper end, where `below` is flat.
        let table: Vec<f64> = (low - stage.demand.last()..=high - least).map(after).collect();
        let expected = |y: i64| {
            let start = (y - low + stage.demand.last()) as usize;
            stage.demand.iter().map(|(d, p)| p * table[(start as i64 - d) as usize]).sum()
        };
        let curve = Curve { low, values: (low..=high).map(expected).collect() };
        let (level, lowest) = curve.lowest();
        levels.push(level);
        cost = lowest;
        below = Curve { low, values: (low..=high).map(|x| curve.at(x.min(level))).collect() };
    }
    // A level above what the next place up holds for all below it is never reached.
    for i in (1..levels.len()).rev() {
        levels[i - 1] = levels[i - 1].min(levels[i]);
    }
    (levels, cost)
}

impl StockTree {
    /// Local base-stock levels of a chain, in lattice points.
    pub(super) fn chain_levels(&self) -> Vec<i64> {
        let holding_above = |i: usize| self.points[i].parent.map_or(0.0, |above| self.points[above].holding);
        let stages: Vec<Stage> = (0..self.points.len())
            .rev()
            .map(|i| Stage {
                echelon_holding: self.points[i].holding - holding_above(i),
                demand: self.lead_time_demand(i),
            })
            .collect();
        let (echelon, _) = echelon_levels(&stages, self.points[stages.len() - 1].backorder);
        let local = (0..echelon.len()).map(|i| echelon[i] - if i == 0 { 0 } else { echelon[i - 1] });
        let mut local: Vec<i64> = local.collect();
        local.reverse();
        local
    }
}
