//! Where a job fits: the O(1) test, and the best place of one route or of all.

use super::{RouteState, Visit};
use crate::routing::engine::neighbours::Beside;
use crate::routing::engine::network::{Arc, NONE, Network, Node, Row, Site};
use crate::routing::model::{Needs, Pin};

/// A feasible place for a job, and what it costs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insertion {
    /// The job.
    pub job: Node,
    /// The node it comes after.
    pub after: Node,
    /// Vehicle on whose route that is.
    pub vehicle: u32,
    /// The stop at a station that goes before the job, if it needs one that is not there yet.
    pub stop: Option<Node>,
    /// Cost added.
    pub cost: i64,
}

/// More than any insertion costs: what the price of a place is raised by where a job does not fit.
pub(crate) const NOWHERE: i64 = 1 << 60;

impl RouteState<'_> {
    /// Whether a job fits after a node of a route, and what that costs.
    pub fn test(&self, job: Node, after: Node) -> Option<Insertion> {
        if self.is_served(job) { None } else { self.test_below(&self.guest(job), after, i64::MAX) }
    }

    /// What tests of a job ask for again and again.
    #[inline]
    pub(crate) fn guest(&self, job: Node) -> Guest<'_> {
        let network = self.network;
        let site = &network.sites[job as usize];
        Guest { job, site, rows: network.rows(site.place), picky: network.is_picky(job), needs: network.needs(job) }
    }

    /// As [`RouteState::test`] for an absent job, if it costs less than `bound`.
    #[inline]
    pub(crate) fn test_below(&self, guest: &Guest<'_>, after: Node, bound: i64) -> Option<Insertion> {
        let before = &self.visits[after as usize];
        if before.route == NONE || before.next == NONE {
            return None;
        }
        let detour = self.detour(guest, before);
        if detour >= bound || !self.has_room(guest.job, before.route) {
            return None;
        }
        if guest.picky {
            if !self.network.allows(guest.job, before.route) || !self.may_follow(guest.job, before) {
                return None;
            }
            if !self.equipped(guest.needs, before.route, after) {
                return self.with_stop(guest.job, after, bound);
            }
        }
        self.test_times(guest, after, before, detour, bound)
    }

    /// As [`test_below`](Self::test_below), on a route that the job [`fits`](Self::fits) and whose van has what it
    /// needs `on_board` or not.
    #[inline]
    pub(crate) fn test_on_route(
        &self,
        guest: &Guest<'_>,
        after: Node,
        on_board: bool,
        bound: i64,
    ) -> Option<Insertion> {
        let before = &self.visits[after as usize];
        if before.next == NONE {
            return None;
        }
        let supplied = on_board || self.is_supplied_at(guest.needs, after);
        // What most places fail at comes first.
        if supplied && self.network.plain {
            let start = (before.depart + guest.time_from(self.network, before.place)).max(guest.site.open);
            let arrival = start + guest.site.service + guest.time_to(self.network, before.next_place);
            if start > guest.site.close || arrival > before.next_latest {
                return None;
            }
        }
        if guest.picky && !self.may_follow(guest.job, before) {
            return None;
        }
        if !supplied {
            return self.with_stop(guest.job, after, bound);
        }
        let detour = self.detour(guest, before);
        if detour >= bound { None } else { self.test_times(guest, after, before, detour, bound) }
    }

    /// Cost of a job after a job (not a start), on a route or not, where nothing but travel, load
    /// in one dimension, and times without breaks decide; [`i64::MAX`] where it does not fit.
    #[inline(always)]
    pub(crate) fn price(&self, swift: &Swift<'_>, before: &Visit) -> i64 {
        self.price_between(swift, before, swift.inward(before), swift.outward(before))
    }

    /// As [`RouteState::price`], after a neighbour.
    #[inline(always)]
    pub(crate) fn price_after(&self, swift: &Swift<'_>, beside: &Beside) -> i64 {
        let before = self.visit(beside.node);
        self.price_between(swift, before, Arc { time: beside.time, cost: beside.cost }, swift.outward(before))
    }

    /// As [`RouteState::price`], before a neighbour.
    #[inline(always)]
    pub(crate) fn price_before(&self, swift: &Swift<'_>, before: &Visit, beside: &Beside) -> i64 {
        self.price_between(swift, before, swift.inward(before), Arc { time: beside.time, cost: beside.cost })
    }

    /// Written without branches: which of the tests fails is a coin toss to the processor.
    #[inline(always)]
    fn price_between(&self, swift: &Swift<'_>, before: &Visit, inward: Arc, outward: Arc) -> i64 {
        // Absent jobs read the last total, which has no room for anything.
        let total = &self.totals[(before.route as usize).min(self.totals.len() - 1)];
        let start = (before.depart + inward.time).max(swift.site.open);
        let arrival = start + swift.site.service + outward.time;
        // Negative when any of the three is broken; all are sums of a few values within LIMIT.
        let slack = (swift.site.close - start)
            | (before.next_latest - arrival)
            | (total.capacity - total.load - swift.site.load);
        let travel = inward.cost + outward.cost - before.leg;
        i64::from(travel) * i64::from(total.rate) + (i64::from(slack >> 31) & NOWHERE)
    }

    /// The job for [`RouteState::price`], if that and [`RouteState::admits`] decide about it.
    #[inline]
    pub(crate) fn swift(&self, job: Node) -> Option<Swift<'_>> {
        let network = self.network;
        if !network.swift || network.needs(job).is_some() {
            return None;
        }
        let site = &network.sites[job as usize];
        network.rows(site.place).map(|(out, back)| Swift { job, picky: network.is_picky(job), site, out, back })
    }

    /// Whether vehicle and pinned jobs leave the place after a node of a route to the job.
    #[inline]
    pub(crate) fn admits(&self, swift: &Swift<'_>, after: Node) -> bool {
        if !swift.picky {
            return true;
        }
        let before = self.visit(after);
        before.route != NONE && self.network.allows(swift.job, before.route) && self.may_follow(swift.job, before)
    }

    #[inline]
    fn test_times(&self, guest: &Guest<'_>, after: Node, before: &Visit, detour: i64, bound: i64) -> Option<Insertion> {
        let inward = guest.time_from(self.network, before.place);
        let outward = guest.time_to(self.network, before.next_place);
        let visit = inward + guest.site.service + outward;
        if detour + self.lengthens_at_least(before, visit) >= bound {
            return None;
        }
        let mut cost = detour + self.delay(guest.job, before, inward, outward)?;
        cost += self.lengthens(before.route, after, &[guest.job]);
        if cost < bound {
            Some(Insertion { job: guest.job, after, vehicle: before.route, stop: None, cost })
        } else {
            None
        }
    }

    /// The cheapest place of a job on one route.
    pub fn best_on(&self, job: Node, vehicle: u32) -> Option<Insertion> {
        if !self.fits(job, vehicle) {
            return None;
        }
        self.nodes(vehicle).filter_map(|after| self.test(job, after)).min_by_key(|insertion| insertion.cost)
    }

    /// The cheapest place of a job on any route.
    pub fn best(&self, job: Node) -> Option<Insertion> {
        let vehicles = 0..self.network.vehicles() as u32;
        vehicles.filter_map(|vehicle| self.best_on(job, vehicle)).min_by_key(|insertion| insertion.cost)
    }

    /// Puts a job (and the stop it needs) in.
    ///
    /// # Panics
    ///
    /// If the insertion was not found by testing this very state.
    pub fn insert(&mut self, insertion: &Insertion) {
        self.touch(insertion.vehicle);
        let after = match insertion.stop {
            Some(stop) => {
                self.splice(stop, insertion.after, insertion.vehicle);
                stop
            }
            None => insertion.after,
        };
        self.splice(insertion.job, after, insertion.vehicle);
        self.put_on(insertion.job, insertion.vehicle);
        self.sum_cost(insertion.vehicle);
    }

    pub(super) fn splice(&mut self, node: Node, after: Node, route: u32) {
        let Visit { next, leg: old, next_latest, .. } = self.visits[after as usize];
        self.visits[node as usize].route = route;
        self.visits[node as usize].next_latest = next_latest;
        self.link(after, node);
        self.link(node, next);
        let added = self.visits[after as usize].leg + self.visits[node as usize].leg;
        self.totals[route as usize].travel += i64::from(added) - i64::from(old);
        self.forward(after, 1);
        self.backward(node, 1);
    }

    /// Vehicle, capacity: what does not depend on the place in the route.
    #[inline]
    pub fn fits(&self, job: Node, vehicle: u32) -> bool {
        self.has_room(job, vehicle) && self.network.allows(job, vehicle)
    }

    #[inline]
    pub(crate) fn has_room(&self, job: Node, vehicle: u32) -> bool {
        let network = self.network;
        if network.dimensions <= 1 {
            let total = &self.totals[vehicle as usize];
            return total.load + network.sites[job as usize].load <= total.capacity;
        }
        let loads = &self.loads[vehicle as usize * network.dimensions..];
        let capacity = &network.vehicle(vehicle).capacity;
        network.job(job).load.iter().zip(loads).zip(capacity).all(|((load, sum), capacity)| load + sum <= *capacity)
    }

    #[inline]
    fn may_follow(&self, job: Node, before: &Visit) -> bool {
        let pinned_here = |pin: Pin| self.pinning && pin.vehicle == before.route;
        !self.fixed[before.next as usize] && self.network.job(job).pinned.is_none_or(pinned_here)
    }

    #[inline]
    fn detour(&self, guest: &Guest<'_>, before: &Visit) -> i64 {
        let travel = guest.cost_from(self.network, before.place) + guest.cost_to(self.network, before.next_place);
        self.detour_of(guest.job, before, travel)
    }

    /// Cost of a job between two nodes that adds this much travel, overtime apart.
    #[inline]
    fn detour_of(&self, job: Node, before: &Visit, travel: i64) -> i64 {
        let total = &self.totals[before.route as usize];
        // An empty vehicle stays where it is: its leg from start to end is not paid.
        let (saved, fixed) =
            if total.jobs == 0 { (0, self.network.vehicle(before.route).fixed_cost) } else { (before.leg, 0) };
        (travel - i64::from(saved)) * i64::from(total.rate)
            + i64::from(fixed)
            + self.network.preference(job, before.route)
    }

    /// Overtime of a job between two nodes; `None` when it or what follows is late.
    #[inline]
    fn delay(&self, job: Node, before: &Visit, inward: i32, outward: i32) -> Option<i64> {
        let (network, vehicle) = (self.network, before.route);
        let (_, depart) = network.serve(vehicle, job, network.arrive(vehicle, before.depart, inward))?;
        let arrival = network.arrive(vehicle, depart, outward);
        if arrival > before.next_latest {
            return None;
        }
        if network.has_overtime { Some(self.overtime(vehicle, before.next, arrival)) } else { Some(0) }
    }

    /// Cost of reaching `next` at `arrival`. Exact with single windows and no breaks, else an
    /// estimate; what is charged in the end is exact.
    fn overtime(&self, vehicle: u32, next: Node, arrival: i32) -> i64 {
        let (specs, visit) = (self.network.vehicle(vehicle), &self.visits[next as usize]);
        if specs.overtime_rate == 0 {
            return 0;
        }
        let before = &self.visits[visit.prev as usize];
        let time = self.network.between(before.place, visit.place).time;
        let delay = arrival - self.network.arrive(vehicle, before.depart, time) - self.idle[next as usize];
        let end = self.visits[self.network.end(vehicle) as usize].depart;
        let paid = if self.totals[vehicle as usize].jobs > 0 { (end - specs.overtime_from).max(0) } else { 0 };
        let due = (end + delay.max(0) - specs.overtime_from).max(0);
        i64::from(due - paid) * i64::from(specs.overtime_rate)
    }

    /// Whether the vehicle has what a job needs when it comes from `after`.
    #[inline]
    fn equipped(&self, needs: Option<&Needs>, vehicle: u32, after: Node) -> bool {
        self.is_supplied_at(needs, after) || self.is_on_board(needs, vehicle)
    }

    /// Whether a stop before or at `after` supplies what a job needs.
    #[inline]
    fn is_supplied_at(&self, needs: Option<&Needs>, after: Node) -> bool {
        needs.is_none_or(|needs| needs.stations & self.supplied[after as usize] != 0)
    }

    /// Whether tools and parts can come from the van's own stock.
    pub(crate) fn is_on_board(&self, needs: Option<&Needs>, vehicle: u32) -> bool {
        let Some(needs) = needs else { return true };
        let specs = self.network.vehicle(vehicle);
        let used = &self.used[vehicle as usize * self.network.kinds..];
        needs.tools & !specs.tools == 0
            && needs.parts.iter().zip(used).zip(&specs.parts).all(|((parts, used), stock)| parts + used <= *stock)
    }

    /// The job with a stop at a station just before it.
    fn with_stop(&self, job: Node, after: Node, bound: i64) -> Option<Insertion> {
        let needs = self.network.needs(job)?;
        let vehicle = self.visits[after as usize].route;
        (0..self.network.model.stations.len() as u32)
            .filter(|station| needs.stations >> station & 1 == 1)
            .filter_map(|station| self.through(job, after, self.network.stop(vehicle, station), bound))
            .min_by_key(|insertion| insertion.cost)
    }

    fn through(&self, job: Node, after: Node, stop: Node, bound: i64) -> Option<Insertion> {
        if self.is_served(stop) {
            return None;
        }
        let (network, before) = (self.network, &self.visits[after as usize]);
        let (vehicle, to_stop, to_job) = (before.route, network.arc(after, stop), network.arc(stop, job));
        let outward = network.between(network.sites[job as usize].place, before.next_place);
        let travel = i64::from(to_stop.cost) + i64::from(to_job.cost) + i64::from(outward.cost);
        let mut cost = self.detour_of(job, before, travel);
        let services = network.sites[stop as usize].service + network.sites[job as usize].service;
        let visits = to_stop.time + to_job.time + outward.time + services;
        if cost + self.lengthens_at_least(before, visits) >= bound {
            return None;
        }
        let (_, depart) = network.serve(vehicle, stop, network.arrive(vehicle, before.depart, to_stop.time))?;
        // What is left is the insertion of the job behind a visit that is not there yet.
        let behind = Visit { depart, ..*before };
        cost += self.delay(job, &behind, to_job.time, outward.time)?;
        cost += self.lengthens(vehicle, after, &[stop, job]);
        if cost >= bound {
            return None;
        }
        Some(Insertion { job, after, vehicle, stop: Some(stop), cost })
    }
}

