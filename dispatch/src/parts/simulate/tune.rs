//! The one number of a rule that reaches a fill, and the discount that then needs least stock.

use super::policy::{BaseStock, Forecaster, Ladder, Rule};
use super::{Demand, Outcome, Policy, Run, simulate};
use crate::Cents;
use crate::error::{InputError, check_number};
use crate::parts::forecast::pooled::PooledModel;
use crate::parts::stock::marginal::Line;

/// Generosity is looked for in here, in steps of e: chance of a shortage for a service level, lines
/// per price of a mean part for the exchange.
const SERVICE_BOUNDS: (f64, f64) = (0.0, 20.0);
const SYSTEM_BOUNDS: (f64, f64) = (-6.0, 14.0);

/// The search ends when the generosity is known to this.
const TOLERANCE: f64 = 0.001;

/// Weights of a month against the one after it that [`choose_discount`] tries: half of the memory
/// within 4, 7, 14, 27 months, or all months alike.
pub const DISCOUNTS: [f64; 5] = [0.85, 0.9, 0.95, 0.975, 1.0];

/// A rule that reaches the fill asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuned {
    /// The policy with it.
    pub policy: BaseStock,
    /// What it did: the least that reaches the fill; the most generous where none does.
    pub outcome: Outcome,
    /// Mean value on hand at exactly the fill asked for, between the two nearest outcomes; none where
    /// it is out of reach.
    pub value_cents: Option<f64>,
}

/// Finds the number of the policy's rule (the one given does not matter) that reaches `target` of its
/// lines in this run.
///
/// # Errors
/// A target outside 0 to 1, and those of [`simulate`].
pub fn tune(demand: &Demand, policy: BaseStock, run: &Run, target: f64) -> Result<Tuned, InputError> {
    check_number(target, 0.0, 1.0, "target")?;
    run.check(demand.months)?;
    let (mut frugal, mut generous) = match policy.rule {
        Rule::Service(_) => SERVICE_BOUNDS,
        Rule::System(_) => SYSTEM_BOUNDS,
    };
    // The ladders do not depend on the number that is looked for.
    let ladders = (run.start..run.counted.end)
        .map(|month| policy.ladders(&demand.before(month), &demand.prices))
        .collect::<Result<Vec<_>, _>>()?;
    let at = |generosity: f64| {
        let policy = BaseStock { rule: policy.rule.with_generosity(generosity, demand), ..policy };
        let climb = Climb { ladders: &ladders, start: run.start, least_worth: policy.rule.least_worth() };
        Ok::<_, InputError>((policy, simulate(demand, &climb, run)?))
    };
    let (mut best, mut outcome) = at(generous)?;
    if outcome.fill(policy.line) < target {
        return Ok(Tuned { policy: best, outcome, value_cents: None });
    }
    let mut below = None;
    while generous - frugal > TOLERANCE {
        let middle = f64::midpoint(frugal, generous);
        let (tried, result) = at(middle)?;
        if result.fill(policy.line) < target {
            (frugal, below) = (middle, Some(result));
        } else {
            (generous, best, outcome) = (middle, tried, result);
        }
    }
    let value_cents = below.map_or(outcome.value_cents, |below| value_between(&below, &outcome, policy.line, target));
    Ok(Tuned { policy: best, outcome, value_cents: Some(value_cents) })
}

/// A policy whose ladders are known for every month.
struct Climb<'a> {
    ladders: &'a [Vec<Ladder>],
    start: usize,
    least_worth: f64,
}

impl Policy for Climb<'_> {
    fn levels(&self, past: &[&[f64]], _: &[Cents]) -> Result<Vec<u32>, InputError> {
        let month = past.first().map_or(0, |part| part.len()) - self.start;
        Ok(self.ladders[month].iter().map(|ladder| ladder.level(self.least_worth)).collect())
    }
}

/// Pooled model learned on the months before `learned`, with the discount that fills `target` with
/// least stock in the run: chosen by stock, not by error.
///
/// # Errors
/// Those of [`tune`] and of [`PooledModel::learn`].
pub fn choose_discount(
    demand: &Demand,
    learned: usize,
    policy: BaseStock,
    run: &Run,
    target: f64,
) -> Result<Tuned, InputError> {
    let mut best: Option<Tuned> = None;
    for discount in DISCOUNTS {
        let model = PooledModel::learn(&demand.before(learned), discount)?;
        let tuned = tune(demand, BaseStock { forecaster: Forecaster::Pooled(model), ..policy }, run, target)?;
        let value = |tuned: &Tuned| tuned.value_cents.unwrap_or(f64::INFINITY);
        if best.as_ref().is_none_or(|best| value(&tuned) < value(best)) {
            best = Some(tuned);
        }
    }
    best.ok_or_else(|| InputError::empty("discounts"))
}

impl Rule {
    fn with_generosity(self, generosity: f64, demand: &Demand) -> Self {
        match self {
            Self::Service(_) => Self::Service(1.0 - (-generosity).exp()),
            Self::System(_) => {
                let cents: f64 = demand.prices.iter().map(|price| price.0 as f64).sum();
                let mean_price = (cents / demand.parts() as f64).max(1.0);
                Self::System(100_000.0 / mean_price * (-generosity).exp())
            }
        }
    }
}

/// Log-linear in between.
fn value_between(below: &Outcome, above: &Outcome, line: Line, target: f64) -> f64 {
    let (low, high) = (below.fill(line), above.fill(line));
    if below.value_cents <= 0.0 || high <= low {
        return above.value_cents;
    }
    let share = (target - low) / (high - low);
    (below.value_cents.ln() * (1.0 - share) + above.value_cents.ln() * share).exp()
}
