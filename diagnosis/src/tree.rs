//! The fault tree: a top event, gates, and root causes as basic events (IEC 61025).

use crate::fault_tree;

/// What a gate or a link refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// Index into the causes.
    Cause(usize),
    /// Index into the gates.
    Gate(usize),
}

/// When a gate's event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logic {
    /// Any input (or-gate).
    Any,
    /// All inputs (and-gate).
    All,
    /// At least so many inputs (k-of-n).
    AtLeast(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gate {
    pub key: String,
    pub name: String,
    pub logic: Logic,
    pub inputs: Vec<Node>,
}

/// Gates in an order in which each comes after the gates it reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tree {
    pub gates: Vec<Gate>,
    /// Index of the top event's gate.
    pub top: usize,
}

/// Causes that are active together, as bits.
pub(crate) type CauseSet = u128;

/// Bounds the time of compiling; far above any appliance's.
pub(crate) const MAX_CAUSES: usize = 128;

impl Tree {
    /// Which gates' events happen, if exactly these causes are active.
    pub fn evaluate(&self, active: CauseSet) -> Vec<bool> {
        let mut happens: Vec<bool> = Vec::with_capacity(self.gates.len());
        for gate in &self.gates {
            let active_inputs = gate.inputs.iter().filter(|input| is_active(**input, active, &happens)).count();
            happens.push(match gate.logic {
                Logic::Any => active_inputs > 0,
                Logic::All => active_inputs == gate.inputs.len(),
                Logic::AtLeast(least) => active_inputs >= least,
            });
        }
        happens
    }

    /// Which gates a cause feeds, directly or through other gates.
    pub fn fed_by(&self, cause: usize) -> Vec<bool> {
        let mut fed: Vec<bool> = Vec::with_capacity(self.gates.len());
        for gate in &self.gates {
            let feeds = |input: &Node| match *input {
                Node::Cause(index) => index == cause,
                Node::Gate(index) => fed.get(index).copied().unwrap_or(false),
            };
            let is_fed = gate.inputs.iter().any(feeds);
            fed.push(is_fed);
        }
        fed
    }
}

/// Whether a node's event happens, given the active causes and the gates' events.
pub(crate) fn is_active(node: Node, active: CauseSet, gates: &[bool]) -> bool {
    match node {
        Node::Cause(index) => active >> index & 1 == 1,
        Node::Gate(index) => gates.get(index).copied().unwrap_or(false),
    }
}

impl Tree {
    /// The same tree as the engine takes it.
    pub fn to_fault_tree(&self, causes: &[crate::appliance::Cause]) -> fault_tree::FaultTree {
        let events = causes.iter().map(|cause| fault_tree::Event {
            name: cause.key.clone(),
            label: cause.name.clone(),
            kind: fault_tree::EventKind::Basic,
            law: Some(fault_tree::Law::Constant(cause.prior)),
            spread: None,
        });
        let gates = self.gates.iter().map(|gate| fault_tree::Gate {
            name: gate.key.clone(),
            label: gate.name.clone(),
            logic: match gate.logic {
                Logic::Any => fault_tree::Logic::Or,
                Logic::All => fault_tree::Logic::And,
                Logic::AtLeast(least) => fault_tree::Logic::AtLeast(least),
            },
            inputs: gate.inputs.iter().map(|node| fault_tree::Input { node: node.of_fault_tree(), negated: false }).collect(),
        });
        fault_tree::FaultTree { events: events.collect(), gates: gates.collect(), top: self.top, ..Default::default() }
    }
}

impl Node {
    pub fn of_fault_tree(self) -> fault_tree::Node {
        match self {
            Self::Cause(index) => fault_tree::Node::Event(index),
            Self::Gate(index) => fault_tree::Node::Gate(index),
        }
    }
}
