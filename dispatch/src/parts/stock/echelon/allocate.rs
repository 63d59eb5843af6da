//! One budget for many parts.

use serde::{Deserialize, Serialize};

use super::{StockPlan, StockTree};
use crate::error::{InputError, check_number};
use crate::id::PartId;

/// Most parts in one allocation; each is planned some forty times.
const MAX_PARTS: usize = 10_000;

/// Greatest price or budget, in cents.
const MAX_CENTS: f64 = 1e14;

/// A part, its price and where it is kept. The tree's own costs are reported, but do not
/// decide.
#[derive(Debug, Clone, PartialEq)]
pub struct PricedTree {
    /// Which part.
    pub part: PartId,
    /// Price of a piece, in cents.
    pub price_cents: f64,
    /// Where it is asked for and kept.
    pub tree: StockTree,
}

/// Stock levels of many parts within a budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// Part by part, in the given order.
    pub parts: Vec<(PartId, StockPlan)>,
    /// Price of all pieces kept, in cents.
    pub invested_cents: f64,
    /// Pieces that customers wait for, on average.
    pub backorders: f64,
    /// Backorders that one more cent would save: the exchange rate at which every part
    /// and place stopped.
    pub saved_per_cent: f64,
}

/// Spreads a budget over parts and places so that customers wait for the fewest pieces:
/// marginal analysis (Sherbrooke 1968) in its Lagrangian form. At an exchange rate `θ`
/// between money and waiting every part is planned by itself; the least `θ` that keeps to
/// the budget is found by bisection. Within the budget, and optimal for the money it
/// invests wherever the trees' own plans are; the next larger such plan costs more.
///
/// # Errors
/// No part, more than 10,000, or one given twice; a price below 1, a budget that is
/// negative, or absurd numbers.
pub fn allocate(parts: &[PricedTree], budget_cents: f64) -> Result<Allocation, InputError> {
    check_number(parts.len() as f64, 1.0, MAX_PARTS as f64, "parts (length)")?;
    check_number(budget_cents, 0.0, MAX_CENTS, "budget_cents")?;
    let mut seen = std::collections::BTreeSet::new();
    for (i, part) in parts.iter().enumerate() {
        part.part.check("part").map_err(|e| e.at("parts", i))?;
        check_number(part.price_cents, 1.0, MAX_CENTS, "price_cents").map_err(|e| e.at("parts", i))?;
        if !seen.insert(&part.part) {
            return Err(InputError::duplicate("part", part.part.as_str()).at("parts", i));
        }
    }
    // From "a piece is worth nothing against a cent" to the reverse.
    let (mut low, mut high) = (1e-12, 1.0);
    let mut best = at_rate(parts, high);
    let all = at_rate(parts, low);
    if all.invested_cents <= budget_cents {
        return Ok(all);
    }
    for _ in 0..40 {
        let middle = f64::sqrt(low * high);
        let plan = at_rate(parts, middle);
        if plan.invested_cents <= budget_cents {
            (high, best) = (middle, plan);
        } else {
            low = middle;
        }
    }
    Ok(best)
}

fn at_rate(parts: &[PricedTree], rate: f64) -> Allocation {
    let mut allocation = Allocation { parts: Vec::new(), invested_cents: 0.0, backorders: 0.0, saved_per_cent: rate };
    for part in parts {
        let plan = part.tree.at_exchange_rate(rate * part.price_cents);
        allocation.invested_cents += part.price_cents * plan.points.iter().map(|p| p.level).sum::<f64>();
        allocation.backorders += plan.backorders;
        allocation.parts.push((part.part.clone(), plan));
    }
    allocation
}
