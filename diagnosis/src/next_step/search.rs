//! Lookahead over steps and their outcomes.

use super::policy::{Effect, LOCKOUT_VETO, Policy};
use super::sequence::Sequence;

/// What is known when a step is to be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Weight of each hypothesis; they need not add up to 1. Hypotheses exclude each other:
    /// single faults, and where it matters pairs, no fault, and some other fault.
    pub weights: &'a [f64],
    /// For each candidate, how often it may still be taken; 0 forbids it. Endings are never
    /// forbidden.
    pub left: &'a [u8],
}

/// Why a step may not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// It was taken as often as it may be, or the caller forbids it.
    Spent,
    /// It acts from afar, and a safety lockout is too likely.
    Lockout,
}

/// A step and what it would come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedStep {
    /// Index of the candidate.
    pub step: usize,
    /// Expected cost of repair from here on, if this step is taken first and then the best plan
    /// that was found.
    pub expected_cost: f64,
    /// Why it may not be taken, whatever it costs.
    pub forbidden: Option<Forbidden>,
}

/// What to do next.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'w> {
    /// All candidates: those that may be taken by rising expected cost, then the forbidden.
    pub ranked: &'w [RankedStep],
    /// No plan costs less than this in expectation, found or not.
    pub least_cost: f64,
    /// How many steps ahead were looked at.
    pub depth: usize,
}

impl Decision<'_> {
    /// The step to take.
    pub fn best(&self) -> RankedStep {
        self.ranked[0]
    }
}

/// Deepest lookahead. Beyond this the plan hardly changes.
const MOST_DEPTH: usize = 8;

/// Values kept of states met on two ways: the same steps in another order.
const MEMO: usize = 1 << 12;

/// Memory of [`Policy::decide`], kept between calls so that none is allocated.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    sequence: Sequence,
    least: Vec<f64>,
    /// Weights at each level of the lookahead.
    levels: Vec<f64>,
    left: Vec<u8>,
    memo: Vec<Kept>,
    /// Sets the states of one call apart from those of earlier ones.
    salt: u64,
    ranked: Vec<RankedStep>,
    /// Steps to be looked into at each level, and what they come to at least.
    orders: Vec<Vec<(f64, usize)>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    state: u64,
    depth: usize,
    value: f64,
}

pub struct Limits { pub evaluations: u64, pub beam: usize, pub depth: usize }
impl Default for Limits { fn default() -> Self { Limits { evaluations: 300, beam: 5, depth: 8 } } }

struct Search<'a> {
    policy: &'a Policy,
    stop: &'a dyn Fn() -> bool,
    memory: &'a mut Workspace,
    spent: u64,
    limits: &'a Limits,
    /// The lookahead met its limits; deeper would find more.
    cut: bool,
}

impl Policy {
    pub fn decide<'w>(&self, situation: &Situation<'_>, memory: &'w mut Workspace, stop: &dyn Fn() -> bool, limits: &Limits) -> Decision<'w> {
        memory.prepare(self, situation);
        let all: f64 = situation.weights.iter().sum();
        let mut search = Search { policy: self, stop, memory, spent: 0, limits, cut: false };
        let depth = search.deepen(all);
        let least: f64 = memory.least.iter().zip(situation.weights).map(|(c, w)| c * w).sum();
        memory.ranked.sort_by(|a, b| {
            a.forbidden.is_some().cmp(&b.forbidden.is_some()).then(a.expected_cost.total_cmp(&b.expected_cost))
        });
        memory.ranked.iter_mut().for_each(|r| r.expected_cost /= all);
        Decision { ranked: &memory.ranked, least_cost: least / all, depth }
    }
}

impl Workspace {
    fn prepare(&mut self, policy: &Policy, situation: &Situation<'_>) {
        let hypotheses = policy.hypotheses();
        self.least.clear();
        self.least.extend((0..hypotheses).map(|h| policy.least_cost(h, situation.left)));
        self.levels.resize((MOST_DEPTH + 2) * hypotheses, 0.0);
        self.levels[..hypotheses].copy_from_slice(situation.weights);
        self.left.clear();
        self.left.extend_from_slice(situation.left);
        self.memo.resize(MEMO, Kept::default());
        self.orders.resize(MOST_DEPTH + 1, Vec::new());
        self.salt = self.salt.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let locked = policy.locked(situation.weights) >= LOCKOUT_VETO * situation.weights.iter().sum::<f64>();
        self.ranked.clear();
        self.ranked.extend(policy.candidates.iter().enumerate().map(|(step, candidate)| {
            let ends = matches!(candidate.effect, Effect::End(_));
            let forbidden = match () {
                () if candidate.remote && locked => Some(Forbidden::Lockout),
                () if situation.left[step] == 0 && !ends => Some(Forbidden::Spent),
                () => None,
            };
            RankedStep { step, expected_cost: f64::INFINITY, forbidden }
        }));
    }
}

