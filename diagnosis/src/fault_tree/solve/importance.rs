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

impl Diagram {
    /// The importance of each event; not a number where the top event is impossible.
    pub fn importance(&self, probabilities: &[f64]) -> Vec<Importance> {
        let top = self.probability(probabilities);
        let given = self.given_each(probabilities, top);
        let each = probabilities.iter().zip(given).map(|(p, Given { with, without, slope })| Importance {
            birnbaum: slope,
            criticality: p * slope / top,
            diagnostic: p * with / top,
            achievement: with / top,
            reduction: top / without,
        });
        each.collect()
    }

    /// P(top event) given each event and given its absence. Only positive numbers are
    /// added, so that small ones keep their digits; so does their difference, taken where
    /// they are smallest.
    fn given_each(&self, probabilities: &[f64], top: f64) -> Vec<Given<f64>> {
        let mut events = vec![Given { with: top, without: top, slope: 0.0 }; probabilities.len()];
        let chances = self.chances(probabilities);
        let mut blocks = vec![Given { with: 1.0, without: 0.0, slope: 1.0 }; self.blocks.len()];
        let mut nodes = Vec::new();
        for (index, block) in self.blocks.iter().enumerate().rev() {
            block.fill(probabilities, &chances, &mut nodes);
            let own = blocks[index];
            let of_top = |chance: Chance| own.with * chance.yes + own.without * chance.no;
            for (leaf, given) in block.leaves.iter().zip(block.given_each(probabilities, &chances, &nodes)) {
                let given =
                    Given { with: of_top(given.with), without: of_top(given.without), slope: own.slope * given.slope };
                match leaf {
                    Leaf::Event(event) => events[*event] = given,
                    Leaf::Block(block) => blocks[*block] = given,
                }
            }
        }
        events
    }
}

/// Something given that an event happens, and that it does not.
#[derive(Debug, Clone, Copy)]
struct Given<T> {
    with: T,
    without: T,
    /// The one less the other.
    slope: f64,
}

const NEVER: Chance = Chance { yes: 0.0, no: 0.0 };

impl BlockDiagram {
    /// The root's chance given each leaf.
    fn given_each(&self, probabilities: &[f64], blocks: &[Chance], nodes: &[Chance]) -> Vec<Given<Chance>> {
        let mut given = vec![Given { with: NEVER, without: NEVER, slope: 0.0 }; self.leaves.len()];
        // By level: how much more chance passes it by than the level above. The paths to a
        // node are weighed by the parity of the negations on them.
        let mut passing = vec![NEVER; self.leaves.len() + 1];
        let mut paths = vec![NEVER; self.nodes.len()];
        let level = |edge: Edge| (self.nodes[edge.node()].level as usize).min(self.leaves.len());
        paths[self.root.node()] = Chance { yes: 1.0, no: 0.0 }.negate_if(self.root.negated());
        let whole = nodes[self.root.node()].negate_if(self.root.negated());
        pass(&mut passing, 0, level(self.root), whole);
        for (index, node) in self.nodes.iter().enumerate().skip(1).rev() {
            let leaf = self.leaf_chance(node.level, probabilities, blocks);
            let here = &mut given[node.level as usize];
            let (high, low) = (nodes[node.high.node()], nodes[node.low.node()].negate_if(node.low.negated()));
            let rise = if high.yes + low.yes < 1.0 { high.yes - low.yes } else { low.no - high.no };
            here.slope += (paths[index].yes - paths[index].no) * rise;
            for (edge, chance, side) in [(node.high, leaf.yes, &mut here.with), (node.low, leaf.no, &mut here.without)]
            {
                let path = paths[index].negate_if(edge.negated());
                let reached = along(path, nodes[edge.node()]);
                side.yes += reached.yes;
                side.no += reached.no;
                let through = Chance { yes: chance * reached.yes, no: chance * reached.no };
                pass(&mut passing, node.level as usize + 1, level(edge), through);
                let onward = &mut paths[edge.node()];
                onward.yes += chance * path.yes;
                onward.no += chance * path.no;
            }
        }
        let mut by = NEVER;
        for (given, more) in given.iter_mut().zip(&passing) {
            by = Chance { yes: by.yes + more.yes, no: by.no + more.no };
            for side in [&mut given.with, &mut given.without] {
                side.yes += by.yes;
                side.no += by.no;
            }
        }
        given
    }
}

/// The root's chance along these paths to a node.
fn along(path: Chance, node: Chance) -> Chance {
    Chance { yes: path.yes * node.yes + path.no * node.no, no: path.yes * node.no + path.no * node.yes }
}

/// Notes that a chance passes the levels from `from` until before `until`.
fn pass(passing: &mut [Chance], from: usize, until: usize, chance: Chance) {
    if from < until {
        passing[from].yes += chance.yes;
        passing[from].no += chance.no;
        passing[until].yes -= chance.yes;
        passing[until].no -= chance.no;
    }
}
