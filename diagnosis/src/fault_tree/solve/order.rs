//! Orders of a block's leaves. None is best everywhere, and the wrong one can cost a
//! thousandfold, so several are offered and the build tries them.

use super::blocks::Block;

/// Kinds of orders. Within one, how a build begins tells how it will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// A walk from the root: depth first, or by weight.
    Walk,
    /// Neighbours pulled together.
    Force,
}

/// Leaves of a block in the order of their levels, in several ways, each way once; those
/// that most often do best come first.
pub(crate) fn orders(block: &Block, family: Family) -> Vec<Vec<usize>> {
    let walks = walks(block);
    let mut orders = match family {
        Family::Walk => walks,
        Family::Force => walks.iter().map(|walk| force(block, walk)).collect(),
    };
    let mut known = std::collections::HashSet::new();
    orders.retain(|order| known.insert(order.clone()));
    orders
}

fn walks(block: &Block) -> Vec<Vec<usize>> {
    let counts = leaf_counts(block);
    let readers = readers(block);
    vec![
        by_weight(block),
        depth_first(block, &mut |_| {}),
        depth_first(block, &mut |inputs| inputs.sort_by(|a, b| counts[*a].total_cmp(&counts[*b]))),
        depth_first(block, &mut |inputs| inputs.sort_by(|a, b| counts[*b].total_cmp(&counts[*a]))),
        depth_first(block, &mut |inputs| inputs.sort_by_key(|input| std::cmp::Reverse(readers[*input]))),
    ]
}

/// Leaves as a walk from the root meets them, each gate's inputs sorted by `sort`.
fn depth_first(block: &Block, sort: &mut dyn FnMut(&mut Vec<usize>)) -> Vec<usize> {
    let leaves = block.leaves.len();
    let mut seen = vec![false; leaves + block.gates.len()];
    let mut order = Vec::with_capacity(leaves);
    let mut path = vec![block.root.node()];
    let mut children = Vec::new();
    while let Some(node) = path.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        if node < leaves {
            order.push(node);
            continue;
        }
        children.clear();
        children.extend(block.gates[node - leaves].inputs.iter().map(|input| input.node()));
        sort(&mut children);
        path.extend(children.iter().rev().filter(|child| !seen[**child]));
    }
    order
}

/// For each node the number of leaves below it, repeated ones counted each time.
fn leaf_counts(block: &Block) -> Vec<f64> {
    let leaves = block.leaves.len();
    let mut counts = vec![1.0; leaves];
    for gate in &block.gates {
        let below: f64 = gate.inputs.iter().map(|input| counts[input.node()]).sum();
        counts.push(below);
    }
    counts
}

/// How often each node is read.
fn readers(block: &Block) -> Vec<usize> {
    let mut readers = vec![0; block.leaves.len() + block.gates.len()];
    block.gates.iter().flat_map(|gate| &gate.inputs).for_each(|input| readers[input.node()] += 1);
    readers
}

/// The root's weight of 1 flows down in equal shares; the heaviest leaf comes next and is
/// taken away.
fn by_weight(block: &Block) -> Vec<usize> {
    let leaves = block.leaves.len();
    if leaves > MAX_BY_WEIGHT {
        return depth_first(block, &mut |_| {});
    }
    let mut gone = vec![false; leaves + block.gates.len()];
    let mut weights = vec![0.0; gone.len()];
    let mut order = Vec::with_capacity(leaves);
    for _ in 0..leaves {
        for (index, gate) in block.gates.iter().enumerate() {
            gone[leaves + index] = gate.inputs.iter().all(|input| gone[input.node()]);
        }
        weights.fill(0.0);
        weights[block.root.node()] = 1.0;
        for (index, gate) in block.gates.iter().enumerate().rev() {
            let left = gate.inputs.iter().filter(|input| !gone[input.node()]).count();
            let share = weights[leaves + index] / left.max(1) as f64;
            for input in gate.inputs.iter().filter(|input| !gone[input.node()]) {
                weights[input.node()] += share;
            }
        }
        let left = (0..leaves).filter(|leaf| !gone[*leaf]);
        let Some(heaviest) = left.max_by(|a, b| weights[*a].total_cmp(&weights[*b]).then(b.cmp(a))) else { break };
        gone[heaviest] = true;
        order.push(heaviest);
    }
    order
}

/// The order by weight takes the square of the leaves; beyond these it is not worth it.
const MAX_BY_WEIGHT: usize = 4_000;

/// Rounds of pulling; the span settles well before.
const FORCE_ROUNDS: usize = 100;

/// Moves each node to the middle of the gates it belongs to, until that no longer makes
/// the gates' spans shorter.
fn force(block: &Block, start: &[usize]) -> Vec<usize> {
    let leaves = block.leaves.len();
    let mut place = vec![0.0; leaves + block.gates.len()];
    for (index, leaf) in start.iter().enumerate() {
        place[*leaf] = index as f64;
    }
    for (index, gate) in block.gates.iter().enumerate() {
        place[leaves + index] = mean(gate.inputs.iter().map(|input| place[input.node()]));
    }
    let (mut best, mut best_span) = (start.to_vec(), f64::INFINITY);
    let mut since_best = 0;
    for _ in 0..FORCE_ROUNDS {
        let centres: Vec<f64> = block
            .gates
            .iter()
            .enumerate()
            .map(|(index, gate)| {
                let inputs = gate.inputs.iter().map(|input| place[input.node()]);
                mean(inputs.chain(std::iter::once(place[leaves + index])))
            })
            .collect();
        let mut pulls = vec![(0.0, 0.0); place.len()];
        for (index, gate) in block.gates.iter().enumerate() {
            for node in gate.inputs.iter().map(|input| input.node()).chain(std::iter::once(leaves + index)) {
                pulls[node].0 += centres[index];
                pulls[node].1 += 1.0;
            }
        }
        let mut nodes: Vec<usize> = (0..place.len()).collect();
        let target = |node: usize| if pulls[node].1 > 0.0 { pulls[node].0 / pulls[node].1 } else { place[node] };
        nodes.sort_by(|a, b| target(*a).total_cmp(&target(*b)));
        for (index, node) in nodes.iter().enumerate() {
            place[*node] = index as f64;
        }
        let span = span(block, &place);
        if span < best_span {
            best_span = span;
            best = nodes.into_iter().filter(|node| *node < leaves).collect();
            since_best = 0;
        } else {
            since_best += 1;
            if since_best > 10 {
                break;
            }
        }
    }
    best
}

fn span(block: &Block, place: &[f64]) -> f64 {
    let spans = block.gates.iter().enumerate().map(|(index, gate)| {
        let own = place[block.leaves.len() + index];
        let (first, last) = gate.inputs.iter().fold((own, own), |(first, last), input| {
            let place = place[input.node()];
            (first.min(place), last.max(place))
        });
        last - first
    });
    spans.sum()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}
