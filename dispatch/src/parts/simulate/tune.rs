//! The one number of a rule that reaches a fill, and the discount that then needs least stock.

use super::policy::{BaseStock, Forecaster, Ladder, Rule};
use super::{Demand, Outcome, Policy, Run, simulate};
use crate::Cents;
use crate::error::{InputError, check_number};
use crate::parts::forecast::pooled::PooledModel;
use crate::parts::stock::marginal::Line;

/// Generosity is looked for in here, in steps of e: what is left open for a service level or
/// a fill, lines for the price of a mean part for the exchange.
const SHARE_BOUNDS: (f64, f64) = (0.0, 20.0);
const SYSTEM_BOUNDS: (f64, f64) = (-6.0, 14.0);

/// Steps of all ladders together, 16 bytes each: 5,000 parts over 100 months with 100 each.
const MAX_STEPS: usize = 50_000_000;

/// The search ends when the generosity is known to this.
const TOLERANCE: f64 = 0.001;

/// Weights of a month against the one after it that are tried: half of the memory
/// within 4, 7, 14, 27 months, or all months alike.
const DISCOUNTS: [f64; 5] = [0.85, 0.9, 0.95, 0.975, 1.0];

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

/// Everything a policy may do in a run, whatever the number of its rule: its ladders month by month.
pub struct Ladders<'a> {
    demand: &'a Demand,
    run: &'a Run,
    policy: BaseStock,
    ladders: Vec<Vec<Ladder>>,
}

impl<'a> Ladders<'a> {
    /// Forecasts every month of the run once.
    ///
    /// # Errors
    /// Those of [`simulate`].
    pub fn new(demand: &'a Demand, policy: BaseStock, run: &'a Run) -> Result<Self, InputError> {
        run.check(demand.months)?;
        let mut ladders = Vec::new();
        let mut steps = 0;
        for month in run.start..run.counted.end {
            let ladders_of_month = policy.ladders(&demand.before(month), &demand.prices)?;
            steps += ladders_of_month.iter().map(Ladder::len).sum::<usize>();
            check_number(steps as f64, 0.0, MAX_STEPS as f64, "run.steps")?;
            ladders.push(ladders_of_month);
        }
        Ok(Self { demand, run, policy, ladders })
    }

    /// Finds the number of the rule that reaches `target` of the lines.
    ///
    /// # Errors
    /// A target outside 0 to 1.
    pub fn tune(&self, target: f64) -> Result<Tuned, InputError> {
        check_number(target, 0.0, 1.0, "target")?;
        let line = self.policy.line;
        let (mut frugal, mut generous) = self.bounds();
        let (mut policy, mut outcome) = self.at(generous)?;
        if outcome.fill(line) < target {
            return Ok(Tuned { policy, outcome, value_cents: None });
        }
        let mut below = None;
        while generous - frugal > TOLERANCE {
            let middle = f64::midpoint(frugal, generous);
            let (tried, result) = self.at(middle)?;
            if result.fill(line) < target {
                (frugal, below) = (middle, Some(result));
            } else {
                (generous, policy, outcome) = (middle, tried, result);
            }
        }
        let value_cents = below.map_or(outcome.value_cents, |below| value_between(&below, &outcome, line, target));
        Ok(Tuned { policy, outcome, value_cents: Some(value_cents) })
    }

    /// What the rule does from frugal to generous.
    ///
    /// # Errors
    /// None that [`Ladders::new`] would not have met.
    pub fn outcomes(&self, steps: u32) -> Result<Vec<Outcome>, InputError> {
        let (frugal, generous) = self.bounds();
        let generosity = |step| frugal + (generous - frugal) * f64::from(step) / f64::from(steps.max(2) - 1);
        (0..steps.max(2)).map(|step| Ok(self.at(generosity(step))?.1)).collect()
    }

    fn bounds(&self) -> (f64, f64) {
        match self.policy.rule {
            Rule::Service(_) | Rule::Fill(_) => SHARE_BOUNDS,
            Rule::System(_) => SYSTEM_BOUNDS,
        }
    }

    fn at(&self, generosity: f64) -> Result<(BaseStock, Outcome), InputError> {
        let rule = self.policy.rule.with_generosity(generosity, self.demand);
        let climb = Climb { ladders: &self.ladders, start: self.run.start, least_worth: rule.least_worth() };
        Ok((BaseStock { rule, ..self.policy }, simulate(self.demand, &climb, self.run)?))
    }
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

/// Fits a policy to the months before `split` alone: learned on their first half, tuned to `target` on
/// their second; a pooled model is then learned once more on both. What the policy's rule and model
/// are at first does not matter.
///
/// # Errors
/// A split that leaves less than four months before it or none after; those of [`Ladders::tune`].
pub fn fit(demand: &Demand, split: usize, policy: BaseStock, target: f64) -> Result<Tuned, InputError> {
    check_number(split as f64, 4.0, demand.months as f64 - 1.0, "split")?;
    let learned = split / 2;
    let run = Run { start: learned / 2, counted: learned..split, lead_months: policy.lead_months };
    match policy.forecaster {
        Forecaster::Series(_) => Ladders::new(demand, policy, &run)?.tune(target),
        Forecaster::Pooled(_) => {
            let mut tuned = choose_discount(demand, learned, policy, &run, target)?;
            if let Forecaster::Pooled(model) = &mut tuned.policy.forecaster {
                *model = PooledModel::learn(&demand.before(split), model.discount)?;
            }
            Ok(tuned)
        }
    }
}

/// Pooled model learned on the months before `learned`, with the discount that fills `target` with
/// least stock in the run: chosen by stock, not by error.
fn choose_discount(
    demand: &Demand,
    learned: usize,
    policy: BaseStock,
    run: &Run,
    target: f64,
) -> Result<Tuned, InputError> {
    let mut best: Option<Tuned> = None;
    for discount in DISCOUNTS {
        let model = PooledModel::learn(&demand.before(learned), discount)?;
        let policy = BaseStock { forecaster: Forecaster::Pooled(model), ..policy };
        let tuned = Ladders::new(demand, policy, run)?.tune(target)?;
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
            Self::Fill(_) => Self::Fill(1.0 - (-generosity).exp()),
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
