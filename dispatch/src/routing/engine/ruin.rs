//! Ruin by adjacent string removals (Christiaens and Vanden Berghe 2020, "Slack induction by
//! string removals", section 5.1).

use super::network::{NONE, Node};
use super::state::RouteState;
use crate::random::Random;

/// Mean number of jobs removed.
const REMOVED: f64 = 10.0;
/// Longest string.
const LONGEST: f64 = 10.0;
/// Probability of a string with a preserved part in it.
const SPLIT: f64 = 0.5;
/// Probability that the preserved part grows by one more.
const SPLIT_GROWS: f64 = 0.01;

/// Takes strings of jobs off routes close to a seed job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ruin {
    /// Iteration in which a route was last ruined.
    ruined: Vec<u64>,
    iteration: u64,
    string: Vec<Node>,
    /// The nodes before the strings removed last.
    pub gaps: Vec<Node>,
}

impl Ruin {
    pub fn new(vehicles: usize) -> Self {
        Self { ruined: vec![0; vehicles], ..Self::default() }
    }

    /// Removes strings of at most `longest` jobs around `seed`.
    pub fn around(&mut self, state: &mut RouteState<'_>, seed: Node, longest: f64, random: &mut Random) {
        self.iteration += 1;
        self.gaps.clear();
        let longest = LONGEST.min(longest).max(1.0);
        let most = 4.0 * REMOVED / (1.0 + longest) - 1.0;
        let strings = (random.unit() * most + 1.0) as usize;
        let mut done = 0;
        let network = state.network;
        for &job in std::iter::once(&seed).chain(network.near.around(seed)) {
            if done >= strings {
                break;
            }
            let Some(route) = state.route_of(job) else { continue };
            if self.ruined[route as usize] == self.iteration || state.is_fixed(job) {
                continue;
            }
            let size = state.jobs_on(route);
            let most = longest.min(f64::from(size));
            let length = (random.unit() * most + 1.0) as u32;
            self.remove_string(state, job, length.min(size), size, random);
            self.ruined[route as usize] = self.iteration;
            done += 1;
        }
    }

    fn remove_string(&mut self, state: &mut RouteState<'_>, job: Node, length: u32, size: u32, random: &mut Random) {
        let mut kept = 0;
        if length > 1 && length < size && random.chance(SPLIT) {
            kept = 1;
            while length + kept < size && random.chance(SPLIT_GROWS) {
                kept += 1;
            }
        }
        self.pick_string(state, job, length + kept, random);
        let route = state.route_of(job).unwrap_or(NONE);
        self.gaps.extend(self.string.first().map(|&first| state.previous(first)));
        if kept == 0 {
            state.remove_jobs(&self.string);
        } else {
            let head = 1 + random.below(length as usize - 1).min(self.string.len());
            let tail = (head + kept as usize).min(self.string.len());
            state.remove_jobs(&self.string[..head.min(self.string.len())]);
            state.remove_jobs(&self.string[tail..]);
        }
        state.drop_idle_stops(route);
    }

    /// A run of `length` movable nodes with `job` in it, as far as the route has them.
    fn pick_string(&mut self, state: &RouteState<'_>, job: Node, length: u32, random: &mut Random) {
        let mut before = random.below(length as usize) as u32;
        let mut first = job;
        while before > 0 && !state.is_fixed(state.previous(first)) {
            first = state.previous(first);
            before -= 1;
        }
        self.string.clear();
        let mut node = first;
        while self.string.len() < length as usize && state.is_movable(node) {
            self.string.push(node);
            node = state.following(node);
        }
        while self.string.len() < length as usize && !state.is_fixed(state.previous(first)) {
            first = state.previous(first);
            self.string.insert(0, first);
        }
    }
}
