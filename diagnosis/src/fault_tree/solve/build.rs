//! A module's diagram under the best order of its leaves that can be found cheaply.
//!
//! The orders race: each gets a few nodes; those that got furthest get more; a build that
//! is given more goes on where it stopped. How far a build gets on a small budget tells
//! well which order of its family will end smallest, less well which family: unless one
//! leader falls behind, both race to the end.

use super::bdd::{Bdd, BddNode, Edge};
use super::blocks::Block;
use super::diagram::BlockDiagram;
use super::formula::{Literal, Operation};
use super::limits::{Limits, QuantifyError};
use super::order::{Family, orders};
use super::table::Overrun;

/// Nodes allowed in a round, and how many orders of each family take part. After the last
/// round all have whatever the limits allow.
const ROUNDS: [(usize, usize); 9] = [
    (1 << 13, usize::MAX),
    (1 << 15, 2),
    (1 << 17, 1),
    (1 << 18, 1),
    (1 << 19, 1),
    (1 << 20, 1),
    (1 << 21, 1),
    (1 << 22, 1),
    (1 << 24, 2),
];

/// A build that failed with so many nodes gives its memory back before another has its turn.
const LARGE: usize = 1 << 22;

/// A leader that has so many times more gates left to build than the other sits out.
const BEHIND: usize = 2;

/// # Errors
/// No order fits the limits, or the stop condition.
pub(crate) fn build(block: &Block, limits: &Limits<'_>) -> Result<BlockDiagram, QuantifyError> {
    let racers = |orders: Vec<Vec<usize>>| orders.into_iter().map(|order| Racer::new(block, order, limits)).collect();
    if block.is_plain() {
        let mut racers: Vec<Racer<'_>> = racers(vec![(0..block.leaves.len()).collect()]);
        return race(&mut racers, 1, limits.nodes, limits)?.ok_or(limits.overrun(1));
    }
    let mut families: Vec<Vec<Racer<'_>>> = Vec::new();
    let last = std::iter::once((limits.nodes, usize::MAX));
    for (nodes, seats) in ROUNDS.into_iter().filter(|(nodes, _)| *nodes < limits.nodes).chain(last) {
        for (index, family) in [Family::Walk, Family::Force].into_iter().enumerate() {
            if families.len() == index {
                families.push(racers(orders(block, family)));
            }
            let left = |family: &Vec<Racer<'_>>| family.first().map_or(usize::MAX, Racer::left);
            let least = families.iter().map(left).min().unwrap_or(0);
            if seats == 1 && left(&families[index]) > least.saturating_mul(BEHIND) {
                continue;
            }
            if let Some(diagram) = race(&mut families[index], seats, nodes, limits)? {
                return Ok(diagram);
            }
        }
    }
    Err(limits.overrun(families.iter().map(Vec::len).sum()))
}

/// One round of one family. The order that got furthest comes first afterwards.
fn race<'a>(
    racers: &mut [Racer<'a>],
    seats: usize,
    nodes: usize,
    limits: &Limits<'a>,
) -> Result<Option<BlockDiagram>, QuantifyError> {
    for racer in racers.iter_mut().take(seats) {
        match racer.advance(nodes) {
            Ok(diagram) => return Ok(Some(diagram)),
            Err(Overrun::Stopped) => return Err(QuantifyError::Stopped),
            Err(Overrun::Nodes) if nodes > LARGE => racer.start_again(limits),
            Err(Overrun::Nodes) => {}
        }
    }
    // Stable: where two got equally far, the more promising one goes first.
    racers.sort_by_key(|racer| std::cmp::Reverse(racer.furthest));
    Ok(None)
}

/// A build under way.
struct Racer<'a> {
    block: &'a Block,
    order: Vec<usize>,
    bdd: Bdd<'a>,
    /// Of leaves and gates, as far as they are built.
    edges: Vec<Edge>,
    /// How many edges it once had.
    furthest: usize,
}

impl<'a> Racer<'a> {
    fn new(block: &'a Block, order: Vec<usize>, limits: &Limits<'a>) -> Self {
        Self { block, order, bdd: Bdd::new(0, limits.stop), edges: Vec::new(), furthest: 0 }
    }

    /// How many gates it had never built.
    fn left(&self) -> usize {
        (self.block.leaves.len() + self.block.gates.len()).saturating_sub(self.furthest)
    }

    fn start_again(&mut self, limits: &Limits<'a>) {
        self.bdd = Bdd::new(0, limits.stop);
        self.edges = Vec::new();
    }

