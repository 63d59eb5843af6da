//! PAND and SPARE gates as modules: one event of the same probability.
//!
//! Exact where the inputs ("units") are independent, occur nowhere else, and fail by laws that run
//! on the same clock: exponential, or, under a PAND, Weibull of one shape and age. Then the
//! cumulative hazard of each is proportional to the others', and in units of that clock all are
//! exponential (proportional hazards). A unit may be an or-gate over such events, for its hazard is
//! the sum of theirs.
//!
//! PAND: Fussell, Aber and Rahl, "On the quantitative analysis of priority-AND failure logic", IEEE
//! Trans. Reliability R-25 (1976). Spares: Dugan, Bavuso and Boyd, "Dynamic fault-tree models for
//! fault-tolerant computer systems", IEEE Trans. Reliability 41 (1992). Both as Markov chains, whose
//! sums, unlike the closed forms, have no differences in them.

mod chain;

use self::chain::Chain;
use super::law::{LawError, failed};
use super::{EventKind, FaultTree, Gate, Input, Law, Logic, Node};

/// The most inputs of a PAND or a cold SPARE gate; the chain has one state more.
pub const MAX_SEQUENCE: usize = 64;

/// The most inputs of a warm SPARE gate; the chain has 2 to this many states.
pub const MAX_WARM_SPARES: usize = 6;

/// The most failures expected of the inputs together. Far above what a gate says anything about;
/// the work to solve a chain grows with its logarithm.
pub const MAX_EXPECTED_FAILURES: f64 = 1e15;

/// A PAND or SPARE gate without an exact answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DynamicError {
    /// None or too many.
    #[error("it has {given} inputs; it must have 1 to {most}")]
    Inputs {
        /// How many there are.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// Order and dormancy are about failing, not about working.
    #[error("input {0:?} is negated; the inputs of a PAND or SPARE gate must be failures")]
    Negated(String),
    /// The gate's probability would depend on the rest of the tree.
    #[error("input {0:?} occurs elsewhere too; the inputs of a PAND or SPARE gate must occur there alone, once")]
    Shared(String),
    /// Members of a group are not independent.
    #[error("input {0:?} belongs to a common-cause group; the inputs of a PAND or SPARE gate must be independent")]
    Grouped(String),
    /// The moment of such a gate's event has no law of its own.
    #[error("input {0:?} is a gate with other logic; a gate here must be an or-gate over basic events")]
    Logic(String),
    /// Nothing is known of when it fails.
    #[error("input {0:?} has no law over time; it must be exponential (under a PAND, Weibull will do)")]
    Timeless(String),
    /// Hazards that are not proportional.
    #[error("input {0:?} does not go by the clock of the first; mission time, Weibull shape and age must be the same")]
    Clock(String),
    /// A spare would have to remember how long it waited.
    #[error("input {0:?} ages; the inputs of a SPARE gate must be exponential")]
    Ageing(String),
    /// No share of the working rate.
    #[error("its dormancy is {0}; it must be between 0 (cold) and 1 (hot)")]
    Dormancy(f64),
    /// Rates and mission time in different units?
    #[error(
        "its inputs would fail {0:e} times in the mission; it must be at most {MAX_EXPECTED_FAILURES:e}: \
         are rates and times in the same unit?"
    )]
    Hazard(f64),
    /// An input's law.
    #[error("input {input:?}: {source}")]
    Law {
        /// The input.
        input: String,
        /// What is wrong.
        source: LawError,
    },
}

/// Whether the gate's event depends on more than which inputs have failed.
pub(super) fn is_dynamic(logic: Logic) -> bool {
    matches!(logic, Logic::PriorityAnd | Logic::Spare { .. })
}

/// How often each event and gate is referred to, and which events are in a group.
pub(super) struct Uses {
    events: Vec<u32>,
    gates: Vec<u32>,
    grouped: Vec<bool>,
}

impl Uses {
    /// Counts; every index must be in the tree.
    pub(super) fn of(tree: &FaultTree) -> Self {
        let mut uses = Self {
            events: vec![0; tree.events.len()],
            gates: vec![0; tree.gates.len()],
            grouped: vec![false; tree.events.len()],
        };
        uses.gates[tree.top] = 1;
        for input in tree.gates.iter().flat_map(|gate| &gate.inputs) {
            let count = match input.node {
                Node::Event(event) => &mut uses.events[event],
                Node::Gate(gate) => &mut uses.gates[gate],
            };
            *count = count.saturating_add(1);
        }
        for member in tree.common_causes.iter().flat_map(|group| &group.members) {
            uses.grouped[*member] = true;
        }
        uses
    }
}

/// A gate with all below it.
pub(super) struct Module {
    /// The events below.
    pub(super) events: Vec<usize>,
    /// That the gate's event is there at the end of the mission; `None` if an event has no law.
    pub(super) probability: Option<f64>,
}

/// The exact probability of a PAND or SPARE gate.
pub(super) fn solve(tree: &FaultTree, uses: &Uses, gate: &Gate) -> Result<Module, DynamicError> {
    check_shape(gate)?;
    let mut module = Units { tree, uses, events: Vec::new(), clock: None };
    let hazards = gate.inputs.iter().map(|input| module.unit(*input)).collect::<Result<Vec<_>, _>>()?;
    if let (Logic::Spare { .. }, Some(Clock { shape, .. })) = (gate.logic, module.clock)
        && shape != 1.0
    {
        return Err(DynamicError::Ageing(tree.events[module.events[0]].name.clone()));
    }
    let hazards: Option<Vec<f64>> = hazards.into_iter().collect();
    let probability = hazards.map(|hazards| probability(gate.logic, &hazards)).transpose()?;
    Ok(Module { events: module.events, probability })
}

