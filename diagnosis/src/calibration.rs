//! From a detector's statistic to a p-value, and from p-values to evidence and decisions.
//!
//! The exchangeable unit is a device-day (or a cycle), never a single sample: neighbouring samples
//! repeat each other, and a threshold taken from 400 of them says next to nothing.
//!
//! 1. [`Calibration`] learns what healthy units show: a table of quantiles, beyond it a [`Tail`].
//! 2. [`merge`] makes one p-value of several detectors that watched the same thing.
//! 3. [`likelihood`] turns it into the log likelihood ratio that a fault tree takes.
//! 4. [`DiscoveryBudget`] decides which units of a fleet are reported.

mod discovery;
pub mod likelihood;
pub mod merge;
mod table;
mod tail;

pub use discovery::{BudgetError, DiscoveryBudget};
pub use table::{Calibration, CalibrationError, conformal_p};
pub use tail::Tail;
