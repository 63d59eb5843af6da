//! The steps of an appliance type, checked and laid out for the search.

use thiserror::Error;

use crate::appliance::RiskClass;

/// A step that may be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What it is called; unique.
    pub key: String,
    /// What taking it once costs, in money; time is in it at its price.
    pub cost: f64,
    /// How much harm it can do.
    pub risk: RiskClass,
    /// It acts on the appliance from afar: forbidden while a lockout is likely.
    pub remote: bool,
    /// What it does.
    pub effect: Effect,
}

/// What a step does, for each hypothesis.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Cures: P(cured | hypothesis). Whether it did is seen afterwards.
    Cure(Vec<f64>),
    /// Tells: for each answer P(answer | hypothesis); over the answers these add up to 1.
    Tell(Vec<Vec<f64>>),
    /// Settles the matter for good, at this cost beyond the step's own: a work order with the
    /// parts each hypothesis calls for, or waiting, with the loss each brings.
    End(Vec<f64>),
}

/// Candidates that make no policy.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PolicyError {
    /// Without an ending a plan can go on for ever.
    #[error("there is no step that ends the matter: add a work order")]
    NoEnding,
    /// A table has another shape.
    #[error("step {step}: has numbers for {found} hypotheses, must have {wanted}")]
    Shape {
        /// The step's key.
        step: String,
        /// Numbers found.
        found: usize,
        /// Number of hypotheses.
        wanted: usize,
    },
    /// A number that means nothing.
    #[error("step {step}: {what} is {value}, must be {right}")]
    Number {
        /// The step's key.
        step: String,
        /// What the number stands for.
        what: &'static str,
        /// The number.
        value: f64,
        /// What would be right.
        right: &'static str,
    },
    /// More than the search is laid out for.
    #[error("there are {found} {what}, at most {most} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        most: usize,
    },
}

/// Most steps, hypotheses and answers: bounds the memory of a policy (64 MB of likelihoods).
const MOST_STEPS: usize = 1_000;
const MOST_HYPOTHESES: usize = 10_000;
const MOST_ANSWERS: usize = 16;

/// How far the answers' probabilities may be from adding up to 1: rounding of written numbers.
const SUM_TOLERANCE: f64 = 1e-6;

/// A lockout hypothesis as likely as this, of all that is wrong, forbids every remote step.
pub(super) const LOCKOUT_VETO: f64 = 0.2;

/// Steps of an appliance type, ready for decisions.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) candidates: Vec<Candidate>,
    /// For each hypothesis, whether it latches a safety lockout.
    pub(super) lockout: Vec<bool>,
    pub(super) any_lockout: bool,
    /// For each candidate that cures, the hypotheses it can cure and how likely.
    pub(super) cures: Vec<Vec<(usize, f64)>>,
    /// For each hypothesis, the candidates that can cure it and how likely, by falling chance per cost.
    pub(super) cured_by: Vec<Vec<(usize, f64)>>,
    /// Candidates that cure.
    pub(super) curing: Vec<usize>,
    /// Candidates that are endings.
    pub(super) endings: Vec<usize>,
}

