//! The fault tree and the detectors' likelihoods, compiled for diagnosis.

use std::sync::Arc;

use crate::appliance::Cause;
use crate::detector::{Detector, Latch};
use crate::fault_tree::{EventKind, FaultTree, Node};
use crate::inference::{self, Circuit, CompileError, Evidence, ObservedTree, Scratch, Symptom, Weights};

/// P(symptom present | node's event happens).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Link {
    pub symptom: usize,
    pub node: Node,
    pub probability: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub observed: ObservedTree,
    pub circuit: Arc<Circuit>,
    causes: Vec<String>,
    symptoms_of: Vec<Vec<usize>>,
    /// Per symptom, log of P(s | top event) / P(s | no top event), for present and absent.
    ratios: Vec<(f64, f64)>,
}

/// What the latched symptoms say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weighed {
    /// Probability of each cause.
    pub causes: Vec<f64>,
    /// Probability of the top event.
    pub top: f64,
}

/// No evidence and no rate is taken as certain: catalogues are written by people.
const CERTAIN: f64 = 1e-6;

fn doubted(probability: f64) -> f64 {
    probability.clamp(CERTAIN, 1.0 - CERTAIN)
}

impl Model {
    /// `tree` is static, and its first events are the causes.
    ///
    /// # Errors
    /// What in the tree cannot be compiled, such as symptoms that tie too much of it together.
    pub fn new(
        tree: &FaultTree,
        causes: &[Cause],
        detectors: &[Detector],
        links: &[Link],
    ) -> Result<Self, CompileError> {
        let symptoms: Vec<Symptom> = detectors.iter().enumerate().map(|(index, d)| symptom(index, d, links)).collect();
        let observed = ObservedTree { tree: tree.clone(), priors: priors(tree, causes), symptoms };
        let circuit = Arc::new(Circuit::compile(&observed)?);
        let mut model = Self { observed, circuit, ..Self::mute(tree, causes, links) };
        model.ratios = model.ratios(detectors.len());
        Ok(model)
    }

    /// The same with other priors of the causes and other false-alarm rates.
    pub fn reweighed(&self, causes: &[Cause], detectors: &[Detector]) -> Self {
        let mut observed = self.observed.clone();
        for ((prior, event), cause) in observed.priors.iter_mut().zip(&observed.tree.events).zip(causes) {
            if !matches!(event.kind, EventKind::House(_)) {
                *prior = doubted(cause.prior);
            }
        }
        for (symptom, detector) in observed.symptoms.iter_mut().zip(detectors) {
            symptom.false_alarm = doubted(detector.false_alarm);
        }
        let mut circuit = (*self.circuit).clone();
        circuit.reweigh(&observed.priors, &observed.symptoms).expect("only numbers have changed");
        let mut model = Self { observed, circuit: Arc::new(circuit), ..self.clone() };
        model.ratios = model.ratios(detectors.len());
        model
    }

    /// For a tree that cannot be compiled: knows what speaks for what, but weighs nothing.
    pub fn mute(tree: &FaultTree, causes: &[Cause], links: &[Link]) -> Self {
        let nothing = Circuit::compile(&ObservedTree::default()).expect("nothing is tied together");
        Self {
            observed: ObservedTree::default(),
            circuit: Arc::new(nothing),
            causes: causes.iter().map(|cause| cause.key.clone()).collect(),
            symptoms_of: symptoms_of(tree, causes.len(), links),
            ratios: Vec::new(),
        }
    }

    /// Log of P(this | some fault) / P(this | no fault).
    pub fn log_likelihood_ratio(&self, symptom: usize, present: bool) -> f64 {
        self.ratios.get(symptom).map_or(0.0, |ratio| if present { ratio.0 } else { ratio.1 })
    }

    /// The same for a symptom that is neither there nor not there for certain.
    pub fn soft_log_likelihood_ratio(&self, symptom: usize, weights: Weights) -> f64 {
        let mut scratch = self.circuit.scratch();
        let mut evidence = Evidence::unknown(self.ratios.len());
        let mut log_odds = |evidence: &Evidence| log_odds(self.weigh_evidence(evidence, &mut scratch).top);
        let before = log_odds(&evidence);
        evidence.set_symptom(symptom, weights);
        log_odds(&evidence) - before
    }

