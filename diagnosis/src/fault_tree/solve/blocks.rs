//! A formula cut into its modules: parts that share no event with the rest and can be
//! solved on their own (Dutuit & Rauzy 1996, a linear-time algorithm to find modules of
//! fault trees).

use super::formula::{Formula, Literal, Operation, Operator, Value};

/// What a leaf of a block stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// Index of an event.
    Event(usize),
    /// Index of an earlier block.
    Block(usize),
}

/// One module. Literals below `leaves.len()` are leaves, the others its gates.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub leaves: Vec<Leaf>,
    pub gates: Vec<Operator>,
    pub root: Literal,
}

impl Block {
    /// Whether no leaf is read twice: such a block needs no diagram.
    pub fn is_plain(&self) -> bool {
        self.gates.len() == 1
    }
}

/// The modules of a formula, each after those it reads; the last is the whole.
pub(crate) fn blocks(formula: &Formula) -> Vec<Block> {
    let mut formula = formula.clone();
    group_inputs(&mut formula);
    let Value::Literal(top) = formula.top else { return Vec::new() };
    let is_module = modules(&formula, top);
    let mut block_of: Vec<Option<usize>> = vec![None; formula.gates.len()];
    let mut blocks = Vec::new();
    for gate in 0..formula.gates.len() {
        if is_module[gate] {
            let root = Literal::new(formula.variables + gate, false);
            blocks.push(cut_out(&formula, root, &is_module, &block_of));
            block_of[gate] = Some(blocks.len() - 1);
        }
    }
    match top.node().checked_sub(formula.variables) {
        Some(_) => {
            if let Some(last) = blocks.last_mut() {
                last.root = last.root.negate_if(top.negated());
            }
        }
        None => blocks.push(Block {
            leaves: vec![Leaf::Event(top.node())],
            gates: Vec::new(),
            root: Literal::new(0, top.negated()),
        }),
    }
    blocks
}

/// The part of a formula below a module, with inner modules as leaves.
fn cut_out(formula: &Formula, root: Literal, is_module: &[bool], block_of: &[Option<usize>]) -> Block {
    let (mut leaves, mut gates) = (Vec::new(), Vec::new());
    let mut places: std::collections::HashMap<usize, usize> = std::collections::HashMap::new();
    let mut inner = Vec::new();
    // Depth first, so that leaves come in the order in which the tree names them.
    let mut path = vec![(root.node(), 0)];
    while let Some((node, next)) = path.last_mut() {
        let gate = *node - formula.variables;
        let Some(input) = formula.gates[gate].inputs.get(*next) else {
            inner.push(gate);
            path.pop();
            continue;
        };
        *next += 1;
        let child = input.node();
        if places.contains_key(&child) {
            continue;
        }
        match child.checked_sub(formula.variables) {
            Some(gate) if !is_module[gate] => {
                places.insert(child, usize::MAX);
                path.push((child, 0));
            }
            Some(gate) => {
                places.insert(child, leaves.len());
                leaves.push(Leaf::Block(block_of[gate].expect("modules below come first")));
            }
            None => {
                places.insert(child, leaves.len());
                leaves.push(Leaf::Event(child));
            }
        }
    }
    for gate in inner {
        places.insert(formula.variables + gate, leaves.len() + gates.len());
        let written = &formula.gates[gate];
        let inputs = written.inputs.iter().map(|input| Literal::new(places[&input.node()], input.negated()));
        gates.push(Operator { operation: written.operation, inputs: inputs.collect() });
    }
    let root = Literal::new(leaves.len() + gates.len() - 1, root.negated());
    Block { leaves, gates, root }
}

/// For each gate whether it is a module.
fn modules(formula: &Formula, top: Literal) -> Vec<bool> {
    let nodes = formula.variables + formula.gates.len();
    let mut is_module = vec![false; formula.gates.len()];
    if top.node() < formula.variables {
        return is_module;
    }
    // When a node was met for the first, second (gates: left) and last time.
    let (mut first, mut left, mut last) = (vec![0_u32; nodes], vec![0_u32; nodes], vec![0_u32; nodes]);
    let mut clock = 1;
    (first[top.node()], last[top.node()]) = (clock, clock);
    let mut path = vec![(top.node(), 0)];
    while let Some((node, next)) = path.last_mut() {
        clock += 1;
        let Some(input) = formula.gates[*node - formula.variables].inputs.get(*next) else {
            left[*node] = clock;
            last[*node] = clock;
            path.pop();
            continue;
        };
        *next += 1;
        let child = input.node();
        last[child] = clock;
        if first[child] == 0 {
            first[child] = clock;
            if child >= formula.variables {
                path.push((child, 0));
            }
        }
    }
    // Earliest and latest meeting with anything below a gate.
    let (mut earliest, mut latest) = (vec![u32::MAX; nodes], vec![0_u32; nodes]);
    for (index, gate) in formula.gates.iter().enumerate() {
        let node = formula.variables + index;
        if first[node] == 0 {
            continue;
        }
        for input in &gate.inputs {
            let child = input.node();
            earliest[node] = earliest[node].min(first[child]).min(earliest[child]);
            latest[node] = latest[node].max(last[child]).max(latest[child]);
        }
        is_module[index] = first[node] < earliest[node] && latest[node] < left[node];
    }
    is_module
}

