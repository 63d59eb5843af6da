//! The steps of an appliance type, checked and laid out for the search.

use thiserror::Error;

use crate::appliance::RiskClass;

/// A step that may be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What it is called.
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

/// Candidates that make no policy, or a situation that does not fit them.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PolicyError {
    /// Without an ending a plan can go on for ever.
    #[error("no step ends the matter: add a work order")]
    NoEnding,
    /// A table has another shape.
    #[error("{what} has {found} numbers, must have {wanted}")]
    Shape {
        /// What the numbers stand for.
        what: String,
        /// Numbers found.
        found: usize,
        /// One for each hypothesis or step.
        wanted: usize,
    },
    /// A number that means nothing.
    #[error("{what} is {value}, must be {right}")]
    Number {
        /// What the number stands for.
        what: String,
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

/// Most steps, hypotheses and answers: bounds the memory of a policy.
const MOST_STEPS: usize = 200;
const MOST_HYPOTHESES: usize = 10_000;
const MOST_ANSWERS: usize = 16;

/// How far the answers' probabilities may be from adding up to 1: rounding of written numbers.
const SUM_TOLERANCE: f64 = 1e-6;

/// Lockout hypotheses that together are as likely as this forbid every remote step.
const LOCKOUT_VETO: f64 = 0.2;

/// Steps of an appliance type, ready for decisions.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) candidates: Vec<Candidate>,
    /// Hypotheses that latch a safety lockout.
    lockouts: Vec<usize>,
    /// Candidates that cure.
    pub(super) curing: Vec<usize>,
    /// For each candidate, the hypotheses it can cure and how likely.
    pub(super) cures: Sparse,
    /// For each hypothesis, the candidates that can cure it and how likely, by falling chance per cost.
    pub(super) cured_by: Sparse,
    /// Candidates that are endings, with the whole cost for each hypothesis.
    pub(super) endings: Vec<(usize, Vec<f64>)>,
}

/// Rows of a table that is mostly zero.
#[derive(Debug, Clone)]
pub(super) struct Sparse {
    starts: Vec<usize>,
    entries: Vec<(usize, f64)>,
}

impl Sparse {
    fn new(rows: Vec<Vec<(usize, f64)>>) -> Self {
        let mut starts = vec![0];
        starts.extend(rows.iter().scan(0, |end, row| {
            *end += row.len();
            Some(*end)
        }));
        Self { starts, entries: rows.concat() }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn row(&self, index: usize) -> &[(usize, f64)] {
        &self.entries[self.starts[index]..self.starts[index + 1]]
    }
}

impl Policy {
    /// Checks and compiles. `lockout` tells for each hypothesis whether it latches a safety
    /// lockout; its length is the number of hypotheses.
    ///
    /// # Errors
    /// The first candidate that cannot be used, or that none is an ending.
    pub fn new(candidates: Vec<Candidate>, lockout: &[bool]) -> Result<Self, PolicyError> {
        let hypotheses = lockout.len();
        limit("steps", candidates.len(), MOST_STEPS)?;
        limit("hypotheses", hypotheses, MOST_HYPOTHESES)?;
        candidates.iter().try_for_each(|candidate| candidate.check(hypotheses))?;
        let mut endings = Vec::new();
        let mut curing = Vec::new();
        let mut cures = vec![Vec::new(); candidates.len()];
        let mut cured_by = vec![Vec::new(); hypotheses];
        for (step, candidate) in candidates.iter().enumerate() {
            match &candidate.effect {
                Effect::End(costs) => endings.push((step, costs.iter().map(|c| c + candidate.cost).collect())),
                Effect::Tell(_) => {}
                Effect::Cure(chances) => {
                    curing.push(step);
                    for (hypothesis, chance) in chances.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
                        cures[step].push((hypothesis, *chance));
                        cured_by[hypothesis].push((step, *chance));
                    }
                }
            }
        }
        if endings.is_empty() {
            return Err(PolicyError::NoEnding);
        }
        let rate = |(step, chance): &(usize, f64)| chance / candidates[*step].cost;
        cured_by.iter_mut().for_each(|list| list.sort_by(|a, b| rate(b).total_cmp(&rate(a))));
        let lockouts = (0..hypotheses).filter(|hypothesis| lockout[*hypothesis]).collect();
        let (cures, cured_by) = (Sparse::new(cures), Sparse::new(cured_by));
        Ok(Self { candidates, lockouts, curing, cures, cured_by, endings })
    }

