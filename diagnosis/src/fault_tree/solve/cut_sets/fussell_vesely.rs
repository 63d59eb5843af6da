//! The share of the top event's probability in which an event plays a part.

use super::{BlockCutSets, CutSets};
use crate::fault_tree::solve::bdd::{Bdd, Edge};
use crate::fault_tree::solve::blocks::Leaf;
use crate::fault_tree::solve::limits::{Limits, QuantifyError};

impl CutSets {
    /// For each event the probability that some minimal cut set with it has happened (the
    /// numerator of Fussell and Vesely's importance; the denominator is P(top)). Exact, for
    /// coherent trees.
    ///
    /// # Errors
    /// More nodes than the limits allow, or the stop condition.
    pub fn part_played(&self, probabilities: &[f64], limits: &Limits<'_>) -> Result<Vec<f64>, QuantifyError> {
        let mut events = vec![0.0; probabilities.len()];
        let mut chances = Vec::with_capacity(self.blocks.len());
        let mut within = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let leaves = block.leaves.iter().map(|leaf| match leaf {
                Leaf::Event(event) => probabilities[*event],
                Leaf::Block(block) => chances[*block],
            });
            let leaves: Vec<f64> = leaves.collect();
            let (whole, parts) = block.parts(&leaves, limits)?;
            chances.push(whole);
            within.push(parts);
        }
        let mut outside = vec![1.0; self.blocks.len()];
        for (index, block) in self.blocks.iter().enumerate().rev() {
            for (leaf, part) in block.leaves.iter().zip(&within[index]) {
                match leaf {
                    Leaf::Event(event) => events[*event] = outside[index] * part * probabilities[*event],
                    Leaf::Block(block) => outside[*block] = outside[index] * part,
                }
            }
        }
        Ok(events)
    }
}

impl BlockCutSets {
    /// The chance that some set has happened, and for each leaf that the rest of some set
    /// with it has.
    fn parts(&self, leaves: &[f64], limits: &Limits<'_>) -> Result<(f64, Vec<f64>), QuantifyError> {
        let overrun = |_| if (limits.stop)() { QuantifyError::Stopped } else { limits.overrun(1) };
        let mut bdd = Bdd::new(limits.nodes, limits.stop);
        let variables = (0..leaves.len()).map(|level| bdd.variable(level as u32)).collect::<Result<Vec<_>, _>>();
        let variables = variables.map_err(overrun)?;
        let mut unions = vec![Edge::FALSE, Edge::TRUE];
        for node in &self.nodes[2..] {
            let (with, without) = (unions[node.with.node()], unions[node.without.node()]);
            let union =
                bdd.or(with, without).and_then(|more| bdd.choose(variables[node.level as usize], more, without));
            unions.push(union.map_err(overrun)?);
        }
        let mut rests = Vec::with_capacity(leaves.len());
        for leaf in 0..leaves.len() as u32 {
            // Of the sets with the leaf below each node, without the leaf.
            let mut below = vec![Edge::FALSE; 2];
            for node in &self.nodes[2..] {
                below.push(if node.level == leaf {
                    unions[node.with.node()]
                } else if node.level > leaf {
                    Edge::FALSE
                } else {
                    let (with, without) = (below[node.with.node()], below[node.without.node()]);
                    let more = bdd.or(with, without).map_err(overrun)?;
                    bdd.choose(variables[node.level as usize], more, without).map_err(overrun)?
                });
            }
            rests.push(below[self.root.node()]);
        }
        let mut chances = vec![(1.0, 0.0)];
        let chance = |chances: &[(f64, f64)], edge: Edge| {
            let (yes, no) = chances[edge.node()];
            if edge.negated() { (no, yes) } else { (yes, no) }
        };
        for index in 1..bdd.len() {
            let node = bdd.node(index);
            let p = leaves[node.level as usize];
            let (high, low) = (chance(&chances, node.high), chance(&chances, node.low));
            chances.push((p * high.0 + (1.0 - p) * low.0, p * high.1 + (1.0 - p) * low.1));
        }
        let whole = chance(&chances, unions[self.root.node()]).0;
        Ok((whole, rests.into_iter().map(|rest| chance(&chances, rest).0).collect()))
    }
}