fn check_shape(gate: &Gate) -> Result<(), DynamicError> {
    let most = match gate.logic {
        Logic::Spare { dormancy } if !(0.0..=1.0).contains(&dormancy) => return Err(DynamicError::Dormancy(dormancy)),
        Logic::Spare { dormancy } if dormancy > 0.0 => MAX_WARM_SPARES,
        _ => MAX_SEQUENCE,
    };
    let given = gate.inputs.len();
    if (1..=most).contains(&given) { Ok(()) } else { Err(DynamicError::Inputs { given, most }) }
}

/// With cumulative hazards as rates the mission takes one unit of time.
fn probability(logic: Logic, hazards: &[f64]) -> Result<f64, DynamicError> {
    let expected: f64 = hazards.iter().sum();
    if expected > MAX_EXPECTED_FAILURES {
        return Err(DynamicError::Hazard(expected));
    }
    Ok(match logic {
        Logic::Spare { dormancy: 0.0 } => Chain::sequence(hazards, hazards).absorbed(),
        Logic::Spare { dormancy: 1.0 } => hazards.iter().map(|hazard| failed(*hazard)).product(),
        Logic::Spare { dormancy } => Chain::spares(hazards, dormancy).absorbed(),
        // Anything left fails next: the right one, or one that spoils the order.
        _ => Chain::sequence(hazards, &sums_from(hazards)).absorbed(),
    })
}

/// Of each number and all after it.
fn sums_from(numbers: &[f64]) -> Vec<f64> {
    let mut sums = numbers.to_vec();
    for place in (1..sums.len()).rev() {
        sums[place - 1] += sums[place];
    }
    sums
}

/// What the cumulative hazards of a gate's inputs must have in common to be proportional.
#[derive(Clone, Copy, PartialEq)]
struct Clock {
    time: f64,
    shape: f64,
    age: f64,
}

impl Clock {
    fn of(law: Law) -> Option<Self> {
        match law {
            Law::Exponential { time, .. } => Some(Self { time, shape: 1.0, age: 0.0 }),
            // Shape 1 is the exponential law, which does not age.
            Law::Weibull { shape: 1.0, time, .. } => Some(Self { time, shape: 1.0, age: 0.0 }),
            Law::Weibull { shape, age, time, .. } => Some(Self { time, shape, age }),
            Law::Constant(_) | Law::Repairable { .. } | Law::PeriodicTest { .. } => None,
        }
    }
}

/// The inputs of one gate, walked one after another.
struct Units<'a> {
    tree: &'a FaultTree,
    uses: &'a Uses,
    events: Vec<usize>,
    clock: Option<Clock>,
}

impl Units<'_> {
    /// The cumulative hazard of an event or of an or-gate over events; `None` if a law is missing.
    fn unit(&mut self, input: Input) -> Result<Option<f64>, DynamicError> {
        let mut hazard = Some(0.0);
        let mut open = vec![input];
        while let Some(Input { node, negated }) = open.pop() {
            if negated {
                return Err(DynamicError::Negated(self.name(node)));
            }
            match node {
                Node::Event(event) => {
                    let own = self.event(event)?;
                    hazard = hazard.zip(own).map(|(sum, own)| sum + own);
                }
                Node::Gate(gate) => open.extend(self.or_gate(gate)?),
            }
        }
        Ok(hazard)
    }

    fn event(&mut self, index: usize) -> Result<Option<f64>, DynamicError> {
        let event = &self.tree.events[index];
        if self.uses.events[index] > 1 {
            return Err(DynamicError::Shared(event.name.clone()));
        }
        if self.uses.grouped[index] {
            return Err(DynamicError::Grouped(event.name.clone()));
        }
        if matches!(event.kind, EventKind::House(_)) {
            return Err(DynamicError::Timeless(event.name.clone()));
        }
        self.events.push(index);
        let Some(law) = event.law else { return Ok(None) };
        let clock = Clock::of(law).ok_or_else(|| DynamicError::Timeless(event.name.clone()))?;
        if *self.clock.get_or_insert(clock) != clock {
            return Err(DynamicError::Clock(event.name.clone()));
        }
        law.cumulative_hazard().map_err(|source| DynamicError::Law { input: event.name.clone(), source })
    }

    /// What the or-gate reads.
    fn or_gate(&self, index: usize) -> Result<Vec<Input>, DynamicError> {
        let gate = &self.tree.gates[index];
        if self.uses.gates[index] > 1 {
            return Err(DynamicError::Shared(gate.name.clone()));
        }
        if gate.logic != Logic::Or || gate.inputs.is_empty() {
            return Err(DynamicError::Logic(gate.name.clone()));
        }
        Ok(gate.inputs.clone())
    }

    fn name(&self, node: Node) -> String {
        match node {
            Node::Event(event) => self.tree.events[event].name.clone(),
            Node::Gate(gate) => self.tree.gates[gate].name.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
