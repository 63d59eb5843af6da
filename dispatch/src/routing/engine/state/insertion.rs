//! Where a job fits: the O(1) test, and the best place of one route or of all.

use super::{RouteState, Visit};
use crate::routing::engine::network::{Arc, NONE, Node};
use crate::routing::model::Needs;

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

impl RouteState<'_> {
    /// Whether a job fits after a node of a route, and what that costs.
    pub fn test(&self, job: Node, after: Node) -> Option<Insertion> {
        if self.is_served(job) { None } else { self.test_below(job, after, None, i64::MAX) }
    }

    /// As [`RouteState::test`] for an absent job, if it costs less than `bound`. `inward` is the
    /// leg to the job, where the caller has it.
    #[inline]
    pub(crate) fn test_below(&self, job: Node, after: Node, inward: Option<Arc>, bound: i64) -> Option<Insertion> {
        let before = &self.visits[after as usize];
        if before.route == NONE || before.next == NONE {
            return None;
        }
        let inward = inward.unwrap_or_else(|| self.network.arc(after, job));
        let detour = self.detour(job, before, inward);
        if detour >= bound || !self.fits(job, before.route) || !self.may_follow(job, before) {
            return None;
        }
        if !self.equipped(job, before.route, after) {
            return self.with_stop(job, after, bound);
        }
        let cost = detour + self.delay(job, before, inward)?;
        if cost < bound { Some(Insertion { job, after, vehicle: before.route, stop: None, cost }) } else { None }
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
        self.totals[insertion.vehicle as usize].jobs += 1;
        self.put_on(insertion.job, insertion.vehicle);
        self.sum_cost(insertion.vehicle);
    }

    fn splice(&mut self, node: Node, after: Node, route: u32) {
        let (next, old) = (self.visits[after as usize].next, self.visits[after as usize].leg);
        self.visits[node as usize].route = route;
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
        if network.dimensions == 1 {
            let load = self.totals[vehicle as usize].load + network.sites[job as usize].load;
            return load <= network.vehicle(vehicle).capacity[0];
        }
        let loads = &self.loads[vehicle as usize * network.dimensions..];
        let capacity = &network.vehicle(vehicle).capacity;
        network.job(job).load.iter().zip(loads).zip(capacity).all(|((load, sum), capacity)| load + sum <= *capacity)
    }

    #[inline]
    fn may_follow(&self, job: Node, before: &Visit) -> bool {
        !self.fixed[before.next as usize] && self.network.job(job).pinned.is_none_or(|pin| pin.vehicle == before.route)
    }

    /// Cost of a job between two nodes, overtime apart.
    #[inline]
    fn detour(&self, job: Node, before: &Visit, inward: Arc) -> i64 {
        let (network, route) = (self.network, before.route);
        let vehicle = network.vehicle(route);
        let outward = network.between(network.sites[job as usize].place, self.visits[before.next as usize].place);
        let travel = i64::from(inward.cost) + i64::from(outward.cost);
        // An empty vehicle stays where it is: its leg from start to end is not paid.
        if self.totals[route as usize].jobs == 0 {
            return travel * i64::from(vehicle.rate) + i64::from(vehicle.fixed_cost) + network.preference(job, route);
        }
        (travel - i64::from(before.leg)) * i64::from(vehicle.rate) + network.preference(job, route)
    }

    /// Overtime of a job between two nodes; `None` when it or what follows is late.
    #[inline]
    fn delay(&self, job: Node, before: &Visit, inward: Arc) -> Option<i64> {
        let (network, vehicle, next) = (self.network, before.route, &self.visits[before.next as usize]);
        let outward = network.between(network.sites[job as usize].place, next.place);
        let (_, depart) = network.serve(vehicle, job, network.arrive(vehicle, before.depart, inward.time))?;
        let arrival = network.arrive(vehicle, depart, outward.time);
        if arrival > next.latest {
            return None;
        }
        if network.vehicle(vehicle).overtime_rate > 0 {
            Some(self.overtime(vehicle, before.next, arrival))
        } else {
            Some(0)
        }
    }

    /// Cost of reaching `next` at `arrival`. Exact with single windows and no breaks, else an
    /// estimate; what is charged in the end is exact.
    fn overtime(&self, vehicle: u32, next: Node, arrival: i32) -> i64 {
        let (specs, visit) = (self.network.vehicle(vehicle), &self.visits[next as usize]);
        let before = &self.visits[visit.prev as usize];
        let time = self.network.between(before.place, visit.place).time;
        let delay = arrival - self.network.arrive(vehicle, before.depart, time) - visit.idle;
        let end = self.visits[self.network.end(vehicle) as usize].depart;
        let paid = if self.totals[vehicle as usize].jobs > 0 { (end - specs.overtime_from).max(0) } else { 0 };
        let due = (end + delay.max(0) - specs.overtime_from).max(0);
        i64::from(due - paid) * i64::from(specs.overtime_rate)
    }

    /// Whether the vehicle has what the job needs when it comes from `after`.
    #[inline]
    pub(crate) fn equipped(&self, job: Node, vehicle: u32, after: Node) -> bool {
        match self.network.needs(job) {
            None => true,
            Some(needs) => needs.stations & self.supplied[after as usize] != 0 || self.on_board(needs, vehicle),
        }
    }

    /// Whether tools and parts can come from the van's own stock.
    fn on_board(&self, needs: &Needs, vehicle: u32) -> bool {
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
            .filter_map(|station| self.through(job, after, self.network.stop(vehicle, station)))
            .filter(|insertion| insertion.cost < bound)
            .min_by_key(|insertion| insertion.cost)
    }

    fn through(&self, job: Node, after: Node, stop: Node) -> Option<Insertion> {
        if self.is_served(stop) {
            return None;
        }
        let (network, before) = (self.network, &self.visits[after as usize]);
        let (vehicle, to_stop, to_job) = (before.route, network.arc(after, stop), network.arc(stop, job));
        let (_, depart) = network.serve(vehicle, stop, network.arrive(vehicle, before.depart, to_stop.time))?;
        // What is left is the insertion of the job behind a visit that is not there yet.
        let behind = Visit { depart, ..*before };
        let cost =
            self.detour(job, before, to_job) + i64::from(to_stop.cost) * i64::from(network.vehicle(vehicle).rate);
        Some(Insertion { job, after, vehicle, stop: Some(stop), cost: cost + self.delay(job, &behind, to_job)? })
    }
}
