//! Lookahead over steps and their outcomes.
//!
//! A state is what was done and answered since the decision began; its weights follow from
//! that. The value of a state is the expected cost of the best plan found from it, in units of
//! cost times weight, so that nothing need be divided by P(answer). It begins as the cost of a
//! [`Sequence`] without questions and falls as steps are looked into: a plan is only ever
//! replaced by a cheaper one. What a step comes to at least, if the fault were known
//! thereafter, spares most looks. The order of steps does not matter to a state, so its value
//! is kept for the other ways that lead to it.

use std::cmp::Ordering;

use super::policy::{Effect, Policy, PolicyError, dot, number, shape};
use super::sequence::Sequence;
use crate::appliance::RiskClass;

/// What is known when a step is to be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Weight of each hypothesis; they need not add up to 1. Hypotheses exclude each other:
    /// single faults, and where it matters pairs, no fault, and some other fault.
    pub weights: &'a [f64],
    /// For each candidate, how often it may still be taken; 0 forbids it. Endings are never
    /// forbidden.
    pub left: &'a [u8],
    /// Steps of a higher class are forbidden.
    pub most_risk: RiskClass,
}

/// Why a step may not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// It was taken as often as it may be, or the caller rules it out.
    Spent,
    /// Its risk class is too high.
    Risk,
    /// It acts from afar, and a safety lockout is too likely.
    Lockout,
}

/// A step and what it comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedStep {
    /// Index of the candidate.
    pub step: usize,
    /// Expected cost of repair from here on, if this step is taken first and then the best plan
    /// found. Infinite for a forbidden step: it is not looked into.
    pub expected_cost: f64,
    /// Why it may not be taken, whatever it would cost.
    pub forbidden: Option<Forbidden>,
}

impl RankedStep {
    /// Allowed before forbidden, then by expected cost, then in the order given.
    fn order(&self, other: &Self) -> Ordering {
        let forbidden = self.forbidden.is_some().cmp(&other.forbidden.is_some());
        forbidden.then(self.expected_cost.total_cmp(&other.expected_cost)).then(self.step.cmp(&other.step))
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'w> {
    /// All candidates: those that may be taken by rising expected cost, then the forbidden.
    pub ranked: &'w [RankedStep],
    /// No plan costs less than this in expectation, found or not.
    pub least_cost: f64,
    /// How many steps ahead every promising step was looked at: 1 is myopic.
    pub depth: usize,
}

impl Decision<'_> {
    /// The step to take; an ending is always allowed.
    pub fn best(&self) -> RankedStep {
        self.ranked[0]
    }
}

/// Memory of [`Policy::decide`], kept between calls so that it allocates only in the first.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    sequence: Sequence,
    /// For each hypothesis, the cost of repair if it were known.
    least: Vec<f64>,
    /// Weights at each level of the lookahead.
    weights: Vec<Vec<f64>>,
    left: Vec<u8>,
    kept: Vec<Kept>,
    /// Sets the states of one decision apart from those of earlier ones.
    salt: u64,
    ranked: Vec<RankedStep>,
    /// At each level, steps worth a deeper look and what they come to.
    promising: Vec<Vec<(f64, usize)>>,
}

/// The value of a state that was met before.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    state: u64,
    depth: usize,
    value: f64,
}

/// Deepest lookahead.
const MOST_DEPTH: usize = 8;

/// How many steps are looked into beyond the myopic at states further ahead.
const BEAM: usize = 5;

/// States whose value is kept: a few times what the effort allows.
const KEPT: usize = 1 << 11;

/// Lookahead stops after touching so many numbers, at 1 to 2 ns each: the bar is 100 µs for 20 steps.
const MOST_EFFORT: usize = 20_000;

/// What coming to a state takes, in numbers touched.
const STATE_EFFORT: usize = 30;

impl Policy {
    /// Chooses the next step. The lookahead ends after a fixed effort or when `stop` says so,
    /// whichever comes first; what was found until then is returned.
    ///
    /// # Errors
    /// The situation does not fit the policy, or holds a number that means nothing.
    pub fn decide<'w>(
        &self,
        situation: &Situation<'_>,
        memory: &'w mut Workspace,
        stop: &dyn Fn() -> bool,
    ) -> Result<Decision<'w>, PolicyError> {
        let all = situation.check(self)?;
        memory.start(self, situation, all);
        let mut search = Search { policy: self, stop, memory, stopped: false, cut: false };
        let depth = search.deepen(all);
        let least_cost = dot(&memory.least, situation.weights) / all;
        memory.ranked.iter_mut().for_each(|ranked| ranked.expected_cost /= all);
        Ok(Decision { ranked: &memory.ranked, least_cost, depth })
    }
}

