//! A fault tree compiled: one small decision diagram for each of its modules.

use super::bdd::{BddNode, Edge};
use super::blocks::{Leaf, blocks};
use super::build::build;
use super::formula::{Formula, Value};
use super::limits::{Limits, QuantifyError};
use crate::fault_tree::model::FaultTree;

/// A static fault tree as a diagram, from which probabilities follow in time linear in its
/// size. Probabilities are given anew each time.
#[derive(Debug, Clone)]
pub struct Diagram {
    /// Each after those it reads; the last is the whole.
    pub(crate) blocks: Vec<BlockDiagram>,
    /// The top event always or never happens.
    pub(crate) constant: Option<bool>,
    events: usize,
}

/// A module as a diagram. Node 0 is the constant; children come before parents.
#[derive(Debug, Clone)]
pub(crate) struct BlockDiagram {
    /// By level.
    pub leaves: Vec<Leaf>,
    pub nodes: Vec<BddNode>,
    pub root: Edge,
}

/// Probability that something happens, and that it does not. Both are sums of products of
/// positive numbers, so that neither loses digits to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chance {
    pub yes: f64,
    pub no: f64,
}

impl Chance {
    pub fn of(probability: f64) -> Self {
        Self { yes: probability, no: 1.0 - probability }
    }

    pub fn negate_if(self, negate: bool) -> Self {
        if negate { Self { yes: self.no, no: self.yes } } else { self }
    }
}

impl Diagram {
    /// # Errors
    /// A circle, a dynamic gate, or no order that fits the limits.
    pub fn compile(tree: &FaultTree, limits: &Limits<'_>) -> Result<Self, QuantifyError> {
        let formula = Formula::of(tree)?;
        let constant = match formula.top {
            Value::Constant(value) => Some(value),
            Value::Literal(_) => None,
        };
        let blocks: Result<_, _> = blocks(&formula).iter().map(|block| build(block, limits)).collect();
        Ok(Self { blocks: blocks?, constant, events: tree.events.len() })
    }

    /// P(top event), each event `i` happening with `probabilities[i]` and independently.
    pub fn probability(&self, probabilities: &[f64]) -> f64 {
        match self.constant {
            Some(value) => f64::from(u8::from(value)),
            None => self.chances(probabilities).last().map_or(0.0, |chance| chance.yes),
        }
    }

    /// Each block's chance.
    pub(crate) fn chances(&self, probabilities: &[f64]) -> Vec<Chance> {
        assert_eq!(probabilities.len(), self.events, "one probability for each event");
        let mut chances = Vec::with_capacity(self.blocks.len());
        let mut nodes = Vec::new();
        for block in &self.blocks {
            block.fill(probabilities, &chances, &mut nodes);
            chances.push(nodes[block.root.node()].negate_if(block.root.negated()));
        }
        chances
    }

    /// Number of events of the tree.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// Number of nodes in all modules together.
    pub fn size(&self) -> usize {
        self.blocks.iter().map(|block| block.nodes.len() - 1).sum()
    }
}

impl BlockDiagram {
    /// Its value where no leaf is there; an inverted leaf is there when it is not.
    pub fn at_rest(&self, inverted: &[bool]) -> bool {
        let mut edge = self.root;
        while edge.node() > 0 {
            let node = self.nodes[edge.node()];
            let below = if inverted[node.level as usize] { node.high } else { node.low };
            edge = below.negate_if(edge.negated());
        }
        !edge.negated()
    }

    /// The chance of each node.
    pub fn fill(&self, probabilities: &[f64], blocks: &[Chance], nodes: &mut Vec<Chance>) {
        nodes.clear();
        nodes.reserve(self.nodes.len());
        nodes.push(Chance { yes: 1.0, no: 0.0 });
        for node in &self.nodes[1..] {
            let leaf = self.leaf_chance(node.level, probabilities, blocks);
            let high = nodes[node.high.node()];
            let low = nodes[node.low.node()].negate_if(node.low.negated());
            nodes.push(Chance {
                yes: leaf.yes * high.yes + leaf.no * low.yes,
                no: leaf.yes * high.no + leaf.no * low.no,
            });
        }
    }

    pub fn leaf_chance(&self, level: u32, probabilities: &[f64], blocks: &[Chance]) -> Chance {
        match self.leaves[level as usize] {
            Leaf::Event(event) => Chance::of(probabilities[event]),
            Leaf::Block(block) => blocks[block],
        }
    }
}
