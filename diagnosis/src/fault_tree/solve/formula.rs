//! A static fault tree in the form in which it is solved: and, at-least and xor gates over
//! literals, without constants, double negations or gates that occur twice.
//!
//! Or-gates are and-gates seen through a negation, which makes both flatten and share alike.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::limits::QuantifyError;
use crate::fault_tree::inputs_first;
use crate::fault_tree::model::{EventKind, FaultTree, Input, Logic, Node};

/// A node, perhaps negated. Nodes below [`Formula::variables`] are events, the others gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Literal(u32);

impl Literal {
    pub fn new(node: usize, negated: bool) -> Self {
        Self((node as u32) << 1 | u32::from(negated))
    }

    pub fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub fn negated(self) -> bool {
        self.0 & 1 == 1
    }

    pub fn negate_if(self, negate: bool) -> Self {
        Self(self.0 ^ u32::from(negate))
    }
}

/// When a gate of a formula holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// All inputs.
    And,
    /// At least so many inputs.
    AtLeast(usize),
    /// An odd number of inputs; none is negated.
    Xor,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operator {
    pub operation: Operation,
    pub inputs: Vec<Literal>,
}

/// What a formula comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Constant(bool),
    Literal(Literal),
}

impl Value {
    pub fn negate_if(self, negate: bool) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(value != negate),
            Self::Literal(literal) => Self::Literal(literal.negate_if(negate)),
        }
    }
}

/// Gates, each after the gates that it reads.
#[derive(Debug, Clone)]
pub(crate) struct Formula {
    /// Number of events of the tree; an event's node is its index.
    pub variables: usize,
    pub gates: Vec<Operator>,
    pub top: Value,
}

/// More nodes than this do not fit a [`Literal`].
const MAX_NODES: usize = 1 << 30;

impl Formula {
    /// # Errors
    /// A gate that depends on itself, or one that is dynamic.
    pub fn of(tree: &FaultTree) -> Result<Self, QuantifyError> {
        if tree.events.len() + tree.gates.len() > MAX_NODES / 2 {
            return Err(QuantifyError::TooLarge { nodes: tree.events.len() + tree.gates.len(), limit: MAX_NODES / 2 });
        }
        let mut builder = Builder::new(tree.events.len());
        let mut values = vec![None; tree.gates.len()];
        for index in inputs_first(tree).ok_or(QuantifyError::Circle)? {
            let gate = &tree.gates[index];
            let value_of = |input: &Input| {
                let value = match input.node {
                    Node::Gate(gate) => values[gate].expect("inputs come first"),
                    Node::Event(event) => match tree.events[event].kind {
                        EventKind::House(set) => Value::Constant(set),
                        _ => Value::Literal(Literal::new(event, false)),
                    },
                };
                value.negate_if(input.negated)
            };
            let inputs = gate.inputs.iter().map(value_of).collect();
            let value = match gate.logic {
                Logic::And | Logic::Inhibit => builder.and(inputs),
                Logic::Or => builder.or(inputs),
                Logic::AtLeast(least) => builder.at_least(least, inputs),
                Logic::Xor => builder.xor(inputs),
                Logic::PriorityAnd | Logic::Spare { .. } => {
                    return Err(QuantifyError::Dynamic { gate: gate.name.clone() });
                }
            };
            values[index] = Some(value);
        }
        let top = values.get(tree.top).copied().flatten().unwrap_or(Value::Constant(false));
        let mut formula = Self { variables: tree.events.len(), gates: builder.gates, top };
        loop {
            let simpler = formula.flattened();
            if simpler.gates == formula.gates {
                return Ok(simpler);
            }
            formula = simpler;
        }
    }

