//! What levels lead to, and the cheapest ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::distribution::Distribution;
use super::{MAX_PIECES, StockTree};
use crate::error::{InputError, check_number};
use crate::id::LocationId;

/// Largest tree in which single pieces are spared one by one: a hundred evaluations for
/// each piece.
const MAX_SPARING_POINTS: usize = 100;

/// Dearest waiting that is tried for a fill rate, as a factor on the backorder costs.
const MAX_FACTOR: f64 = 1e6;

/// Stock of one part over all places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockPlan {
    /// Place by place, in the order of the tree's points.
    pub points: Vec<PointPlan>,
    /// Expected cost per unit of time: shelves, pieces on the way between places, and
    /// customers who wait.
    pub cost: f64,
    /// Share of the customers' pieces that is met from the shelf.
    pub fill_rate: f64,
    /// Pieces that customers wait for, on average.
    pub backorders: f64,
    /// The plan for people.
    pub why: String,
}

/// Stock at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointPlan {
    /// Which place.
    pub id: LocationId,
    /// Base-stock level: pieces on the shelf and on order, less those owed. A multiple of
    /// one piece, but for normal demand along a chain.
    pub level: f64,
    /// Mean pieces on the shelf.
    pub on_hand: f64,
    /// Mean pieces on order and not yet here.
    pub on_order: f64,
    /// Mean pieces that customers of this place wait for.
    pub backorders: f64,
    /// Mean time until an order, of a customer or of a place below, is served here.
    pub wait: f64,
    /// Share of the pieces its customers ask for that is on the shelf; `None`: no
    /// customers.
    pub fill_rate: Option<f64>,
    /// Cost per unit of time: shelf, ways to the places below, customers who wait.
    pub cost: f64,
}

impl StockPlan {
    /// The level of one place.
    pub fn level(&self, id: &str) -> Option<f64> {
        self.points.iter().find(|p| p.id.as_str() == id).map(|p| p.level)
    }
}

impl StockTree {
    /// The levels of least cost.
    pub fn cheapest(&self) -> StockPlan {
        self.plan(&self.cheapest_levels())
    }

    /// Little stock at which this share of the pieces asked for is on the shelf: all
    /// backorder costs are multiplied by the smallest factor that reaches it, then (in
    /// trees of up to 100 places) pieces are taken away as long as the share stays
    /// reached, the dearest first. The plan's cost counts waiting at the original
    /// backorder costs.
    ///
    /// # Errors
    /// A share outside 0 to 0.9999.
    pub fn cheapest_for_fill(&self, fill_rate: f64) -> Result<StockPlan, InputError> {
        check_number(fill_rate, 0.0, 0.9999, "fill_rate")?;
        let at = |factor: f64| {
            let mut dearer = self.clone();
            dearer.points.iter_mut().for_each(|p| p.backorder *= factor);
            dearer.cheapest_levels()
        };
        let (mut low, mut high) = (1.0 / MAX_FACTOR, MAX_FACTOR);
        let mut best = at(high);
        // Halving the exponent 30 times leaves 3e-8 of the factor open.
        for _ in 0..30 {
            let middle = f64::sqrt(low * high);
            let levels = at(middle);
            if self.plan(&levels).fill_rate >= fill_rate {
                (high, best) = (middle, levels);
            } else {
                low = middle;
            }
        }
        while let Some(fewer) = self.spared(&best, fill_rate) {
            best = fewer;
        }
        Ok(self.plan(&best))
    }

    /// The levels with one piece less, where the fill rate allows it; the one whose
    /// holding costs fall most.
    fn spared(&self, levels: &[i64], fill_rate: f64) -> Option<Vec<i64>> {
        if levels.len() > MAX_SPARING_POINTS || self.points.iter().any(|p| p.own.is_normal) {
            return None;
        }
        let stock = |plan: &StockPlan| -> f64 {
            self.given.iter().zip(&plan.points).map(|(&i, p)| self.points[i].holding * p.on_hand).sum()
        };
        let fewer = (0..levels.len()).filter(|&i| levels[i] > 0).map(|i| {
            let mut fewer = levels.to_vec();
            fewer[i] -= 1;
            fewer
        });
        let reaching = fewer.map(|fewer| (self.plan(&fewer), fewer)).filter(|(plan, _)| plan.fill_rate >= fill_rate);
        reaching.min_by(|a, b| stock(&a.0).total_cmp(&stock(&b.0))).map(|(_, fewer)| fewer)
    }

    /// What given levels lead to.
    ///
    /// # Errors
    /// A place without level, a level for an unknown place, a number that is not finite or
    /// beyond 8,192 pieces.
    pub fn evaluate(&self, levels: &BTreeMap<LocationId, f64>) -> Result<StockPlan, InputError> {
        Ok(self.plan(&self.on_lattice(levels)?))
    }

