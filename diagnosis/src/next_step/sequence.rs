//! What a plan without questions costs: cures by falling chance per cost, then an ending.

use super::policy::{LOCKOUT_VETO, Policy};

/// Memory of [`Sequence::cost`], kept between calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Sequence {
    weights: Vec<f64>,
    left: Vec<u8>,
    /// For each step, the weight it would cure.
    cured: Vec<f64>,
    /// For each step, the cost of ending it would avoid.
    avoided: Vec<f64>,
}

impl Sequence {
    /// Expected cost of the sequence of cures that always takes, of those that pay, the one of
    /// best chance per cost, and ends when none pays. Optimal where cures do not overlap
    /// (Heckerman et al. 1995; Jensen et al. 2001), and the cost of a plan that can be followed
    /// in any case. In units of cost times weight: the weights need not add up to 1.
    pub fn cost(&mut self, policy: &Policy, weights: &[f64], left: &[u8]) -> f64 {
        self.weights.clear();
        self.weights.extend_from_slice(weights);
        self.left.clear();
        self.left.extend_from_slice(left);
        let mut all: f64 = weights.iter().sum();
        let mut locked = policy.locked(weights);
        let ending = policy.best_ending(weights).1;
        self.weigh(policy, ending);
        let mut cost = 0.0;
        while let Some(step) = self.most_worthwhile(policy, all, locked >= LOCKOUT_VETO * all) {
            cost += policy.candidates[step].cost * all;
            self.left[step] -= 1;
            for (hypothesis, chance) in &policy.cures[step] {
                let gone = self.weights[*hypothesis] * chance;
                self.weights[*hypothesis] -= gone;
                all -= gone;
                locked -= if policy.lockout[*hypothesis] { gone } else { 0.0 };
                let avoided = gone * policy.ending_cost(ending, *hypothesis);
                for (other, chance) in &policy.cured_by[*hypothesis] {
                    self.cured[*other] -= gone * chance;
                    self.avoided[*other] -= avoided * chance;
                }
            }
        }
        cost + policy.best_ending(&self.weights).0
    }

    fn weigh(&mut self, policy: &Policy, ending: usize) {
        let steps = policy.candidates.len();
        self.cured.clear();
        self.cured.resize(steps, 0.0);
        self.avoided.clear();
        self.avoided.resize(steps, 0.0);
        for step in &policy.curing {
            let mut sums = (0.0, 0.0);
            for (hypothesis, chance) in &policy.cures[*step] {
                let cured = self.weights[*hypothesis] * chance;
                sums.0 += cured;
                sums.1 += cured * policy.ending_cost(ending, *hypothesis);
            }
            (self.cured[*step], self.avoided[*step]) = sums;
        }
    }

    fn most_worthwhile(&self, policy: &Policy, all: f64, remote_forbidden: bool) -> Option<usize> {
        let mut best = (0.0, None);
        for step in &policy.curing {
            let candidate = &policy.candidates[*step];
            let rate = self.cured[*step] / candidate.cost;
            if rate > best.0
                && self.left[*step] > 0
                && self.avoided[*step] > candidate.cost * all
                && !(remote_forbidden && candidate.remote)
            {
                best = (rate, Some(*step));
            }
        }
        best.1
    }
}
