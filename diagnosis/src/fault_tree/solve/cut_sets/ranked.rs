//! Cut sets one by one, the heaviest first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::CutSets;
use crate::fault_tree::solve::blocks::Leaf;
use crate::fault_tree::solve::limits::QuantifyError;

/// A minimal cut set.
#[derive(Debug, Clone, PartialEq)]
pub struct CutSet {
    /// Indices of its events, ascending.
    pub events: Vec<usize>,
    /// Sum of their weights.
    pub log_weight: f64,
}

/// Cut sets by falling weight: a best-first search in which the weight of what is still
/// open is known exactly, so that nothing is looked at in vain.
#[derive(Debug)]
pub struct Ranked<'c> {
    sets: &'c CutSets,
    log_weights: Vec<f64>,
    /// For each block and node the weight of its heaviest set.
    best: Vec<Vec<f64>>,
    heap: BinaryHeap<Partial>,
    /// Linked lists of what is open and what is chosen, shared by the partial sets.
    open: Vec<(Open, Link)>,
    chosen: Vec<(usize, Link)>,
    certain: bool,
}

/// Where to go on: a node of a block.
#[derive(Debug, Clone, Copy)]
struct Open {
    block: usize,
    node: usize,
}

type Link = Option<u32>;

#[derive(Debug, Clone, Copy)]
struct Partial {
    bound: f64,
    open: Link,
    chosen: Link,
}

/// A weight below counts as this: keeps sums finite where a probability is 0.
const LEAST_WEIGHT: f64 = -1e9;

/// Partial sets kept, at most, some 60 bytes each.
const MAX_PARTIAL: usize = 20_000_000;

impl<'c> Ranked<'c> {
    pub(super) fn new(sets: &'c CutSets, log_weights: &[f64]) -> Self {
        let mut ranked = Self {
            sets,
            log_weights: log_weights.iter().map(|weight| weight.max(LEAST_WEIGHT)).collect(),
            best: Vec::with_capacity(sets.blocks.len()),
            heap: BinaryHeap::new(),
            open: Vec::new(),
            chosen: Vec::new(),
            certain: sets.is_certain(),
        };
        for block in &sets.blocks {
            let mut best = vec![f64::NEG_INFINITY, 0.0];
            for node in &block.nodes[2..] {
                let with = ranked.leaf_weight(&block.leaves[node.level as usize]) + best[node.with.node()];
                best.push(with.max(best[node.without.node()]));
            }
            ranked.best.push(best);
        }
        if let Some(whole) = sets.blocks.len().checked_sub(1) {
            let node = sets.blocks[whole].root.node();
            if node > 0 {
                let open = ranked.push_open(Open { block: whole, node }, None);
                ranked.heap.push(Partial { bound: ranked.best[whole][node], open, chosen: None });
            }
        }
        ranked
    }

    fn leaf_weight(&self, leaf: &Leaf) -> f64 {
        match leaf {
            Leaf::Event(event) => self.log_weights[*event],
            Leaf::Block(block) => self.best[*block][self.sets.blocks[*block].root.node()],
        }
    }

    fn push_open(&mut self, open: Open, rest: Link) -> Link {
        self.open.push((open, rest));
        Some(self.open.len() as u32 - 1)
    }

    /// Goes on with the heaviest completion of a partial set to its end; the other way at
    /// each fork is kept for later.
    fn complete(&mut self, partial: Partial) -> CutSet {
        let Partial { bound, mut open, mut chosen } = partial;
        while let Some(link) = open {
            let (Open { block, node }, rest) = self.open[link as usize];
            if node == 1 {
                open = rest;
                continue;
            }
            let sets = self.sets;
            let at = &sets.blocks[block].nodes[node];
            let leaf = &sets.blocks[block].leaves[at.level as usize];
            let with = self.leaf_weight(leaf) + self.best[block][at.with.node()];
            let without = self.best[block][at.without.node()];
            let skip = |ranked: &mut Self| ranked.push_open(Open { block, node: at.without.node() }, rest);
            let take = |ranked: &mut Self| {
                let below = ranked.push_open(Open { block, node: at.with.node() }, rest);
                match leaf {
                    Leaf::Event(event) => {
                        ranked.chosen.push((*event, chosen));
                        (below, Some(ranked.chosen.len() as u32 - 1))
                    }
                    Leaf::Block(inner) => {
                        let root = sets.blocks[*inner].root.node();
                        (ranked.push_open(Open { block: *inner, node: root }, below), chosen)
                    }
                }
            };
            let forks = at.without.node() > 0;
            if !forks || with >= without {
                if forks {
                    let open = skip(self);
                    self.heap.push(Partial { bound: bound - (with - without), open, chosen });
                }
                (open, chosen) = take(self);
            } else {
                let (other, others) = take(self);
                self.heap.push(Partial { bound: bound - (without - with), open: other, chosen: others });
                open = skip(self);
            }
        }
        let mut events = Vec::new();
        while let Some(link) = chosen {
            let (event, before) = self.chosen[link as usize];
            events.push(event);
            chosen = before;
        }
        events.sort_unstable();
        let log_weight = events.iter().map(|event| self.log_weights[*event]).sum();
        CutSet { events, log_weight }
    }
}

impl Iterator for Ranked<'_> {
    type Item = Result<CutSet, QuantifyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if std::mem::take(&mut self.certain) {
            return Some(Ok(CutSet { events: Vec::new(), log_weight: 0.0 }));
        }
        if self.open.len() > MAX_PARTIAL {
            self.heap.clear();
            self.open.clear();
            return Some(Err(QuantifyError::ListTooLong));
        }
        let partial = self.heap.pop()?;
        Some(Ok(self.complete(partial)))
    }
}

impl Ord for Partial {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound)
    }
}

impl PartialOrd for Partial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Partial {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Partial {}
