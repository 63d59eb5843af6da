//! The compiled circuit and its evaluation for one device.

use thiserror::Error;

use super::differentiate::differentiate;
use super::elimination::{Greed, Order, Overgrown, eliminate, order};
use super::evidence::{Evidence, Impossible, Weights};
use super::expressions::{Expressions, Id};
use super::network::{
    Merging, Network, ObservedTree, Owner, Symptom, event_input, parameters, symptom_input, variable_of,
};
use super::tape::{Tape, Writer};
use super::wide::Wide;
use crate::fault_tree::{FaultTree, Logic, Node};

/// Most expressions of a circuit, of the forward pass alone: at about a nanosecond a step and
/// three steps in all for one forward, a device takes 0.1 ms.
pub const MAX_EXPRESSIONS: usize = 1 << 15;

/// Most events, inputs of gates and links: bounds the time of ordering to seconds.
pub const MAX_CONNECTIONS: usize = 1 << 14;

/// A fault tree with its symptoms, ready to be evaluated; immutable, so that it can be shared
/// and swapped as an `Arc`.
#[derive(Debug, Clone)]
pub struct Circuit {
    pub(super) events: usize,
    pub(super) gates: usize,
    pub(super) symptoms: usize,
    links: Vec<usize>,
    /// From parameters to what depends on them alone.
    rates: Tape,
    /// Where, among the numbers of `rates`, the first given numbers of `steps` are.
    from_rates: Vec<u32>,
    pub(super) steps: Tape,
    /// The given numbers of `steps`, with weight 1 for everything.
    pub(super) base: Vec<f64>,
    /// Where the inputs begin among them.
    pub(super) inputs: usize,
    /// Runs after which all posteriors are known.
    pub(super) backward: usize,
    pub(super) evidence_at: u32,
    /// P(event or gate happens, evidence): events, then gates.
    pub(super) joint_at: Vec<u32>,
    /// Derivative by each symptom's weights, absent before present.
    pub(super) sensitivity_at: Vec<u32>,
}

/// Why a tree cannot be compiled.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CompileError {
    /// An order of failures or a spare.
    #[error("gate {gate:?} depends on the order of failures: expand it into its probability first")]
    Dynamic {
        /// Its name.
        gate: String,
    },
    /// Events that fail together.
    #[error(
        "common-cause group {group:?} is not part of the gates: expand it, or write what its members share as an event"
    )]
    CommonCause {
        /// Its name.
        group: String,
    },
    /// A gate that depends on itself.
    #[error("gate {gate:?} depends on itself: break the circle")]
    Circle {
        /// Its name.
        gate: String,
    },
    /// A reference to nothing.
    #[error("{owner:?} refers to an event or gate that is not in the tree")]
    Dangling {
        /// The gate or symptom.
        owner: String,
    },
    /// Not a probability.
    #[error("{owner:?} has probability {value}, must be from 0 to 1")]
    Probability {
        /// The event or symptom.
        owner: String,
        /// What it has.
        value: f64,
    },
    /// Not one prior for each event.
    #[error("there are {found} priors, the tree has {events} events")]
    Priors {
        /// How many there are.
        found: usize,
        /// How many there must be.
        events: usize,
    },
    /// Too much would have to be held together.
    #[error(
        "too much is tied together: the circuit would exceed {limit} expressions where {} meet. \
         Link symptoms that span branches to gates instead of to many causes, and share fewer events",
        tied.join(", ")
    )]
    Entangled {
        /// What was allowed.
        limit: usize,
        /// Events, gates and symptoms that are tied together.
        tied: Vec<String>,
    },
    /// More than is ordered in reasonable time.
    #[error("there are {found} events, inputs of gates and links, at most {MAX_CONNECTIONS} can be compiled")]
    TooLarge {
        /// How many there are.
        found: usize,
    },
    /// Other symptoms or links than the circuit was compiled for.
    #[error("the symptoms have other links than the circuit was compiled for: compile anew")]
    OtherStructure,
}

