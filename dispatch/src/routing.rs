//! Which technician visits whom, when, and by which road.
//!
//! 1. [`Problem::from_json`] reads and checks what is to be planned.
//! 2. `rules` compiles it to masks and tables, [`travel`] to travel times: the [`model`].
//! 3. The [`engine`] searches; [`Plan`] turns its routes into visits with times.
//! 4. [`Unassigned`] says for every order left over which rules bind, and what would change them.
//!
//! ```
//! use dispatch::routing::{Limits, Problem, plan};
//!
//! let problem = Problem::from_json(r#"{
//!     "orders": [{"id": "W1", "place": {"lat": 52.52, "lon": 13.40}, "service_s": 1800, "skills": ["gas"]}],
//!     "technicians": [{"id": "Ann", "start": {"lat": 52.50, "lon": 13.30}, "skills": ["gas"],
//!                      "shifts": [{"start": 28800, "end": 57600}]}]
//! }"#)?;
//! let plan = plan(&problem, &Limits::iterations(100), None)?;
//! assert_eq!(plan.routes[0].technician.as_str(), "Ann");
//! # Ok::<(), dispatch::InputError>(())
//! ```

pub mod engine;
mod explain;
pub mod model;
mod online;
mod plan;
mod planning;
pub mod problem;
mod rules;
pub mod travel;

use std::collections::HashMap;
use std::hash::Hash;

pub use explain::{Change, Reason, Rule, Unassigned};
pub use online::{Board, Candidate, Candidates, Conflict, Debounce, Effect, Event, Excluded, Offer, Price, settle};
pub use plan::{PickUp, Plan, Route, Stop, Totals, Visit};
pub use planning::{Limits, Preview, plan, plan_on, preview};
pub use problem::{
    Assignment, Break, CellSpeed, Certificate, Estimate, Matrix, Objective, Problem, Promise, Shift, Station, Stock,
    Technician, Territory, Time, Travel, Window, WorkOrder,
};

/// Index of each record by its id.
fn index_by<'a, R, I: Eq + Hash>(records: &'a [R], id: impl Fn(&'a R) -> &'a I) -> HashMap<&'a I, usize> {
    records.iter().enumerate().map(|(index, record)| (id(record), index)).collect()
}
