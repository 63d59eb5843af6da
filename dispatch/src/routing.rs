//! Which technician visits whom, when, and by which road.
//!
//! 1. [`Problem::from_json`] reads and checks what is to be planned.
//! 2. `rules` compiles it to masks and tables; `travel` to travel times.
//! 3. The engine searches; `plan` turns its routes into visits with times.
//! 4. `explain` says for every unassigned order which rules bind, and what would change them.

pub mod model;
pub mod problem;
mod rules;
pub mod travel;

pub use problem::{
    Certificate, Estimate, Matrix, Objective, Problem, Promise, Shift, Station, Stock, Technician, Territory, Time,
    Travel, Window, WorkOrder,
};
