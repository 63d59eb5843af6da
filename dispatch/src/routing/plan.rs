//! The plan: who visits whom, with times, pick-ups and breaks.

mod lateness;
mod timetable;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use timetable::{Step, Timetable};

use super::engine;
use super::explain::Unassigned;
use super::problem::{Problem, Time, Window};
use super::rules::{Compiled, mean_worked_s, preference_s};
use crate::id::{LocationId, OrderId, TechnicianId};
use crate::order::{PartNeed, Priority};
use crate::place::Place;

/// Routes of all technicians, and the orders left over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Grows by one with every publication; see [`Board`](super::Board).
    pub version: u64,
    /// One for each shift with a visit, by technician as given.
    pub routes: Vec<Route>,
    /// Orders on no route, with the reasons.
    pub unassigned: Vec<Unassigned>,
    /// Sums over all routes.
    pub totals: Totals,
}

/// One shift of one technician.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Who.
    pub technician: TechnicianId,
    /// Which of the technician's shifts, from 0.
    pub shift: usize,
    /// Where it begins.
    pub start: Place,
    /// Where it ends.
    pub end: Place,
    /// Leaves the start.
    pub leave: Time,
    /// Is at the end.
    pub back: Time,
    /// Travel from the last stop to the end, in seconds.
    pub back_travel_s: u32,
    /// Travel on the whole route, in seconds.
    pub travel_s: u32,
    /// Length of the whole route by road, in metres.
    pub metres: f64,
    /// Overtime, in seconds.
    pub overtime_s: u32,
    /// What happens on the way, in order.
    pub stops: Vec<Stop>,
}

/// Something on a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Stop {
    /// Work at a customer's.
    Visit(Visit),
    /// Parts are picked up at a station.
    PickUp(PickUp),
    /// A break, wherever the technician is: it may interrupt the way to the next stop, or waiting.
    Break {
        /// Begin.
        start: Time,
        /// End.
        end: Time,
    },
}

/// A visit: the answer to a work order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// The work order.
    pub order: OrderId,
    /// Where.
    pub place: Place,
    /// The window or promise that is kept.
    pub window: Window,
    /// Arrival at the door.
    pub arrive: Time,
    /// Begin of the work; later than the arrival if the window opens later, or after a break.
    pub start: Time,
    /// End of the work, and departure.
    pub end: Time,
    /// Travel from the stop before, in seconds, without breaks on the way.
    pub travel_s: u32,
    /// Road from the stop before, in metres.
    pub metres: f64,
    /// Probability that the work begins after its window, 0 to 1.
    pub lateness_risk: f64,
    /// Where its parts come from: a station visited before; absent: the van, or no parts.
    #[serde(default)]
    pub parts_from: Option<LocationId>,
}

/// Parts taken at a station.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PickUp {
    /// Which station.
    pub station: LocationId,
    /// Where.
    pub place: Place,
    /// Arrival.
    pub arrive: Time,
    /// Begin; later than the arrival if the parts arrive later.
    pub start: Time,
    /// End, and departure.
    pub end: Time,
    /// Travel from the stop before, in seconds, without breaks on the way.
    pub travel_s: u32,
    /// Road from the stop before, in metres.
    pub metres: f64,
    /// What is taken for later visits of the route.
    pub parts: Vec<PartNeed>,
}

/// Sums over a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Orders on a route.
    pub served: u32,
    /// Orders on none, from low to urgent priority.
    pub unserved: [u32; 4],
    /// Travel, in seconds.
    pub travel_s: u64,
    /// Road, in metres.
    pub metres: f64,
    /// Overtime, in seconds.
    pub overtime_s: u64,
    /// Expected number of visits that begin after their window.
    pub expected_late: f64,
    /// Visits to customers who were promised somebody else or another time.
    pub moved: u32,
    /// Travel and overtime, weighted by the technicians' costs and `objective.overtime`, lateness
    /// risk and preferences, in seconds.
    pub cost_s: f64,
    /// Standard deviation of the hours on the road and at work, over the routes: fairness.
    pub load_spread_h: f64,
}

impl Plan {
    /// The published JSON schema of a plan.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// The visit of an order, and its route.
    pub fn visit(&self, order: &OrderId) -> Option<(&Route, &Visit)> {
        let found = |route: &'_ Route| route.visits().any(|visit| visit.order == *order);
        let route = self.routes.iter().find(|route| found(route))?;
        route.visits().find(|visit| visit.order == *order).map(|visit| (route, visit))
    }
}

impl Route {
    /// The visits in order.
    pub fn visits(&self) -> impl Iterator<Item = &Visit> {
        self.stops.iter().filter_map(|stop| match stop {
            Stop::Visit(visit) => Some(visit),
            _ => None,
        })
    }
}

/// The routes of the engine with times, in the order of the duties.
pub(crate) fn routes(compiled: &Compiled<'_>, found: &engine::Plan) -> Vec<Route> {
    let used = found.routes.iter().enumerate().filter(|(_, route)| route.stops.iter().any(|stop| stop.job.is_some()));
    used.map(|(duty, route)| Timetable::new(compiled, duty).route(&steps(route))).collect()
}

/// The stops of a route of the engine.
pub(crate) fn steps(route: &engine::Route) -> Vec<Step> {
    let step = |stop: &engine::Stop| match (stop.job, stop.station) {
        (Some(job), _) => Some(Step::Order(job as usize)),
        (None, Some(supply)) => Some(Step::Supply(supply as usize)),
        (None, None) => None,
    };
    route.stops.iter().filter_map(step).collect()
}

/// Sums over the routes.
pub(crate) fn totals(compiled: &Compiled<'_>, routes: &[Route]) -> Totals {
    let problem = compiled.problem;
    let index = super::index_by(&problem.orders, |order| &order.id);
    let technicians = super::index_by(&problem.technicians, |technician| &technician.id);
    let worked = mean_worked_s(problem);
    let mut totals = Totals::default();
    let mut is_served = vec![false; problem.orders.len()];
    for route in routes {
        let technician = technicians[&route.technician];
        totals.travel_s += u64::from(route.travel_s);
        totals.metres += route.metres;
        totals.overtime_s += u64::from(route.overtime_s);
        totals.cost_s += f64::from(route.travel_s) * problem.technicians[technician].cost
            + f64::from(route.overtime_s) * problem.objective.overtime;
        for visit in route.visits() {
            let order = index[&visit.order];
            is_served[order] = true;
            totals.served += 1;
            totals.expected_late += visit.lateness_risk;
            totals.cost_s += preference_s(problem, &problem.orders[order], &problem.technicians[technician], worked);
            totals.moved += u32::from(is_moved(problem, order, route, visit));
        }
    }
    for (order, _) in problem.orders.iter().zip(is_served).filter(|(_, served)| !served) {
        totals.unserved[rank(order.priority)] += 1;
    }
    totals.cost_s += totals.expected_late * problem.objective.lateness_s;
    totals.load_spread_h = spread(routes.iter().map(|route| (route.back.0 - route.leave.0) as f64 / 3600.0));
    totals
}

fn is_moved(problem: &Problem, order: usize, route: &Route, visit: &Visit) -> bool {
    problem.orders[order].promised.as_ref().is_some_and(|promise| {
        visit.start < promise.window.start
            || visit.start > promise.window.end
            || promise.technician.as_ref().is_some_and(|id| *id != route.technician)
    })
}

fn rank(priority: Priority) -> usize {
    match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
        Priority::Urgent => 3,
    }
}

/// Standard deviation; 0 for fewer than two values.
fn spread(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}
