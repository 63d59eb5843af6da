//! Certain bounds of P(top event) where its diagram does not fit.
//!
//! As many gates as fit are known exactly. Above them, what holds of any events (Fréchet
//! 1935) and, for gates whose inputs all rise or all fall with the events, of associated
//! ones (Esary, Proschan & Walkup 1967) gives an interval for each gate.

use super::blocks::{Block, Leaf, blocks};
use super::build::{Partial, part};
use super::formula::{Formula, Literal, Operation, Operator, Value};
use super::limits::{Limits, QuantifyError};
use crate::fault_tree::model::FaultTree;

/// P(top event) lies between these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Not below this.
    pub lower: f64,
    /// Not above this.
    pub upper: f64,
}

/// Widens intervals by more than rounding can have moved them.
const ROUNDING: f64 = 1e-12;

impl Bounds {
    /// Bounds of P(top event) of a static tree with independent events.
    ///
    /// # Errors
    /// A circle, a dynamic gate, or the stop condition before every module was looked at.
    pub fn of(tree: &FaultTree, probabilities: &[f64], limits: &Limits<'_>) -> Result<Self, QuantifyError> {
        let formula = Formula::of(tree)?;
        if let Value::Constant(value) = formula.top {
            let certain = f64::from(u8::from(value));
            return Ok(Self { lower: certain, upper: certain });
        }
        let mut known: Vec<Self> = Vec::new();
        for block in blocks(&formula) {
            let leaves = block.leaves.iter().map(|leaf| match leaf {
                Leaf::Event(event) => Self { lower: probabilities[*event], upper: probabilities[*event] },
                Leaf::Block(block) => known[*block],
            });
            let leaves: Vec<Self> = leaves.collect();
            known.push(of_block(&block, &leaves, &part(&block, limits)?));
        }
        let whole = known.last().copied().unwrap_or(Self { lower: 0.0, upper: 0.0 });
        Ok(Self { lower: whole.lower * (1.0 - ROUNDING), upper: (whole.upper * (1.0 + ROUNDING)).min(1.0) })
    }

    fn negate_if(self, negate: bool) -> Self {
        if negate { Self { lower: 1.0 - self.upper, upper: 1.0 - self.lower } } else { self }
    }

    fn within(self, other: Self) -> Self {
        Self { lower: self.lower.max(other.lower), upper: self.upper.min(other.upper) }
    }
}

/// How a node follows its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trend {
    Rising,
    Falling,
    Neither,
}

impl Trend {
    fn negate_if(self, negate: bool) -> Self {
        match self {
            Self::Rising if negate => Self::Falling,
            Self::Falling if negate => Self::Rising,
            trend => trend,
        }
    }
}

fn of_block(block: &Block, leaves: &[Bounds], part: &Partial<'_>) -> Bounds {
    let nodes = node_bounds(leaves, part);
    let mut bounds = leaves.to_vec();
    let mut trends = vec![Trend::Rising; leaves.len()];
    for (index, gate) in block.gates.iter().enumerate() {
        let inputs: Vec<Bounds> = gate.inputs.iter().map(|input| at(&bounds, *input)).collect();
        let mut each = gate.inputs.iter().map(|input| trends[input.node()].negate_if(input.negated()));
        let first = each.next().unwrap_or(Trend::Neither);
        let trend =
            if gate.operation != Operation::Xor && each.all(|trend| trend == first) { first } else { Trend::Neither };
        let mut gate_bounds = of_gate(gate, &inputs, trend != Trend::Neither);
        if let Some(edge) = part.edges[leaves.len() + index] {
            gate_bounds = gate_bounds.within(nodes[edge.node()].negate_if(edge.negated()));
        }
        bounds.push(gate_bounds);
        trends.push(trend);
    }
    at(&bounds, block.root)
}

fn at(bounds: &[Bounds], literal: Literal) -> Bounds {
    bounds[literal.node()].negate_if(literal.negated())
}

/// Bounds of every node of a part's diagram; exact where its leaves are.
fn node_bounds(leaves: &[Bounds], part: &Partial<'_>) -> Vec<Bounds> {
    let mut nodes: Vec<Bounds> = vec![Bounds { lower: 1.0, upper: 1.0 }];
    for index in 1..part.bdd.len() {
        let node = part.bdd.node(index);
        let leaf = leaves[part.order[node.level as usize]];
        let (high, low) = (nodes[node.high.node()], nodes[node.low.node()].negate_if(node.low.negated()));
        let mixed = |p: f64, high: f64, low: f64| p * high + (1.0 - p) * low;
        let lower = mixed(leaf.lower, high.lower, low.lower).min(mixed(leaf.upper, high.lower, low.lower));
        let upper = mixed(leaf.lower, high.upper, low.upper).max(mixed(leaf.upper, high.upper, low.upper));
        nodes.push(Bounds { lower, upper });
    }
    nodes
}

fn of_gate(gate: &Operator, inputs: &[Bounds], associated: bool) -> Bounds {
    let sum = |part: fn(&Bounds) -> f64| inputs.iter().map(part).sum::<f64>();
    match gate.operation {
        Operation::And => {
            let apart = (sum(|input| input.lower) - (inputs.len() as f64 - 1.0)).max(0.0);
            let together: f64 = inputs.iter().map(|input| input.lower).product();
            let upper = inputs.iter().map(|input| input.upper).fold(1.0, f64::min);
            Bounds { lower: if associated { apart.max(together) } else { apart }, upper }
        }
        Operation::AtLeast(least) => {
            // Of the number of inputs that hold, from its mean (Markov, both ways).
            let others = (inputs.len() - least) as f64 + 1.0;
            let lower = ((sum(|input| input.lower) - (least as f64 - 1.0)) / others).max(0.0);
            Bounds { lower, upper: (sum(|input| input.upper) / least as f64).min(1.0) }
        }
        Operation::Xor => Bounds { lower: 0.0, upper: 1.0 },
    }
}