    /// Builds on, until the whole has at most so many nodes.
    fn advance(&mut self, nodes: usize) -> Result<BlockDiagram, Overrun> {
        self.bdd.allow(nodes);
        if self.edges.is_empty() {
            let mut edges = vec![Edge::FALSE; self.block.leaves.len()];
            for (level, leaf) in self.order.iter().enumerate() {
                edges[*leaf] = self.bdd.variable(level as u32)?;
            }
            self.edges = edges;
        }
        let built = self.edges.len() - self.block.leaves.len();
        for gate in &self.block.gates[built..] {
            let inputs = gate.inputs.iter().map(|input| self.edges[input.node()].negate_if(input.negated()));
            let edge = combine(&mut self.bdd, gate.operation, inputs.collect())?;
            self.edges.push(edge);
            self.furthest = self.furthest.max(self.edges.len());
        }
        let root = self.edges[self.block.root.node()].negate_if(self.block.root.negated());
        Ok(self.reachable(root))
    }

    /// The nodes below a root, children first.
    fn reachable(&self, root: Edge) -> BlockDiagram {
        let bdd = &self.bdd;
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
        let leaves = self.order.iter().map(|leaf| self.block.leaves[*leaf]).collect();
        BlockDiagram { leaves, nodes, root: Edge::new(places[root.node()], root.negated()) }
    }
}

fn combine(bdd: &mut Bdd<'_>, operation: Operation, mut inputs: Vec<Edge>) -> Result<Edge, Overrun> {
    // What lies deepest first: then little is built over again.
    inputs.sort_by_key(|edge| std::cmp::Reverse(bdd.level(*edge)));
    match operation {
        Operation::And => inputs.into_iter().try_fold(Edge::TRUE, |all, input| bdd.and(all, input)),
        Operation::Xor => inputs.into_iter().try_fold(Edge::FALSE, |odd, input| bdd.xor(odd, input)),
        Operation::AtLeast(least) => {
            inputs.reverse();
            bdd.at_least(least, &inputs)
        }
    }
}

/// As much of a module as fits, for bounds of the whole.
pub(crate) struct Partial<'a> {
    pub order: Vec<usize>,
    pub bdd: Bdd<'a>,
    /// Of leaves and gates; none where a gate is too large.
    pub edges: Vec<Option<Edge>>,
}

/// Nodes that one gate of a part may add.
const GATE: usize = 1 << 16;

/// Nodes of a part in all.
const PART: usize = 1 << 22;

/// Builds those gates of a module that are small, with the order that gets furthest.
///
/// # Errors
/// The stop condition.
pub(crate) fn part<'a>(block: &Block, limits: &Limits<'a>) -> Result<Partial<'a>, QuantifyError> {
    let mut best: Option<Partial<'a>> = None;
    let built = |part: &Partial<'_>| part.edges.iter().flatten().count();
    for order in orders(block, Family::Walk).into_iter().chain(orders(block, Family::Force)) {
        let part = Partial::of(block, order, limits)?;
        if best.as_ref().is_none_or(|best| built(&part) > built(best)) {
            best = Some(part);
        }
        if best.as_ref().is_some_and(|best| built(best) == best.edges.len()) {
            break;
        }
    }
    best.ok_or(limits.overrun(0))
}

impl<'a> Partial<'a> {
    fn of(block: &Block, order: Vec<usize>, limits: &Limits<'a>) -> Result<Self, QuantifyError> {
        let mut bdd = Bdd::new(PART.min(limits.nodes), limits.stop);
        let mut edges = vec![None; block.leaves.len()];
        for (level, leaf) in order.iter().enumerate() {
            edges[*leaf] = bdd.variable(level as u32).ok();
        }
        for gate in &block.gates {
            let read = |input: &Literal| edges[input.node()].map(|edge: Edge| edge.negate_if(input.negated()));
            let inputs: Option<Vec<Edge>> = gate.inputs.iter().map(read).collect();
            bdd.allow((bdd.len() + GATE).min(PART).min(limits.nodes));
            edges.push(match inputs.map(|inputs| combine(&mut bdd, gate.operation, inputs)) {
                Some(Ok(edge)) => Some(edge),
                Some(Err(Overrun::Stopped)) => return Err(QuantifyError::Stopped),
                Some(Err(Overrun::Nodes)) | None => None,
            });
        }
        Ok(Self { order, bdd, edges })
    }
}
