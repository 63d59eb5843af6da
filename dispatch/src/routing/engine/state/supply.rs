//! Stops at stations: which are needed, and what the van's own stock has to give.

use super::RouteState;
use crate::routing::engine::network::Node;

impl RouteState<'_> {
    /// Parts that come from the van's own stock: those of jobs no stop before them supplies.
    pub(super) fn count_parts(&mut self, route: u32) {
        let kinds = self.network.kinds;
        let range = route as usize * kinds..(route as usize + 1) * kinds;
        self.used[range.clone()].fill(0);
        let mut node = self.network.start(route);
        while let Some(next) = self.next(node) {
            if let Some(needs) = self.network.needs(node)
                && needs.stations & self.supplied[node as usize] == 0
            {
                self.used[range.clone()].iter_mut().zip(&needs.parts).for_each(|(used, parts)| *used += parts);
            }
            node = next;
        }
    }

    /// A stop at the end of a route, if there is time for it.
    pub(super) fn append_stop(&mut self, vehicle: u32, station: u32, last: Node) {
        let known = (station as usize) < self.network.model.stations.len() && self.network.has_needs;
        let stop = self.network.stop(vehicle, station);
        if !known || self.is_served(stop) {
            return;
        }
        let before = *self.visit(last);
        let to_stop = self.network.arc(last, stop).time;
        let served = self.network.serve(vehicle, stop, self.network.arrive(vehicle, before.depart, to_stop));
        let Some((_, depart)) = served else { return };
        let home = self.network.arc(stop, before.next).time;
        if self.network.arrive(vehicle, depart, home) <= before.next_latest {
            self.touch(vehicle);
            self.splice(stop, last, vehicle);
            self.sum_cost(vehicle);
        }
    }

    /// Takes out the stops that no job after them needs.
    pub(crate) fn drop_idle_stops(&mut self, route: u32) {
        if !self.network.has_needs {
            return;
        }
        let mut node = self.network.start(route);
        while let Some(next) = self.next(node) {
            if self.is_free_stop(node) && self.closes(node, node) && self.can_do_without(route, node) {
                self.cut(node, node);
            }
            node = next;
        }
    }

    /// Puts a stop where it costs least on a route that has none, if there is time, for jobs that may want it.
    pub(crate) fn add_stop(&mut self, route: u32, station: u32) {
        let stop = self.network.stop(route, station);
        if self.jobs_on(route) == 0 || self.is_served(stop) {
            return;
        }
        let places = self.nodes(route).filter(|&node| self.next(node).is_some_and(|next| !self.is_fixed(next)));
        let priced = places.filter_map(|place| Some((self.price_of_stop(stop, place)?, place)));
        let Some((_, place)) = priced.min() else { return };
        self.touch(route);
        self.splice(stop, place, route);
        self.sum_cost(route);
    }

    /// Takes off a route the jobs that a stop supplies, then the stop.
    pub(crate) fn empty_stops(&mut self, route: u32) {
        let fed = |&node: &Node| {
            let needs = self.network.needs(node);
            !self.is_fixed(node) && needs.is_some_and(|needs| needs.stations & self.supplied[node as usize] != 0)
        };
        let fed: Vec<Node> = self.nodes(route).filter(fed).collect();
        for job in fed {
            if self.is_served(job) {
                self.remove_run(job, job);
            }
        }
        self.drop_idle_stops(route);
    }

    /// On the routes touched since the mark, drops the stops nobody needs and moves each other to where it costs
    /// least at or before where it stands: what follows it stays supplied.
    pub(crate) fn settle_stops(&mut self) {
        if !self.network.has_needs {
            return;
        }
        let routes: Vec<u32> = self.touched().collect();
        for route in routes {
            self.drop_idle_stops(route);
            let stops: Vec<Node> = self.nodes(route).filter(|&node| self.is_free_stop(node)).collect();
            for stop in stops {
                self.move_up(stop, route);
            }
        }
    }

    /// A stop that no pinned job needs.
    fn is_free_stop(&self, node: Node) -> bool {
        self.network.station(node).is_some() && !self.is_fixed(node)
    }

    fn move_up(&mut self, stop: Node, route: u32) {
        let after = self.previous(stop);
        if !self.closes(stop, stop) {
            return;
        }
        self.cut(stop, stop);
        let mut best = (i64::MAX, after);
        let mut place = after;
        loop {
            if let Some(cost) = self.price_of_stop(stop, place)
                && cost < best.0
            {
                best = (cost, place);
            }
            if self.is_fixed(place) {
                break;
            }
            place = self.previous(place);
        }
        self.splice(stop, best.1, route);
        self.sum_cost(route);
    }

    /// What a stop adds to the cost; `None` where it makes somebody late.
    fn price_of_stop(&self, stop: Node, after: Node) -> Option<i64> {
        let (network, before) = (self.network, self.visit(after));
        let vehicle = before.route;
        let (inward, outward) = (network.arc(after, stop), network.arc(stop, before.next));
        let (_, depart) = network.serve(vehicle, stop, network.arrive(vehicle, before.depart, inward.time))?;
        if network.arrive(vehicle, depart, outward.time) > before.next_latest {
            return None;
        }
        let travel = i64::from(inward.cost) + i64::from(outward.cost) - i64::from(before.leg);
        Some(travel * i64::from(network.vehicle(vehicle).rate) + self.lengthens(vehicle, after, &[stop]))
    }

    /// Whether every job of the route has what it needs without one of its stops.
    fn can_do_without(&self, route: u32, stop: Node) -> bool {
        self.supplies(route, self.nodes(route).filter(|&node| node != stop))
    }

    /// Whether every job has what it needs with these nodes at the end of the route.
    pub(super) fn is_supplied(&self, route: u32, nodes: &[Node]) -> bool {
        !self.network.has_needs || self.supplies(route, self.nodes(route).chain(nodes.iter().copied()))
    }

    fn supplies(&self, route: u32, mut nodes: impl Iterator<Item = Node>) -> bool {
        let specs = self.network.vehicle(route);
        let mut stock = specs.parts.clone();
        let mut supplied = 0u64;
        nodes.all(|node| {
            supplied |= self.network.station(node).map_or(0, |station| 1 << station);
            let Some(needs) = self.network.needs(node) else { return true };
            needs.stations & supplied != 0
                || needs.tools & !specs.tools == 0
                    && stock.iter_mut().zip(&needs.parts).all(|(stock, parts)| {
                        *stock -= parts;
                        *stock >= 0
                    })
        })
    }
}
