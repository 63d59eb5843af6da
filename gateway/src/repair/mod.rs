//! Remote repair: planned from a finding or by a person, sent once, proved by later telemetry.
//!
//! [`driver`] decides, without IO; the shard that owns the device calls it and writes
//! what it decided before anything leaves the house.

pub mod driver;
mod plan;
mod state;

pub use plan::Planned;
pub use state::RepairState;
