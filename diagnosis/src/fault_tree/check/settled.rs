//! Exact logic: whether a top event is the same whatever happens.

use crate::fault_tree::solve::{Diagram, Leaf};

/// Whether an event can happen and whether it can stay away.
#[derive(Debug, Clone, Copy)]
struct Possible {
    yes: bool,
    no: bool,
}

impl Possible {
    fn negate_if(self, negate: bool) -> Self {
        if negate { Self { yes: self.no, no: self.yes } } else { self }
    }
}

/// What the top event is, if it is the same whatever happens. Leaves of a module are
/// independent, so each node's possibilities follow from its leaf's and those below it.
pub(super) fn settled(diagram: &Diagram) -> Option<bool> {
    if diagram.constant.is_some() {
        return diagram.constant;
    }
    let mut blocks: Vec<Possible> = Vec::with_capacity(diagram.blocks.len());
    for block in &diagram.blocks {
        let mut nodes = vec![Possible { yes: true, no: false }];
        for node in &block.nodes[1..] {
            let leaf = match block.leaves[node.level as usize] {
                Leaf::Event(_) => Possible { yes: true, no: true },
                Leaf::Block(block) => blocks[block],
            };
            let high = nodes[node.high.node()].negate_if(node.high.negated());
            let low = nodes[node.low.node()].negate_if(node.low.negated());
            let yes = leaf.yes && high.yes || leaf.no && low.yes;
            nodes.push(Possible { yes, no: leaf.yes && high.no || leaf.no && low.no });
        }
        blocks.push(nodes[block.root.node()].negate_if(block.root.negated()));
    }
    match blocks.last()? {
        Possible { yes: true, no: true } => None,
        Possible { yes, .. } => Some(*yes),
    }
}
