//! Branch and bound over the likely faults.

use super::problem::{Fault, KitProblem};

/// Faults that parts are chosen for: the most probable ones. The exact search visits at
/// most `2^(n + 1)` sets of them where each can be met in one way; an appliance type has
/// about ten faults with parts.
const MAX_LIKELY_FAULTS: usize = 16;

/// Nodes visited before the search settles for the best kit so far: above all subsets of
/// 16 faults, about a second.
const MAX_NODES: u32 = 1_000_000;

/// Depth-first over the likely faults: cover it, in one way or another, or give it up.
pub(super) struct Search<'a> {
    problem: &'a KitProblem<'a>,
    /// Faults that are decided one by one.
    likely: Vec<&'a Fault<'a>>,
    /// `sharers[depth][part]`: how many of the faults from `depth` on may use the part.
    sharers: Vec<Vec<f64>>,
    nodes: u32,
    best_cents: f64,
    best: Vec<u32>,
}

impl<'a> Search<'a> {
    /// The quantities of the cheapest kit.
    pub(super) fn run(problem: &'a KitProblem<'a>) -> Vec<u32> {
        let has_choice = |f: &&Fault<'_>| f.ways.first().is_some_and(|way| !way.is_empty());
        let likely: Vec<_> = problem.faults.iter().filter(has_choice).take(MAX_LIKELY_FAULTS).collect();
        let mut sharers = vec![vec![0.0; problem.part_count()]; likely.len() + 1];
        for depth in (0..likely.len()).rev() {
            sharers[depth] = sharers[depth + 1].clone();
            let mut used: Vec<_> = likely[depth].ways.iter().flatten().map(|&(part, _)| part).collect();
            used.sort_unstable();
            used.dedup();
            used.into_iter().for_each(|part| sharers[depth][part] += 1.0);
        }
        let nothing = vec![0; problem.part_count()];
        // Nothing carried, everything given up, is always possible.
        let given_up: f64 = likely.iter().map(|f| problem.risk_cents(f)).sum();
        let mut search = Self { problem, likely, sharers, nodes: 0, best_cents: given_up, best: nothing.clone() };
        search.descend(0, &nothing, 0.0);
        search.best
    }

    /// `given_up_cents`: risk of the faults given up so far.
    fn descend(&mut self, depth: usize, quantities: &[u32], given_up_cents: f64) {
        let spent = self.problem.carrying_cents(quantities) + given_up_cents;
        self.nodes += 1;
        if self.nodes > MAX_NODES || spent + self.least_rest_cents(depth, quantities) >= self.best_cents {
            return;
        }
        let Some(fault) = self.likely.get(depth).copied() else {
            self.best_cents = spent;
            self.best = quantities.to_vec();
            return;
        };
        let mut is_free = false;
        for way in &fault.ways {
            let mut with = quantities.to_vec();
            for &(part, n) in way {
                with[part] = with[part].max(n);
            }
            is_free |= with == quantities;
            self.descend(depth + 1, &with, given_up_cents);
        }
        if !is_free {
            self.descend(depth + 1, quantities, given_up_cents + self.problem.risk_cents(fault));
        }
    }

    /// A lower bound for the undecided faults: each is given up, or pays its share of the
    /// parts it lacks, as if all that may use a part paid for it together.
    fn least_rest_cents(&self, depth: usize, quantities: &[u32]) -> f64 {
        let share = |fault: &Fault<'_>| -> f64 {
            let pay = |&need: &(usize, u32)| self.problem.lacking_cents(need, quantities) / self.sharers[depth][need.0];
            fault.ways.iter().map(|way| way.iter().map(pay).sum()).fold(f64::INFINITY, f64::min)
        };
        self.likely[depth..].iter().map(|f| self.problem.risk_cents(f).min(share(f))).sum()
    }
}