/// Numbers of one evaluation, to be used again and again.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    numbers: Vec<f64>,
    wide: Vec<Wide>,
    pub(super) results: Vec<f64>,
    sensitivities: Vec<f64>,
}

/// How far an evaluation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Posteriors,
    Sensitivities,
}

/// What follows from the evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior<'a> {
    pub(super) events: usize,
    pub(super) values: &'a [f64],
    pub(super) log_evidence: f64,
}

impl<'a> Posterior<'a> {
    /// P(event happens | evidence) of each event.
    pub fn events(&self) -> &'a [f64] {
        &self.values[..self.events]
    }

    /// P(gate happens | evidence) of each gate.
    pub fn gates(&self) -> &'a [f64] {
        &self.values[self.events..]
    }

    /// P(node happens | evidence).
    pub fn of(&self, node: Node) -> f64 {
        self.values[variable_of(self.events, node)]
    }

    /// Natural logarithm of P(evidence); with weights other than 0 and 1, of its mean weight.
    pub fn log_evidence(&self) -> f64 {
        self.log_evidence
    }
}

impl Circuit {
    /// Compiles a tree with what can be observed of it. House events take prior 0 or 1.
    ///
    /// # Errors
    /// What in the tree or the symptoms is wrong, or too entangled.
    pub fn compile(observed: &ObservedTree) -> Result<Self, CompileError> {
        let ObservedTree { tree, priors, symptoms } = observed;
        let places = places(tree, symptoms)?;
        check_probabilities(tree, priors, symptoms)?;
        let (mut all, root) = smallest(tree, symptoms, &places)?;
        let inputs = 2 * (tree.events.len() + symptoms.len());
        let derivatives = differentiate(&mut all, root, inputs, tree.events.len() + tree.gates.len());
        let sensitivities = &derivatives.inputs[2 * tree.events.len()..];
        let mut circuit = Self::write(&all, root, &derivatives.nodes, sensitivities, inputs, symptoms);
        circuit.events = tree.events.len();
        circuit.gates = tree.gates.len();
        circuit.reweigh(priors, symptoms)?;
        Ok(circuit)
    }

    fn write(
        all: &Expressions,
        root: Id,
        joint: &[Id],
        sensitivities: &[Id],
        inputs: usize,
        symptoms: &[Symptom],
    ) -> Self {
        let roots: Vec<Id> = std::iter::once(&root).chain(joint).chain(sensitivities).copied().collect();
        let constants = all.constants_of(&roots);
        let rates = Writer::new(all, &all.parameters(parameters(symptoms).count()), &constants);
        let (rates, from_rates) = rates.write(&[&constants]);
        let from_rates = from_rates.into_iter().flat_map(|(_, places)| places).collect::<Vec<u32>>();
        let given: Vec<Id> = constants.iter().copied().chain(all.inputs(inputs)).collect();
        let (steps, sections) = Writer::new(all, &given, &roots).write(&[&[root], joint, sensitivities]);
        let [(_, evidence_at), (backward, joint_at), (_, sensitivity_at)] =
            <[_; 3]>::try_from(sections).expect("a section for each group");
        Self {
            events: 0,
            gates: 0,
            symptoms: symptoms.len(),
            links: symptoms.iter().map(|s| s.links.len()).collect(),
            rates,
            inputs: 2 + from_rates.len(),
            from_rates,
            base: vec![1.0; steps.given],
            steps,
            backward,
            evidence_at: evidence_at[0],
            joint_at,
            sensitivity_at,
        }
    }

