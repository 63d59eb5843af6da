//! From readings to advice: what a stream of readings says about an appliance.
//!
//! The flow, one function a step:
//!
//! 1. [`Catalogue`] reads what is known of each appliance type: datapoints, detectors,
//!    fault tree, repairs, parts. It is data; a service engineer writes it.
//! 2. [`observe`] takes one [`Sample`] into a [`DeviceState`] and returns the symptoms
//!    that changed.
//! 3. [`diagnose`] weighs the latched symptoms: the posterior over root causes.
//! 4. [`advise`] says what to do: nothing, watch, a remote repair, or a work order.
//! 5. [`precondition`] tells whether an action may be sent now, and [`Verification`]
//!    judges from later samples whether a repair worked.
//!
//! Beside it, [`next_step`] ranks by expected cost what people can ask, look at and do, and
//! [`learning`] counts what finished cases teach.
//!
//! The crate is pure: no clock, no IO (but for reading an overlay directory it is
//! given), no randomness. Time is the device's own and comes with each sample.
//!
//! ```
//! use diagnosis::{Advice, Catalogue, DeviceState, Sample, advise, diagnose, observe};
//! use firmware_proto::{DeviceTime, Value};
//!
//! let catalogue = Catalogue::builtin().unwrap();
//! let heater = catalogue.get("gas-water-heater").unwrap();
//! let mut state = DeviceState::new(heater);
//! let lockout = heater.datapoint("lockout").unwrap();
//! for minute in 0..3 {
//!     let time = DeviceTime(minute * 60_000);
//!     observe(heater, &mut state, &Sample { time, order: None, readings: &[(lockout, Value::Bool(true))] });
//! }
//! let diagnosis = diagnose(heater, &state);
//! assert_eq!(diagnosis.ranked[0].cause, "flame_rod_fouled");
//! let advice = advise(heater, &state, &diagnosis, DeviceTime(180_000), &[]);
//! assert!(matches!(advice, Advice::WorkOrder { safety: true, .. }));
//! ```

mod advise;
mod appliance;
pub mod calibration;
mod catalogue;
pub mod classifier;
pub mod detection;
mod detector;
mod diagnose;
mod drift;
mod expression;
pub mod fault_tree;
pub mod forest;
pub mod inference;
pub mod learning;
mod model;
mod model_symptom;
pub mod next_step;
mod observe;
mod precondition;
pub mod prognosis;
mod random;
pub mod robust;
mod state;
#[cfg(test)]
mod testing;
mod verification;

pub use advise::{Advice, Tried, advise};
pub use appliance::{
    Action, ApplianceType, Argument, Cause, Datapoint, ErrorCode, Handling, Kind, Part, PartNeed, Precondition, Repair,
    RiskClass, Step, StepCosts, StepKind, Verify,
};
pub use catalogue::{Catalogue, CatalogueError, CatalogueErrors};
pub use diagnose::{Diagnosis, Evidence, EvidenceState, RankedCause, diagnose, diagnose_symptoms};
pub use model_symptom::ModelSymptom;
pub use observe::{Observation, Sample, observe};
pub use precondition::precondition;
pub use state::{DeviceState, EvidenceError, Restored};
pub use verification::{Verdict, Verification};
