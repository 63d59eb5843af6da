//! How pressing an order is, what may be wrong, and which parts that takes.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};
use crate::id::{FaultId, PartId};

/// Most pieces of one part a visit may need; a larger number is a slip.
const MAX_QUANTITY: u32 = 1_000;

/// How pressing an order is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Comfort, or a fault not yet felt.
    Low,
    /// The appliance works badly.
    #[default]
    Normal,
    /// The appliance does not work.
    High,
    /// Danger, or damage that grows.
    Urgent,
}

/// A fault and how probable it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultBelief {
    /// Which fault.
    pub fault: FaultId,
    /// Posterior probability, 0 to 1. Faults need not exclude each other, so the sum
    /// over a list may pass 1.
    pub probability: f64,
}

/// A part and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartNeed {
    /// Which part.
    pub part: PartId,
    /// Pieces, at least 1.
    pub quantity: u32,
}

impl FaultBelief {
    /// A fault and its probability.
    pub fn new(fault: impl Into<FaultId>, probability: f64) -> Self {
        Self { fault: fault.into(), probability }
    }
}

impl PartNeed {
    /// A part and how many of it.
    pub fn new(part: impl Into<PartId>, quantity: u32) -> Self {
        Self { part: part.into(), quantity }
    }
}

pub(crate) fn check_beliefs(beliefs: &[FaultBelief], field: &str) -> Result<(), InputError> {
    let mut seen = BTreeSet::new();
    for (i, belief) in beliefs.iter().enumerate() {
        belief.fault.check("fault").map_err(|e| e.at(field, i))?;
        check_number(belief.probability, 0.0, 1.0, "probability").map_err(|e| e.at(field, i))?;
        if !seen.insert(&belief.fault) {
            return Err(InputError::duplicate("fault", belief.fault.as_str()).at(field, i));
        }
    }
    Ok(())
}

pub(crate) fn check_needs(needs: &[PartNeed], field: &str) -> Result<(), InputError> {
    for (i, need) in needs.iter().enumerate() {
        need.part.check("part").map_err(|e| e.at(field, i))?;
        check_number(f64::from(need.quantity), 1.0, f64::from(MAX_QUANTITY), "quantity").map_err(|e| e.at(field, i))?;
        // Kits are short: a set would cost more than it saves.
        if needs[..i].iter().any(|earlier| earlier.part == need.part) {
            return Err(InputError::duplicate("part", need.part.as_str()).at(field, i));
        }
    }
    Ok(())
}
