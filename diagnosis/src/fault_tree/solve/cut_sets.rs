//! Minimal cut sets: how many there are, and which.

mod fussell_vesely;
mod ranked;

pub use ranked::{CutSet, Ranked};

use super::blocks::Leaf;
use super::diagram::{BlockDiagram, Diagram};
use super::limits::{Limits, QuantifyError};
use super::table::Overrun;
use super::zbdd::{Family, Zbdd, ZbddNode};

/// The minimal cut sets of a static fault tree, module by module.
///
/// For a tree that is not coherent these are the minimal positive parts: the smallest sets
/// of events whose presence, the rest being absent or not, can bring about the top event.
#[derive(Debug, Clone)]
pub struct CutSets {
    pub(super) blocks: Vec<BlockCutSets>,
    constant: Option<bool>,
    events: usize,
}

/// The minimal sets of a module's leaves.
#[derive(Debug, Clone)]
pub(super) struct BlockCutSets {
    /// By level.
    pub leaves: Vec<Leaf>,
    /// The two constants first; children before parents.
    pub nodes: Vec<ZbddNode>,
    pub root: Family,
}

/// Numbers of sets by order; the place is the order.
type ByOrder = Vec<u128>;

impl CutSets {
    /// # Errors
    /// More nodes than the limits allow, or the stop condition.
    pub fn of(diagram: &Diagram, limits: &Limits<'_>) -> Result<Self, QuantifyError> {
        // Whether a module's event is there when no event is: then its absence is what counts.
        let mut inverted = Vec::with_capacity(diagram.blocks.len());
        let mut blocks = Vec::with_capacity(diagram.blocks.len());
        for (index, block) in diagram.blocks.iter().enumerate() {
            let of_leaf = |leaf: &Leaf| match leaf {
                Leaf::Event(_) => false,
                Leaf::Block(block) => inverted[*block],
            };
            let leaves: Vec<bool> = block.leaves.iter().map(of_leaf).collect();
            let idle = block.at_rest(&leaves);
            // The whole is asked for as it is, also if it happens of itself.
            let invert = idle && index + 1 < diagram.blocks.len();
            blocks.push(BlockCutSets::of(block, invert, &leaves, limits)?);
            inverted.push(invert);
        }
        Ok(Self { blocks, constant: diagram.constant, events: diagram.events() })
    }

    /// How many there are.
    ///
    /// # Errors
    /// More than 128 bits hold.
    pub fn count(&self) -> Result<u128, QuantifyError> {
        if let Some(value) = self.constant {
            return Ok(u128::from(value));
        }
        let mut counts: Vec<u128> = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let nodes = block.counts(&counts).ok_or(QuantifyError::TooManyCutSets)?;
            counts.push(nodes[block.root.node()]);
        }
        Ok(counts.last().copied().unwrap_or(0))
    }

    /// How many there are of each order, from order 1 on.
    ///
    /// # Errors
    /// More than 128 bits hold.
    pub fn count_by_order(&self) -> Result<Vec<u128>, QuantifyError> {
        let mut counts: Vec<ByOrder> = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            counts.push(block.count_by_order(&counts).ok_or(QuantifyError::TooManyCutSets)?);
        }
        Ok(counts.pop().map(|whole| whole.into_iter().skip(1).collect()).unwrap_or_default())
    }

    /// For each event the number of minimal cut sets it is in.
    ///
    /// # Errors
    /// More than 128 bits hold.
    pub fn occurrences(&self) -> Result<Vec<u128>, QuantifyError> {
        let mut events = vec![0; self.events];
        let mut counts: Vec<u128> = Vec::with_capacity(self.blocks.len());
        let mut below = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let nodes = block.counts(&counts).ok_or(QuantifyError::TooManyCutSets)?;
            counts.push(nodes[block.root.node()]);
            below.push(nodes);
        }
        // How many sets of the whole each set of a block is a part of.
        let mut above = vec![0_u128; self.blocks.len()];
        above.last_mut().into_iter().for_each(|whole| *whole = 1);
        for (index, block) in self.blocks.iter().enumerate().rev() {
            let of_leaves = block.occurrences(&below[index], &counts).ok_or(QuantifyError::TooManyCutSets)?;
            for (leaf, sets) in block.leaves.iter().zip(of_leaves) {
                let sets = sets.checked_mul(above[index]).ok_or(QuantifyError::TooManyCutSets)?;
                match leaf {
                    Leaf::Event(event) => events[*event] = sets,
                    Leaf::Block(block) => above[*block] = sets,
                }
            }
        }
        Ok(events)
    }

    /// Sum of the probabilities of all minimal cut sets (rare-event approximation). It is
    /// an upper bound of P(top) for a coherent tree.
    pub fn sum(&self, probabilities: &[f64]) -> f64 {
        let mut sums = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let leaf = |level: u32| match block.leaves[level as usize] {
                Leaf::Event(event) => probabilities[event],
                Leaf::Block(block) => sums[block],
            };
            let mut nodes = vec![0.0, 1.0];
            for node in &block.nodes[2..] {
                nodes.push(leaf(node.level) * nodes[node.with.node()] + nodes[node.without.node()]);
            }
            sums.push(nodes[block.root.node()]);
        }
        sums.last().copied().unwrap_or(f64::from(u8::from(self.constant == Some(true))))
    }

    /// The cut sets by falling weight, the weight of a set being the sum of its events'
    /// `log_weights`: logs of probabilities list the most probable first, equal negative
    /// numbers the smallest. Each costs time and memory only when it is asked for.
    pub fn ranked(&self, log_weights: &[f64]) -> Ranked<'_> {
        Ranked::new(self, log_weights)
    }

    pub(super) fn is_certain(&self) -> bool {
        self.constant == Some(true)
    }
}

