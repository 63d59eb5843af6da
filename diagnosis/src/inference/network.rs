//! The tree and its symptoms as variables and sparse tables.

use super::expressions::{Expressions, Id, ONE, ZERO};
use crate::fault_tree::{FaultTree, Gate, Input, Logic, Node};

/// Something a detector tells of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Symptom {
    /// What it is called, for errors.
    pub name: String,
    /// P(present) if none of the linked nodes happens.
    pub false_alarm: f64,
    /// What shows it. Of several that happen each may show it independently (noisy-or):
    /// P(present) is `1 - Π (1 - probability)` over those that happen.
    pub links: Vec<Link>,
}

/// P(symptom present | node happens), as far as this node alone shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Event or gate.
    pub node: Node,
    /// From 0 to 1; 1 minus the miss rate.
    pub probability: f64,
}

/// Whose state a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Event(usize),
    Gate(usize),
    /// What part of a gate's inputs comes to.
    PartOfGate(usize),
    /// What part of a symptom's links comes to.
    PartOfSymptom(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub owner: Owner,
    /// States are numbered from 0.
    pub states: u32,
}

/// Nonnegative function of some variables. Rows that are not there are 0.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub variables: Vec<usize>,
    /// States packed in the order of `variables`, the first lowest.
    pub rows: Vec<(u128, Id)>,
}

#[derive(Debug, Clone)]
pub(super) struct Network {
    pub variables: Vec<Variable>,
    pub tables: Vec<Table>,
    pub expressions: Expressions,
}

impl Variable {
    /// Bits that its state takes in a packed row.
    pub fn bits(&self) -> u32 {
        u32::BITS - (self.states - 1).leading_zeros()
    }
}

/// In which order and grouping inputs and links are merged; which is best depends on what else
/// ties them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merging {
    /// One after the other.
    Chain,
    /// Halves, then halves of halves.
    Halves,
}

/// What merged inputs come to, as a number.
#[derive(Debug, Clone, Copy)]
enum Merge {
    /// Whether any of them happens. Also for symptoms: none happened, all that happened are
    /// missed, one is detected.
    Greatest,
    Least,
    Parity,
    /// How many happen, but for what can no longer matter.
    Count {
        least: usize,
        inputs: usize,
    },
}

/// A variable and, for each of its states, what it may contribute with which probability.
#[derive(Debug, Clone)]
struct Source {
    variable: usize,
    contributes: Vec<Vec<(u32, Id)>>,
    /// How many inputs are in it.
    inputs: usize,
}

const NONE: u32 = 0;
const MISSED: u32 = 1;
const DETECTED: u32 = 2;

/// Inputs of the circuit: two weights an event, then two a symptom, absent before present.
pub(super) fn event_input(event: usize, present: bool) -> usize {
    2 * event + usize::from(present)
}

pub(super) fn symptom_input(events: usize, symptom: usize, present: bool) -> usize {
    2 * (events + symptom) + usize::from(present)
}

/// Parameters of the circuit: for each symptom in turn false-alarm rate, its complement, and
/// for each link the probability and its complement.
pub(super) fn parameters(symptoms: &[Symptom]) -> impl Iterator<Item = f64> + '_ {
    symptoms.iter().flat_map(|symptom| {
        let links = symptom.links.iter().map(|link| link.probability);
        std::iter::once(symptom.false_alarm).chain(links).flat_map(|p| [p, 1.0 - p])
    })
}

impl Network {
    /// Variables: events, then gates, then parts. `places` orders the links of a symptom.
    pub fn new(tree: &FaultTree, symptoms: &[Symptom], places: &[usize], merging: Merging) -> Self {
        let of_event = (0..tree.events.len()).map(Owner::Event);
        let of_gate = (0..tree.gates.len()).map(Owner::Gate);
        let variables = of_event.chain(of_gate).map(|owner| Variable { owner, states: 2 }).collect();
        let mut network = Self { variables, tables: Vec::new(), expressions: Expressions::new() };
        for event in 0..tree.events.len() {
            let rows = [false, true]
                .map(|present| (u128::from(present), network.expressions.input(event_input(event, present))));
            network.tables.push(Table { variables: vec![event], rows: rows.to_vec() });
        }
        for (index, gate) in tree.gates.iter().enumerate() {
            network.add_gate(tree.events.len(), index, gate, merging);
        }
        let mut parameter = 0;
        for (index, symptom) in symptoms.iter().enumerate() {
            network.add_symptom(tree.events.len(), index, symptom, parameter, places, merging);
            parameter += 2 * (1 + symptom.links.len());
        }
        network
    }

