//! A fault tree compiled: one small decision diagram for each of its modules.

use super::bdd::{Bdd, BddNode, Edge};
use super::blocks::{Block, Leaf, blocks};
use super::formula::{Formula, Operation, Value};
use super::model::FaultTree;
use super::order::{HEURISTICS, order};
use super::quantify::{Limits, QuantifyError};
use super::table::Overrun;

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

/// Nodes of the first try with each order; each further round has so many times more.
const FIRST_TRY: usize = 1 << 14;
const GROWTH: usize = 8;

impl Diagram {
    /// # Errors
    /// A circle, a dynamic gate, or no order that fits the limits.
    pub fn compile(tree: &FaultTree, limits: &Limits<'_>) -> Result<Self, QuantifyError> {
        let formula = Formula::of(tree)?;
        let constant = match formula.top {
            Value::Constant(value) => Some(value),
            Value::Literal(_) => None,
        };
        let blocks: Result<_, _> = blocks(&formula).iter().map(|block| BlockDiagram::compile(block, limits)).collect();
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
    fn compile(block: &Block, limits: &Limits<'_>) -> Result<Self, QuantifyError> {
        let orders: Vec<Vec<usize>> = if block.is_plain() {
            vec![(0..block.leaves.len()).collect()]
        } else {
            let mut orders: Vec<Vec<usize>> = Vec::new();
            for heuristic in HEURISTICS {
                let order = order(block, heuristic);
                if !orders.contains(&order) {
                    orders.push(order);
                }
            }
            orders
        };
        let mut budget = FIRST_TRY.min(limits.nodes);
        loop {
            for order in &orders {
                match build(block, order, budget, limits.stop) {
                    Ok(diagram) => return Ok(diagram),
                    Err(Overrun::Nodes) => {}
                    Err(Overrun::Stopped) => return Err(QuantifyError::Stopped),
                }
            }
            if budget >= limits.nodes {
                return Err(QuantifyError::Budget { nodes: limits.nodes, orders: orders.len() });
            }
            budget = budget.saturating_mul(GROWTH).min(limits.nodes);
        }
    }

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

/// Builds a block's diagram from its inputs up, with its leaves in this order.
fn build(block: &Block, order: &[usize], budget: usize, stop: &dyn Fn() -> bool) -> Result<BlockDiagram, Overrun> {
    let mut bdd = Bdd::new(budget, stop);
    let mut edges = vec![Edge::FALSE; block.leaves.len()];
    for (level, leaf) in order.iter().enumerate() {
        edges[*leaf] = bdd.variable(level as u32)?;
    }
    for gate in &block.gates {
        let inputs = gate.inputs.iter().map(|input| edges[input.node()].negate_if(input.negated()));
        let mut inputs: Vec<Edge> = inputs.collect();
        // What lies deepest first: then little is built over again.
        inputs.sort_by_key(|edge| std::cmp::Reverse(bdd.level(*edge)));
        let edge = match gate.operation {
            Operation::And => inputs.into_iter().try_fold(Edge::TRUE, |all, input| bdd.and(all, input))?,
            Operation::Xor => inputs.into_iter().try_fold(Edge::FALSE, |odd, input| bdd.xor(odd, input))?,
            Operation::AtLeast(least) => {
                inputs.reverse();
                bdd.at_least(least, &inputs)?
            }
        };
        edges.push(edge);
    }
    let root = edges[block.root.node()].negate_if(block.root.negated());
    let leaves = order.iter().map(|leaf| block.leaves[*leaf]).collect();
    Ok(reachable(&bdd, root, leaves))
}

/// The nodes below a root, in their order.
fn reachable(bdd: &Bdd<'_>, root: Edge, leaves: Vec<Leaf>) -> BlockDiagram {
    let mut wanted = vec![false; bdd.len()];
    wanted[root.node()] = true;
    for index in (1..bdd.len()).rev() {
        if wanted[index] {
            let node = bdd.node(index);
            wanted[node.high.node()] = true;
            wanted[node.low.node()] = true;
        }
    }
    let mut places = vec![0; bdd.len()];
    let mut nodes = vec![bdd.node(0)];
    for index in (1..bdd.len()).filter(|index| wanted[*index]) {
        let BddNode { level, high, low } = bdd.node(index);
        let moved = |edge: Edge| Edge::new(places[edge.node()], edge.negated());
        nodes.push(BddNode { level, high: moved(high), low: moved(low) });
        places[index] = nodes.len() - 1;
    }
    BlockDiagram { leaves, nodes, root: Edge::new(places[root.node()], root.negated()) }
}
