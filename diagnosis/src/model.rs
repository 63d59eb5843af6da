//! The fault tree and the detectors' likelihoods, compiled for diagnosis.
//!
//! Exact enumeration of hypotheses: no fault, each single fault, each pair. Each is
//! evaluated through the tree once, when the catalogue is read.

use crate::appliance::Cause;
use crate::detector::{Detector, Latch};
use crate::tree::{CauseSet, Node, Tree, is_active};

/// P(symptom present | node's event happens).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Link {
    pub symptom: usize,
    pub node: Node,
    pub probability: f64,
}

/// One set of active causes and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hypothesis {
    pub active: CauseSet,
    /// Whether the top event happens.
    pub top: bool,
    pub log_prior: f64,
    /// For each symptom the logs of P(present) and P(absent).
    pub log_likelihood: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Model {
    pub hypotheses: Vec<Hypothesis>,
    causes: Vec<String>,
    /// Per cause, the symptoms linked to it or to a gate that it feeds.
    speaks: Vec<Vec<usize>>,
    /// Per symptom, log of P(s | top event) / P(s | no top event), for present and absent.
    ratios: Vec<(f64, f64)>,
}

/// No evidence is taken as certain: catalogues are written by people.
const CERTAIN: f64 = 1e-6;

impl Model {
    pub fn new(tree: &Tree, causes: &[Cause], detectors: &[Detector], links: Vec<Link>) -> Self {
        let hypotheses: Vec<Hypothesis> = fault_sets(causes.len())
            .map(|active| {
                let gates = tree.evaluate(active);
                let top = gates.get(tree.top).copied().unwrap_or(false);
                let present = (0..detectors.len()).map(|symptom| {
                    let of_symptom = links.iter().filter(|l| l.symptom == symptom);
                    let active = of_symptom.filter(|l| is_active(l.node, active, &gates)).map(|l| l.probability);
                    probability_present(detectors[symptom].false_alarm, active)
                });
                let log_likelihood = present.map(|p| (p.ln(), (1.0 - p).ln())).collect();
                Hypothesis { active, top, log_prior: log_prior(causes, active), log_likelihood }
            })
            .collect();
        let ratios = (0..detectors.len()).map(|symptom| ratio(&hypotheses, symptom)).collect();
        let speaks = (0..causes.len()).map(|cause| {
            let fed = tree.fed_by(cause);
            links.iter().filter(|l| is_active(l.node, 1 << cause, &fed)).map(|l| l.symptom).collect()
        });
        let speaks = speaks.collect();
        let causes = causes.iter().map(|c| c.key.clone()).collect();
        Self { hypotheses, causes, speaks, ratios }
    }

    /// Log of P(this | some fault) / P(this | no fault).
    pub fn log_likelihood_ratio(&self, symptom: usize, present: bool) -> f64 {
        self.ratios.get(symptom).map_or(0.0, |ratio| if present { ratio.0 } else { ratio.1 })
    }

    /// Whether a symptom is linked to a cause, or to a gate that the cause feeds.
    pub fn speaks_for(&self, symptom: usize, cause: &str) -> bool {
        let Some(cause) = self.causes.iter().position(|c| c == cause) else { return false };
        self.speaks[cause].contains(&symptom)
    }

    /// Posterior of each hypothesis, given what is latched for each symptom.
    pub fn posterior(&self, latched: &[Latch]) -> Vec<f64> {
        let logs: Vec<f64> = self.hypotheses.iter().map(|h| h.log_prior + h.log_evidence(latched)).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut weights: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let all: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= all);
        weights
    }

    /// Probability of each cause and of the top event under a posterior over hypotheses.
    pub fn marginals(&self, posterior: &[f64]) -> (Vec<f64>, f64) {
        let mut causes = vec![0.0; self.causes.len()];
        let mut top = 0.0;
        for (hypothesis, weight) in self.hypotheses.iter().zip(posterior) {
            top += if hypothesis.top { *weight } else { 0.0 };
            for (index, probability) in causes.iter_mut().enumerate() {
                *probability += if hypothesis.active >> index & 1 == 1 { *weight } else { 0.0 };
            }
        }
        (causes, top)
    }
}

impl Hypothesis {
    fn log_evidence(&self, latched: &[Latch]) -> f64 {
        let each = self.log_likelihood.iter().zip(latched);
        each.map(|(log, latch)| match latch {
            Latch::Present => log.0,
            Latch::Absent => log.1,
            Latch::Unknown => 0.0,
        })
        .sum()
    }
}

/// The empty set, each single cause, each pair.
fn fault_sets(causes: usize) -> impl Iterator<Item = CauseSet> {
    let singles = (0..causes).map(|a| 1 << a);
    let pairs = (0..causes).flat_map(move |a| (a + 1..causes).map(move |b| 1 << a | 1 << b));
    std::iter::once(0).chain(singles).chain(pairs)
}

/// Noisy-or over the active links; the false-alarm rate where there is none.
fn probability_present(false_alarm: f64, active: impl Iterator<Item = f64>) -> f64 {
    let (count, missed) = active.fold((0, 1.0), |(count, missed), p| (count + 1, missed * (1.0 - p)));
    let present = if count == 0 { false_alarm } else { 1.0 - missed };
    present.clamp(CERTAIN, 1.0 - CERTAIN)
}

fn log_prior(causes: &[Cause], active: CauseSet) -> f64 {
    let each = causes.iter().enumerate();
    each.map(|(index, cause)| {
        let prior = cause.prior.clamp(CERTAIN, 1.0 - CERTAIN);
        if active >> index & 1 == 1 { prior.ln() } else { (1.0 - prior).ln() }
    })
    .sum()
}

fn ratio(hypotheses: &[Hypothesis], symptom: usize) -> (f64, f64) {
    let mean = |top: bool, part: fn(&(f64, f64)) -> f64| {
        let of_side = hypotheses.iter().filter(|h| h.top == top);
        let (sum, weight) = of_side.fold((0.0, 0.0), |(sum, weight), h| {
            let prior = h.log_prior.exp();
            (sum + prior * part(&h.log_likelihood[symptom]).exp(), weight + prior)
        });
        if weight > 0.0 { sum / weight } else { 1.0 }
    };
    let log_ratio = |part: fn(&(f64, f64)) -> f64| (mean(true, part) / mean(false, part)).ln();
    (log_ratio(|l| l.0), log_ratio(|l| l.1))
}

#[cfg(test)]
mod tests;
