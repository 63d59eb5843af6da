//! What a step would bring.

use super::policy::{Effect, Policy, PolicyError};
use super::search::{Situation, Workspace};

/// What a step would bring.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Probability that it cures; 0 if it only tells, 1 if it ends the matter.
    pub chance_to_cure: f64,
    /// Where it leads otherwise: for each answer, or for a cure the one case that it failed.
    pub outlooks: Vec<Outlook>,
}

/// A situation that a step may lead to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// Its probability.
    pub probability: f64,
    /// Probability of each hypothesis in it.
    pub posterior: Vec<f64>,
    /// The best step then.
    pub next: usize,
}

impl Policy {
    /// Tells what a step would bring, and what would be done next.
    ///
    /// # Errors
    /// The situation does not fit the policy; see [`Policy::decide`].
    pub fn explain(
        &self,
        situation: &Situation<'_>,
        step: usize,
        memory: &mut Workspace,
        stop: &dyn Fn() -> bool,
    ) -> Result<Explanation, PolicyError> {
        let all = situation.check(self)?;
        let mut left = situation.left.to_vec();
        left[step] = left[step].saturating_sub(1);
        let mut outlooks = Vec::new();
        let mut uncured = 0.0;
        for weights in self.outcomes(step, situation.weights) {
            let weight: f64 = weights.iter().sum();
            if weight > 0.0 {
                let next = Situation { weights: &weights, left: &left, ..*situation };
                let next = self.decide(&next, memory, stop)?.best().step;
                let posterior = weights.iter().map(|w| w / weight).collect();
                outlooks.push(Outlook { probability: weight / all, posterior, next });
            }
            uncured += weight / all;
        }
        Ok(Explanation { chance_to_cure: (1.0 - uncured).max(0.0), outlooks })
    }

    /// The weights after each outcome of a step that does not settle the matter.
    fn outcomes(&self, step: usize, weights: &[f64]) -> Vec<Vec<f64>> {
        let times = |row: &[f64]| weights.iter().zip(row).map(|(weight, chance)| weight * chance).collect();
        match &self.candidates[step].effect {
            Effect::End(_) => Vec::new(),
            Effect::Cure(chances) => vec![weights.iter().zip(chances).map(|(w, p)| w * (1.0 - p)).collect()],
            Effect::Tell(answers) => answers.iter().map(|row| times(row)).collect(),
        }
    }
}
