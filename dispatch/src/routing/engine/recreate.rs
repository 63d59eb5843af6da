//! Recreate by greedy insertion with blinks (Christiaens and Vanden Berghe 2020, section 5.2),
//! beside near neighbours first.

use super::beside::Blinks;
use super::network::Node;
use super::state::RouteState;
use crate::random::Random;

/// Orders to insert in, with their weights: random, demand, far, close as published, then by windows.
const ORDERS: [(Order, usize); 7] = [
    (Order::Random, 4),
    (Order::Demand, 4),
    (Order::Far, 2),
    (Order::Close, 1),
    (Order::Narrow, 2),
    (Order::Opens, 2),
    (Order::Closes, 2),
];

/// Probability that the more urgent are inserted before all others.
const URGENT_FIRST: f64 = 0.25;

/// Most full searches for a place, for all jobs together, and how many jobs those may look at.
const FULL_SEARCHES: f64 = 10.0;
const LOOKED_AT: f64 = 10_000.0;

/// Turns after which the empty vehicles are looked up again, whether or not one was used.
const REFRESH: u32 = 16;

#[derive(Debug, Clone, Copy)]
enum Order {
    Random,
    Demand,
    Far,
    Close,
    Narrow,
    Opens,
    Closes,
}

/// Puts absent jobs back.
#[derive(Debug, Clone)]
pub(crate) struct Recreate {
    /// No route is opened when so many are in use.
    pub most_routes: usize,
    queue: Vec<(u8, i64, Node)>,
    /// First empty vehicle of each class.
    empty: Vec<u32>,
    /// Routes in use when that was looked up, or more than now.
    used: usize,
    seen: Vec<bool>,
    turn: u32,
    blinks: Blinks,
}

impl Recreate {
    /// Opens as many routes as it needs.
    pub fn new() -> Self {
        Self {
            most_routes: usize::MAX,
            queue: Vec::new(),
            empty: Vec::new(),
            used: 0,
            seen: Vec::new(),
            turn: 0,
            blinks: Blinks::default(),
        }
    }

    /// Inserts of some absent jobs what fits, in an order drawn at random; `short` if some were left out before.
    pub fn all(
        &mut self,
        state: &mut RouteState<'_>,
        jobs: &[Node],
        short: bool,
        random: &mut Random,
        stop: &dyn Fn() -> bool,
    ) {
        self.order(state, jobs, random);
        self.turn = (self.turn + 1) % REFRESH;
        let is_used = |&vehicle: &u32| state.jobs_on(vehicle) > 0;
        // A vehicle that ruin has emptied may be the only one that can do what was left out.
        let is_new = |vehicle: u32| !is_used(&vehicle) && !self.seen[state.network.class[vehicle as usize] as usize];
        if self.turn == 1 || self.empty.iter().any(is_used) || short && state.touched().any(is_new) {
            self.find_empty(state);
        }
        let queue = std::mem::take(&mut self.queue);
        let full = FULL_SEARCHES.min(LOOKED_AT / state.network.jobs() as f64) / queue.len() as f64;
        for (done, &(_, _, job)) in queue.iter().enumerate() {
            if done % 64 == 63 && stop() {
                break;
            }
            if state.is_served(job) {
                continue; // it was in the queue twice
            }
            let empty = if self.used < self.most_routes { self.empty.as_slice() } else { &[] };
            let mut best = state.best_beside(job, empty, &mut self.blinks, random);
            // A full search for all of very many that fit nowhere would cost more than it finds.
            if best.is_none() && (full >= 1.0 || random.chance(full)) {
                best = state.best_anywhere(job, i64::MAX);
            }
            if let Some(insertion) = best {
                state.insert(&insertion);
                if state.jobs_on(insertion.vehicle) == 1 {
                    self.find_empty(state);
                }
            }
        }
        self.queue = queue;
    }

    fn order(&mut self, state: &RouteState<'_>, jobs: &[Node], random: &mut Random) {
        let total = ORDERS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = random.below(total);
        let mut order = Order::Random;
        for (candidate, weight) in ORDERS {
            if drawn < weight {
                order = candidate;
                break;
            }
            drawn -= weight;
        }
        self.queue.clear();
        let urgent_first = random.chance(URGENT_FIRST);
        for &job in jobs {
            let tier = if urgent_first { state.network.job(job).tier } else { 0 };
            self.queue.push((tier, key(state, job, order, random), job));
        }
        self.queue.sort_unstable();
    }

    fn find_empty(&mut self, state: &RouteState<'_>) {
        let vehicles = state.network.vehicles();
        self.seen.clear();
        self.seen.resize(vehicles, false);
        self.empty.clear();
        self.used = 0;
        for vehicle in 0..vehicles {
            let class = state.network.class[vehicle] as usize;
            if state.jobs_on(vehicle as u32) > 0 {
                self.used += 1;
            } else if !self.seen[class] {
                self.seen[class] = true;
                self.empty.push(vehicle as u32);
            }
        }
    }
}

fn key(state: &RouteState<'_>, job: Node, order: Order, random: &mut Random) -> i64 {
    let site = &state.network.sites[job as usize];
    let home = state.network.home[job as usize];
    match order {
        Order::Random => random.next() as i64,
        Order::Demand => -i64::from(site.load),
        Order::Far => -i64::from(home),
        Order::Close => home.into(),
        Order::Narrow => i64::from(site.close) - i64::from(site.open),
        Order::Opens => site.open.into(),
        Order::Closes => -i64::from(site.close),
    }
}
