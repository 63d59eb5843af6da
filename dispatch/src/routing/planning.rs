//! From a problem to a plan: the whole flow.

use super::engine::{self, Settings};
use super::explain;
use super::index_by;
use super::plan::{self, PickUp, Plan, Stop, Totals};
use super::problem::Problem;
use super::rules::{Compiled, Supply};
use super::travel::{Roads, roads};
use crate::error::InputError;
use crate::id::OrderId;

/// When the search ends, and how it is seeded.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Same seed, threads and iterations: same plan, when nothing but `iterations` limits.
    pub seed: u64,
    /// Threads to search on.
    pub threads: usize,
    /// Iterations of each thread.
    pub iterations: Option<u64>,
    /// Share of the time limit that is used up; 1 ends the search. The library reads no clock: the
    /// caller does, see [`engine::solve`].
    pub progress: &'a (dyn Fn() -> f64 + Sync),
}

impl Limits<'_> {
    /// A fixed number of iterations on one thread: the same plan every time.
    pub fn iterations(iterations: u64) -> Self {
        Self { seed: 1, threads: 1, iterations: Some(iterations), progress: &|| 0.0 }
    }
}

/// Plans a problem, from scratch or from a plan to be improved on (orders it does not know are
/// added, orders that are gone are left out).
///
/// Promised windows are kept. Only for promised orders that found no room that way a second, short
/// search gives up their windows for the order's own.
///
/// # Errors
/// What [`Problem::check`] finds; more than [`MAX_PLANNED`](super::problem::MAX_PLANNED) orders or
/// shifts; parts that arrive at too many different times.
pub fn plan(problem: &Problem, limits: &Limits<'_>, from: Option<&Plan>) -> Result<Plan, InputError> {
    problem.check()?;
    plan_checked(problem, roads(problem).as_ref(), limits, from)
}

/// As [`plan`], on the caller's own roads instead of `problem.travel`.
///
/// # Errors
/// As [`plan`].
pub fn plan_on(
    problem: &Problem,
    roads: &dyn Roads,
    limits: &Limits<'_>,
    from: Option<&Plan>,
) -> Result<Plan, InputError> {
    problem.check()?;
    plan_checked(problem, roads, limits, from)
}

fn plan_checked(
    problem: &Problem,
    roads: &dyn Roads,
    limits: &Limits<'_>,
    from: Option<&Plan>,
) -> Result<Plan, InputError> {
    problem.check_size()?;
    let compiled = Compiled::new(problem, roads, &[], from)?;
    let warm = from.map(|plan| warm(&compiled, plan));
    let has_promises = problem.orders.iter().any(|order| order.promised.is_some());
    let found = search(&compiled, limits, warm.as_ref(), if has_promises { 1.0 - SECOND_SHARE } else { 1.0 })?;
    let released = broken_promises(problem, &found);
    if released.is_empty() {
        return Ok(told(&compiled, &found, from));
    }
    let compiled = Compiled::new(problem, roads, &released, from)?;
    let found = search(&compiled, limits, Some(&found), 1.0)?;
    Ok(told(&compiled, &found, from))
}

/// What is kept of the limit for the second search.
const SECOND_SHARE: f64 = 0.1;

/// Searches until `until`, a share of the limit, is used up.
fn search(
    compiled: &Compiled<'_>,
    limits: &Limits<'_>,
    warm: Option<&engine::Plan>,
    until: f64,
) -> Result<engine::Plan, InputError> {
    let iterations = limits.iterations.map(|most| (most as f64 * until) as u64);
    let settings = Settings { seed: limits.seed, threads: limits.threads, iterations, warm };
    let outcome = engine::solve(&compiled.model, &settings, &|_| (limits.progress)() / until)?;
    Ok(outcome.plan)
}

/// Promised orders that were not served.
fn broken_promises(problem: &Problem, found: &engine::Plan) -> Vec<usize> {
    let unserved = found.unserved.iter().map(|job| *job as usize);
    unserved
        .filter(|order| problem.orders[*order].promised.is_some() && problem.orders[*order].begun.is_none())
        .collect()
}

