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

pub mod exchange;
mod model;
mod problem;
mod solve;

pub use model::{CommonCause, Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node, Sharing, Spread};
pub use problem::{Problem, ProblemKind, Problems};
pub use solve::{CutSet, CutSets, Diagram, Limits, QuantifyError, Ranked};
