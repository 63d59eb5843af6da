//! The search loop: ruin, recreate, accept by simulated annealing, keep the best.

use super::cooling::Cooling;
use super::network::{Network, Node};
use super::plan::{Plan, Score};
use super::recreate::Recreate;
use super::ruin::Ruin;
use super::state::RouteState;
use crate::random::Random;
use crate::routing::model::TIERS;

/// First and last temperature, in mean legs between near neighbours. Below about 10 the first
/// routes, which are too many, are never merged: 12 % above best known instead of 4.
const HOT: f64 = 15.0;
const COLD: f64 = 0.15;
/// First temperature of a search that begins with a plan.
const WARM: f64 = 0.1;
/// Share of iterations that change stops at stations too.
const CHANGE_STOPS: f64 = 0.1;
/// Iterations between two looks at the limit.
const STRIDE: u64 = 16;
/// Share of the first cooling in which no more routes are used than the load needs and a few more. Later it is
/// hard to do without a route and easy to open one: where customers stand in clusters that fill a vehicle,
/// 2.3 % above best known without, 1.3 % with (1,000 jobs, 600,000 iterations).
const FEW_ROUTES: f64 = 0.3;
/// How many those are, to one that the load needs.
const FEW: f64 = 1.04;
/// Most jobs left out before that an iteration tries again close to its seed, and anywhere.
const RETRIED: usize = 64;
const RETRIED_ANYWHERE: usize = 8;
/// By how much the weight of a job that is out may grow. Where not all can be served they would otherwise take
/// turns for ever: half as many routes as needed, 200 and 400 jobs, leave out 55 and 117 without a bound,
/// 46 and 103 with this one, and travel is a fifth shorter.
const GROWTH: f64 = 10.0;
/// By how much a tier outweighs the next while searching; plans are compared exactly.
const TIER_RATIO: f64 = 4.0;

/// One thread's search.
pub(crate) struct Search<'n> {
    pub state: RouteState<'n>,
    pub best: Best,
    pub iterations: u64,
    ruin: Ruin,
    recreate: Recreate,
    random: Random,
    /// What leaving a job out costs the search; grows while it is out.
    weight: Vec<f64>,
    /// Up to what.
    most_weight: Vec<f64>,
    cooling: Cooling,
    mean_route: f64,
    /// Jobs that an iteration tries to place.
    tried: Vec<Node>,
    /// Nodes whose legs it changes.
    changed: Vec<Node>,
}

/// The best routes so far.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    pub score: Score,
    routes: Vec<Vec<Node>>,
    /// Routes that changed since they were copied.
    stale: Vec<bool>,
}

impl<'n> Search<'n> {
    /// Builds first routes, or takes those of a plan; `stop` ends that early.
    pub fn new(mut state: RouteState<'n>, warm: bool, seed: u64, stop: &dyn Fn() -> bool) -> Self {
        let mut random = Random::new(seed);
        let network = state.network;
        let mut recreate = Recreate::new();
        let absent = state.absent().to_vec();
        recreate.all(&mut state, &absent, true, &mut random, stop);
        let vehicles = network.vehicles();
        let leg = network.near.leg * f64::from(network.mean_rate());
        let mut search = Self {
            best: Best { score: score(&state), routes: vec![Vec::new(); vehicles], stale: vec![true; vehicles] },
            iterations: 0,
            ruin: Ruin::new(vehicles),
            recreate,
            random,
            most_weight: weights(&state).iter().map(|weight| weight * GROWTH).collect(),
            weight: weights(&state),
            cooling: Cooling::new(leg * if warm { WARM } else { HOT }, leg * COLD, network.jobs()),
            mean_route: 1.0,
            tried: Vec::new(),
            changed: Vec::new(),
            state,
        };
        search.keep_best();
        if !warm {
            search.use_few_routes();
        }
        search
    }

    /// Empties the smallest routes, and lets none be opened for a while.
    fn use_few_routes(&mut self) {
        let Some(most) = few_routes(self.state.network) else { return };
        self.recreate.most_routes = most;
        let mut routes: Vec<u32> = (0..self.state.network.vehicles() as u32).collect();
        routes.sort_by_key(|&route| std::cmp::Reverse(self.state.jobs_on(route)));
        for route in routes.into_iter().skip(most) {
            let jobs: Vec<Node> = self.state.nodes(route).filter(|&node| self.state.is_movable(node)).collect();
            self.state.remove_jobs(&jobs);
            self.best.stale[route as usize] = true;
        }
    }

    /// Searches until `share` (of the limit that is used up, told the number of iterations) reaches `until`.
    pub fn run(&mut self, until: f64, share: &dyn Fn(u64) -> f64) {
        if self.state.network.jobs() == 0 || self.state.network.vehicles() == 0 {
            return;
        }
        let mut temperature = 0.0;
        loop {
            if self.iterations.is_multiple_of(STRIDE) {
                let done = share(self.iterations);
                if done >= until {
                    return;
                }
                temperature = self.cooling.temperature(done, self.iterations);
                if self.cooling.passed >= FEW_ROUTES {
                    self.recreate.most_routes = usize::MAX;
                }
                self.now_and_then();
            }
            self.iterations += 1;
            let iterations = self.iterations;
            self.step(temperature, &|| share(iterations) >= 1.0);
        }
    }

