//! Routes with their schedules: what stands where, how early and how late, and what an
//! insertion would cost.

mod insertion;
mod journal;
mod span;
mod supply;
mod tail;

pub use insertion::Insertion;
pub(crate) use insertion::{Guest, NOWHERE, Swift};

use super::clock::NEVER;
use super::network::{NONE, Network, Node};
use super::plan::{Plan, Route, Stop};
use crate::routing::model::{TIERS, Vehicle};
use journal::Journal;
use span::Span;

/// One node in a route. A node that stands nowhere has `route` [`NONE`].
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
pub(crate) struct Visit {
    pub next: Node,
    pub prev: Node,
    pub route: u32,
    /// Earliest departure.
    pub depart: i32,
    /// Latest arrival at the next node that keeps the rest of the route in time. It stands here
    /// because a test of an insertion then reads this one visit only.
    pub next_latest: i32,
    /// Travel cost to the next node, before the vehicle's rate.
    pub leg: i32,
    pub place: u32,
    /// Place of the next node.
    pub next_place: u32,
}

/// Sums over one route.
#[derive(Debug, Clone, Copy, Default)]
struct Total {
    jobs: u32,
    /// Load and capacity in the first dimension.
    load: i32,
    capacity: i32,
    /// The vehicle's.
    rate: i32,
    travel: i64,
    preference: i64,
    /// Waiting when the departure is as late as that helps; only counted where durations cost.
    waiting: i32,
    cost: i64,
}

/// Routes under construction: every test of an insertion is O(1), every change costs only the
/// part of the route whose times it moves.
///
/// All routes are feasible at all times: nothing is inserted that [`RouteState::test`] refuses.
pub struct RouteState<'n> {
    pub(crate) network: &'n Network<'n>,
    visits: Vec<Visit>,
    /// One for each vehicle, and a last one that is full.
    totals: Vec<Total>,
    /// Load in every dimension, `[vehicle * dimensions + dimension]`; kept for more than one.
    loads: Vec<i32>,
    /// Spare parts taken from the van's own stock, `[vehicle * kinds + kind]`.
    used: Vec<i32>,
    /// Stations visited up to a node, as bits; empty when no job needs anything.
    supplied: Vec<u64>,
    /// Jobs that may not be moved, nor have anything put before them.
    fixed: Vec<bool>,
    /// Whether pinned jobs are being placed; later they stay where they are, or absent.
    pinning: bool,
    /// Waiting from a node on: a delay there arrives at the end lessened by it.
    idle: Vec<i32>,
    /// For each node the spans up to it and from it on; empty when durations cost nothing.
    spans: Vec<(Span, Span)>,
    absent: Vec<Node>,
    /// Where a job stands in `absent`.
    absent_at: Vec<u32>,
    /// How many of them are of each tier.
    unserved: [u32; TIERS],
    cost: i64,
    journal: Journal,
}

impl<'n> RouteState<'n> {
    /// Empty routes, but for the pinned jobs that fit.
    pub fn new(network: &'n Network<'n>) -> Self {
        let (jobs, vehicles) = (network.jobs(), network.vehicles());
        let mut state = Self {
            network,
            visits: network.sites.iter().map(|site| Visit::nowhere(site.place)).collect(),
            totals: network.model.vehicles.iter().map(Total::new).chain([Total::full()]).collect(),
            idle: vec![0; network.sites.len()],
            loads: vec![0; vehicles * network.dimensions],
            used: vec![0; vehicles * network.kinds],
            supplied: if network.has_needs { vec![0; network.sites.len()] } else { Vec::new() },
            fixed: vec![false; network.sites.len()],
            spans: if network.has_duration { vec![<(Span, Span)>::default(); network.sites.len()] } else { Vec::new() },
            pinning: true,
            absent: (0..jobs as u32).collect(),
            absent_at: (0..jobs as u32).collect(),
            unserved: [0; TIERS],
            cost: 0,
            journal: Journal::new(vehicles),
        };
        for vehicle in 0..vehicles as u32 {
            state.open_route(vehicle);
        }
        network.model.jobs.iter().for_each(|job| state.unserved[job.tier as usize] += 1);
        state.place_pinned();
        state.pinning = false;
        state
    }

    /// The routes of a plan, as far as they are feasible on this network; the rest is absent.
    pub fn from_plan(network: &'n Network<'n>, plan: &Plan) -> Self {
        let mut state = Self::new(network);
        for (vehicle, route) in (0..network.vehicles() as u32).zip(&plan.routes) {
            let node = |stop: &Stop| stop.job.or_else(|| Some(network.stop(vehicle, stop.station?)));
            let nodes: Vec<Node> = route.stops.iter().filter_map(node).collect();
            state.append_route(vehicle, &nodes);
        }
        state
    }