fn told(compiled: &Compiled<'_>, found: &engine::Plan, from: Option<&Plan>) -> Plan {
    let routes = plan::routes(compiled, found);
    Plan {
        version: from.map_or(0, |plan| plan.version),
        totals: plan::totals(compiled, &routes),
        unassigned: explain::unassigned(compiled, found),
        routes,
    }
}

/// A plan as the engine's, as far as its technicians, shifts and orders are still there.
fn warm(compiled: &Compiled<'_>, plan: &Plan) -> engine::Plan {
    let orders = index_by(&compiled.problem.orders, |order| &order.id);
    let technicians = index_by(&compiled.problem.technicians, |technician| &technician.id);
    let mut routes = vec![engine::Route::default(); compiled.duties.len()];
    for route in &plan.routes {
        let same = |duty: &super::rules::Duty| {
            Some(&duty.technician) == technicians.get(&route.technician) && duty.shift == route.shift
        };
        let Some(duty) = compiled.duties.iter().position(same) else { continue };
        let stop = |stop: &Stop| match stop {
            Stop::Visit(visit) => Some((Some(*orders.get(&visit.order)? as u32), None)),
            Stop::PickUp(pick_up) => Some((None, Some(supply(compiled, pick_up)?))),
            Stop::Break { .. } => None,
        };
        let known = route.stops.iter().filter_map(stop);
        routes[duty].stops =
            known.map(|(job, station)| engine::Stop { job, station, arrival: 0, start: 0, depart: 0 }).collect();
    }
    engine::Plan { routes, ..engine::Plan::default() }
}

/// The supply of a pick-up: its station with all that had arrived by then.
fn supply(compiled: &Compiled<'_>, pick_up: &PickUp) -> Option<u32> {
    let is_it = |supply: &Supply| {
        compiled.problem.stations[supply.station].id == pick_up.station && supply.from <= pick_up.start
    };
    compiled.supplies.list.iter().rposition(is_it).map(|index| index as u32)
}

/// What a change to a problem would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The plan after the change.
    pub plan: Plan,
    /// Sums before it.
    pub before: Totals,
    /// Sums after it.
    pub after: Totals,
    /// How much more it costs, in seconds; negative: it saves.
    pub cost_difference_s: f64,
    /// Orders that are served only after it.
    pub gained: Vec<OrderId>,
    /// Orders that are no longer served.
    pub lost: Vec<OrderId>,
    /// Orders that go to another technician.
    pub reassigned: Vec<OrderId>,
}

/// Tries a change: plans the changed problem from the plan of the present one.
///
/// # Errors
/// As [`plan`].
pub fn preview(changed: &Problem, present: &Plan, limits: &Limits<'_>) -> Result<Preview, InputError> {
    let after = plan(changed, limits, Some(present))?;
    let who = |plan: &Plan| -> ByOrder {
        let visits = plan
            .routes
            .iter()
            .flat_map(|route| route.visits().map(|visit| (visit.order.clone(), route.technician.clone())));
        visits.collect()
    };
    let (old, new) = (who(present), who(&after));
    let only_in = |one: &ByOrder, other: &ByOrder| -> Vec<OrderId> {
        one.keys().filter(|order| !other.contains_key(*order)).cloned().collect()
    };
    let reassigned =
        new.iter().filter(|(order, technician)| old.get(*order).is_some_and(|before| before != *technician));
    Ok(Preview {
        before: present.totals.clone(),
        after: after.totals.clone(),
        cost_difference_s: after.totals.cost_s - present.totals.cost_s,
        gained: only_in(&new, &old),
        lost: only_in(&old, &new),
        reassigned: reassigned.map(|(order, _)| order.clone()).collect(),
        plan: after,
    })
}

type ByOrder = std::collections::BTreeMap<OrderId, crate::id::TechnicianId>;