    fn add_gate(&mut self, events: usize, index: usize, gate: &Gate, merging: Merging) {
        let inputs = gate.inputs.len();
        let (merge, happens): (Merge, fn(u32, usize) -> bool) = match gate.logic {
            Logic::Or | Logic::AtLeast(1) => (Merge::Greatest, |state, _| state == 1),
            Logic::Xor => (Merge::Parity, |state, _| state == 1),
            Logic::AtLeast(least) if least < inputs => {
                (Merge::Count { least, inputs }, |state, least| state as usize >= least)
            }
            Logic::AtLeast(least) if least > inputs => (Merge::Least, |_, _| false),
            Logic::AtLeast(0) => (Merge::Least, |_, _| true),
            _ => (Merge::Least, |state, _| state == 1),
        };
        let least = if let Logic::AtLeast(least) = gate.logic { least } else { 0 };
        let sources = gate.inputs.iter().map(|input| source_of_input(events, *input)).collect();
        let variable = events + index;
        if let Some([a, b]) = self.merge_to_two(sources, merge, merging, Owner::PartOfGate(index)) {
            self.join(&a, &b, merge, Some(variable), |state| (u32::from(happens(state, least)), ONE));
        } else {
            let always = matches!(gate.logic, Logic::And | Logic::Inhibit | Logic::AtLeast(0));
            self.tables.push(Table { variables: vec![variable], rows: vec![(u128::from(always), ONE)] });
        }
    }

    fn add_symptom(
        &mut self,
        events: usize,
        index: usize,
        symptom: &Symptom,
        parameter: usize,
        places: &[usize],
        merging: Merging,
    ) {
        let [absent, present] =
            [false, true].map(|present| self.expressions.input(symptom_input(events, index, present)));
        let none = self.mix(parameter, present, absent);
        let mut links: Vec<usize> = (0..symptom.links.len()).collect();
        links.sort_by_key(|link| places[variable_of(events, symptom.links[*link].node)]);
        let sources = links.into_iter().map(|link| {
            let parameter = parameter + 2 * (link + 1);
            let shown = (DETECTED, self.expressions.parameter(parameter));
            let missed = (MISSED, self.expressions.parameter(parameter + 1));
            let variable = variable_of(events, symptom.links[link].node);
            Source { variable, contributes: vec![vec![(NONE, ONE)], vec![missed, shown]], inputs: 1 }
        });
        let sources = sources.collect();
        let weights = [none, absent, present];
        match self.merge_to_two(sources, Merge::Greatest, merging, Owner::PartOfSymptom(index)) {
            Some([a, b]) => self.join(&a, &b, Merge::Greatest, None, |state| (0, weights[state as usize])),
            None => self.tables.push(Table { variables: Vec::new(), rows: vec![(0, none)] }),
        }
    }

    /// `p present + (1 - p) absent`.
    fn mix(&mut self, parameter: usize, present: Id, absent: Id) -> Id {
        let terms = [(parameter, present), (parameter + 1, absent)].map(|(parameter, weight)| {
            let parameter = self.expressions.parameter(parameter);
            self.expressions.product(parameter, weight)
        });
        self.expressions.sum(terms.to_vec())
    }

    /// Merges until two are left; one alone is joined by a second that contributes nothing.
    fn merge_to_two(
        &mut self,
        mut sources: Vec<Source>,
        merge: Merge,
        merging: Merging,
        owner: Owner,
    ) -> Option<[Source; 2]> {
        if sources.len() == 1 {
            let alone = sources.remove(0);
            let nothing = Source { contributes: vec![vec![(merge.neutral(), ONE)]; 2], inputs: 0, ..alone.clone() };
            return Some([alone, nothing]);
        }
        let b = sources.pop()?;
        let halves = merging == Merging::Halves && !matches!(merge, Merge::Count { .. });
        let split = if halves { sources.len().div_ceil(2) } else { sources.len() };
        let mut right = sources.split_off(split);
        right.push(b);
        let a = self.merge_to_one(sources, merge, merging, owner);
        let b = self.merge_to_one(right, merge, merging, owner);
        Some([a, b])
    }

