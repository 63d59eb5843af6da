//! Walks through the gates of a tree, on a stack of their own.

use crate::fault_tree::model::{FaultTree, Node};

/// The gates of a tree, those that are read before those that read them.
pub(super) struct Order {
    /// All gates, unless there are circles.
    pub gates: Vec<usize>,
    /// For each input that closes a circle the gates on it, in reading order.
    pub circles: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    Open,
    Done,
}

/// More circles than these say nothing new.
const MAX_CIRCLES: usize = 20;

/// Sorts all gates, inputs first, and finds circles.
pub(super) fn inputs_first(tree: &FaultTree) -> Order {
    let mut order = Order { gates: Vec::with_capacity(tree.gates.len()), circles: Vec::new() };
    let mut states = vec![State::Unseen; tree.gates.len()];
    for start in 0..tree.gates.len() {
        if states[start] != State::Unseen {
            continue;
        }
        states[start] = State::Open;
        // Each gate on the way from `start`, and how many of its inputs have been seen.
        let mut way = vec![(start, 0)];
        while let Some((gate, seen)) = way.last_mut() {
            let Some(input) = tree.gates[*gate].inputs.get(*seen) else {
                states[*gate] = State::Done;
                order.gates.push(*gate);
                way.pop();
                continue;
            };
            *seen += 1;
            let Node::Gate(input) = input.node else { continue };
            match states[input] {
                State::Unseen => {
                    states[input] = State::Open;
                    way.push((input, 0));
                }
                State::Open if order.circles.len() < MAX_CIRCLES => {
                    let from = way.iter().position(|(gate, _)| *gate == input).expect("open gates are on the way");
                    order.circles.push(way[from..].iter().map(|(gate, _)| *gate).collect());
                }
                State::Open | State::Done => {}
            }
        }
    }
    order
}

/// What leads to the top event.
pub(in crate::fault_tree) struct Reached {
    pub events: Vec<bool>,
    pub gates: Vec<bool>,
}

/// Finds what leads to the top event.
pub(in crate::fault_tree) fn reached(tree: &FaultTree) -> Reached {
    let mut reached = Reached { events: vec![false; tree.events.len()], gates: vec![false; tree.gates.len()] };
    reached.gates[tree.top] = true;
    let mut open = vec![tree.top];
    while let Some(gate) = open.pop() {
        for input in &tree.gates[gate].inputs {
            match input.node {
                Node::Event(event) => reached.events[event] = true,
                Node::Gate(gate) if !reached.gates[gate] => {
                    reached.gates[gate] = true;
                    open.push(gate);
                }
                Node::Gate(_) => {}
            }
        }
    }
    reached
}