/// A job that looks for a place, with its legs at hand.
pub(crate) struct Guest<'a> {
    pub job: Node,
    pub site: &'a Site,
    pub needs: Option<&'a Needs>,
    rows: Option<(Row<'a>, Row<'a>)>,
    picky: bool,
}

impl Guest<'_> {
    #[inline]
    fn cost_from(&self, network: &Network<'_>, place: u32) -> i64 {
        let cost = self
            .rows
            .as_ref()
            .map_or_else(|| network.compute(place, self.site.place).cost, |(_, back)| back.cost(place));
        cost.into()
    }

    #[inline]
    fn cost_to(&self, network: &Network<'_>, place: u32) -> i64 {
        let cost =
            self.rows.as_ref().map_or_else(|| network.compute(self.site.place, place).cost, |(out, _)| out.cost(place));
        cost.into()
    }

    #[inline]
    fn time_from(&self, network: &Network<'_>, place: u32) -> i32 {
        self.rows.as_ref().map_or_else(|| network.compute(place, self.site.place).time, |(_, back)| back.time(place))
    }

    #[inline]
    fn time_to(&self, network: &Network<'_>, place: u32) -> i32 {
        self.rows.as_ref().map_or_else(|| network.compute(self.site.place, place).time, |(out, _)| out.time(place))
    }
}

/// A job that only travel, load and plain times decide about.
pub(crate) struct Swift<'a> {
    job: Node,
    picky: bool,
    site: &'a Site,
    out: Row<'a>,
    back: Row<'a>,
}

impl Swift<'_> {
    #[inline(always)]
    fn inward(&self, before: &Visit) -> Arc {
        self.back.arc(before.place)
    }

    #[inline(always)]
    fn outward(&self, before: &Visit) -> Arc {
        self.out.arc(before.next_place)
    }
}
