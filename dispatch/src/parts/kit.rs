//! Which parts to carry, when it is not certain which fault it is.

mod problem;
mod search;
mod supply;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::supply::{KitSupply, Substitute, Substitution};

use self::problem::KitProblem;
use self::search::Search;
use crate::error::{InputError, check_number};
use crate::id::{FaultId, PartId};
use crate::order::{FaultBelief, PartNeed, check_beliefs};

/// Greatest price or cost: a billion currency units, exact in a 64-bit float.
const MAX_CENTS: i64 = 100_000_000_000;

/// Money, in hundredths of the operator's currency unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(pub i64);

/// What carrying costs, and what coming back costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KitPolicy {
    /// Cost of a second visit because a part was missing, `R`.
    pub revisit: Cents,
    /// Share of its price that carrying a piece and bringing it back costs (capital,
    /// damage, loss).
    pub carrying_rate: f64,
    /// Picking, packing and putting back one piece.
    pub handling: Cents,
}

impl Default for KitPolicy {
    /// Assumptions for a household service (a second visit 90.00; 4 % of the price and 1.00, two
    /// minutes of a storekeeper, for each piece carried); an operator sets its own.
    fn default() -> Self {
        Self { revisit: Cents(9_000), carrying_rate: 0.04, handling: Cents(100) }
    }
}

/// The parts to carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kit {
    /// Parts and quantities that the visit counts on, by part: what to reserve.
    pub parts: Vec<PartNeed>,
    /// The share of `parts` that lies in the van already.
    #[serde(default)]
    pub from_van: Vec<PartNeed>,
    /// Faults whose parts are all carried, most probable first.
    pub covered: Vec<FaultId>,
    /// Probability that the kit holds what is needed: the covered share of the beliefs.
    /// What they lack to 1 counts as not covered.
    pub covered_probability: f64,
    /// Cost of carrying the parts, in cents; those in the van already cost nothing.
    pub carrying_cost_cents: f64,
    /// Carrying cost plus expected cost of second visits, in cents: what was minimised.
    pub expected_cost_cents: f64,
    /// The choice, fault by fault, for people.
    pub why: String,
}

/// Chooses the parts `K` that minimise carrying cost + `R · Σ p(f) · [parts(f) ⊄ K]`,
/// where every part must be carried from a store and only itself will do.
/// See [`choose_kit_from`] for the van's stock, scarce parts and substitutes.
///
/// # Errors
/// As [`choose_kit_from`].
pub fn choose_kit(
    beliefs: &[FaultBelief],
    parts_of_fault: &BTreeMap<FaultId, Vec<PartNeed>>,
    prices: &BTreeMap<PartId, Cents>,
    policy: &KitPolicy,
) -> Result<Kit, InputError> {
    choose_kit_from(beliefs, parts_of_fault, prices, policy, &KitSupply::default())
}

/// Chooses the parts `K` that minimise carrying cost + `R · Σ p(f) · [parts(f) ⊄ K]`
/// from what is at hand: pieces in the van are free, a part that is nowhere to be had
/// is replaced by a substitute or given up (the repair kit problem of Smith, Chambers
/// and Shlifer 1980 with a posterior of its own for each visit).
///
/// Exact over the 16 most probable faults with parts: branch and bound over which of
/// them are covered, and by which substitutes. A fault beyond those is covered only
/// where its parts are carried anyway. A part that several faults need is carried once,
/// in the largest quantity. Two limits keep hostile input from hanging: 64 ways to meet
/// one fault, and a million nodes, after which the best kit so far is taken; neither
/// binds on appliances (12 faults: some hundred nodes).
///
/// # Errors
/// A probability outside 0 to 1, a fault given twice or absent from `parts_of_fault`
/// (give an empty list for one that needs no part), a part without price, a policy with
/// negative numbers, a part that stands in for itself, two successors of one part,
/// successors that go round in a circle.
pub fn choose_kit_from(
    beliefs: &[FaultBelief],
    parts_of_fault: &BTreeMap<FaultId, Vec<PartNeed>>,
    prices: &BTreeMap<PartId, Cents>,
    policy: &KitPolicy,
    supply: &KitSupply,
) -> Result<Kit, InputError> {
    policy.check().map_err(|e| e.within("policy"))?;
    check_beliefs(beliefs, "beliefs")?;
    supply.check().map_err(|e| e.within("supply"))?;
    let problem = KitProblem::new(beliefs, parts_of_fault, prices, policy, supply)?;
    let quantities = Search::run(&problem);
    Ok(problem.explain(&quantities))
}

impl KitPolicy {
    fn check(&self) -> Result<(), InputError> {
        check_cents(self.revisit, "revisit")?;
        check_number(self.carrying_rate, 0.0, 1.0, "carrying_rate")?;
        check_cents(self.handling, "handling")
    }

    fn carrying_cents(&self, price: Cents) -> f64 {
        self.handling.0 as f64 + self.carrying_rate * price.0 as f64
    }
}

/// A price or cost that is not negative and not absurd.
pub(crate) fn check_cents(value: Cents, field: &str) -> Result<(), InputError> {
    check_number(value.0 as f64, 0.0, MAX_CENTS as f64, field)
}

#[cfg(test)]
mod tests;
