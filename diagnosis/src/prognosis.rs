//! Prognostics (ISO 13374): how long a part will last, how sure that is, and what to do about it.
//!
//! Three ways to remaining life, for three kinds of knowledge:
//!
//! 1. [`wear`]: one reading tells how far the part has worn (the pressure drop of a filter).
//!    A Wiener process with drift climbs a curve learnt from the fleet; life ends where it first
//!    passes the level of failure.
//! 2. [`use_life`]: nothing shows the wear, but use is counted (hours, litres, cycles). Life in
//!    use comes from the catalogue, use per day from the device and the fleet.
//! 3. [`equipment`]: many channels and a fleet that ran to failure. A regressor learns remaining
//!    life from what the channels did so far.
//!
//! All answer with [`RemainingLife`]; [`Reminder`] turns it into at most one order and one
//! reminder for a part until it is replaced.

pub mod equipment;
pub mod first_passage;
mod reminder;
pub mod use_life;
pub mod wear;

use serde::{Deserialize, Serialize};

pub use reminder::{Notice, Reminder};

/// How long something still lasts, as quantiles of its distribution. `p10 <= p50 <= p90`, none
/// below 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RemainingLife {
    /// One of ten fails earlier than this. In the unit its maker says.
    pub p10: f64,
    /// One of two fails earlier than this.
    pub p50: f64,
    /// Nine of ten fail earlier than this.
    pub p90: f64,
    /// The device has shown too little: this is what the fleet would say of any device.
    pub prior_dominated: bool,
}

impl RemainingLife {
    /// Quantiles in order and not below 0.
    pub(crate) fn new(p10: f64, p50: f64, p90: f64, prior_dominated: bool) -> Self {
        let p50 = p50.max(0.0);
        Self { p10: p10.clamp(0.0, p50), p50, p90: p90.max(p50), prior_dominated }
    }
}
