//! The next best step of a repair, by expected cost.
//!
//! Decision-theoretic troubleshooting (Heckerman, Breese and Rommelse, "Decision-theoretic
//! troubleshooting", CACM 38(3), 1995; Jensen et al., "The SACSO methodology for
//! troubleshooting complex systems", AI EDAM 15, 2001): a weight for each hypothesis of what is
//! wrong, steps that cure or tell at a cost, and endings that settle the matter at a cost of
//! their own, such as a work order. What is looked for is the step that begins the plan of
//! least expected cost.
//!
//! 1. [`Policy::new`] checks the [`Candidate`]s of an appliance type and compiles them.
//! 2. [`Policy::decide`] rules out what safety forbids, then looks ahead over the rest, at
//!    first one step and then ever further; what lies beyond is valued by a sequence of cures.
//! 3. [`Policy::explain`] tells what a step would bring.
//!
//! Failed cures and answers only ever change the weights, so steps may overlap. The weights
//! come from outside; nothing here knows fault trees. Of appliances only [`next_steps`] knows:
//! it turns what the catalogue says of a type into candidates, and the ranking into words.

mod explain;
mod guide;
mod policy;
mod search;
mod sequence;

pub use explain::{Explanation, Outlook};
pub(crate) use guide::best_repair;
pub use guide::{Known, NextKind, NextStep, next_steps};
pub use policy::{Candidate, Effect, Policy, PolicyError};
pub use search::{Decision, Forbidden, RankedStep, Situation, Workspace};

#[cfg(test)]
mod tests;
