//! How much each event matters (IEC 61025, annex; NUREG/CR-3385).

use super::bdd::Edge;
use super::blocks::Leaf;
use super::diagram::{BlockDiagram, Chance, Diagram};

/// Importance of one event, all others being as likely as they are. `P` is the probability
/// of the top event, `P(1)` and `P(0)` the same with the event certain and impossible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance {
    /// Birnbaum (MIF): `P(1) - P(0)`.
    pub birnbaum: f64,
    /// Criticality (CIF): `p (P(1) - P(0)) / P`, the share of the top event's probability
    /// that would vanish with the event.
    pub criticality: f64,
    /// Diagnostic (DIF): `p P(1) / P`, the probability of the event given the top event.
    pub diagnostic: f64,
    /// Risk achievement worth (RAW): `P(1) / P`.
    pub achievement: f64,
    /// Risk reduction worth (RRW): `P / P(0)`, infinite if nothing is left without the event.
    pub reduction: f64,
}

/// From this criticality on, `P(0)` is computed anew: as a difference it would lose digits.
const CRITICAL: f64 = 0.9;

impl Diagram {
    /// The importance of each event; not a number where the top event is impossible.
    pub fn importance(&self, probabilities: &[f64]) -> Vec<Importance> {
        let top = self.probability(probabilities);
        let slopes = self.slopes(probabilities);
        let mut changed = probabilities.to_vec();
        let each = probabilities.iter().zip(slopes).enumerate().map(|(event, (p, birnbaum))| {
            let criticality = p * birnbaum / top;
            let without = if criticality > CRITICAL {
                changed[event] = 0.0;
                let without = self.probability(&changed);
                changed[event] = *p;
                without
            } else {
                top - p * birnbaum
            };
            let achievement = (without + birnbaum) / top;
            Importance { birnbaum, criticality, diagnostic: p * achievement, achievement, reduction: top / without }
        });
        each.collect()
    }

    /// The derivative of P(top event) by the probability of each event.
    pub fn slopes(&self, probabilities: &[f64]) -> Vec<f64> {
        let mut slopes = vec![0.0; probabilities.len()];
        let chances = self.chances(probabilities);
        let mut of_blocks = vec![0.0; self.blocks.len()];
        of_blocks.last_mut().into_iter().for_each(|whole| *whole = 1.0);
        let mut nodes = Vec::new();
        for (index, block) in self.blocks.iter().enumerate().rev() {
            block.fill(probabilities, &chances, &mut nodes);
            for (leaf, slope) in block.leaves.iter().zip(block.slopes(probabilities, &chances, &nodes)) {
                match leaf {
                    Leaf::Event(event) => slopes[*event] = of_blocks[index] * slope,
                    Leaf::Block(block) => of_blocks[*block] = of_blocks[index] * slope,
                }
            }
        }
        slopes
    }
}

impl BlockDiagram {
    /// The derivative of the root's chance by that of each leaf.
    fn slopes(&self, probabilities: &[f64], blocks: &[Chance], nodes: &[Chance]) -> Vec<f64> {
        let sign = |edge: Edge| if edge.negated() { -1.0 } else { 1.0 };
        let mut slopes = vec![0.0; self.leaves.len()];
        let mut weights = vec![0.0; self.nodes.len()];
        weights[self.root.node()] = sign(self.root);
        for (index, node) in self.nodes.iter().enumerate().skip(1).rev() {
            let weight = weights[index];
            let leaf = self.leaf_chance(node.level, probabilities, blocks);
            let high = nodes[node.high.node()];
            let low = nodes[node.low.node()].negate_if(node.low.negated());
            // The smaller numbers have the more exact difference.
            let rise = if high.yes + low.yes < 1.0 { high.yes - low.yes } else { low.no - high.no };
            slopes[node.level as usize] += weight * rise;
            weights[node.high.node()] += weight * leaf.yes;
            weights[node.low.node()] += sign(node.low) * weight * leaf.no;
        }
        slopes
    }
}
