//! The cheapest place of a job beside its neighbours: the innermost loop of the search.

use super::network::{NONE, Node};
use super::state::{Guest, Insertion, NOWHERE, RouteState, Swift};
use crate::random::Random;

/// Probability of overlooking a place, so that greedy insertion does not always end alike.
const BLINK: f64 = 0.01;

/// Probability of looking for a place everywhere before a job opens a route.
const SCAN: f64 = 0.1;
/// Most jobs to look through one by one for the place of another.
const MOST_TO_SCAN: usize = 6_000;

/// Counts down to the next place that is overlooked: geometric steps instead of a draw for each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blinks(u32);

impl Blinks {
    #[inline]
    fn overlook(&mut self, random: &mut Random) -> bool {
        if self.0 > 0 {
            self.0 -= 1;
            return false;
        }
        self.0 = ((1.0 - random.unit()).ln() / (1.0 - BLINK).ln()) as u32;
        true
    }
}

impl RouteState<'_> {
    /// The cheapest place of an absent job before or after one of its neighbours, or on one of
    /// the given vehicles, which stand empty.
    pub(crate) fn best_beside(
        &self,
        job: Node,
        empty: &[u32],
        blinks: &mut Blinks,
        random: &mut Random,
    ) -> Option<Insertion> {
        let mut best = match self.swift(job) {
            Some(swift) => self.swift_beside(job, &swift, blinks, random),
            None => self.any_beside(job, blinks, random),
        };
        let guest = self.guest(job);
        for &vehicle in empty {
            let bound = best.as_ref().map_or(i64::MAX, |best| best.cost);
            if let Some(found) = self.test_below(&guest, self.network.start(vehicle), bound)
                && !blinks.overlook(random)
            {
                best = Some(found);
            }
        }
        // Neighbours that fit nowhere must not always open a route that a longer detour would save.
        match &best {
            Some(found)
                if self.jobs_on(found.vehicle) == 0 && self.network.jobs() <= MOST_TO_SCAN && random.chance(SCAN) =>
            {
                self.best_anywhere(job, found.cost).or(best)
            }
            _ => best,
        }
    }

    /// The cheapest place below `bound` on any route that has jobs.
    pub(crate) fn best_anywhere(&self, job: Node, bound: i64) -> Option<Insertion> {
        let guest = self.guest(job);
        let Some(swift) = self.swift(job) else { return self.best_on_routes(&guest, bound, || false) };
        let (mut bound, mut best) = (bound.min(NOWHERE / 2), None);
        // The starts are numbered after the jobs.
        for after in 0..self.network.end(0) {
            let cost = self.price(&swift, self.visit(after));
            if cost < bound && self.jobs_on(self.visit(after).route) > 0 && self.admits(&swift, after) {
                (bound, best) = (cost, Some(after));
            }
        }
        self.test_below(&guest, best?, i64::MAX)
    }

    /// The cheapest place below `bound`, route by route, but for those overlooked.
    fn best_on_routes(
        &self,
        guest: &Guest<'_>,
        mut bound: i64,
        mut overlook: impl FnMut() -> bool,
    ) -> Option<Insertion> {
        let mut best = None;
        let site = guest.site;
        for vehicle in 0..self.network.vehicles() as u32 {
            if self.jobs_on(vehicle) == 0 || !self.fits(guest.job, vehicle) {
                continue;
            }
            let on_board = self.is_on_board(guest.needs, vehicle);
            // Both departures and latest arrivals grow along a route.
            let in_time = self
                .nodes(vehicle)
                .skip_while(|&node| self.visit(node).next_latest < site.open + site.service)
                .take_while(|&node| self.visit(node).depart <= site.close);
            for after in in_time {
                if let Some(found) = self.test_on_route(guest, after, on_board, bound)
                    && !overlook()
                {
                    bound = found.cost;
                    best = Some(found);
                }
            }
        }
        best
    }

    fn any_beside(&self, job: Node, blinks: &mut Blinks, random: &mut Random) -> Option<Insertion> {
        let guest = self.guest(job);
        let near = &self.network.near;
        if near.complete {
            return self.best_on_routes(&guest, i64::MAX, || blinks.overlook(random));
        }
        let mut best: Option<Insertion> = None;
        let before = near.after(job).iter().map(|other| self.previous(other.node));
        for after in near.before(job).iter().map(|other| other.node).chain(before.filter(|&after| after != NONE)) {
            let bound = best.as_ref().map_or(i64::MAX, |best| best.cost);
            if let Some(found) = self.test_below(&guest, after, bound)
                && !blinks.overlook(random)
            {
                best = Some(found);
            }
        }
        best
    }

    fn swift_beside(
        &self,
        job: Node,
        swift: &Swift<'_>,
        blinks: &mut Blinks,
        random: &mut Random,
    ) -> Option<Insertion> {
        let near = &self.network.near;
        let (mut bound, mut place) = (NOWHERE / 2, NONE);
        for beside in near.before(job) {
            let cost = self.price_after(swift, beside);
            if cost < bound && self.admits(swift, beside.node) && !blinks.overlook(random) {
                (bound, place) = (cost, beside.node);
            }
        }
        for beside in near.after(job) {
            // An absent job leads to itself, and nothing fits after it.
            let previous = self.previous(beside.node);
            let after = if previous == NONE { beside.node } else { previous };
            let cost = self.price_before(swift, self.visit(after), beside);
            if cost < bound && self.admits(swift, after) && !blinks.overlook(random) {
                (bound, place) = (cost, after);
            }
        }
        if place == NONE {
            return None;
        }
        Some(Insertion { job, after: place, vehicle: self.visit(place).route, stop: None, cost: bound })
    }
}