    /// The gates that the top reads, with and-gates (xor-gates) of one and-gate (xor-gate)
    /// spliced into it.
    fn flattened(&self) -> Self {
        let Value::Literal(top) = self.top else { return Self { gates: Vec::new(), ..self.clone() } };
        let readers = self.readers();
        let mut builder = Builder::new(self.variables);
        let mut values: Vec<Option<Value>> = vec![None; self.gates.len()];
        for (index, gate) in self.gates.iter().enumerate() {
            if readers[self.variables + index] == 0 {
                continue;
            }
            let mut inputs = Vec::with_capacity(gate.inputs.len());
            for literal in &gate.inputs {
                let value = self.value(*literal, &values);
                match value {
                    Value::Literal(inner) if readers[literal.node()] == 1 => match builder.gate(inner) {
                        Some(child) if child.operation == gate.operation && splices(gate.operation, inner) => {
                            inputs.extend(child.inputs.iter().copied().map(Value::Literal));
                            if inner.negated() {
                                inputs.push(Value::Constant(true));
                            }
                        }
                        _ => inputs.push(value),
                    },
                    _ => inputs.push(value),
                }
            }
            values[index] = Some(builder.gate_of(gate.operation, inputs));
        }
        let top = self.value(top, &values);
        Self { variables: self.variables, gates: builder.gates, top }.pruned()
    }

    /// Without the gates that nothing reads.
    pub(super) fn pruned(self) -> Self {
        let readers = self.readers();
        let mut places = Vec::with_capacity(self.gates.len());
        let mut gates: Vec<Operator> = Vec::new();
        let moved = |literal: Literal, places: &[usize]| match literal.node().checked_sub(self.variables) {
            Some(gate) => Literal::new(self.variables + places[gate], literal.negated()),
            None => literal,
        };
        for (index, gate) in self.gates.iter().enumerate() {
            places.push(gates.len());
            if readers[self.variables + index] > 0 {
                let inputs = gate.inputs.iter().map(|literal| moved(*literal, &places)).collect();
                gates.push(Operator { operation: gate.operation, inputs });
            }
        }
        let top = match self.top {
            Value::Literal(literal) => Value::Literal(moved(literal, &places)),
            constant => constant,
        };
        Self { variables: self.variables, gates, top }
    }

    /// How often each node is read on behalf of the top; the top itself once.
    pub fn readers(&self) -> Vec<u32> {
        let mut readers = vec![0; self.variables + self.gates.len()];
        if let Value::Literal(top) = self.top {
            readers[top.node()] = 1;
        }
        for (index, gate) in self.gates.iter().enumerate().rev() {
            if readers[self.variables + index] > 0 {
                gate.inputs.iter().for_each(|literal| readers[literal.node()] += 1);
            }
        }
        readers
    }

    fn value(&self, literal: Literal, values: &[Option<Value>]) -> Value {
        match literal.node().checked_sub(self.variables) {
            Some(gate) => values[gate].expect("inputs come first").negate_if(literal.negated()),
            None => Value::Literal(literal),
        }
    }
}

/// Whether a gate read through this literal is part of a reader with the same operation.
fn splices(operation: Operation, literal: Literal) -> bool {
    match operation {
        Operation::And => !literal.negated(),
        Operation::Xor => true,
        Operation::AtLeast(_) => false,
    }
}

/// Makes gates, each once.
pub(super) struct Builder {
    variables: usize,
    pub gates: Vec<Operator>,
    /// By operation and sorted inputs.
    known: HashMap<(Operation, Vec<Literal>), usize>,
}

impl Builder {
    pub fn new(variables: usize) -> Self {
        Self { variables, gates: Vec::new(), known: HashMap::new() }
    }

    fn gate(&self, literal: Literal) -> Option<&Operator> {
        self.gates.get(literal.node().checked_sub(self.variables)?)
    }

    pub fn gate_of(&mut self, operation: Operation, inputs: Vec<Value>) -> Value {
        match operation {
            Operation::And => self.and(inputs),
            Operation::AtLeast(least) => self.at_least(least, inputs),
            Operation::Xor => self.xor(inputs),
        }
    }