    /// Routes as lists of nodes, as far as they are feasible; the rest is absent.
    pub(crate) fn from_routes(network: &'n Network<'n>, routes: &[Vec<Node>]) -> Self {
        let mut state = Self::new(network);
        for (vehicle, nodes) in (0..network.vehicles() as u32).zip(routes) {
            state.append_route(vehicle, nodes);
        }
        state
    }

    /// Puts a list of nodes behind the pinned jobs of a route, all at once if that is feasible, else
    /// one by one as far as they fit. The halves of a feasible route need not be feasible.
    fn append_route(&mut self, vehicle: u32, nodes: &[Node]) {
        let rest: Vec<Node> = nodes.iter().copied().filter(|&node| self.is_free(node, vehicle)).collect();
        if self.lay(vehicle, &rest) {
            return;
        }
        for &node in &rest {
            let last = self.visits[self.network.end(vehicle) as usize].prev;
            if let Some(station) = self.network.station(node) {
                self.append_stop(vehicle, station, last);
            } else if let Some(insertion) = self.test(node, last) {
                self.insert(&insertion);
            }
        }
        self.drop_idle_stops(vehicle);
    }

    fn is_free(&self, node: Node, vehicle: u32) -> bool {
        let at = node as usize;
        let known = self.network.is_job(node)
            || self.network.station(node).is_some_and(|station| self.network.stop(vehicle, station) == node);
        known && self.visits[at].route == NONE
    }

    /// Links distinct nodes up at the end of a route, if that makes a feasible one.
    fn lay(&mut self, vehicle: u32, nodes: &[Node]) -> bool {
        let end = self.network.end(vehicle);
        let mut last = self.visits[end as usize].prev;
        if !self.can_lay(vehicle, last, nodes) {
            return false;
        }
        self.touch(vehicle);
        let first = last;
        self.totals[vehicle as usize].travel -= i64::from(self.visits[last as usize].leg);
        for &node in nodes.iter().chain([&end]) {
            self.visits[node as usize].route = vehicle;
            self.link(last, node);
            self.totals[vehicle as usize].travel += i64::from(self.visits[last as usize].leg);
            if self.network.is_job(node) {
                self.put_on(node, vehicle);
            }
            last = node;
        }
        self.forward(first, nodes.len() as u32 + 1);
        self.backward(end, nodes.len() as u32 + 1);
        self.sum_cost(vehicle);
        true
    }

    fn can_lay(&self, vehicle: u32, last: Node, nodes: &[Node]) -> bool {
        let network = self.network;
        let mut distinct = nodes.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let mut loads = vec![0i64; network.dimensions];
        let mut depart = self.visits[last as usize].depart;
        let mut place = last;
        for &node in nodes.iter().chain([&network.end(vehicle)]) {
            let arrival = network.arrive(vehicle, depart, network.arc(place, node).time);
            let Some((_, left)) = network.serve(vehicle, node, arrival) else { return false };
            (depart, place) = (left, node);
            if network.is_job(node) {
                let job = network.job(node);
                loads.iter_mut().zip(&job.load).for_each(|(sum, load)| *sum += i64::from(*load));
                if job.pinned.is_some() || !network.allows(node, vehicle) {
                    return false;
                }
            }
        }
        let held = &self.loads[vehicle as usize * network.dimensions..];
        let room = |(index, load): (usize, &i64)| {
            let held = if network.dimensions == 1 { self.totals[vehicle as usize].load } else { held[index] };
            load + i64::from(held) <= i64::from(network.vehicle(vehicle).capacity[index])
        };
        distinct.len() == nodes.len() && loads.iter().enumerate().all(room) && self.is_supplied(vehicle, nodes)
    }

    fn open_route(&mut self, vehicle: u32) {
        let (start, end) = (self.network.start(vehicle), self.network.end(vehicle));
        let from = self.network.vehicle(vehicle).from;
        self.visits[start as usize] = Visit { route: vehicle, depart: from, ..self.visits[start as usize] };
        self.visits[end as usize].route = vehicle;
        self.fixed[start as usize] = true;
        self.link(start, end);
        self.totals[vehicle as usize].travel = self.visits[start as usize].leg.into();
        self.forward(start, 1);
        self.backward(end, 1);
        self.sum_cost(vehicle);
    }