    /// Takes up other probabilities; the structure stays.
    ///
    /// # Errors
    /// What is no probability, and symptoms with other links than those compiled.
    pub fn reweigh(&mut self, priors: &[f64], symptoms: &[Symptom]) -> Result<(), CompileError> {
        if priors.len() != self.events {
            return Err(CompileError::Priors { found: priors.len(), events: self.events });
        }
        if !symptoms.iter().map(|s| s.links.len()).eq(self.links.iter().copied()) {
            return Err(CompileError::OtherStructure);
        }
        let mut numbers = vec![0.0, 1.0];
        numbers.extend(parameters(symptoms));
        numbers.resize(self.rates.len(), 0.0);
        self.rates.run(&mut numbers, self.rates.runs());
        self.base[0] = 0.0;
        for (base, at) in self.base[2..].iter_mut().zip(&self.from_rates) {
            *base = numbers[*at as usize];
        }
        for (event, prior) in priors.iter().enumerate() {
            self.base[self.inputs + event_input(event, true)] = *prior;
            self.base[self.inputs + event_input(event, false)] = 1.0 - prior;
        }
        Ok(())
    }

    /// How many events the tree has.
    pub fn events(&self) -> usize {
        self.events
    }

    /// How many symptoms there are.
    pub fn symptoms(&self) -> usize {
        self.symptoms
    }

    /// How many multiply-add steps all posteriors take.
    pub fn steps(&self) -> usize {
        self.steps.steps()
    }

    /// Room for one evaluation.
    pub fn scratch(&self) -> Scratch {
        Scratch {
            numbers: vec![0.0; self.steps.len()],
            wide: Vec::new(),
            results: vec![0.0; self.joint_at.len()],
            sensitivities: vec![0.0; self.sensitivity_at.len()],
        }
    }

    /// All posteriors. Does not allocate if `scratch` was made by this circuit or one of its size
    /// (but for evidence below 1e-280, which is evaluated with wider exponents).
    ///
    /// # Errors
    /// Evidence of probability 0.
    pub fn posterior<'s>(&self, evidence: &Evidence, scratch: &'s mut Scratch) -> Result<Posterior<'s>, Impossible> {
        let log_evidence = self.evaluate(evidence, scratch, Reach::Posteriors)?;
        Ok(Posterior { events: self.events, values: &scratch.results, log_evidence })
    }

    /// By how much each symptom moved the natural log of the odds of an event, all other
    /// evidence being as it is: ln P(symptom's state | event, rest) / P(... | no event, rest).
    /// All 0 if the rest leaves no doubt about the event.
    pub fn shifts(&self, evidence: &Evidence, event: usize, scratch: &mut Scratch) -> Vec<f64> {
        // P(e) is linear in a symptom's two weights: with the derivatives by them, P(e) without
        // the symptom is their sum, and what the symptom changed is the ratio.
        let mut given = evidence.clone();
        let mut surprise = |weights: Weights| -> Result<Vec<f64>, Impossible> {
            given.set_event(event, weights.and(evidence.event(event)));
            self.evaluate(&given, scratch, Reach::Sensitivities)?;
            Ok(scratch.sensitivities.chunks(2).map(|by| (by[0] + by[1]).ln()).collect())
        };
        match (surprise(Weights::PRESENT), surprise(Weights::ABSENT)) {
            (Ok(present), Ok(absent)) => {
                absent.iter().zip(&present).map(|(absent, present)| absent - present).collect()
            }
            _ => vec![0.0; self.symptoms],
        }
    }

    /// P(all these events happen | evidence): how probable a minimal cut set remains.
    ///
    /// # Errors
    /// Evidence of probability 0.
    pub fn joint(&self, evidence: &Evidence, events: &[usize], scratch: &mut Scratch) -> Result<f64, Impossible> {
        let all = self.evaluate(evidence, scratch, Reach::Posteriors)?;
        let mut given = evidence.clone();
        for event in events {
            given.require_event(*event);
        }
        Ok(self.evaluate(&given, scratch, Reach::Posteriors).map_or(0.0, |some| (some - all).exp()))
    }

    /// Reads the results, each over P(evidence), and returns its log.
    fn evaluate(&self, evidence: &Evidence, scratch: &mut Scratch, reach: Reach) -> Result<f64, Impossible> {
        let runs = if reach == Reach::Posteriors { self.backward } else { self.steps.runs() };
        let Scratch { numbers, wide, results, sensitivities } = scratch;
        numbers.resize(self.steps.len(), 0.0);
        results.resize(self.joint_at.len(), 0.0);
        sensitivities.resize(self.sensitivity_at.len(), 0.0);
        numbers[..self.base.len()].copy_from_slice(&self.base);
        self.set_symptoms(evidence, |at, weight| numbers[at] = weight);
        self.set_events(evidence, |at, weight| numbers[at] *= weight);
        self.steps.run(numbers, runs);
        let all = numbers[self.evidence_at as usize];
        let mut read = |over_all: &dyn Fn(u32) -> f64| {
            results.iter_mut().zip(&self.joint_at).for_each(|(result, at)| *result = over_all(*at));
            if reach == Reach::Sensitivities {
                sensitivities.iter_mut().zip(&self.sensitivity_at).for_each(|(result, at)| *result = over_all(*at));
            }
        };
        if all >= LEAST_EVIDENCE {
            let share = 1.0 / all;
            read(&|at| numbers[at as usize] * share);
            return Ok(all.ln());
        }
        wide.clear();
        wide.extend(self.base.iter().map(|number| Wide::from(*number)));
        wide.resize(self.steps.len(), Wide::default());
        self.set_symptoms(evidence, |at, weight| wide[at] = Wide::from(weight));
        self.set_events(evidence, |at, weight| wide[at] = wide[at] * Wide::from(weight));
        self.steps.run(wide, runs);
        let all = wide[self.evidence_at as usize];
        if all.is_zero() {
            return Err(Impossible);
        }
        read(&|at| wide[at as usize].over(all));
        Ok(all.ln())
    }

    /// Calls with the place and the weight of each symptom's inputs.
    pub(super) fn set_symptoms(&self, evidence: &Evidence, mut set: impl FnMut(usize, f64)) {
        for symptom in 0..self.symptoms {
            let weights = evidence.symptom(symptom);
            set(self.inputs + symptom_input(self.events, symptom, false), weights.absent);
            set(self.inputs + symptom_input(self.events, symptom, true), weights.present);
        }
    }

    /// Calls with the place of each input of an event about which something is known, and its weight.
    pub(super) fn set_events(&self, evidence: &Evidence, mut set: impl FnMut(usize, f64)) {
        for (event, Weights { present, absent }) in &evidence.events {
            if (*event as usize) < self.events {
                set(self.inputs + event_input(*event as usize, false), *absent);
                set(self.inputs + event_input(*event as usize, true), *present);
            }
        }
    }
}