    fn or(&mut self, inputs: Vec<Value>) -> Value {
        self.and(inputs.into_iter().map(|value| value.negate_if(true)).collect()).negate_if(true)
    }

    fn and(&mut self, inputs: Vec<Value>) -> Value {
        let mut literals = Vec::with_capacity(inputs.len());
        for value in inputs {
            match value {
                Value::Constant(true) => {}
                Value::Constant(false) => return value,
                Value::Literal(literal) => literals.push(literal),
            }
        }
        let mut sorted = literals.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.windows(2).any(|pair| pair[0].node() == pair[1].node()) {
            return Value::Constant(false);
        }
        self.unique(Operation::And, literals, sorted, Value::Constant(true))
    }

    fn xor(&mut self, inputs: Vec<Value>) -> Value {
        let mut odd = false;
        let mut literals = Vec::with_capacity(inputs.len());
        for value in inputs {
            match value {
                Value::Constant(value) => odd ^= value,
                Value::Literal(literal) => {
                    odd ^= literal.negated();
                    literals.push(Literal::new(literal.node(), false));
                }
            }
        }
        // What is read twice cancels out.
        let mut sorted = literals.clone();
        sorted.sort_unstable();
        let sorted: Vec<Literal> =
            sorted.chunk_by(|a, b| a == b).filter(|run| run.len() % 2 == 1).map(|run| run[0]).collect();
        literals.retain(|literal| sorted.binary_search(literal).is_ok());
        self.unique(Operation::Xor, literals, sorted, Value::Constant(false)).negate_if(odd)
    }

    fn at_least(&mut self, least: usize, inputs: Vec<Value>) -> Value {
        let mut least = least;
        let mut literals = Vec::with_capacity(inputs.len());
        for value in inputs {
            match value {
                Value::Constant(true) => least = least.saturating_sub(1),
                Value::Constant(false) => {}
                Value::Literal(literal) => literals.push(literal),
            }
        }
        let mut sorted = literals.clone();
        sorted.sort_unstable();
        // An event and its absence make one between them.
        let mut index = 0;
        while index + 1 < sorted.len() {
            if sorted[index].node() == sorted[index + 1].node() && sorted[index] != sorted[index + 1] {
                sorted.drain(index..index + 2);
                least = least.saturating_sub(1);
                index = index.saturating_sub(1);
            } else {
                index += 1;
            }
        }
        if sorted.len() < literals.len() {
            literals.clone_from(&sorted);
        }
        let values = || literals.iter().copied().map(Value::Literal).collect();
        match least {
            0 => Value::Constant(true),
            least if least > sorted.len() => Value::Constant(false),
            1 => self.or(values()),
            least if least == sorted.len() => self.and(values()),
            _ => self.unique(Operation::AtLeast(least), literals, sorted, Value::Constant(false)),
        }
    }

    /// The gate with these inputs; `sorted` are the same without repetition, where the
    /// operation allows that, and `empty` is what no inputs come down to.
    fn unique(&mut self, operation: Operation, inputs: Vec<Literal>, sorted: Vec<Literal>, empty: Value) -> Value {
        match sorted.as_slice() {
            [] => return empty,
            [only] => return Value::Literal(*only),
            _ => {}
        }
        let new = self.variables + self.gates.len();
        let mut inputs = inputs;
        let node = match self.known.entry((operation, sorted)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                if place.key().1.len() < inputs.len() {
                    keep_first(&mut inputs);
                }
                place.insert(new);
                self.gates.push(Operator { operation, inputs });
                new
            }
        };
        Value::Literal(Literal::new(node, false))
    }
}

/// Removes repetitions; the order in which the tree names things is worth keeping, since
/// it often tells what belongs together.
fn keep_first(inputs: &mut Vec<Literal>) {
    let mut seen = std::collections::HashSet::new();
    inputs.retain(|literal| seen.insert(*literal));
}
