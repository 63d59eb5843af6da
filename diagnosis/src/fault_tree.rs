//! Fault trees (IEC 61025): the model, and what follows from it exactly.
//!
//! ```text
//! exchange (TOML, Open-PSA MEF, Galileo, FMEA)  ->  FaultTree  ->  check
//!     ->  expand (common causes, dynamic gates)  ->  static FaultTree + probabilities
//!     ->  Diagram (BDD): P(top), importance      ->  CutSets (ZBDD): counts, listing
//! ```
//!
//! Knows nothing of appliances, detectors or devices; [`crate::catalogue`] maps causes onto
//! events, and `inference` adds the evidence.

mod check;
mod common_cause;
#[cfg(feature = "cli")]
pub mod draw;
mod dynamic;
pub mod exchange;
mod expand;
mod law;
mod model;
mod problem;
mod solve;
mod uncertainty;

pub use check::{check, check_exactly};
pub(crate) use check::{inputs_first, more_problems};
pub use common_cause::{CommonCauseError, MAX_COMMON_CAUSE_EVENTS, MAX_COMMON_CAUSE_NAMES};
pub use dynamic::{DynamicError, MAX_EXPECTED_FAILURES, MAX_SEQUENCE, MAX_WARM_SPARES};
pub use expand::{ExpandError, NoProbability, Origin, StaticTree, expand};
pub use law::LawError;
pub use model::{CommonCause, Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node, Sharing, Spread};
pub use problem::{Problem, ProblemKind, Problems};
pub use solve::{Bounds, CutSet, CutSets, Diagram, Importance, Limits, QuantifyError, Ranked};
pub use uncertainty::{BETA_SHAPES, MAX_TRIALS, MIN_TRIALS, Sampling, Uncertainty, UncertaintyError, propagate};