    /// Levels by place as lattice points.
    pub(super) fn on_lattice(&self, levels: &BTreeMap<LocationId, f64>) -> Result<Vec<i64>, InputError> {
        for (id, &level) in levels {
            let field = format!("levels[{:?}]", id.as_str());
            if !self.points.iter().any(|p| &p.id == id) {
                return Err(InputError::unknown(&field, id.as_str(), "point"));
            }
            check_number(level, -MAX_PIECES, MAX_PIECES, &field)?;
        }
        let missing = |id: &LocationId| InputError::unknown("levels", id.as_str(), "key");
        let level = |id| levels.get(id).map(|level| (level / self.step).round() as i64).ok_or_else(|| missing(id));
        self.points.iter().map(|p| level(&p.id)).collect()
    }

    /// The plan where a piece kept costs `rate` and a piece waited for costs 1. Pieces on
    /// the shelf and on the way are the pieces kept plus those waited for.
    pub(super) fn at_exchange_rate(&self, rate: f64) -> StockPlan {
        if rate >= 1.0 {
            return self.plan(&vec![0; self.points.len()]);
        }
        let mut exchanged = self.clone();
        for point in &mut exchanged.points {
            (point.holding, point.backorder) = (rate, 1.0 - rate);
        }
        self.plan(&exchanged.cheapest_levels())
    }

    fn cheapest_levels(&self) -> Vec<i64> {
        if self.is_chain() { self.chain_levels() } else { self.branching_levels() }
    }

    /// The recursion from the roots down, at these levels.
    pub(super) fn plan(&self, levels: &[i64]) -> StockPlan {
        let mut owed: Vec<Distribution> = Vec::with_capacity(self.points.len());
        let mut points = Vec::with_capacity(self.points.len());
        for (i, &level) in levels.iter().enumerate() {
            let nothing = Distribution::at(0);
            let owed_above = self.points[i].parent.map_or(&nothing, |above| &owed[above]);
            let outstanding = self.outstanding(i, owed_above);
            points.push(self.point_plan(i, &outstanding, level));
            owed.push(outstanding.excess(level));
        }
        let asked: f64 = self.points.iter().map(|p| p.own.mean).sum();
        let filled = points.iter().zip(&self.points).filter_map(|(plan, p)| Some(plan.fill_rate? * p.own.mean));
        let mut plan = StockPlan {
            cost: points.iter().map(|p| p.cost).sum(),
            fill_rate: filled.sum::<f64>() / asked,
            backorders: points.iter().map(|p| p.backorders).sum(),
            points: self.given.iter().map(|&i| points[i].clone()).collect(),
            why: String::new(),
        };
        plan.why = self.sentence(&plan);
        plan
    }

    fn point_plan(&self, i: usize, outstanding: &Distribution, level: i64) -> PointPlan {
        let point = &self.points[i];
        let owed = outstanding.mean_excess(level) * self.step;
        let on_order = outstanding.mean() * self.step;
        let on_hand = level as f64 * self.step - on_order + owed;
        let backorders = owed * self.own_share(i);
        let below = point.children.iter().map(|&c| self.points[c].total.mean * self.points[c].lead_time);
        PointPlan {
            id: point.id.clone(),
            level: level as f64 * self.step,
            on_hand,
            on_order,
            backorders,
            wait: owed / point.total.mean,
            fill_rate: (point.own.mean > 0.0).then(|| self.fill_rate(i, outstanding, level)),
            cost: point.holding * (on_hand + below.sum::<f64>()) + point.backorder * backorders,
        }
    }

    /// Share of customers' pieces on the shelf: of a customer's `j`th piece, the
    /// probability that at least `j` pieces lie there (arrivals see time averages).
    fn fill_rate(&self, i: usize, outstanding: &Distribution, level: i64) -> f64 {
        if self.points[i].own.is_normal {
            return outstanding.at_most(level);
        }
        let pieces = (level - outstanding.first()).max(0) as usize;
        let share_of_piece = self.points[i].own.more_than_over_mean(pieces);
        share_of_piece.iter().enumerate().map(|(j, p)| p * outstanding.at_most(level - 1 - j as i64)).sum()
    }

    fn sentence(&self, plan: &StockPlan) -> String {
        let phrase = |(point, &i): (&PointPlan, &usize)| {
            let above =
                self.points[i].parent.map_or_else(|| "outside".to_owned(), |above| self.points[above].id.to_string());
            let served = match point.fill_rate {
                Some(fill) => format!("{:.1} % of its customers' pieces are on the shelf", fill * 100.0),
                None => format!("an order from below waits {:.2}", point.wait),
            };
            let level = (point.level * 100.0).round() / 100.0;
            format!("{}: keep {level} (from {above}): {served}", point.id)
        };
        let lines = plan.points.iter().zip(&self.given).map(phrase).collect::<Vec<_>>().join("; ");
        format!("{lines}; in all {:.1} % from the shelf at a cost of {:.2}", plan.fill_rate * 100.0, plan.cost)
    }
}
