//! What follows a node of a route, moved to another route as a whole.

use super::RouteState;
use crate::routing::engine::network::{NONE, Node};

/// The jobs after a node up to the end of the route, which is not one of them.
#[derive(Debug, Clone, Copy)]
struct Tail {
    /// First and last job.
    jobs: Option<(Node, Node)>,
    count: u32,
    load: i32,
    /// Cost of the legs between its jobs.
    travel: i64,
}

impl RouteState<'_> {
    /// Whether vehicles, load and pinned jobs let two routes exchange what follows `a` and `b`. Time is
    /// for the caller to look at.
    pub(crate) fn may_swap_ends(&self, a: Node, b: Node) -> bool {
        let (x, y) = (self.visit(a).route, self.visit(b).route);
        let (one, other) = (&self.totals[x as usize], &self.totals[y as usize]);
        let (end, other_end) = (self.network.end(x), self.network.end(y));
        let site = |end: Node| (self.network.sites[end as usize].place, self.network.sites[end as usize].close);
        if one.rate != other.rate || site(end) != site(other_end) {
            return false;
        }
        let (Some(from_x), Some(from_y)) = (self.load_for(a, y), self.load_for(b, x)) else { return false };
        one.load - from_x + from_y <= one.capacity && other.load - from_y + from_x <= other.capacity
    }

    /// Load of the jobs after a node; `None` when one of them may not go to the other vehicle.
    fn load_for(&self, after: Node, vehicle: u32) -> Option<i32> {
        let mut load = 0;
        let mut node = self.following(after);
        while self.network.is_job(node) {
            if self.is_fixed(node) || self.network.is_picky(node) && !self.network.allows(node, vehicle) {
                return None;
            }
            load += self.network.sites[node as usize].load;
            node = self.following(node);
        }
        Some(load)
    }

    /// Exchanges what follows `a` with what follows `b`, as [`may_swap_ends`](Self::may_swap_ends) and
    /// the times allow.
    pub(crate) fn swap_ends(&mut self, a: Node, b: Node) {
        let (x, y) = (self.visit(a).route, self.visit(b).route);
        self.touch(x);
        self.touch(y);
        let (from_x, from_y) = (self.detach(a), self.detach(b));
        self.attach(a, from_y);
        self.attach(b, from_x);
    }

    /// Takes what follows a node out of the sums of its route.
    fn detach(&mut self, after: Node) -> Tail {
        let mut tail = Tail { jobs: None, count: 0, load: 0, travel: 0 };
        let (mut node, mut legs) = (after, 0);
        while self.following(node) != NONE {
            legs += i64::from(self.visit(node).leg);
            let next = self.following(node);
            if self.network.is_job(next) {
                tail.jobs = Some((tail.jobs.map_or(next, |(first, _)| first), next));
                tail.count += 1;
                tail.load += self.network.sites[next as usize].load;
            }
            node = next;
        }
        if let Some((_, last)) = tail.jobs {
            tail.travel = legs - i64::from(self.visit(after).leg) - i64::from(self.visit(last).leg);
        }
        let total = &mut self.totals[self.visits[after as usize].route as usize];
        total.jobs -= tail.count;
        total.load -= tail.load;
        total.travel -= legs;
        tail
    }

    /// Puts a tail between a node and the end of its route.
    fn attach(&mut self, after: Node, tail: Tail) {
        let route = self.visit(after).route;
        let end = self.network.end(route);
        let mut travel = tail.travel;
        let mut last = after;
        if let Some((first, last_job)) = tail.jobs {
            self.link(after, first);
            travel += i64::from(self.visit(after).leg);
            last = last_job;
            let mut node = first;
            while node != last_job {
                self.visits[node as usize].route = route;
                node = self.following(node);
            }
            self.visits[last_job as usize].route = route;
        }
        self.link(last, end);
        travel += i64::from(self.visit(last).leg);
        let total = &mut self.totals[route as usize];
        total.jobs += tail.count;
        total.load += tail.load;
        total.travel += travel;
        self.forward(after, tail.count + 1);
        self.backward(end, tail.count + 1);
        self.sum_cost(route);
    }
}