    fn place_pinned(&mut self) {
        let mut pinned: Vec<_> =
            self.absent.iter().filter_map(|&job| self.network.job(job).pinned.map(|pin| (pin, job))).collect();
        pinned.sort_unstable();
        for (pin, job) in pinned {
            let last = self.visits[self.network.end(pin.vehicle) as usize].prev;
            if let Some(insertion) = self.test(job, last) {
                self.insert(&insertion);
                insertion.stop.into_iter().chain([job]).for_each(|node| self.fixed[node as usize] = true);
            }
        }
    }

    /// Cost of all routes.
    pub fn cost(&self) -> i64 {
        self.cost
    }

    /// Jobs on no route, in no order.
    pub fn absent(&self) -> &[Node] {
        &self.absent
    }

    /// Whether a job is on a route.
    #[inline]
    pub fn is_served(&self, job: Node) -> bool {
        self.visits[job as usize].route != NONE
    }

    /// The vehicle on whose route a node stands.
    pub fn route_of(&self, node: Node) -> Option<u32> {
        let route = self.visits[node as usize].route;
        if route == NONE { None } else { Some(route) }
    }

    /// The node after this one; `None` at the end of a route and off it.
    pub fn next(&self, node: Node) -> Option<Node> {
        let next = self.visits[node as usize].next;
        if next == NONE { None } else { Some(next) }
    }

    #[inline]
    pub(crate) fn visit(&self, node: Node) -> &Visit {
        &self.visits[node as usize]
    }

    /// The node before; [`NONE`] at the start of a route and off it.
    #[inline]
    pub(crate) fn previous(&self, node: Node) -> Node {
        self.visits[node as usize].prev
    }

    /// The node after; [`NONE`] at the end of a route and off it.
    #[inline]
    pub(crate) fn following(&self, node: Node) -> Node {
        self.visits[node as usize].next
    }

    /// A start or a pinned job, that nothing may be put before.
    #[inline]
    pub(crate) fn is_fixed(&self, node: Node) -> bool {
        self.fixed[node as usize]
    }

    /// A job that may be taken off its route, or a stop.
    #[inline]
    pub(crate) fn is_movable(&self, node: Node) -> bool {
        !self.fixed[node as usize] && self.visits[node as usize].next != NONE
    }

    /// Number of jobs on a route.
    pub fn jobs_on(&self, vehicle: u32) -> u32 {
        self.totals[vehicle as usize].jobs
    }