/// Below this P(evidence) what was lost under the range of `f64` may matter.
pub(super) const LEAST_EVIDENCE: f64 = 1e-280;

/// The place of each event and gate in a walk through the tree, inputs first: what the tree has
/// close together is close.
///
/// # Errors
/// What does not belong into a static tree.
fn places(tree: &FaultTree, symptoms: &[Symptom]) -> Result<Vec<usize>, CompileError> {
    check_structure(tree, symptoms)?;
    let events = tree.events.len();
    let mut places = vec![usize::MAX; events + tree.gates.len()];
    let mut open_gates = vec![false; tree.gates.len()];
    let mut next = 0;
    let starts = std::iter::once(tree.top).chain(0..tree.gates.len()).filter(|gate| *gate < tree.gates.len());
    for start in starts {
        // Gates and how many of their inputs were visited.
        let mut walk = vec![(start, 0)];
        while let Some((gate, visited)) = walk.pop() {
            if places[events + gate] != usize::MAX {
                continue;
            }
            let inputs = &tree.gates[gate].inputs;
            if visited == inputs.len() {
                places[events + gate] = next;
                next += 1;
                continue;
            }
            open_gates[gate] = true;
            walk.push((gate, visited + 1));
            match inputs[visited].node {
                Node::Event(event) if places[event] == usize::MAX => {
                    places[event] = next;
                    next += 1;
                }
                Node::Gate(input) if places[events + input] == usize::MAX => {
                    if open_gates[input] {
                        return Err(CompileError::Circle { gate: tree.gates[input].name.clone() });
                    }
                    walk.push((input, 0));
                }
                _ => {}
            }
        }
    }
    Ok(places)
}

