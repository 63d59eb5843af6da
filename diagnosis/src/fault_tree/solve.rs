//! The engine: what follows from a static fault tree, exactly.
//!
//! ```text
//! FaultTree -> formula (gates without repetition) -> blocks (modules) -> order, build (BDD)
//!     -> diagram: P(top)     -> importance; bounds, where it does not fit
//!     -> cut_sets (ZBDD): counts, listing
//! ```

mod bdd;
mod blocks;
mod bounds;
mod build;
mod cut_sets;
mod diagram;
mod formula;
mod importance;
mod limits;
mod order;
mod table;
#[cfg(test)]
mod tests;
mod zbdd;

pub(super) use blocks::Leaf;
pub use bounds::Bounds;
pub use cut_sets::{CutSet, CutSets, Ranked};
pub use diagram::Diagram;
pub use importance::Importance;
pub use limits::{Limits, QuantifyError};
