//! Exact posteriors over the events of a fault tree, given what was observed.
//!
//! ```text
//! FaultTree + priors + symptoms  ->  Network (variables, sparse tables)
//!     ->  elimination order  ->  Expressions (sums and products)  ->  their derivatives
//!     ->  Tape (one fused multiply-add a step)  ->  posteriors of every event and gate
//! ```
//!
//! The tree and its symptoms compile once into an arithmetic circuit; evaluating it forward
//! gives P(evidence), backward every posterior (A. Darwiche, "A differential approach to
//! inference in Bayesian networks", JACM 50(3), 2003).
//!
//! - The circuit is the trace of a variable elimination over sparse tables: rows that a gate's
//!   logic rules out do not exist, so a tree without shared events costs two messages a node.
//!   Shared events and symptoms with several links hold variables together only where they
//!   must; the least costly of several orders is recorded.
//! - Gates with many inputs and symptoms with many links are merged pairwise through an
//!   accumulator (any so far, how many so far, detected or missed so far), never as one table.
//! - The backward pass is written out symbolically when compiling: no division, so a zero
//!   weight is no special case, and the evaluator is one loop that knows one operation.
//! - Everything added is at least 0: no subtraction loses digits. What falls below the range
//!   of `f64` is evaluated once more with wider exponents.
//!
//! Knows nothing of appliances or detectors: a [`Symptom`] is a false-alarm rate and links.
//! Does not expand common causes or dynamic gates; see [`crate::fault_tree`].

mod batch;
mod circuit;
mod differentiate;
mod elimination;
mod evidence;
mod expressions;
mod network;
mod tape;
#[cfg(test)]
mod tests;
mod wide;

pub use batch::BatchScratch;
pub use circuit::{Circuit, CompileError, Posterior, Scratch};
pub use evidence::{Evidence, Impossible, Weights};
pub use network::{Link, Symptom};