impl Search<'_> {
    fn deepen(&mut self, all: f64) -> usize {
        let state = self.memory.salt;
        for depth in 0..self.limits.depth.min(MOST_DEPTH) {
            self.cut = false;
            let mut best = self.memory.ranked.iter().filter(|r| r.forbidden.is_none()).fold(f64::INFINITY, |b, r| b.min(r.expected_cost));
            for i in 0..self.memory.ranked.len() {
                let RankedStep { step, expected_cost, forbidden } = self.memory.ranked[i];
                if forbidden == Some(Forbidden::Spent) { continue }
                let limit = if depth == 0 { f64::INFINITY } else { best };
                if let Some(value) = self.try_step(step, 0, depth, all, limit, state) {
                    let v = value.min(expected_cost);
                    self.memory.ranked[i].expected_cost = v;
                    if forbidden.is_none() { best = best.min(v); }
                }
                if depth > 0 && self.exhausted() { return depth; }
            }
            if !self.cut { return depth + 1; }
            self.memory.ranked.sort_by(|a, b| a.expected_cost.total_cmp(&b.expected_cost));
        }
        MOST_DEPTH
    }

    fn exhausted(&self) -> bool {
        self.spent >= self.limits.evaluations || (self.spent % 32 == 0 && (self.stop)())
    }

    /// Value of taking a step at `level`, and looking `depth` further ahead after it. None if not below limit.
    fn try_step(&mut self, step: usize, level: usize, depth: usize, all: f64, limit: f64, state: u64) -> Option<f64> {
        let policy = self.policy;
        let n = policy.hypotheses();
        let cost = policy.candidates[step].cost;
        match &policy.candidates[step].effect {
            Effect::End(_) => {
                let w = &self.memory.levels[level * n..(level + 1) * n];
                Some(w.iter().enumerate().map(|(h, w)| w * policy.ending_cost(step, h)).sum())
            }
            Effect::Cure(_) => {
                let (here, there) = self.memory.levels.split_at_mut((level + 1) * n);
                let there = &mut there[..n];
                there.copy_from_slice(&here[level * n..]);
                for (h, p) in &policy.cures[step] { there[*h] *= 1.0 - p; }
                let own = cost * all;
                if own + bound(&self.memory.least, there) >= limit { return None }
                self.memory.left[step] -= 1;
                let v = self.value(level + 1, depth, mark(state, step, 0));
                self.memory.left[step] += 1;
                Some(own + v)
            }
            Effect::Tell(answers) => {
                let own = cost * all;
                let here = &self.memory.levels[level * n..(level + 1) * n];
                let mut rest = bound(&self.memory.least, here);
                let mut sum = own;
                if own + rest >= limit { return None }
                self.memory.left[step] -= 1;
                for (a, row) in answers.iter().enumerate() {
                    let (here, there) = self.memory.levels.split_at_mut((level + 1) * n);
                    let there = &mut there[..n];
                    for ((t, w), p) in there.iter_mut().zip(&here[level * n..]).zip(row) { *t = w * p; }
                    rest -= bound(&self.memory.least, there);
                    sum += self.value(level + 1, depth, mark(state, step, a));
                    if sum + rest >= limit { self.memory.left[step] += 1; return None }
                }
                self.memory.left[step] += 1;
                Some(sum)
            }
        }
    }

    fn value(&mut self, level: usize, depth: usize, state: u64) -> f64 {
        let slot = (state ^ (state >> 32)) as usize % MEMO;
        let kept = self.memory.memo[slot];
        if kept.state == state && kept.depth >= depth { return kept.value; }
        let n = self.policy.hypotheses();
        let policy = self.policy;
        let weights = &self.memory.levels[level * n..(level + 1) * n];
        let mut best = if kept.state == state { kept.value } else {
            self.spent += 1;
            self.memory.sequence.cost(policy, weights, &self.memory.left)
        };
        let all: f64 = weights.iter().sum();
        let least = bound(&self.memory.least, weights);
        if least < best * (1.0 - 1e-9) {
            if depth == 0 || level >= MOST_DEPTH { self.cut = true } else {
                let forbidden = policy.any_lockout && policy.locked(weights) >= LOCKOUT_VETO * all;
                best = self.look(level, depth, all, best, state, forbidden);
            }
        }
        self.memory.memo[slot] = Kept { state, depth, value: best };
        best
    }

    fn look(&mut self, level: usize, depth: usize, all: f64, mut best: f64, state: u64, forbidden: bool) -> f64 {
        let mut order = std::mem::take(&mut self.memory.orders[level]);
        order.clear();
        for step in 0..self.policy.candidates.len() {
            if self.memory.left[step] == 0 || matches!(self.policy.candidates[step].effect, Effect::End(_)) || (forbidden && self.policy.candidates[step].remote) { continue }
            let limit = if depth == 1 { best } else { f64::INFINITY };
            if let Some(v) = self.try_step(step, level, 0, all, limit, state) {
                best = best.min(v);
                order.push((v, step));
            }
            if self.exhausted() { break }
        }
        if depth > 1 {
            order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            for i in 0..order.len().min(self.limits.beam) {
                if self.exhausted() { break }
                if let Some(v) = self.try_step(order[i].1, level, depth - 1, all, best, state) { best = best.min(v); }
            }
        }
        self.memory.orders[level] = order;
        best
    }
}

fn bound(least: &[f64], weights: &[f64]) -> f64 {
    least.iter().zip(weights).map(|(c, w)| c * w).sum()
}

/// Order-free mark of a state.
fn mark(state: u64, step: usize, outcome: usize) -> u64 {
    let mut z = ((step as u64) << 8 | outcome as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state.wrapping_add(z ^ (z >> 31))
}
