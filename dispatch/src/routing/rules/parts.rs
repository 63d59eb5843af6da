//! Where the parts of each order can come from.
//!
//! The engine lets a technician who was at a station take all that it can supply. So what is
//! scarce is given out here first: orders of higher priority choose, each the station nearest to
//! it, and an order for which nothing is left has only the vans.

use std::collections::{BTreeMap, HashMap};

use crate::id::PartId;
use crate::order::PartNeed;
use crate::place::distance_km;
use crate::routing::problem::{Problem, Time};

/// A station from a moment on, with the parts that have arrived there by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Supply {
    /// Index of the station.
    pub station: usize,
    /// Parts that are ready by then may be taken.
    pub from: Time,
}

/// Which supplies can give each order all of its parts.
#[derive(Debug, Default)]
pub(crate) struct Supplies {
    pub list: Vec<Supply>,
    /// By order: bits of `list`.
    pub of_order: Vec<u64>,
    /// By order: what it takes of each kind; kinds are those that some van holds.
    pub kinds: HashMap<PartId, usize>,
}

impl Supplies {
    /// All supplies; there must be at most 64. `held`: stations that orders have in a plan to go on
    /// from; they come first.
    pub fn new(problem: &Problem, by_rank: &[usize], held: &HashMap<usize, usize>) -> Self {
        let list = supplies(problem);
        let mut left = Left::new(problem);
        let mut of_order = vec![0; problem.orders.len()];
        let holders = by_rank.iter().filter(|order| held.contains_key(order));
        for &order in holders.chain(by_rank.iter().filter(|order| !held.contains_key(order))) {
            of_order[order] = left.give(problem, &list, order, held.get(&order).copied());
        }
        let kinds = van_kinds(problem);
        Self { list, of_order, kinds }
    }

    /// Whether a van can give an order all of its parts.
    pub fn van_has(problem: &Problem, order: usize, technician: usize) -> bool {
        let stock = &problem.technicians[technician].van_stock;
        let has = |need: &PartNeed| stock.iter().any(|held| held.part == need.part && held.quantity >= need.quantity);
        problem.orders[order].parts.iter().all(has)
    }
}

/// Each station once for every moment at which parts that somebody needs arrive there.
pub(crate) fn supplies(problem: &Problem) -> Vec<Supply> {
    let needed: std::collections::HashSet<&PartId> =
        problem.orders.iter().flat_map(|order| &order.parts).map(|need| &need.part).collect();
    let mut list = Vec::new();
    for (station, site) in problem.stations.iter().enumerate() {
        let stock = site.stock.iter().filter(|stock| stock.quantity > 0 && needed.contains(&stock.part));
        let mut times: Vec<Time> = stock.map(|stock| stock.ready.unwrap_or(problem.now).max(problem.now)).collect();
        times.sort();
        times.dedup();
        list.extend(times.into_iter().map(|from| Supply { station, from }));
    }
    list
}

/// Pieces at each station that no order has been given.
struct Left {
    pieces: BTreeMap<(usize, PartId), (u32, Time)>,
    /// Pieces all orders together would like from the station.
    wanted: BTreeMap<(usize, PartId), u64>,
}

impl Left {
    fn new(problem: &Problem) -> Self {
        let mut left = Self { pieces: BTreeMap::new(), wanted: BTreeMap::new() };
        for (station, site) in problem.stations.iter().enumerate() {
            for stock in &site.stock {
                let ready = stock.ready.unwrap_or(problem.now).max(problem.now);
                left.pieces.insert((station, stock.part.clone()), (stock.quantity, ready));
            }
        }
        for need in problem.orders.iter().flat_map(|order| &order.parts) {
            for station in 0..problem.stations.len() {
                *left.wanted.entry((station, need.part.clone())).or_default() += u64::from(need.quantity);
            }
        }
        left
    }

    /// Bits of the supplies an order may use, after taking from what is left where it is scarce.
    fn give(&mut self, problem: &Problem, list: &[Supply], order: usize, held: Option<usize>) -> u64 {
        let order = &problem.orders[order];
        if order.parts.is_empty() {
            return 0;
        }
        let fits = |left: &Self, supply: &Supply| {
            order.parts.iter().all(|need| {
                let found = left.pieces.get(&(supply.station, need.part.clone()));
                found.is_some_and(|(pieces, ready)| *pieces >= need.quantity && *ready <= supply.from)
            })
        };
        let able: Vec<usize> = (0..list.len()).filter(|&s| fits(self, &list[s])).collect();
        let scarce = |left: &Self, station: usize| {
            order.parts.iter().any(|need| {
                let key = (station, need.part.clone());
                left.wanted.get(&key) > left.pieces.get(&key).map(|(pieces, _)| u64::from(*pieces)).as_ref()
            })
        };
        let ample: Vec<usize> = able.iter().copied().filter(|&s| !scarce(self, list[s].station)).collect();
        if !ample.is_empty() {
            return ample.into_iter().fold(0, |bits, s| bits | 1 << s);
        }
        let km = |s: &usize| distance_km(problem.stations[list[*s].station].place, order.place);
        let held = able.iter().copied().find(|&s| Some(list[s].station) == held);
        let nearest = held.or_else(|| able.iter().copied().min_by(|a, b| km(a).total_cmp(&km(b))));
        let Some(nearest) = nearest else { return 0 };
        let station = list[nearest].station;
        for need in &order.parts {
            let key = (station, need.part.clone());
            if let Some((pieces, _)) = self.pieces.get_mut(&key) {
                *pieces -= need.quantity;
            }
            if let Some(wanted) = self.wanted.get_mut(&key) {
                *wanted -= u64::from(need.quantity);
            }
        }
        able.into_iter().filter(|&s| list[s].station == station).fold(0, |bits, s| bits | 1 << s)
    }
}

/// Kinds of parts that some order needs and some van holds.
fn van_kinds(problem: &Problem) -> HashMap<PartId, usize> {
    let held: std::collections::BTreeSet<&PartId> =
        problem.technicians.iter().flat_map(|technician| &technician.van_stock).map(|held| &held.part).collect();
    let needed: std::collections::BTreeSet<&PartId> =
        problem.orders.iter().flat_map(|order| &order.parts).map(|need| &need.part).collect();
    held.intersection(&needed).enumerate().map(|(kind, part)| ((*part).clone(), kind)).collect()
}
