//! Made-up troubleshooting models, their exact optimum, and what a policy really costs.
//!
//! Dynamic programming over every state that plans can come to. Shares no code with the policy.

use diagnosis::RiskClass;
use diagnosis::next_step::{Candidate, Effect};

/// One fault of several, actions that each cure some of them, questions that tell.
#[derive(Debug, Clone)]
pub struct Case {
    pub prior: Vec<f64>,
    /// Cost, and P(cured | fault).
    pub actions: Vec<(f64, Vec<f64>)>,
    /// Cost, and P(yes | fault).
    pub questions: Vec<(f64, Vec<f64>)>,
    /// Cost of calling service, by fault.
    pub service: Vec<f64>,
}

/// What was done so far, as a number: a binary digit for each action (1: it failed), then a
/// ternary one for each question (0: not asked).
type State = usize;

/// What a step costs, times the weight of the state, and the states it leads to while the fault
/// is there, with their weights.
type Taken = (f64, Vec<(State, Vec<f64>)>);

impl Case {
    pub fn candidates(&self) -> Vec<Candidate> {
        let actions = self.actions.iter().map(|(cost, cures)| (*cost, Effect::Cure(cures.clone())));
        let questions = self
            .questions
            .iter()
            .map(|(cost, yes)| (*cost, Effect::Tell(vec![yes.clone(), yes.iter().map(|p| 1.0 - p).collect()])));
        let service = std::iter::once((0.0, Effect::End(self.service.clone())));
        let all = actions.chain(questions).chain(service).enumerate();
        all.map(|(index, (cost, effect))| Candidate {
            key: index.to_string(),
            cost,
            risk: RiskClass::R1,
            remote: true,
            effect,
        })
        .collect()
    }

    fn service_cost(&self, weights: &[f64]) -> f64 {
        weights.iter().zip(&self.service).map(|(w, c)| w * c).sum()
    }

    /// What follows from a step that was not taken yet.
    fn step(&self, state: State, weights: &[f64], step: usize) -> Option<Taken> {
        let all: f64 = weights.iter().sum();
        let left = |chances: &[f64]| weights.iter().zip(chances).map(|(w, p)| w * (1.0 - p)).collect();
        if let Some((cost, cures)) = self.actions.get(step) {
            let digit = 1 << step;
            return (state & digit == 0).then(|| (cost * all, vec![(state + digit, left(cures))]));
        }
        let question = step - self.actions.len();
        let digit = 3usize.pow(question as u32) << self.actions.len();
        let (cost, yes) = &self.questions[question];
        let said_yes = weights.iter().zip(yes).map(|(w, p)| w * p).collect();
        let answers = || vec![(state + digit, said_yes), (state + 2 * digit, left(yes))];
        (state / digit).is_multiple_of(3).then(|| (cost * all, answers()))
    }

    fn steps(&self) -> usize {
        self.actions.len() + self.questions.len()
    }

    /// Least expected cost of all plans that take each step at most once.
    pub fn optimum(&self) -> f64 {
        let states = 3usize.pow(self.questions.len() as u32) << self.actions.len();
        self.optimum_from(0, &self.prior, &mut vec![None; states])
    }

    fn optimum_from(&self, state: State, weights: &[f64], known: &mut [Option<f64>]) -> f64 {
        if let Some(cost) = known[state] {
            return cost;
        }
        let mut best = self.service_cost(weights);
        for (cost, next) in (0..self.steps()).filter_map(|step| self.step(state, weights, step)) {
            best = best.min(cost + next.iter().map(|(s, w)| self.optimum_from(*s, w, known)).sum::<f64>());
        }
        known[state] = Some(best);
        best
    }

    /// Expected cost of following a choice of step to the end, given the weights and how often
    /// each step is left; the step after the last is service.
    pub fn cost_of(&self, choose: &mut dyn FnMut(&[f64], &[u8]) -> usize) -> f64 {
        self.cost_from(0, &self.prior, choose)
    }

    fn cost_from(&self, state: State, weights: &[f64], choose: &mut dyn FnMut(&[f64], &[u8]) -> usize) -> f64 {
        if weights.iter().sum::<f64>() <= 0.0 {
            return 0.0;
        }
        let open = |step| step == self.steps() || self.step(state, weights, step).is_some();
        let left: Vec<u8> = (0..=self.steps()).map(|step| u8::from(open(step))).collect();
        let step = choose(weights, &left);
        if step == self.steps() {
            return self.service_cost(weights);
        }
        let (cost, next) = self.step(state, weights, step).expect("a step is taken at most once");
        cost + next.iter().map(|(s, w)| self.cost_from(*s, w, choose)).sum::<f64>()
    }
}

/// Seeded numbers (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        random.0 = random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly spread over magnitudes.
    pub fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }
}