    fn merge_to_one(&mut self, mut sources: Vec<Source>, merge: Merge, merging: Merging, owner: Owner) -> Source {
        if sources.len() == 1 {
            return sources.remove(0);
        }
        if merging == Merging::Chain || matches!(merge, Merge::Count { .. }) {
            let mut all = sources.into_iter();
            let first = all.next().expect("callers give at least one");
            return all.fold(first, |a, b| self.merge_pair(&a, &b, merge, owner));
        }
        let right = sources.split_off(sources.len() / 2);
        let a = self.merge_to_one(sources, merge, merging, owner);
        let b = self.merge_to_one(right, merge, merging, owner);
        self.merge_pair(&a, &b, merge, owner)
    }

    fn merge_pair(&mut self, a: &Source, b: &Source, merge: Merge, owner: Owner) -> Source {
        let inputs = a.inputs + b.inputs;
        let highest = |source: &Source| source.contributes.iter().flatten().map(|c| c.0).max().unwrap_or(0);
        let states = match merge {
            Merge::Count { least, .. } => inputs.min(least) as u32 + 1,
            Merge::Parity => 2,
            Merge::Greatest | Merge::Least => highest(a).max(highest(b)) + 1,
        };
        let variable = self.variables.len();
        self.variables.push(Variable { owner, states: states.max(2) });
        self.join(a, b, merge, Some(variable), |state| (state, ONE));
        let contributes = (0..states.max(2)).map(|state| vec![(state, ONE)]).collect();
        Source { variable, contributes, inputs }
    }

    /// A table over two sources and what they come to; `close` says, for what they come to,
    /// the state of `result` and a weight.
    fn join(&mut self, a: &Source, b: &Source, merge: Merge, result: Option<usize>, close: impl Fn(u32) -> (u32, Id)) {
        let mut rows: Vec<(u128, Vec<Id>)> = Vec::new();
        let same = a.variable == b.variable;
        let (a_bits, b_bits) = (self.variables[a.variable].bits(), self.variables[b.variable].bits());
        for (a_state, a_all) in a.contributes.iter().enumerate() {
            for (b_state, b_all) in b.contributes.iter().enumerate() {
                if same && a_state != b_state {
                    continue;
                }
                let left = if same { a_state as u128 } else { a_state as u128 | (b_state as u128) << a_bits };
                let shift = if same { a_bits } else { a_bits + b_bits };
                for (a_number, a_weight) in a_all {
                    for (b_number, b_weight) in b_all {
                        let (state, weight) = close(merge.of(*a_number, *b_number, a.inputs + b.inputs));
                        let both = self.expressions.product(*a_weight, *b_weight);
                        let term = self.expressions.product(both, weight);
                        let key = left | u128::from(state) << shift;
                        match rows.iter_mut().rev().take(4).find(|row| row.0 == key) {
                            Some(row) => row.1.push(term),
                            None => rows.push((key, vec![term])),
                        }
                    }
                }
            }
        }
        let rows = rows.into_iter().map(|(key, terms)| (key, self.expressions.sum(terms)));
        let rows = rows.filter(|(_, value)| *value != ZERO).collect();
        let sources = if same { vec![a.variable] } else { vec![a.variable, b.variable] };
        self.tables.push(Table { variables: sources.into_iter().chain(result).collect(), rows });
    }
}

impl Merge {
    fn of(self, a: u32, b: u32, merged: usize) -> u32 {
        match self {
            Self::Greatest => a.max(b),
            Self::Least => a.min(b),
            Self::Parity => a ^ b,
            Self::Count { least, inputs } => {
                // With so many inputs to come, fewer than this can no longer reach `least`.
                let hopeless = (least + merged).saturating_sub(inputs + 1) as u32;
                let count = (a + b).min(least as u32);
                if count <= hopeless { 0 } else { count }
            }
        }
    }

    /// Merging it changes nothing.
    fn neutral(self) -> u32 {
        if matches!(self, Self::Least) { 1 } else { 0 }
    }
}

fn source_of_input(events: usize, input: Input) -> Source {
    let contributes = [false, true].map(|happens| vec![(u32::from(happens != input.negated), ONE)]);
    Source { variable: variable_of(events, input.node), contributes: contributes.to_vec(), inputs: 1 }
}

pub(super) fn variable_of(events: usize, node: Node) -> usize {
    match node {
        Node::Event(event) => event,
        Node::Gate(gate) => events + gate,
    }
}
