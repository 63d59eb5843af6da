//! Made-up troubleshooting models, their exact optimum, and what a policy really costs.
//!
//! Shares no code with the policy: states are enumerated, weights computed from scratch.

use std::collections::HashMap;

use super::*;
use crate::appliance::RiskClass;

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

/// Outcomes so far: actions that failed, and for each question the answer.
type State = (u32, Vec<Option<bool>>);

impl Case {
    pub fn candidates(&self) -> Vec<Candidate> {
        let actions = self.actions.iter().map(|(cost, cures)| (*cost, Effect::Cure(cures.clone())));
        let questions = self.questions.iter().map(|(cost, yes)| {
            (*cost, Effect::Tell(vec![yes.clone(), yes.iter().map(|p| 1.0 - p).collect()]))
        });
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

    fn weights(&self, (failed, answers): &State) -> Vec<f64> {
        let weight = |(fault, prior): (usize, &f64)| {
            let missed = self.actions.iter().enumerate().map(|(a, (_, cures))| {
                if failed >> a & 1 == 1 { 1.0 - cures[fault] } else { 1.0 }
            });
            let said = self.questions.iter().zip(answers).map(|((_, yes), answer)| match answer {
                None => 1.0,
                Some(true) => yes[fault],
                Some(false) => 1.0 - yes[fault],
            });
            prior * missed.product::<f64>() * said.product::<f64>()
        };
        self.prior.iter().enumerate().map(weight).collect()
    }

    fn service(&self, state: &State) -> f64 {
        self.weights(state).iter().zip(&self.service).map(|(w, c)| w * c).sum()
    }

    /// What follows from a step that was not taken yet: its own cost times the weight of the
    /// state, and the states it leads to while the fault is there.
    fn step(&self, (failed, answers): &State, step: usize) -> Option<(f64, Vec<State>)> {
        let all: f64 = self.weights(&(*failed, answers.clone())).iter().sum();
        if step < self.actions.len() {
            let next = (failed | 1 << step, answers.clone());
            return (failed >> step & 1 == 0).then(|| (self.actions[step].0 * all, vec![next]));
        }
        let question = step - self.actions.len();
        if answers[question].is_some() {
            return None;
        }
        let answered = |answer| {
            let mut answers = answers.clone();
            answers[question] = Some(answer);
            (*failed, answers)
        };
        Some((self.questions[question].0 * all, vec![answered(true), answered(false)]))
    }

    fn steps(&self) -> usize {
        self.actions.len() + self.questions.len()
    }

    fn start(&self) -> State {
        (0, vec![None; self.questions.len()])
    }

    /// Least expected cost of all plans that take each step at most once.
    pub fn optimum(&self) -> f64 {
        self.optimum_from(&self.start(), &mut HashMap::new())
    }

    fn optimum_from(&self, state: &State, known: &mut HashMap<State, f64>) -> f64 {
        if let Some(cost) = known.get(state) {
            return *cost;
        }
        let mut best = self.service(state);
        for step in 0..self.steps() {
            if let Some((cost, next)) = self.step(state, step) {
                best = best.min(cost + next.iter().map(|next| self.optimum_from(next, known)).sum::<f64>());
            }
        }
        known.insert(state.clone(), best);
        best
    }

    /// Expected cost of following a choice of step to the end; the step after the last is service.
    pub fn cost_of(&self, choose: &mut dyn FnMut(&[f64], &[u8]) -> usize) -> f64 {
        self.cost_from(&self.start(), choose)
    }

    fn cost_from(&self, state: &State, choose: &mut dyn FnMut(&[f64], &[u8]) -> usize) -> f64 {
        let weights = self.weights(state);
        if weights.iter().sum::<f64>() <= 0.0 {
            return 0.0;
        }
        let left: Vec<u8> = (0..=self.steps())
            .map(|step| u8::from(step == self.steps() || self.step(state, step).is_some()))
            .collect();
        let step = choose(&weights, &left);
        if step == self.steps() {
            return self.service(state);
        }
        let (cost, next) = self.step(state, step).expect("a step is taken at most once");
        cost + next.iter().map(|next| self.cost_from(next, choose)).sum::<f64>()
    }
}
