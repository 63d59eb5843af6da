//! From a tree as written to one of plain gates over independent events.

use super::common_cause::{CommonCauseError, Groups};
use super::dynamic::{self, DynamicError};
use super::law::LawError;
use super::{Event, EventKind, FaultTree, Input, Law, Logic, Node};

/// A tree of static gates over independent events, each with its probability.
///
/// Events and gates of the written tree keep their indices; what is new comes after them. A member
/// of a common-cause group keeps its index for its failure alone, and a gate of its name stands for
/// it; a PAND or SPARE gate has become an or-gate over the one event that its inputs make up.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticTree {
    /// The tree, without groups and without PAND and SPARE gates.
    pub tree: FaultTree,
    /// Of each event of `tree`; `None` if nobody has said. House events are 0 or 1.
    pub probabilities: Vec<Option<f64>>,
    /// Of each event of `tree`: what it stands for.
    pub origins: Vec<Origin>,
}

/// An event whose probability is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event:?} has no probability: give it one")]
pub struct NoProbability {
    /// Which.
    pub event: String,
}

impl StaticTree {
    /// The probability of every event; events that nothing reads need none.
    ///
    /// # Errors
    /// The first event without one.
    pub fn known_probabilities(&self) -> Result<Vec<f64>, NoProbability> {
        let each = self.probabilities.iter().enumerate().map(|(index, probability)| match probability {
            Some(probability) => Ok(*probability),
            None if matches!(self.origins[index], Origin::Absorbed { .. }) => Ok(0.0),
            None => Err(NoProbability { event: self.tree.events[index].name.clone() }),
        });
        each.collect()
    }

    /// Whether the tree says so by its gates: no event's absence can bring the top event about.
    pub fn is_coherent(&self) -> bool {
        let plain = |gate: &super::Gate| gate.logic != Logic::Xor && gate.inputs.iter().all(|input| !input.negated);
        self.tree.gates.iter().all(plain)
    }
}

/// What an event of a [`StaticTree`] stands for, in indices of the written tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The event itself.
    Written,
    /// Part of a PAND or SPARE gate; nothing refers to the event any more.
    Absorbed {
        /// The gate.
        gate: usize,
    },
    /// These members of the group fail together, and no others from the same cause. Its
    /// probability follows from the group; spreads of members say nothing of it.
    CommonCause {
        /// The group.
        group: usize,
        /// The events.
        members: Vec<usize>,
    },
    /// The PAND or SPARE gate as a whole. Spreads of its inputs do not carry over.
    Dynamic {
        /// The gate.
        gate: usize,
    },
}

/// A tree that cannot be expanded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExpandError {
    /// An index without an event or gate behind it; `check` finds these first.
    #[error("{place} refers to {node:?}, which is not in the tree")]
    Missing {
        /// Which gate, group or top.
        place: String,
        /// What it refers to.
        node: Node,
    },
    /// An event's law.
    #[error("event {event:?}: {source}")]
    Law {
        /// The event.
        event: String,
        /// What is wrong.
        source: LawError,
    },
    /// A common-cause group.
    #[error("common-cause group {group:?}: {source}")]
    CommonCause {
        /// The group.
        group: String,
        /// What is wrong.
        source: CommonCauseError,
    },
    /// A PAND or SPARE gate.
    #[error("gate {gate:?}: {source}")]
    Dynamic {
        /// The gate.
        gate: String,
        /// What is wrong.
        source: DynamicError,
    },
}

/// Works out the laws, and replaces PAND and SPARE gates and common-cause groups by independent
/// events of the same probability.
///
/// # Errors
/// A law, a group or a PAND or SPARE gate has no exact answer; the error names it.
pub fn expand(tree: &FaultTree) -> Result<StaticTree, ExpandError> {
    check_references(tree)?;
    let mut out = StaticTree::as_written(tree)?;
    replace_dynamic_gates(tree, &mut out)?;
    write_out_groups(tree, &mut out)?;
    Ok(out)
}

impl StaticTree {
    fn as_written(tree: &FaultTree) -> Result<Self, ExpandError> {
        let probabilities = tree.events.iter().map(probability).collect::<Result<_, _>>()?;
        let origins = vec![Origin::Written; tree.events.len()];
        Ok(Self { tree: tree.clone(), probabilities, origins })
    }

    /// Adds an event and returns its index.
    pub(super) fn add_event(&mut self, name: String, label: String, probability: Option<f64>, origin: Origin) -> usize {
        let law = probability.map(Law::Constant);
        self.tree.events.push(Event { name, label, kind: EventKind::Basic, law, spread: None });
        self.probabilities.push(probability);
        self.origins.push(origin);
        self.tree.events.len() - 1
    }
}

fn probability(event: &Event) -> Result<Option<f64>, ExpandError> {
    if let EventKind::House(there) = event.kind {
        return Ok(Some(f64::from(u8::from(there))));
    }
    let probability = event.law.map(|law| law.probability()).transpose();
    probability.map_err(|source| ExpandError::Law { event: event.name.clone(), source })
}

fn check_references(tree: &FaultTree) -> Result<(), ExpandError> {
    let known = |node: Node| match node {
        Node::Event(event) => event < tree.events.len(),
        Node::Gate(gate) => gate < tree.gates.len(),
    };
    let check = |place: &dyn Fn() -> String, node: Node| {
        if known(node) { Ok(()) } else { Err(ExpandError::Missing { place: place(), node }) }
    };
    check(&|| "the top".to_owned(), Node::Gate(tree.top))?;
    for gate in &tree.gates {
        gate.inputs.iter().try_for_each(|input| check(&|| format!("gate {:?}", gate.name), input.node))?;
    }
    for group in &tree.common_causes {
        let place = || format!("common-cause group {:?}", group.name);
        group.members.iter().try_for_each(|member| check(&place, Node::Event(*member)))?;
    }
    Ok(())
}

fn replace_dynamic_gates(tree: &FaultTree, out: &mut StaticTree) -> Result<(), ExpandError> {
    if !tree.gates.iter().any(|gate| dynamic::is_dynamic(gate.logic)) {
        return Ok(());
    }
    let uses = dynamic::Uses::of(tree);
    for (index, gate) in tree.gates.iter().enumerate().filter(|(_, gate)| dynamic::is_dynamic(gate.logic)) {
        let module = dynamic::solve(tree, &uses, gate)
            .map_err(|source| ExpandError::Dynamic { gate: gate.name.clone(), source })?;
        for event in module.events {
            out.origins[event] = Origin::Absorbed { gate: index };
        }
        let origin = Origin::Dynamic { gate: index };
        let event = out.add_event(format!("[{}]", gate.name), gate.label.clone(), module.probability, origin);
        out.tree.gates[index].logic = Logic::Or;
        out.tree.gates[index].inputs = vec![Input { node: Node::Event(event), negated: false }];
    }
    Ok(())
}

fn write_out_groups(tree: &FaultTree, out: &mut StaticTree) -> Result<(), ExpandError> {
    let mut groups = Groups::new(tree.events.len());
    for (index, group) in tree.common_causes.iter().enumerate() {
        groups
            .write_out(index, group, out)
            .map_err(|source| ExpandError::CommonCause { group: group.name.clone(), source })?;
    }
    groups.redirect(&mut out.tree.gates[..tree.gates.len()]);
    out.tree.common_causes.clear();
    Ok(())
}

#[cfg(test)]
mod tests;
