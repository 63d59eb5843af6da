//! Lots at one place, where each order has a cost of its own.

use serde::{Deserialize, Serialize};

use super::distribution::{Distribution, Moments};
use super::{Demand, MAX_NUMBER, MAX_PIECES};
use crate::error::{InputError, Problem, check_number};

/// Largest lot: as many pieces as a lead time may ask for.
const MAX_LOT: u32 = MAX_PIECES as u32;

/// One place that orders lots from outside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReorderProblem {
    /// What customers ask for, by the piece: not normal.
    pub demand: Demand,
    /// Time from order to arrival.
    pub lead_time: f64,
    /// Cost of one piece on the shelf for one unit of time.
    pub holding: f64,
    /// Cost of one piece that a customer waits for, for one unit of time.
    pub backorder: f64,
    /// Cost of one order, whatever its size (freight, booking in).
    pub order_cost: f64,
}

/// When to order, and how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReorderPlan {
    /// Order when stock on the shelf and on order, less backorders, falls to this.
    pub reorder_point: i64,
    /// Pieces to order then.
    pub lot: u32,
    /// Expected cost per unit of time.
    pub cost: f64,
}

/// The reorder point `r` and lot `Q` of least cost
/// `(K λ + Σ g(y), y = r + 1 … r + Q) / Q`, where `g(y)` is the cost of always having `y`
/// pieces on the shelf or on order: lots grow by the cheaper neighbour as long as that
/// brings the mean down (Federgruen & Zheng 1992). Optimal for Poisson demand; batches of
/// customers may carry stock past the reorder point, which the formula leaves out.
///
/// # Errors
/// Numbers that are negative, not finite or absurd, no demand, normal demand, no backorder
/// or holding cost, more than 8,192 pieces in the lead time, or a lot beyond that.
pub fn reorder_point(problem: &ReorderProblem) -> Result<ReorderPlan, InputError> {
    let demand = problem.lead_time_demand()?;
    let mean = demand.mean();
    let cost_at = |y: i64| {
        let owed = demand.mean_excess(y);
        problem.holding * (y as f64 - mean + owed) + problem.backorder * owed
    };
    let best = demand.quantile(problem.backorder / (problem.backorder + problem.holding));
    let (mut below, mut above) = (best - 1, best + 1);
    let mut sum = problem.order_cost * Moments::of(problem.demand).mean + cost_at(best);
    let mut lot = 1;
    loop {
        let (lower, higher) = (cost_at(below), cost_at(above));
        if lower.min(higher) >= sum / f64::from(lot) {
            return Ok(ReorderPlan { reorder_point: below, lot, cost: sum / f64::from(lot) });
        }
        check_number(f64::from(lot), 1.0, f64::from(MAX_LOT - 1), "order_cost (lot)")?;
        lot += 1;
        sum += lower.min(higher);
        *(if lower <= higher { &mut below } else { &mut above }) += if lower <= higher { -1 } else { 1 };
    }
}

impl ReorderProblem {
    fn lead_time_demand(&self) -> Result<Distribution, InputError> {
        self.demand.check().map_err(|e| e.within("demand"))?;
        check_number(self.lead_time, 0.0, MAX_NUMBER, "lead_time")?;
        check_number(self.holding, f64::MIN_POSITIVE, MAX_NUMBER, "holding")?;
        check_number(self.backorder, f64::MIN_POSITIVE, MAX_NUMBER, "backorder")?;
        check_number(self.order_cost, 0.0, MAX_NUMBER, "order_cost")?;
        let demand = Moments::of(self.demand);
        if demand.mean <= 0.0 || demand.is_normal {
            return Err(InputError::new("demand (by the piece)", Problem::Empty));
        }
        let demand = demand.over(self.lead_time);
        check_number(demand.most(), 0.0, MAX_PIECES, "demand (pieces in the lead time)")?;
        Ok(Distribution::of(demand, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: ReorderProblem = ReorderProblem {
        demand: Demand::Poisson { mean: 1.5 },
        lead_time: 2.0,
        holding: 20.0,
        backorder: 150.0,
        order_cost: 100.0,
    };

    #[test]
    fn lots_are_those_published() {
        // Snyder & Shen (2019), example 5.8: r = 3, Q = 5, cost 107.92.
        let plan = reorder_point(&PROBLEM).unwrap();
        assert_eq!((plan.reorder_point, plan.lot), (3, 5));
        assert!((plan.cost - 107.923_58).abs() < 1e-4, "{}", plan.cost);
        // Without a cost of its own every piece is ordered at once.
        assert_eq!(reorder_point(&ReorderProblem { order_cost: 0.0, ..PROBLEM }).unwrap().lot, 1);
    }

    #[test]
    fn bad_problems_are_named() {
        for (problem, expected) in [
            (ReorderProblem { lead_time: f64::NAN, ..PROBLEM }, "lead_time: is NaN; give a finite number"),
            (ReorderProblem { order_cost: -1.0, ..PROBLEM }, "order_cost: is -1; give 0 to 1000000000"),
            (
                ReorderProblem { demand: Demand::Normal { mean: 1.0, sd: 1.0 }, ..PROBLEM },
                "demand (by the piece): is empty; give at least one",
            ),
            (
                ReorderProblem { demand: Demand::Poisson { mean: 1e6 }, ..PROBLEM },
                "demand (pieces in the lead time): is 2014142.135623731; give 0 to 8192",
            ),
            (ReorderProblem { order_cost: 1e9, holding: 1e-9, ..PROBLEM }, "order_cost (lot): is 8192; give 1 to 8191"),
        ] {
            assert_eq!(reorder_point(&problem).unwrap_err().to_string(), expected);
        }
    }
}
