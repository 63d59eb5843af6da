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

mod bdd;
mod blocks;
mod check;
mod common_cause;
mod cut_sets;
mod diagram;
mod dynamic;
pub mod exchange;
mod expand;
mod formula;
mod law;
mod model;
mod order;
mod problem;
mod quantify;
mod table;
mod zbdd;

pub(crate) use check::more_problems;
pub use check::{check, check_exactly};
pub use common_cause::{CommonCauseError, MAX_COMMON_CAUSE_EVENTS, MAX_COMMON_CAUSE_NAMES};
pub use cut_sets::{CutSet, CutSets, Ranked};
pub use diagram::Diagram;
pub use dynamic::{DynamicError, MAX_EXPECTED_FAILURES, MAX_SEQUENCE, MAX_WARM_SPARES};
pub use expand::{ExpandError, Origin, StaticTree, expand};
pub use law::LawError;
pub use model::{CommonCause, Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node, Sharing, Spread};
pub use problem::{Problem, ProblemKind, Problems};
pub use quantify::{Limits, QuantifyError};