impl Situation<'_> {
    /// The sum of the weights.
    pub(super) fn check(&self, policy: &Policy) -> Result<f64, PolicyError> {
        shape("the list of weights", self.weights.len(), policy.hypotheses())?;
        shape("the list of attempts left", self.left.len(), policy.candidates.len())?;
        self.weights.iter().try_for_each(|w| number("a weight", *w, *w >= 0.0, "finite and not negative"))?;
        let all = self.weights.iter().sum();
        number("the sum of the weights", all, all > 0.0, "finite and above 0")?;
        Ok(all)
    }
}

impl Workspace {
    fn start(&mut self, policy: &Policy, situation: &Situation<'_>, all: f64) {
        let remote_forbidden = policy.forbids_remote(situation.weights, all);
        self.sequence.effort = 0;
        self.ranked.clear();
        self.ranked.extend(policy.candidates.iter().enumerate().map(|(step, candidate)| {
            let forbidden = match candidate.effect {
                Effect::End(_) => None,
                _ if candidate.risk > situation.most_risk => Some(Forbidden::Risk),
                _ if candidate.remote && remote_forbidden => Some(Forbidden::Lockout),
                _ if situation.left[step] == 0 => Some(Forbidden::Spent),
                _ => None,
            };
            RankedStep { step, expected_cost: f64::INFINITY, forbidden }
        }));
        self.left.clear();
        // An answer may lift the veto of a lockout, but not that of a risk.
        let within = |ranked: &RankedStep| ranked.forbidden != Some(Forbidden::Risk);
        self.left.extend(self.ranked.iter().zip(situation.left).map(|(r, left)| if within(r) { *left } else { 0 }));
        self.least.clear();
        self.least.extend((0..policy.hypotheses()).map(|hypothesis| policy.least_cost(hypothesis, &self.left)));
        self.weights.resize(MOST_DEPTH + 1, Vec::new());
        self.weights.iter_mut().for_each(|level| level.resize(policy.hypotheses(), 0.0));
        self.weights[0].copy_from_slice(situation.weights);
        self.promising.resize(MOST_DEPTH + 1, Vec::new());
        self.kept.resize(KEPT, Kept::default());
        self.salt = self.salt.wrapping_add(GOLDEN);
    }
}

/// A state to be looked at.
#[derive(Debug, Clone, Copy)]
struct At {
    /// Steps taken so far.
    level: usize,
    /// How many steps further to look.
    depth: usize,
    /// Marks the state.
    state: u64,
    /// Sum of its weights.
    all: f64,
}

struct Search<'a> {
    policy: &'a Policy,
    stop: &'a dyn Fn() -> bool,
    memory: &'a mut Workspace,
    stopped: bool,
    /// States were left unlooked at for want of depth.
    cut: bool,
}

