//! A tree of symbols from a tree whose parts are shared.

use super::{DrawError, MAX_SYMBOLS};
use crate::fault_tree::model::{FaultTree, Node};

/// One symbol of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Symbol {
    pub node: Node,
    /// The line to it has a circle.
    pub negated: bool,
    /// Stands for a gate drawn elsewhere.
    pub transfer: bool,
    /// In how many places its node is read.
    pub uses: usize,
    /// Indices of the symbols below it.
    pub below: Vec<usize>,
    /// How far below the top.
    pub depth: usize,
}

/// Symbols, each after the one above it; the first is the top event.
pub(super) fn unfold(tree: &FaultTree) -> Result<Vec<Symbol>, DrawError> {
    let mut uses = Uses { events: vec![0; tree.events.len()], gates: vec![0; tree.gates.len()] };
    for input in tree.gates.iter().flat_map(|gate| &gate.inputs) {
        *uses.of(input.node) += 1;
    }
    let top = Node::Gate(tree.top);
    let mut symbols =
        vec![Symbol { node: top, negated: false, transfer: false, uses: *uses.of(top), below: Vec::new(), depth: 0 }];
    let mut drawn = vec![false; tree.gates.len()];
    let mut next = 0;
    while let Some(Symbol { node, depth, .. }) = symbols.get(next) {
        let depth = depth + 1;
        if let Node::Gate(gate) = *node {
            if std::mem::replace(&mut drawn[gate], true) {
                symbols[next].transfer = true;
            } else {
                for input in &tree.gates[gate].inputs {
                    let index = symbols.len();
                    if index == MAX_SYMBOLS {
                        return Err(DrawError::TooBig);
                    }
                    symbols[next].below.push(index);
                    let uses = *uses.of(input.node);
                    let (node, negated) = (input.node, input.negated);
                    symbols.push(Symbol { node, negated, transfer: false, uses, below: Vec::new(), depth });
                }
            }
        }
        next += 1;
    }
    Ok(symbols)
}

struct Uses {
    events: Vec<usize>,
    gates: Vec<usize>,
}

impl Uses {
    fn of(&mut self, node: Node) -> &mut usize {
        match node {
            Node::Event(event) => &mut self.events[event],
            Node::Gate(gate) => &mut self.gates[gate],
        }
    }
}