/// Beyond so many bits of reachability, inputs are not grouped: it is a help, not a need.
const MAX_REACH_BITS: usize = 1 << 31;

/// Gives each group of inputs that share events among themselves, but not with the gate's
/// other inputs, a gate of its own, which then is a module.
fn group_inputs(formula: &mut Formula) {
    let readers = formula.readers();
    let mut shared = vec![usize::MAX; readers.len()];
    let mut columns = 0;
    for (node, count) in readers.iter().enumerate() {
        if *count > 1 {
            shared[node] = columns;
            columns += 1;
        }
    }
    let words = columns.div_ceil(64);
    if columns == 0 || words * 64 * formula.gates.len() > MAX_REACH_BITS {
        return;
    }
    // Shared nodes below each gate.
    let mut below = vec![0_u64; words * formula.gates.len()];
    for gate in 0..formula.gates.len() {
        for input in &formula.gates[gate].inputs {
            if let Some(child) = input.node().checked_sub(formula.variables) {
                let (before, here) = below.split_at_mut(gate * words);
                let from = &before[child * words..(child + 1) * words];
                here.iter_mut().zip(from).for_each(|(bits, more)| *bits |= more);
            }
            let column = shared[input.node()];
            if column != usize::MAX {
                below[gate * words + column / 64] |= 1 << (column % 64);
            }
        }
    }
    let mut grouped: Vec<Operator> = Vec::with_capacity(formula.gates.len());
    let mut places = Vec::with_capacity(formula.gates.len());
    let reach = Reach { formula, shared: &shared, below: &below, words };
    for gate in &formula.gates {
        let moved = |literal: &Literal| match literal.node().checked_sub(formula.variables) {
            Some(gate) => Literal::new(formula.variables + places[gate], literal.negated()),
            None => *literal,
        };
        let groups = match gate.operation {
            Operation::AtLeast(_) => Vec::new(),
            Operation::And | Operation::Xor => reach.groups(&gate.inputs),
        };
        let mut inputs: Vec<Literal> = Vec::new();
        if groups.len() < 2 {
            inputs.extend(gate.inputs.iter().map(moved));
        }
        for group in groups.iter().filter(|_| groups.len() > 1) {
            let members: Vec<Literal> = group.iter().map(|index| moved(&gate.inputs[*index])).collect();
            if let [only] = members.as_slice() {
                inputs.push(*only);
            } else {
                inputs.push(Literal::new(formula.variables + grouped.len(), false));
                grouped.push(Operator { operation: gate.operation, inputs: members });
            }
        }
        places.push(grouped.len());
        grouped.push(Operator { operation: gate.operation, inputs });
    }
    if let Value::Literal(top) = formula.top
        && let Some(gate) = top.node().checked_sub(formula.variables)
    {
        formula.top = Value::Literal(Literal::new(formula.variables + places[gate], top.negated()));
    }
    formula.gates = grouped;
}

struct Reach<'a> {
    formula: &'a Formula,
    shared: &'a [usize],
    below: &'a [u64],
    words: usize,
}

impl Reach<'_> {
    /// Inputs by what they share, in the order of their first members.
    fn groups(&self, inputs: &[Literal]) -> Vec<Vec<usize>> {
        // Group heads, and the shared nodes of each group.
        let mut groups: Vec<(Vec<u64>, Vec<usize>)> = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let mut bits = vec![0; self.words];
            if let Some(gate) = input.node().checked_sub(self.formula.variables) {
                bits.copy_from_slice(&self.below[gate * self.words..(gate + 1) * self.words]);
            }
            let column = self.shared[input.node()];
            if column != usize::MAX {
                bits[column / 64] |= 1 << (column % 64);
            }
            let mut members = vec![index];
            groups.retain_mut(|(others, indices)| {
                let apart = others.iter().zip(&bits).all(|(a, b)| a & b == 0);
                if !apart {
                    bits.iter_mut().zip(others.iter()).for_each(|(bits, more)| *bits |= more);
                    members.append(indices);
                }
                apart
            });
            members.sort_unstable();
            groups.push((bits, members));
        }
        let mut groups: Vec<Vec<usize>> = groups.into_iter().map(|(_, members)| members).collect();
        groups.sort_by_key(|members| members[0]);
        groups
    }
}