    /// The nodes of a route from its start to its end, both included.
    pub fn nodes(&self, vehicle: u32) -> impl Iterator<Item = Node> + '_ {
        std::iter::successors(Some(self.network.start(vehicle)), |&node| self.next(node))
    }

    /// Earliest departure from a node on a route.
    pub fn earliest_departure(&self, node: Node) -> i32 {
        self.visits[node as usize].depart
    }

    /// Latest arrival at a node after the start of a route that keeps the rest of it in time.
    pub fn latest_arrival(&self, node: Node) -> i32 {
        self.visits[self.visits[node as usize].prev as usize].next_latest
    }

    /// Load of a route in one dimension.
    pub fn load(&self, vehicle: u32, dimension: usize) -> i32 {
        if self.network.dimensions == 1 {
            return self.totals[vehicle as usize].load;
        }
        self.loads[vehicle as usize * self.network.dimensions + dimension]
    }

    /// Number of unserved jobs of each tier.
    pub fn unserved(&self) -> [u32; TIERS] {
        self.unserved
    }

    /// Takes a job off its route. Pinned jobs stay.
    pub fn remove(&mut self, job: Node) {
        if self.is_served(job) && !self.fixed[job as usize] {
            let prev = self.visits[job as usize].prev;
            self.remove_run(job, job);
            self.drop_idle_stops(self.visits[prev as usize].route);
        }
    }

    /// Takes the jobs of a run off their route; stops among them stay.
    pub(crate) fn remove_jobs(&mut self, run: &[Node]) {
        for jobs in run.split(|&node| !self.network.is_job(node)) {
            // A removal may have taken more than it was asked to.
            let first = jobs.iter().copied().find(|&job| self.is_served(job));
            if let (Some(first), Some(&last)) = (first, jobs.last()) {
                self.remove_run(first, last);
            }
        }
    }

    /// Takes the nodes from `first` to `last` of one route off it, and as many after them as must
    /// go with them: where travel breaks the triangle inequality, as rounding does, the next
    /// visit can be too late without them. Nothing happens if not even that helps.
    pub(crate) fn remove_run(&mut self, first: Node, mut last: Node) {
        while !self.closes(first, last) {
            let next = self.visits[last as usize].next;
            // What follows a stop may need it.
            if self.visits[next as usize].next == NONE || self.network.station(next).is_some() {
                last = self.visits[self.network.end(self.visits[first as usize].route) as usize].prev;
                if self.closes(first, last) {
                    break;
                }
                return;
            }
            last = next;
        }
        self.cut(first, last);
    }

    /// Whether the route stays in time without the nodes from `first` to `last`.
    pub(super) fn closes(&self, first: Node, last: Node) -> bool {
        let prev = self.visits[first as usize].prev;
        let Visit { next, next_latest, .. } = self.visits[last as usize];
        let before = &self.visits[prev as usize];
        let empties = before.prev == NONE && self.visits[next as usize].next == NONE;
        let time = self.network.arc(prev, next).time;
        empties || self.network.arrive(before.route, before.depart, time) <= next_latest
    }

    pub(super) fn cut(&mut self, first: Node, last: Node) {
        let route = self.visits[first as usize].route;
        self.touch(route);
        let prev = self.visits[first as usize].prev;
        let Visit { next, next_latest, .. } = self.visits[last as usize];
        self.totals[route as usize].travel -= i64::from(self.visits[prev as usize].leg);
        let mut node = first;
        while node != next {
            let visit = self.visits[node as usize];
            self.totals[route as usize].travel -= i64::from(visit.leg);
            if self.network.is_job(node) {
                self.take_off(node, route);
            }
            self.visits[node as usize] = Visit::nowhere(visit.place);
            node = visit.next;
        }
        self.visits[prev as usize].next_latest = next_latest;
        self.link(prev, next);
        self.totals[route as usize].travel += i64::from(self.visits[prev as usize].leg);
        self.forward(prev, 0);
        self.backward(prev, 0);
        self.sum_cost(route);
    }

    /// Marks a job as absent, and gives back what it took of the route.
    fn take_off(&mut self, job: Node, route: u32) {
        self.absent_at[job as usize] = self.absent.len() as u32;
        self.absent.push(job);
        self.unserved[self.network.job(job).tier as usize] += 1;
        self.account(job, route, -1);
    }

    fn put_on(&mut self, job: Node, route: u32) {
        let at = self.absent_at[job as usize] as usize;
        self.absent.swap_remove(at);
        if let Some(&moved) = self.absent.get(at) {
            self.absent_at[moved as usize] = at as u32;
        }
        self.unserved[self.network.job(job).tier as usize] -= 1;
        self.account(job, route, 1);
    }

    fn account(&mut self, job: Node, route: u32, sign: i32) {
        let network = self.network;
        let total = &mut self.totals[route as usize];
        total.jobs = total.jobs.wrapping_add_signed(sign);
        total.load += sign * network.sites[job as usize].load;
        total.preference += i64::from(sign) * network.preference(job, route);
        if network.dimensions > 1 {
            let loads = &mut self.loads[route as usize * network.dimensions..][..network.dimensions];
            loads.iter_mut().zip(&network.job(job).load).for_each(|(sum, load)| *sum += sign * load);
        }
    }

    fn link(&mut self, prev: Node, next: Node) {
        self.visits[prev as usize].next = next;
        self.visits[next as usize].prev = prev;
        let place = self.visits[next as usize].place;
        let prev = &mut self.visits[prev as usize];
        prev.leg = self.network.between(prev.place, place).cost;
        prev.next_place = place;
    }

    /// Departures after `prev`, as far as they move. The first `fresh` nodes are computed whatever they held.
    fn forward(&mut self, mut prev: Node, mut fresh: u32) {
        let mut before = self.visits[prev as usize];
        while before.next != NONE {
            let node = before.next;
            let visit = self.visits[node as usize];
            let time = self.network.between(before.place, visit.place).time;
            let arrival = self.network.arrive(visit.route, before.depart, time);
            let served = self.network.serve(visit.route, node, arrival);
            // Only the end of an empty route can be out of reach.
            let depart = served.map_or(NEVER, |(_, depart)| depart);
            let supplied = self.pass_supply(prev, node);
            if visit.depart == depart && !supplied && fresh == 0 {
                break;
            }
            fresh = fresh.saturating_sub(1);
            self.visits[node as usize].depart = depart;
            before = Visit { depart, ..visit };
            prev = node;
        }
    }

    /// Whether what has been picked up by `node` changed.
    fn pass_supply(&mut self, prev: Node, node: Node) -> bool {
        if self.supplied.is_empty() {
            return false;
        }
        let station = self.network.station(node).map_or(0, |station| 1 << station);
        let supplied = self.supplied[prev as usize] | station;
        std::mem::replace(&mut self.supplied[node as usize], supplied) != supplied
    }

    /// Latest arrivals at `node` and before it, as far as they move; the first `fresh` whatever they held.
    fn backward(&mut self, node: Node, mut fresh: u32) {
        let mut visit = self.visits[node as usize];
        let mut node = node;
        while visit.prev != NONE {
            let latest = self.latest(node, &visit);
            let before = &mut self.visits[visit.prev as usize];
            if before.next_latest == latest && fresh == 0 {
                break;
            }
            fresh = fresh.saturating_sub(1);
            before.next_latest = latest;
            node = visit.prev;
            visit = *before;
        }
    }

    fn latest(&self, node: Node, visit: &Visit) -> i32 {
        if visit.next == NONE {
            return self.network.sites[node as usize].close;
        }
        let time = self.network.between(visit.place, visit.next_place).time;
        let depart = self.network.latest_departure(visit.route, visit.next_latest, time);
        self.network.latest_arrival(visit.route, node, depart)
    }

    /// Waiting that lies ahead of each node; only overtime asks for it.
    fn count_waiting(&mut self, route: u32) {
        let mut node = self.network.end(route);
        let mut idle = 0;
        while self.visits[node as usize].prev != NONE {
            let visit = self.visits[node as usize];
            let before = &self.visits[visit.prev as usize];
            let time = self.network.between(before.place, visit.place).time;
            let arrival = self.network.arrive(route, before.depart, time);
            if let Some((start, _)) = self.network.serve(route, node, arrival) {
                idle += start - arrival;
            }
            self.idle[node as usize] = idle;
            node = visit.prev;
        }
    }

    fn sum_cost(&mut self, route: u32) {
        if self.network.has_needs {
            self.count_parts(route);
        }
        let vehicle = self.network.vehicle(route);
        if vehicle.overtime_rate > 0 {
            self.count_waiting(route);
        }
        let mut duration = 0;
        if self.network.has_duration {
            self.measure(route);
            duration = i64::from(self.duration(route)) * i64::from(vehicle.duration_rate);
        }
        let total = &mut self.totals[route as usize];
        let late = self.visits[self.network.end(route) as usize].depart - vehicle.overtime_from;
        let travel = total.travel * i64::from(vehicle.rate);
        let overtime = i64::from(late.max(0)) * i64::from(vehicle.overtime_rate);
        let used = travel + overtime + duration + i64::from(vehicle.fixed_cost);
        self.cost -= total.cost;
        total.cost = total.preference + if total.jobs > 0 { used } else { 0 };
        self.cost += total.cost;
    }

    /// The plan as it stands.
    pub fn plan(&self) -> Plan {
        let mut unserved = self.absent.clone();
        unserved.sort_unstable();
        let routes = (0..self.network.vehicles() as u32).map(|vehicle| self.route(vehicle)).collect();
        Plan {
            routes,
            unserved,
            cost: self.cost,
            travel: self.totals.iter().filter(|total| total.jobs > 0).map(|total| total.travel).sum(),
        }
    }

    fn route(&self, vehicle: u32) -> Route {
        let stops: Vec<Stop> = self
            .nodes(vehicle)
            .filter(|&node| node < self.network.start(0) || self.network.station(node).is_some())
            .map(|node| self.stop(node))
            .collect();
        let end = self.visits[self.network.end(vehicle) as usize].depart;
        Route { stops, end, cost: self.totals[vehicle as usize].cost }
    }

    fn stop(&self, node: Node) -> Stop {
        let visit = self.visits[node as usize];
        let before = self.visits[visit.prev as usize];
        let time = self.network.between(before.place, visit.place).time;
        let arrival = self.network.arrive(visit.route, before.depart, time);
        let (start, depart) = self.network.serve(visit.route, node, arrival).expect("every route is feasible");
        match self.network.station(node) {
            Some(station) => Stop { job: None, station: Some(station), arrival, start, depart },
            None => Stop { job: Some(node), station: None, arrival, start, depart },
        }
    }
}

impl Total {
    fn new(vehicle: &Vehicle) -> Self {
        let capacity = vehicle.capacity.first().copied().unwrap_or(0);
        Self { capacity, rate: vehicle.rate, ..Self::default() }
    }
}

impl Total {
    fn full() -> Self {
        Self { capacity: -1, ..Self::default() }
    }
}

impl Visit {
    fn nowhere(place: u32) -> Self {
        Self { next: NONE, prev: NONE, route: NONE, depart: 0, next_latest: 0, leg: 0, place, next_place: place }
    }
}
