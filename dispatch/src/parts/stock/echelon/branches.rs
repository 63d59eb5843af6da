//! Orders outstanding from the root to the leaves, and the levels that make them cheap.

use super::StockTree;
use super::distribution::Distribution;

/// Levels of one place that are all tried; a longer range is searched from a coarse grid
/// to single steps.
const FULL_SEARCH: i64 = 24;

/// Probability with which the highest level tried at a place meets all orders.
const HIGHEST_FILL: f64 = 1.0 - 1e-7;

/// A subtree with its best levels: cost without pipelines, and (place, level) pairs.
pub(super) struct Branch {
    pub(super) cost: f64,
    levels: Vec<(usize, i64)>,
}

impl StockTree {
    /// Orders that the place has placed and not received: its share of what is owed above,
    /// and the demand of its lead time (Graves 1985, equations 4 to 8).
    pub(super) fn outstanding(&self, i: usize, owed_above: &Distribution) -> Distribution {
        let point = &self.points[i];
        let demand = self.lead_time_demand(i);
        let Some(above) = point.parent else { return demand };
        let total = self.points[above].total;
        let ratio = if total.is_normal { 1.0 } else { total.variance / total.mean };
        owed_above.shared(point.total.mean / total.mean, ratio).plus(&demand)
    }

    /// The share of what a place owes that its own customers wait for.
    pub(super) fn own_share(&self, i: usize) -> f64 {
        self.points[i].own.mean / self.points[i].total.mean
    }

    /// Levels of every place, in lattice points.
    pub(super) fn branching_levels(&self) -> Vec<i64> {
        let mut levels = vec![0; self.points.len()];
        for root in (0..self.points.len()).filter(|&i| self.points[i].parent.is_none()) {
            for (place, level) in self.best(root, &Distribution::at(0)).levels {
                levels[place] = level;
            }
        }
        levels
    }

    /// The best levels of a place and of all below it, for what is owed to it.
    pub(super) fn best(&self, i: usize, owed_above: &Distribution) -> Branch {
        let outstanding = self.outstanding(i, owed_above);
        let point = &self.points[i];
        if point.children.is_empty() {
            // The newsvendor's level.
            let level = outstanding.quantile((point.backorder / (point.backorder + point.holding)).min(HIGHEST_FILL));
            return Branch { cost: self.place_cost(i, &outstanding, level), levels: vec![(i, level)] };
        }
        let highest = outstanding.quantile(HIGHEST_FILL).max(0);
        lowest(highest, |level| {
            let owed = outstanding.excess(level);
            let mut branch = Branch { cost: self.place_cost(i, &outstanding, level), levels: vec![(i, level)] };
            let mut found: Vec<(usize, Branch)> = Vec::new();
            for &child in &point.children {
                let twin = self.points[child].twin.and_then(|twin| found.iter().find(|(c, _)| *c == twin));
                let best = match twin {
                    Some((twin, best)) => self.copied(best, *twin, child),
                    None => self.best(child, &owed),
                };
                branch.cost += best.cost;
                found.push((child, best));
            }
            branch.levels.extend(found.into_iter().flat_map(|(_, best)| best.levels));
            branch
        })
    }

    /// Holding on the shelf, and waiting of the customers here.
    fn place_cost(&self, i: usize, outstanding: &Distribution, level: i64) -> f64 {
        let owed = outstanding.mean_excess(level);
        let on_hand = level as f64 - outstanding.mean() + owed;
        (self.points[i].holding * on_hand + self.points[i].backorder * self.own_share(i) * owed) * self.step
    }

    /// The levels of one subtree for another that is alike.
    fn copied(&self, branch: &Branch, from: usize, to: usize) -> Branch {
        let mut pairs = vec![(from, to)];
        let mut next = 0;
        while let Some(&(from, to)) = pairs.get(next) {
            pairs.extend(self.points[from].children.iter().copied().zip(self.points[to].children.iter().copied()));
            next += 1;
        }
        let place = |from: usize| pairs.iter().find(|(f, _)| *f == from).map_or(from, |(_, to)| *to);
        Branch { cost: branch.cost, levels: branch.levels.iter().map(|&(i, level)| (place(i), level)).collect() }
    }
}

/// The cheapest of the levels `0..=highest`: all of them if they are few, else a grid
/// that is refined around its best point.
fn lowest(highest: i64, at: impl Fn(i64) -> Branch) -> Branch {
    let mut step = 1 + highest / (FULL_SEARCH + 1);
    let cheaper = |a: Branch, b: Branch| if b.cost < a.cost { b } else { a };
    let all = (0..=highest).step_by(step as usize).map(&at);
    let mut best = all.reduce(cheaper).unwrap_or_else(|| at(0));
    while step > 1 {
        step = (step + 1) / 2;
        let middle = best.levels[0].1;
        for level in [middle - step, middle + step] {
            if (0..=highest).contains(&level) {
                best = cheaper(best, at(level));
            }
        }
    }
    best
}