    /// Whether a symptom is linked to a cause, or to a gate that the cause feeds.
    pub fn speaks_for(&self, symptom: usize, cause: &str) -> bool {
        let Some(cause) = self.causes.iter().position(|c| c == cause) else { return false };
        self.symptoms_of[cause].contains(&symptom)
    }

    /// Probabilities, given what is known of each symptom.
    pub fn weigh(&self, symptoms: &[Weights]) -> Weighed {
        self.weigh_evidence(&evidence(symptoms), &mut self.circuit.scratch())
    }

    /// By how much each symptom moved the log odds of a cause, the others being as they are.
    pub fn shifts(&self, symptoms: &[Weights], cause: usize) -> Vec<f64> {
        self.circuit.shifts(&evidence(symptoms), cause, &mut self.circuit.scratch())
    }

    fn weigh_evidence(&self, evidence: &Evidence, scratch: &mut Scratch) -> Weighed {
        let posterior = self.circuit.posterior(evidence, scratch).expect("nothing is taken as certain");
        let causes = posterior.events()[..self.causes.len()].to_vec();
        Weighed { causes, top: posterior.gates().get(self.observed.tree.top).copied().unwrap_or_default() }
    }

    fn ratios(&self, symptoms: usize) -> Vec<(f64, f64)> {
        let mut scratch = self.circuit.scratch();
        let mut evidence = Evidence::unknown(symptoms);
        let mut odds = |evidence: &Evidence| log_odds(self.weigh_evidence(evidence, &mut scratch).top);
        let before = odds(&evidence);
        let mut ratio = |symptom: usize, weights: Weights| {
            evidence.set_symptom(symptom, weights);
            let after = odds(&evidence);
            evidence.set_symptom(symptom, Weights::UNKNOWN);
            after - before
        };
        (0..symptoms).map(|symptom| (ratio(symptom, Weights::PRESENT), ratio(symptom, Weights::ABSENT))).collect()
    }
}

/// Per cause, the symptoms linked to it or to a gate that it feeds.
pub(crate) fn symptoms_of(tree: &FaultTree, causes: usize, links: &[Link]) -> Vec<Vec<usize>> {
    let of_cause = (0..causes).map(|cause| {
        let above = tree.gates_above(Node::Event(cause));
        let speaks = |link: &&Link| match link.node {
            Node::Event(event) => event == cause,
            Node::Gate(gate) => above[gate],
        };
        links.iter().filter(speaks).map(|link| link.symptom).collect()
    });
    of_cause.collect()
}

fn log_odds(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

fn evidence(symptoms: &[Weights]) -> Evidence {
    let mut evidence = Evidence::unknown(symptoms.len());
    symptoms.iter().enumerate().for_each(|(symptom, weights)| evidence.set_symptom(symptom, *weights));
    evidence
}

impl Latch {
    /// What it says of its symptom.
    pub fn weights(self) -> Weights {
        match self {
            Self::Present => Weights::PRESENT,
            Self::Absent => Weights::ABSENT,
            Self::Unknown => Weights::UNKNOWN,
        }
    }
}

fn symptom(index: usize, detector: &Detector, links: &[Link]) -> Symptom {
    let links = links.iter().filter(|link| link.symptom == index);
    let links = links.map(|link| inference::Link { node: link.node, probability: doubted(link.probability) });
    Symptom { name: detector.key.clone(), false_alarm: doubted(detector.false_alarm), links: links.collect() }
}

fn priors(tree: &FaultTree, causes: &[Cause]) -> Vec<f64> {
    let of_event = tree.events.iter().enumerate().map(|(index, event)| match (event.kind, causes.get(index)) {
        (EventKind::House(happens), _) => f64::from(u8::from(happens)),
        (_, Some(cause)) => doubted(cause.prior),
        (_, None) => doubted(event.law.and_then(|law| law.probability().ok()).unwrap_or(0.0)),
    });
    of_event.collect()
}

#[cfg(test)]
mod tests;
