//! The engine: what follows from a static fault tree, exactly.
//!
//! ```text
//! FaultTree -> formula (gates without repetition) -> blocks (modules) -> order, build (BDD)
//!     -> diagram: P(top)     -> importance
//!     -> cut_sets (ZBDD): counts, listing
//! ```

mod bdd;
mod blocks;
mod build;
mod cut_sets;
mod diagram;
mod formula;
mod importance;
mod limits;
mod order;
mod table;
mod zbdd;

pub(super) use blocks::Leaf;
pub use cut_sets::{CutSet, CutSets, Ranked};
pub use diagram::Diagram;
pub use importance::Importance;
pub use limits::{Limits, QuantifyError};
