//! What the engine returns.

use crate::routing::model::TIERS;

/// Routes for all vehicles, and the jobs left over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// One for each vehicle of the model, empty for those that stay.
    pub routes: Vec<Route>,
    /// Jobs on no route, ascending.
    pub unserved: Vec<u32>,
    /// Cost of all routes.
    pub cost: i64,
    /// Travel cost of all routes, without the vehicles' rates.
    pub travel: i64,
}

/// The day of one vehicle. Its start is not listed, nor its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Visits in order.
    pub stops: Vec<Stop>,
    /// Arrival at the end of the route.
    pub end: i32,
    /// Cost of the route.
    pub cost: i64,
}

/// A visit with its times, each as early as it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The job, unless it is a station.
    pub job: Option<u32>,
    /// The station where parts are picked up.
    pub station: Option<u32>,
    /// Arrival at the place.
    pub arrival: i32,
    /// Begin of service.
    pub start: i32,
    /// Departure, after service and any break that follows it.
    pub depart: i32,
}

impl Route {
    /// The jobs in order.
    pub fn jobs(&self) -> Vec<u32> {
        self.stops.iter().filter_map(|stop| stop.job).collect()
    }
}

/// What plans are compared by, smaller is better: unserved jobs by tier, then cost.
pub type Score = ([u32; TIERS], i64);