impl BlockCutSets {
    fn of(block: &BlockDiagram, invert: bool, leaves: &[bool], limits: &Limits<'_>) -> Result<Self, QuantifyError> {
        let mut zbdd = Zbdd::new(limits.nodes, limits.stop);
        let root = zbdd.minimal_solutions(&block.nodes, block.root.negate_if(invert), leaves);
        let root = root.map_err(|overrun| match overrun {
            Overrun::Nodes => limits.overrun(1),
            Overrun::Stopped => QuantifyError::Stopped,
        })?;
        let (nodes, root) = zbdd.reachable(root);
        Ok(Self { leaves: block.leaves.clone(), nodes, root })
    }

    /// For each node how many sets it holds, given that of each block.
    fn counts(&self, blocks: &[u128]) -> Option<Vec<u128>> {
        let mut counts = Vec::with_capacity(self.nodes.len());
        counts.extend([0, 1]);
        for node in &self.nodes[2..] {
            let with = self.leaf_count(node.level, blocks).checked_mul(counts[node.with.node()])?;
            counts.push(with.checked_add(counts[node.without.node()])?);
        }
        Some(counts)
    }

    fn leaf_count(&self, level: u32, blocks: &[u128]) -> u128 {
        match self.leaves[level as usize] {
            Leaf::Event(_) => 1,
            Leaf::Block(block) => blocks[block],
        }
    }

    fn count_by_order(&self, blocks: &[ByOrder]) -> Option<ByOrder> {
        // A node's numbers are dropped with their last reader: they are the bulk.
        let mut readers = vec![0_u32; self.nodes.len()];
        for node in &self.nodes[2..] {
            readers[node.with.node()] += 1;
            readers[node.without.node()] += 1;
        }
        readers[self.root.node()] += 1;
        let mut counts: Vec<ByOrder> = Vec::with_capacity(self.nodes.len());
        counts.extend([Vec::new(), vec![1]]);
        for node in &self.nodes[2..] {
            let with = &counts[node.with.node()];
            let mut sum = match self.leaves[node.level as usize] {
                Leaf::Event(_) => {
                    let mut one_more = Vec::with_capacity(counts[node.without.node()].len().max(with.len() + 1));
                    one_more.push(0);
                    one_more.extend_from_slice(with);
                    one_more
                }
                Leaf::Block(block) => times(&blocks[block], with)?,
            };
            add(&mut sum, &counts[node.without.node()])?;
            counts.push(sum);
            for child in [node.with, node.without] {
                readers[child.node()] -= 1;
                if readers[child.node()] == 0 {
                    counts[child.node()] = Vec::new();
                }
            }
        }
        Some(std::mem::take(&mut counts[self.root.node()]))
    }

    /// For each leaf in how many sets it is, each set counted once for every way to fill
    /// its blocks; for a leaf that is a block, without its own filling.
    fn occurrences(&self, below: &[u128], blocks: &[u128]) -> Option<Vec<u128>> {
        let mut leaves = vec![0_u128; self.leaves.len()];
        let mut above = vec![0_u128; self.nodes.len()];
        above[self.root.node()] = 1;
        for (index, node) in self.nodes.iter().enumerate().skip(2).rev() {
            let ways = above[index];
            let leaf = self.leaf_count(node.level, blocks);
            let (with, without) = (node.with.node(), node.without.node());
            let sets = &mut leaves[node.level as usize];
            *sets = sets.checked_add(ways.checked_mul(below[with])?)?;
            above[with] = above[with].checked_add(ways.checked_mul(leaf)?)?;
            above[without] = above[without].checked_add(ways)?;
        }
        Some(leaves)
    }
}

fn add(sum: &mut ByOrder, more: &[u128]) -> Option<()> {
    if sum.len() < more.len() {
        sum.resize(more.len(), 0);
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = sum.checked_add(*more)?;
    }
    Some(())
}

fn times(left: &[u128], right: &[u128]) -> Option<ByOrder> {
    if left.is_empty() || right.is_empty() {
        return Some(Vec::new());
    }
    let mut product = vec![0_u128; left.len() + right.len() - 1];
    for (i, left) in left.iter().enumerate().filter(|(_, left)| **left > 0) {
        for (j, right) in right.iter().enumerate() {
            product[i + j] = product[i + j].checked_add(left.checked_mul(*right)?)?;
        }
    }
    Some(product)
}
