//! What a change would have to be taken back with: the routes it touched, as they were.

use super::{RouteState, Total, Visit};
use crate::routing::engine::network::{NONE, Node};
use crate::routing::model::TIERS;

/// Routes saved since the last mark.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    /// Whether a mark is set: without one nothing is saved.
    open: bool,
    saved: Vec<Node>,
    visits: Vec<Visit>,
    supplied: Vec<u64>,
    routes: Vec<(u32, Total)>,
    loads: Vec<i32>,
    used: Vec<i32>,
    touched: Vec<bool>,
    absent: Vec<Node>,
    unserved: [u32; TIERS],
    cost: i64,
}

impl Journal {
    pub fn new(vehicles: usize) -> Self {
        Self { touched: vec![false; vehicles], ..Self::default() }
    }
}

impl RouteState<'_> {
    /// From here on every change can be taken back at once.
    pub(crate) fn mark(&mut self) {
        self.forget();
        self.journal.open = true;
        self.journal.cost = self.cost;
        self.journal.absent.clone_from(&self.absent);
        self.journal.unserved = self.unserved;
    }

    /// Routes changed since the mark.
    pub(crate) fn touched(&self) -> impl Iterator<Item = u32> + '_ {
        self.journal.routes.iter().map(|&(route, _)| route)
    }

    /// Keeps what was changed since the mark.
    pub(crate) fn keep(&mut self) {
        self.forget();
    }

    fn forget(&mut self) {
        let journal = &mut self.journal;
        for &(route, _) in &journal.routes {
            journal.touched[route as usize] = false;
        }
        journal.open = false;
        journal.routes.clear();
        journal.saved.clear();
        journal.visits.clear();
        journal.supplied.clear();
        journal.loads.clear();
        journal.used.clear();
    }

    /// Takes back what was changed since the mark.
    pub(crate) fn roll_back(&mut self) {
        for index in 0..self.journal.routes.len() {
            let route = self.journal.routes[index].0;
            let mut node = self.network.start(route);
            while node != NONE {
                let Visit { next, place, .. } = self.visits[node as usize];
                self.visits[node as usize] = Visit::nowhere(place);
                node = next;
            }
        }
        for (&node, &visit) in self.journal.saved.iter().zip(&self.journal.visits) {
            self.visits[node as usize] = visit;
        }
        for (&node, &supplied) in self.journal.saved.iter().zip(&self.journal.supplied) {
            self.supplied[node as usize] = supplied;
        }
        self.restore_totals();
        for index in 0..if self.network.has_duration { self.journal.routes.len() } else { 0 } {
            self.measure(self.journal.routes[index].0);
        }
        self.cost = self.journal.cost;
        self.unserved = self.journal.unserved;
        std::mem::swap(&mut self.absent, &mut self.journal.absent);
        for (at, &job) in self.absent.iter().enumerate() {
            self.absent_at[job as usize] = at as u32;
        }
        self.forget();
    }

    fn restore_totals(&mut self) {
        let (dimensions, kinds) = (self.network.dimensions, self.network.kinds);
        for (index, &(route, total)) in self.journal.routes.iter().enumerate() {
            let route = route as usize;
            self.totals[route] = total;
            if dimensions > 1 {
                let saved = &self.journal.loads[index * dimensions..][..dimensions];
                self.loads[route * dimensions..][..dimensions].copy_from_slice(saved);
            }
            if kinds > 0 {
                self.used[route * kinds..][..kinds].copy_from_slice(&self.journal.used[index * kinds..][..kinds]);
            }
        }
    }

    /// Saves a route before its first change.
    pub(super) fn touch(&mut self, route: u32) {
        if !self.journal.open || self.journal.touched[route as usize] {
            return;
        }
        let (dimensions, kinds) = (self.network.dimensions, self.network.kinds);
        let journal = &mut self.journal;
        journal.touched[route as usize] = true;
        journal.routes.push((route, self.totals[route as usize]));
        let mut node = self.network.start(route);
        while node != NONE {
            journal.saved.push(node);
            journal.visits.push(self.visits[node as usize]);
            if !self.supplied.is_empty() {
                journal.supplied.push(self.supplied[node as usize]);
            }
            node = self.visits[node as usize].next;
        }
        if dimensions > 1 {
            journal.loads.extend_from_slice(&self.loads[route as usize * dimensions..][..dimensions]);
        }
        if kinds > 0 {
            journal.used.extend_from_slice(&self.used[route as usize * kinds..][..kinds]);
        }
    }
}
