//! The search over a [`Model`]: ruin and recreate on route states with O(1) insertion tests.
//!
//! [`solve`] is the whole flow. For one order at a time, and to explain, use [`RouteState`] on
//! a [`Network`]: [`RouteState::best`] and [`RouteState::best_on`] rank insertions without
//! changing anything.

mod beside;
mod clock;
mod cooling;
mod ends;
mod locality;
mod neighbours;
mod network;
mod plan;
mod recreate;
mod ruin;
mod search;
mod state;
#[cfg(test)]
mod tests;

pub use network::{Arc, NONE, Network, Node};
pub use plan::{Plan, Route, Score, Stop};
pub use state::{Insertion, RouteState};

use crate::InputError;
use crate::routing::model::Model;
use search::Search;

/// Times at which searches of several threads look at each other.
const EXCHANGES: u32 = 20;
/// Share of the time limit after which no more neighbours are looked up.
const PREPARING: f64 = 0.3;
/// Most threads.
const MOST_THREADS: usize = 64;

/// How to search.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Same seed, threads and iterations: same plan, when nothing but `iterations` limits.
    pub seed: u64,
    /// Threads to search on, each from its own seed; at most 64.
    pub threads: usize,
    /// Iterations of each thread; `None`: as `progress` says.
    pub iterations: Option<u64>,
    /// A plan to improve on. Its routes are taken as far as they are feasible.
    pub warm: Option<&'a Plan>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self { seed: 1, threads: 1, iterations: None, warm: None }
    }
}

/// A plan, and what it took.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The best plan found.
    pub plan: Plan,
    /// Iterations of all threads.
    pub iterations: u64,
}

/// Plans the model. `progress` tells the share of the time limit that is used up (0 to 1, 1
/// ends the search; `&|_| 0.0` for no such limit) and is told the iterations done so far; the engine
/// keeps no clock. It is asked at least every few hundred microseconds, so that the search ends
/// that much late. Give one of the two limits: with neither the search does not end.
///
/// # Errors
///
/// What [`Model::check`] finds.
pub fn solve(
    model: &Model,
    settings: &Settings<'_>,
    progress: &(dyn Fn(u64) -> f64 + Sync),
) -> Result<Outcome, InputError> {
    let stop = || progress(0) >= 1.0;
    let network = Network::new(model, &|| progress(0) >= PREPARING)?;
    let share = |iterations: u64| {
        let counted =
            settings.iterations.map_or(0.0, |most| if most == 0 { 1.0 } else { iterations as f64 / most as f64 });
        counted.max(progress(iterations))
    };
    let threads = settings.threads.clamp(1, MOST_THREADS);
    let mut searches: Vec<Search<'_>> = on_threads((0..threads as u64).collect(), |thread| {
        let state =
            settings.warm.map_or_else(|| RouteState::new(&network), |plan| RouteState::from_plan(&network, plan));
        let seed = settings.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(thread);
        Search::new(state, settings.warm.is_some(), seed, &stop)
    });
    let rounds = if threads == 1 { 1 } else { EXCHANGES };
    for round in 1..=rounds {
        let until = f64::from(round) / f64::from(rounds);
        searches = on_threads(searches, |mut search| {
            search.run(until, &share);
            search
        });
        exchange(&mut searches);
    }
    let best = best_of(&searches);
    Ok(Outcome { plan: searches[best].plan(), iterations: searches.iter().map(|search| search.iterations).sum() })
}

fn best_of(searches: &[Search<'_>]) -> usize {
    (0..searches.len()).min_by_key(|&index| (searches[index].best.score, index)).unwrap_or(0)
}

/// The worst search goes on from the best routes of all.
fn exchange(searches: &mut [Search<'_>]) {
    let worst = (0..searches.len()).max_by_key(|&index| (searches[index].best.score, index)).unwrap_or(0);
    let best = best_of(searches);
    if searches[best].best.score < searches[worst].best.score {
        let [first, second] = searches.get_disjoint_mut([best, worst]).expect("two different searches");
        second.adopt(first);
    }
}

/// The work of each item on a thread of its own; a single item on this one.
fn on_threads<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if items.len() == 1 {
        return items.into_iter().map(work).collect();
    }
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        running.into_iter().map(|thread| thread.join().expect("a search does not panic")).collect()
    })
}