fn check_structure(tree: &FaultTree, symptoms: &[Symptom]) -> Result<(), CompileError> {
    let inputs: usize = tree.gates.iter().map(|gate| gate.inputs.len()).sum();
    let links: usize = symptoms.iter().map(|symptom| symptom.links.len()).sum();
    let found = tree.events.len() + tree.gates.len() + symptoms.len() + inputs + links;
    if found > MAX_CONNECTIONS {
        return Err(CompileError::TooLarge { found });
    }
    if let Some(group) = tree.common_causes.first() {
        return Err(CompileError::CommonCause { group: group.name.clone() });
    }
    let dangling = |node: Node| match node {
        Node::Event(event) => event >= tree.events.len(),
        Node::Gate(gate) => gate >= tree.gates.len(),
    };
    for gate in &tree.gates {
        if matches!(gate.logic, Logic::PriorityAnd | Logic::Spare { .. }) {
            return Err(CompileError::Dynamic { gate: gate.name.clone() });
        }
        if gate.inputs.iter().any(|input| dangling(input.node)) {
            return Err(CompileError::Dangling { owner: gate.name.clone() });
        }
    }
    match symptoms.iter().find(|symptom| symptom.links.iter().any(|link| dangling(link.node))) {
        Some(symptom) => Err(CompileError::Dangling { owner: symptom.name.clone() }),
        None => Ok(()),
    }
}

fn check_probabilities(tree: &FaultTree, priors: &[f64], symptoms: &[Symptom]) -> Result<(), CompileError> {
    if priors.len() != tree.events.len() {
        return Err(CompileError::Priors { found: priors.len(), events: tree.events.len() });
    }
    let of_events = tree.events.iter().zip(priors).map(|(event, prior)| (&event.name, *prior));
    let of_symptoms = symptoms.iter().flat_map(|symptom| {
        let links = symptom.links.iter().map(|link| link.probability);
        std::iter::once(symptom.false_alarm).chain(links).map(|p| (&symptom.name, p))
    });
    match of_events.chain(of_symptoms).find(|(_, p)| !(0.0..=1.0).contains(p)) {
        Some((owner, value)) => Err(CompileError::Probability { owner: owner.clone(), value }),
        None => Ok(()),
    }
}

/// Records the cheapest of several ways of elimination.
fn smallest(tree: &FaultTree, symptoms: &[Symptom], places: &[usize]) -> Result<(Expressions, Id), CompileError> {
    let mut ways: Vec<(Network, Order)> = Vec::new();
    for merging in [Merging::Chain, Merging::Halves] {
        let network = Network::new(tree, symptoms, places, merging);
        for greed in [Greed::Size, Greed::Fill] {
            let order = order(&network, greed);
            ways.push((network.clone(), order));
        }
    }
    ways.sort_by(|a, b| a.1.rows.total_cmp(&b.1.rows));
    let mut failed = None;
    for (network, order) in ways {
        let variables = network.variables.clone();
        match eliminate(network, &order, MAX_EXPRESSIONS) {
            Ok(done) => return Ok(done),
            Err(Overgrown { tied }) => {
                failed.get_or_insert((variables, tied));
            }
        }
    }
    let (variables, tied) = failed.expect("there is at least one way");
    let mut names: Vec<String> = Vec::new();
    for variable in tied {
        let name = match variables[variable].owner {
            Owner::Event(event) => &tree.events[event].name,
            Owner::Gate(gate) | Owner::PartOfGate(gate) => &tree.gates[gate].name,
            Owner::PartOfSymptom(symptom) => &symptoms[symptom].name,
        };
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Err(CompileError::Entangled { limit: MAX_EXPRESSIONS, tied: names })
}