    /// The candidates, in the order given.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Number of hypotheses.
    pub fn hypotheses(&self) -> usize {
        self.endings[0].1.len()
    }

    /// The cheapest ending: its cost times weight, and its cost for each hypothesis.
    pub(super) fn best_ending(&self, weights: &[f64]) -> (f64, &[f64]) {
        let each = self.endings.iter().map(|(_, costs)| (dot(weights, costs), costs.as_slice()));
        each.min_by(|a, b| a.0.total_cmp(&b.0)).expect("a policy has an ending")
    }

    /// Whether lockouts are too likely for anything to be done from afar.
    pub(super) fn forbids_remote(&self, weights: &[f64], all: f64) -> bool {
        let locked: f64 = self.lockouts.iter().map(|hypothesis| weights[*hypothesis]).sum();
        locked > 0.0 && locked >= LOCKOUT_VETO * all
    }

    /// Least expected cost of repair if the hypothesis were known and each step could be taken
    /// `left` times: cures by falling chance per cost as long as they pay, then the cheapest
    /// ending. No plan that has to find out costs less.
    pub(super) fn least_cost(&self, hypothesis: usize, left: &[u8]) -> f64 {
        let ending = self.endings.iter().map(|(_, costs)| costs[hypothesis]).fold(f64::INFINITY, f64::min);
        self.cured_by.row(hypothesis).iter().rev().fold(ending, |rest, (step, chance)| {
            (0..left[*step]).fold(rest, |rest, _| rest.min(self.candidates[*step].cost + (1.0 - chance) * rest))
        })
    }
}

/// Sum of products, in lanes of its own so that it can be vectorised.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 4;
    let mut sums = [0.0; LANES];
    let (mut left, mut right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

fn limit(what: &'static str, found: usize, most: usize) -> Result<(), PolicyError> {
    if found > most { Err(PolicyError::TooMany { what, found, most }) } else { Ok(()) }
}

pub(super) fn shape(what: &str, found: usize, wanted: usize) -> Result<(), PolicyError> {
    if found == wanted { Ok(()) } else { Err(PolicyError::Shape { what: what.to_owned(), found, wanted }) }
}

pub(super) fn number(what: &str, value: f64, good: bool, right: &'static str) -> Result<(), PolicyError> {
    if good && value.is_finite() { Ok(()) } else { Err(PolicyError::Number { what: what.to_owned(), value, right }) }
}

impl Candidate {
    fn check(&self, hypotheses: usize) -> Result<(), PolicyError> {
        let of = |what: &str| format!("step {}: {what}", self.key);
        let unit = |what: &str, row: &[f64]| {
            shape(&of(what), row.len(), hypotheses)?;
            row.iter().try_for_each(|p| number(&of(what), *p, (0.0..=1.0).contains(p), "from 0 to 1"))
        };
        number(&of("cost"), self.cost, self.cost >= 0.0, "finite and not negative")?;
        match &self.effect {
            Effect::Cure(chances) => unit("chance to cure", chances),
            Effect::End(costs) => {
                shape(&of("cost of ending"), costs.len(), hypotheses)?;
                costs.iter().try_for_each(|c| number(&of("cost of ending"), *c, *c >= 0.0, "finite and not negative"))
            }
            Effect::Tell(answers) => {
                limit("answers", answers.len(), MOST_ANSWERS)?;
                answers.iter().try_for_each(|row| unit("chance of an answer", row))?;
                (0..hypotheses).try_for_each(|hypothesis| {
                    let sum: f64 = answers.iter().map(|row| row[hypothesis]).sum();
                    number(&of("sum over the answers"), sum, (sum - 1.0).abs() <= SUM_TOLERANCE, "1")
                })
            }
        }
    }
}