    fn step(&mut self, temperature: f64, stop: &dyn Fn() -> bool) {
        let before = self.state.cost();
        let penalty: f64 = self.state.absent().iter().map(|&job| self.weight[job as usize]).sum();
        let left_out = self.state.absent().len();
        self.state.mark();
        let seed = self.pick_seed();
        self.retry(seed);
        // What is out may need a whole route.
        let longest = if self.state.is_served(seed) { self.mean_route } else { f64::INFINITY };
        self.ruin.around(&mut self.state, seed, longest, &mut self.random);
        self.change_stops(seed);
        self.tried.extend_from_slice(&self.state.absent()[left_out..]);
        self.changed.clone_from(&self.ruin.gaps);
        self.changed.extend_from_slice(&self.tried);
        self.recreate.all(&mut self.state, &self.tried, left_out > 0, &mut self.random, stop);
        self.state.exchange_ends(&mut self.changed);
        self.state.settle_stops();
        let missing: f64 = self.state.absent().iter().map(|&job| self.weight[job as usize]).sum();
        let worse = (self.state.cost() - before) as f64 + missing - penalty;
        let score = score(&self.state);
        let is_best = score < self.best.score;
        if !is_best && worse > 0.0 && worse >= -temperature * (1.0 - self.random.unit()).ln() {
            self.state.roll_back();
            return;
        }
        for route in self.state.touched() {
            self.best.stale[route as usize] = true;
        }
        self.state.keep();
        if is_best {
            self.best.score = score;
            self.keep_best();
        }
    }

    /// Those left out before that are tried again: all, or where they are many those close to the seed and a few more.
    fn retry(&mut self, seed: Node) {
        let (state, random) = (&self.state, &mut self.random);
        self.tried.clear();
        if state.absent().len() <= RETRIED {
            self.tried.extend_from_slice(state.absent());
            return;
        }
        let near = std::iter::once(seed).chain(state.network.near.around(seed).iter().copied());
        self.tried.extend(near.filter(|&job| !state.is_served(job)).take(RETRIED));
        self.tried.extend((0..RETRIED_ANYWHERE).map(|_| state.absent()[random.below(state.absent().len())]));
    }

    /// Now and then gives the ruined routes a stop at a station before anybody needs it, or takes one with
    /// all it supplies: job by job neither pays.
    fn change_stops(&mut self, seed: Node) {
        let network = self.state.network;
        if !network.has_needs || network.model.stations.is_empty() || !self.random.chance(CHANGE_STOPS) {
            return;
        }
        let near = std::iter::once(seed).chain(network.near.around(seed).iter().copied());
        let Some(route) = near.filter_map(|job| self.state.route_of(job)).next() else { return };
        let routes: Vec<u32> = self.state.touched().collect();
        if self.random.chance(0.5) {
            self.state.empty_stops(route);
        }
        for route in routes {
            if self.random.chance(0.5) {
                let station = self.random.below(network.model.stations.len()) as u32;
                self.state.add_stop(route, station);
            }
        }
    }

    fn pick_seed(&mut self) -> Node {
        let absent = self.state.absent();
        if !absent.is_empty() && self.random.chance(0.5) {
            return absent[self.random.below(absent.len())];
        }
        self.random.below(self.state.network.jobs()) as Node
    }

    /// What need not be done in every iteration.
    fn now_and_then(&mut self) {
        let state = &self.state;
        for &job in state.absent() {
            let weight = &mut self.weight[job as usize];
            *weight = (*weight * 1.01).min(self.most_weight[job as usize]);
        }
        if self.iterations.is_multiple_of(STRIDE * 64) {
            let vehicles = 0..state.network.vehicles() as u32;
            let used = vehicles.filter(|&vehicle| state.jobs_on(vehicle) > 0).count().max(1);
            self.mean_route = (state.network.jobs() - state.absent().len()) as f64 / used as f64;
        }
    }

    fn keep_best(&mut self) {
        for (vehicle, (nodes, stale)) in self.best.routes.iter_mut().zip(&mut self.best.stale).enumerate() {
            if std::mem::take(stale) {
                nodes.clear();
                nodes.extend(self.state.nodes(vehicle as u32));
            }
        }
    }

    /// The best plan so far.
    pub fn plan(&self) -> Plan {
        self.best_state().plan()
    }

    /// Goes on from another search's best routes.
    pub fn adopt(&mut self, other: &Search<'n>) {
        self.state = other.best_state();
        self.best = other.best.clone();
        self.best.stale.fill(false);
    }

    fn best_state(&self) -> RouteState<'n> {
        RouteState::from_routes(self.state.network, &self.best.routes)
    }
}

/// The fewest routes that hold the load and a few more, if all vehicles are alike and that is fewer than there are.
fn few_routes(network: &Network<'_>) -> Option<usize> {
    let load: i64 = network.sites[..network.jobs()].iter().map(|site| i64::from(site.load)).sum();
    let capacity = *network.model.vehicles.first()?.capacity.first()?;
    let alike = network.class.iter().all(|&class| class == 0);
    let few = (load as f64 / f64::from(capacity) * FEW).ceil() as usize;
    if alike && load > 0 && few < network.vehicles() { Some(few) } else { None }
}

fn score(state: &RouteState<'_>) -> Score {
    if state.absent().is_empty() { ([0; TIERS], state.cost()) } else { (state.unserved(), state.cost()) }
}

fn weights(state: &RouteState<'_>) -> Vec<f64> {
    let network = state.network;
    let far = network.home.iter().copied().max().unwrap_or(0);
    let base = (f64::from(far) * 4.0 + network.near.leg) * f64::from(network.mean_rate());
    let last = network.model.jobs.iter().map(|job| job.tier).max().unwrap_or(0);
    network.model.jobs.iter().map(|job| base * TIER_RATIO.powi(i32::from(last - job.tier))).collect()
}
