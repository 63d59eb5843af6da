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
mod cut_sets;
mod diagram;
mod formula;
mod model;
mod order;
mod quantify;
mod table;
mod zbdd;

pub use cut_sets::{CutSet, CutSets, Ranked};
pub use diagram::Diagram;
pub use model::{CommonCause, Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node, Sharing, Spread};
pub use quantify::{Limits, QuantifyError};
