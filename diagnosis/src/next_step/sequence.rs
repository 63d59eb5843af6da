//! What a plan without questions costs: cures by falling chance per cost, then an ending.

use super::policy::Policy;

/// Memory of [`Sequence::cost`], kept between calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Sequence {
    weights: Vec<f64>,
    left: Vec<u8>,
    /// For each step, the weight it would cure.
    cured: Vec<f64>,
    /// For each step, the cost of ending it would avoid.
    avoided: Vec<f64>,
    /// Numbers touched so far, in all calls.
    pub effort: usize,
}

impl Sequence {
    /// Expected cost of the sequence of cures that always takes, of those that pay, the one of
    /// best chance per cost, and ends when none pays. Best of all sequences where cures do not
    /// overlap (Heckerman et al. 1995), and in any case the cost of a plan that can be followed.
    /// In units of cost times weight; `all` is the sum of the weights.
    pub fn cost(&mut self, policy: &Policy, weights: &[f64], all: f64, left: &[u8]) -> f64 {
        let (at_once, ending) = policy.best_ending(weights);
        self.start(policy, weights, left, ending);
        let (mut all, mut cost, mut taken) = (all, 0.0, false);
        while let Some(step) = self.most_worthwhile(policy, all) {
            taken = true;
            cost += policy.candidates[step].cost * all;
            self.left[step] -= 1;
            for (hypothesis, chance) in policy.cures.row(step) {
                let gone = self.weights[*hypothesis] * chance;
                self.weights[*hypothesis] -= gone;
                all -= gone;
                let avoided = gone * ending[*hypothesis];
                self.effort += policy.cured_by.row(*hypothesis).len();
                for (other, chance) in policy.cured_by.row(*hypothesis) {
                    self.cured[*other] -= gone * chance;
                    self.avoided[*other] -= avoided * chance;
                }
            }
        }
        if taken { cost + policy.best_ending(&self.weights).0 } else { at_once }
    }

    fn start(&mut self, policy: &Policy, weights: &[f64], left: &[u8], ending: &[f64]) {
        self.weights.clear();
        self.weights.extend_from_slice(weights);
        self.left.clear();
        self.left.extend_from_slice(left);
        self.effort += weights.len() + policy.cures.len();
        self.cured.resize(left.len(), 0.0);
        self.avoided.resize(left.len(), 0.0);
        for step in &policy.curing {
            let (mut cured, mut avoided) = (0.0, 0.0);
            for (hypothesis, chance) in policy.cures.row(*step) {
                let weight = weights[*hypothesis] * chance;
                cured += weight;
                avoided += weight * ending[*hypothesis];
            }
            (self.cured[*step], self.avoided[*step]) = (cured, avoided);
        }
    }

    fn most_worthwhile(&mut self, policy: &Policy, all: f64) -> Option<usize> {
        let remote_forbidden = policy.forbids_remote(&self.weights, all);
        let mut best = (0.0, None);
        self.effort += policy.curing.len();
        for step in &policy.curing {
            let candidate = &policy.candidates[*step];
            let pays = self.left[*step] > 0 && self.avoided[*step] > candidate.cost * all;
            if pays && !(remote_forbidden && candidate.remote) && self.cured[*step] > best.0 * candidate.cost {
                best = (self.cured[*step] / candidate.cost, Some(*step));
            }
        }
        best.1
    }
}
