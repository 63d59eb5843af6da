//! The next best step of a repair, by expected cost.
//!
//! Decision-theoretic troubleshooting (Heckerman, Breese and Rommelse, "Decision-theoretic
//! troubleshooting", CACM 38(3), 1995; Jensen et al., "The SACSO methodology for
//! troubleshooting complex systems", AI EDAM 15, 2001): a weight for each hypothesis of what is
//! wrong, steps that cure or tell at a cost, and endings that settle the matter at a cost of
//! their own, such as a work order. What is looked for is the step that begins the plan of
//! least expected cost of repair.
//!
//! 1. [`Policy::new`] checks the [`Candidate`]s of an appliance type and compiles them.
//! 2. [`Policy::decide`] rules out what safety forbids, then looks ahead over the rest:
//!    `search` deepens step by step, and values what lies beyond by the plan of `sequence`.
//! 3. [`Policy::explain`] says for people why a step stands where it stands.
//!
//! Failed cures and answers only ever change the weights, so that steps may overlap. The
//! weights come from outside (`inference`, [`crate::diagnose`]); nothing here knows fault trees.


mod policy;
mod search;
mod sequence;


pub use policy::{Candidate, Effect, Policy, PolicyError};
pub use search::{Decision, Forbidden, Limits, RankedStep, Situation, Workspace};

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
