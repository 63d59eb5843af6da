//! Exchange of route ends (2-opt*, Potvin and Rousseau 1995): what greedy insertion of single jobs
//! cannot do on long routes.

use super::network::{Arc, NONE, Node};
use super::state::{RouteState, Visit};

/// The exchange of what follows two nodes, and what it adds to the travel cost.
#[derive(Debug, Clone, Copy)]
struct Exchange {
    added: i32,
    nodes: Option<(Node, Node)>,
}

impl RouteState<'_> {
    /// Exchanges ends of routes as long as that makes them shorter, for legs that begin or end at one
    /// of the nodes; those that stand on no route are passed over.
    pub(crate) fn exchange_ends(&mut self, around: &mut Vec<Node>) {
        if !self.network.swift || self.network.has_needs {
            return;
        }
        while let Some(node) = around.pop() {
            if self.following(node) == NONE {
                continue;
            }
            if let Some((a, b)) = self.better_ends(node) {
                self.swap_ends(a, b);
                around.push(node);
            }
        }
    }

    /// The two nodes whose followers are best exchanged to give `node` a nearer neighbour.
    fn better_ends(&self, node: Node) -> Option<(Node, Node)> {
        let (network, near) = (self.network, &self.network.near);
        let mut best = Exchange { added: 0, nodes: None };
        let visit = self.visit(node);
        let (_, to_next) = network.rows(visit.next_place)?;
        for beside in near.after(node).iter().take_while(|beside| beside.cost < visit.leg) {
            let other = self.previous(beside.node);
            if other != NONE {
                let arc = Arc { time: beside.time, cost: beside.cost };
                self.try_ends((node, other), arc, |_, y| to_next.arc(y.place), &mut best);
            }
        }
        let previous = self.previous(node);
        if previous == NONE {
            return best.nodes;
        }
        let leg = self.visit(previous).leg;
        let (from_previous, _) = network.rows(self.visit(previous).place)?;
        for beside in near.before(node).iter().take_while(|beside| beside.cost < leg) {
            let arc = Arc { time: beside.time, cost: beside.cost };
            self.try_ends((beside.node, previous), arc, |x, _| from_previous.arc(x.next_place), &mut best);
        }
        best.nodes
    }

    /// Tries what follows `b` after `a`, a leg `to_y` away, and what follows `a` after `b`.
    #[inline(always)]
    fn try_ends(&self, (a, b): (Node, Node), to_y: Arc, to_x: impl Fn(&Visit, &Visit) -> Arc, best: &mut Exchange) {
        let (x, y) = (self.visit(a), self.visit(b));
        if x.depart + to_y.time > y.next_latest || x.route == y.route || x.route == NONE {
            return;
        }
        let to_x = to_x(x, y);
        let added = to_y.cost + to_x.cost - x.leg - y.leg;
        if added < best.added && y.depart + to_x.time <= x.next_latest && self.may_swap_ends(a, b) {
            *best = Exchange { added, nodes: Some((a, b)) };
        }
    }
}
