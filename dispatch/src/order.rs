//! What is to be done.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};
use crate::id::{FaultId, OrderId, PartId, check_text};
use crate::place::Place;
use crate::time::TimeWindow;

/// Longest work on site, in minutes: what does not fit a day must be split into visits.
const MAX_SERVICE_MIN: u32 = 24 * 60;

/// Most pieces of one part a visit may need; a larger number is a slip.
const MAX_QUANTITY: u32 = 1_000;

/// A visit to be made: where, what for, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Which work order.
    pub id: OrderId,
    /// Where the appliance stands.
    pub place: Place,
    /// Skills that the technician must all have; at least one.
    pub skills: Vec<String>,
    /// Service area of the place.
    pub area: String,
    /// How pressing it is.
    pub priority: Priority,
    /// Work on site, in minutes.
    pub service_min: u32,
    /// Work must begin within it; `None`: any time.
    #[serde(default)]
    pub window: Option<TimeWindow>,
    /// What may be wrong.
    #[serde(default)]
    pub needs: Vec<FaultBelief>,
    /// Parts to bring, as [`choose_kit`](crate::choose_kit) chose them.
    #[serde(default)]
    pub kit: Vec<PartNeed>,
}

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

impl Order {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self) -> Result<(), InputError> {
        self.id.check("id")?;
        self.place.check().map_err(|e| e.within("place"))?;
        check_names(&self.skills, "skills")?;
        check_text(&self.area, "area")?;
        check_number(f64::from(self.service_min), 1.0, f64::from(MAX_SERVICE_MIN), "service_min")?;
        if let Some(window) = &self.window {
            window.check("window")?;
        }
        check_beliefs(&self.needs, "needs")?;
        check_needs(&self.kit, "kit")
    }
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

/// A list of skills or areas: not empty, each a name.
pub(crate) fn check_names(names: &[String], field: &str) -> Result<(), InputError> {
    if names.is_empty() {
        return Err(InputError::empty(field));
    }
    for (i, name) in names.iter().enumerate() {
        if check_text(name, "").is_err() {
            check_text(name, &format!("{field}[{i}]"))?;
        }
    }
    Ok(())
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