impl Search<'_> {
    /// Ranks the steps by looking ever further ahead, the best first; tells how far it came.
    fn deepen(&mut self, all: f64) -> usize {
        let mut at = At { level: 0, depth: 0, state: self.memory.salt, all };
        loop {
            self.cut = false;
            self.round(at);
            self.memory.ranked.sort_unstable_by(RankedStep::order);
            if self.stopped || !self.cut || at.depth + 1 == MOST_DEPTH {
                return if self.stopped { at.depth.max(1) } else { at.depth + 1 };
            }
            at.depth += 1;
        }
    }

    /// Looks into every step that may be taken; the first round is gone through whole, so that
    /// each has a value.
    fn round(&mut self, at: At) {
        let first = at.depth == 0;
        let mut best = self.memory.ranked[0].expected_cost;
        for index in 0..self.memory.ranked.len() {
            let RankedStep { step, expected_cost, forbidden } = self.memory.ranked[index];
            if forbidden.is_some() || (self.stopped && !first) {
                continue;
            }
            let limit = if first { f64::INFINITY } else { best };
            let value = self.through(step, at, limit).unwrap_or(f64::INFINITY).min(expected_cost);
            self.memory.ranked[index].expected_cost = value;
            best = best.min(value);
        }
    }

    /// Value of a state if `step` is taken in it; `None` if it is not below `limit`.
    fn through(&mut self, step: usize, at: At, limit: f64) -> Option<f64> {
        let candidate = &self.policy.candidates[step];
        let paid = candidate.cost * at.all;
        if let Effect::End(costs) = &candidate.effect {
            return Some(paid + dot(&self.memory.weights[at.level], costs));
        }
        self.memory.left[step] -= 1;
        let value = match &candidate.effect {
            Effect::Tell(answers) => self.after_answers(step, answers, at, paid, limit),
            _ => self.after_failure(step, at, paid, limit),
        };
        self.memory.left[step] += 1;
        value
    }

    fn after_failure(&mut self, step: usize, at: At, paid: f64, limit: f64) -> Option<f64> {
        let (here, there) = levels(&mut self.memory.weights, at.level);
        there.copy_from_slice(here);
        for (hypothesis, chance) in self.policy.cures.row(step) {
            there[*hypothesis] *= 1.0 - chance;
        }
        let least = dot(&self.memory.least, there);
        (paid + least < limit).then(|| paid + self.value(at.after(step, 0), least))
    }

    fn after_answers(&mut self, step: usize, answers: &[Vec<f64>], at: At, paid: f64, limit: f64) -> Option<f64> {
        let mut value = paid;
        let mut rest = dot(&self.memory.least, &self.memory.weights[at.level]);
        for (answer, chances) in answers.iter().enumerate() {
            if value + rest >= limit {
                return None;
            }
            let (here, there) = levels(&mut self.memory.weights, at.level);
            for ((there, here), chance) in there.iter_mut().zip(here).zip(chances) {
                *there = here * chance;
            }
            let least = dot(&self.memory.least, there);
            rest -= least;
            value += self.value(at.after(step, answer), least);
        }
        Some(value)
    }

    /// Value of a state whose weights are in place; no plan from it costs below `least`.
    fn value(&mut self, at: At, least: f64) -> f64 {
        self.memory.sequence.effort += STATE_EFFORT + self.policy.hypotheses();
        self.stopped |= self.memory.sequence.effort >= MOST_EFFORT || (self.stop)();
        let place = at.state as usize % KEPT;
        let kept = self.memory.kept[place];
        let known = kept.state == at.state;
        if known && kept.depth >= at.depth {
            self.cut |= at.depth == 0 && least < kept.value;
            return kept.value;
        }
        let at = At { all: self.memory.weights[at.level].iter().sum(), ..at };
        let mut value = if known { kept.value } else { self.sequence(at) };
        // What rounding leaves is no gain.
        if least < value * (1.0 - 1e-9) {
            if at.depth == 0 {
                self.cut = true;
            } else {
                value = self.look(at, value);
            }
        }
        self.memory.kept[place] = Kept { state: at.state, depth: at.depth, value };
        value
    }

    fn sequence(&mut self, at: At) -> f64 {
        let Workspace { sequence, weights, left, .. } = &mut *self.memory;
        let weights = &weights[at.level];
        sequence.cost(self.policy, weights, at.all, left)
    }

    /// Value of a state by its steps: each by its sequences, then the most promising by a deeper look.
    fn look(&mut self, at: At, mut best: f64) -> f64 {
        let remote_forbidden = self.policy.forbids_remote(&self.memory.weights[at.level], at.all);
        let mut promising = std::mem::take(&mut self.memory.promising[at.level]);
        promising.clear();
        for (step, candidate) in self.policy.candidates.iter().enumerate() {
            let open = self.memory.left[step] > 0 && !(candidate.remote && remote_forbidden);
            if !open || matches!(candidate.effect, Effect::End(_)) || self.stopped {
                continue;
            }
            let limit = if at.depth == 1 { best } else { f64::INFINITY };
            if let Some(value) = self.through(step, At { depth: 0, ..at }, limit) {
                best = best.min(value);
                promising.push((value, step));
            }
        }
        if at.depth > 1 {
            promising.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for (_, step) in promising.iter().take(BEAM) {
                if self.stopped {
                    break;
                }
                best =
                    self.through(*step, At { depth: at.depth - 1, ..at }, best).map_or(best, |value| value.min(best));
            }
        }
        self.memory.promising[at.level] = promising;
        best
    }
}

impl At {
    /// The state an outcome of a step leads to; the sum of its weights is not known yet.
    fn after(self, step: usize, outcome: usize) -> Self {
        Self { level: self.level + 1, state: mark(self.state, step, outcome), ..self }
    }
}

/// Weights of a level and of the next.
fn levels(weights: &mut [Vec<f64>], level: usize) -> (&[f64], &mut [f64]) {
    let (here, there) = weights.split_at_mut(level + 1);
    (&here[level], &mut there[0])
}

/// The golden ratio as a fraction of 2^64: spreads consecutive numbers.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Adds an outcome to the mark of a state: a sum of hashes, since order does not matter
/// (Zobrist 1970; the hash is that of Steele, Lea and Flood 2014).
fn mark(state: u64, step: usize, outcome: usize) -> u64 {
    let z = (step as u64 * 64 + outcome as u64 + 1).wrapping_mul(GOLDEN);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state.wrapping_add(z ^ (z >> 31))
}