impl Policy {
    /// Checks and compiles. `lockout` tells for each hypothesis whether it latches a safety
    /// lockout; its length is the number of hypotheses.
    ///
    /// # Errors
    /// The first candidate that cannot be used, or that none is an ending.
    pub fn new(candidates: Vec<Candidate>, lockout: Vec<bool>) -> Result<Self, PolicyError> {
        let hypotheses = lockout.len();
        limit("steps", candidates.len(), MOST_STEPS)?;
        limit("hypotheses", hypotheses, MOST_HYPOTHESES)?;
        candidates.iter().try_for_each(|candidate| candidate.check(hypotheses))?;
        let endings: Vec<usize> = indices(&candidates, |effect| matches!(effect, Effect::End(_)));
        if endings.is_empty() {
            return Err(PolicyError::NoEnding);
        }
        let mut cured_by = vec![Vec::new(); hypotheses];
        let mut cures = vec![Vec::new(); candidates.len()];
        for (step, candidate) in candidates.iter().enumerate() {
            let Effect::Cure(chances) = &candidate.effect else { continue };
            for (hypothesis, chance) in chances.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
                cures[step].push((hypothesis, *chance));
                cured_by[hypothesis].push((step, *chance));
            }
        }
        let rate = |(step, chance): &(usize, f64)| chance / candidates[*step].cost;
        cured_by.iter_mut().for_each(|list| list.sort_by(|a, b| rate(b).total_cmp(&rate(a))));
        let any_lockout = lockout.contains(&true);
        let curing = indices(&candidates, |effect| matches!(effect, Effect::Cure(_)));
        Ok(Self { candidates, lockout, any_lockout, cures, cured_by, curing, endings })
    }

    /// The candidates, in the order given.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Number of hypotheses.
    pub fn hypotheses(&self) -> usize {
        self.lockout.len()
    }

    /// What ending `step` costs if `hypothesis` holds.
    pub(super) fn ending_cost(&self, step: usize, hypothesis: usize) -> f64 {
        match &self.candidates[step].effect {
            Effect::End(costs) => self.candidates[step].cost + costs[hypothesis],
            _ => f64::INFINITY,
        }
    }

    /// The cost times weight of the cheapest ending, and which it is.
    pub(super) fn best_ending(&self, weights: &[f64]) -> (f64, usize) {
        let mut best = (f64::INFINITY, self.endings[0]);
        for step in &self.endings {
            let Effect::End(costs) = &self.candidates[*step].effect else { continue };
            let own = self.candidates[*step].cost;
            let cost: f64 = weights.iter().zip(costs).map(|(weight, cost)| weight * (own + cost)).sum();
            if cost < best.0 {
                best = (cost, *step);
            }
        }
        best
    }

    /// Weight of the hypotheses that latch a lockout.
    pub(super) fn locked(&self, weights: &[f64]) -> f64 {
        if !self.any_lockout {
            return 0.0;
        }
        weights.iter().zip(&self.lockout).map(|(weight, lockout)| if *lockout { *weight } else { 0.0 }).sum()
    }

    /// Least expected cost of repair if the hypothesis were known and each step could be taken
    /// `left` times: cures by falling chance per cost as long as they pay, then the cheapest
    /// ending. No plan that has to find out costs less.
    pub(super) fn least_cost(&self, hypothesis: usize, left: &[u8]) -> f64 {
        let endings = self.endings.iter().map(|step| self.ending_cost(*step, hypothesis));
        let ending = endings.fold(f64::INFINITY, f64::min);
        self.cured_by[hypothesis].iter().rev().fold(ending, |rest, (step, chance)| {
            (0..left[*step]).fold(rest, |rest, _| rest.min(self.candidates[*step].cost + (1.0 - chance) * rest))
        })
    }
}

fn indices(candidates: &[Candidate], wanted: impl Fn(&Effect) -> bool) -> Vec<usize> {
    (0..candidates.len()).filter(|step| wanted(&candidates[*step].effect)).collect()
}

fn limit(what: &'static str, found: usize, most: usize) -> Result<(), PolicyError> {
    if found > most { Err(PolicyError::TooMany { what, found, most }) } else { Ok(()) }
}

impl Candidate {
    fn check(&self, hypotheses: usize) -> Result<(), PolicyError> {
        // A step that costs nothing could be taken for ever without getting anywhere.
        let free = matches!(self.effect, Effect::End(_)) && self.cost == 0.0;
        self.number("cost", self.cost, self.cost > 0.0 || free, "above 0")?;
        match &self.effect {
            Effect::Cure(chances) => self.row("chance to cure", chances, hypotheses, 1.0),
            Effect::End(costs) => self.row("cost of ending", costs, hypotheses, f64::MAX),
            Effect::Tell(answers) => {
                limit("answers", answers.len(), MOST_ANSWERS)?;
                answers.iter().try_for_each(|row| self.row("chance of an answer", row, hypotheses, 1.0))?;
                (0..hypotheses).try_for_each(|hypothesis| {
                    let sum: f64 = answers.iter().map(|row| row[hypothesis]).sum();
                    self.number("sum over the answers", sum, (sum - 1.0).abs() <= SUM_TOLERANCE, "1")
                })
            }
        }
    }

    fn row(&self, what: &'static str, row: &[f64], hypotheses: usize, most: f64) -> Result<(), PolicyError> {
        if row.len() != hypotheses {
            return Err(PolicyError::Shape { step: self.key.clone(), found: row.len(), wanted: hypotheses });
        }
        let right = if most == 1.0 { "from 0 to 1" } else { "finite and not negative" };
        row.iter().try_for_each(|value| self.number(what, *value, (0.0..=most).contains(value), right))
    }

    fn number(&self, what: &'static str, value: f64, good: bool, right: &'static str) -> Result<(), PolicyError> {
        if good && value.is_finite() {
            return Ok(());
        }
        Err(PolicyError::Number { step: self.key.clone(), what, value, right })
    }
}
