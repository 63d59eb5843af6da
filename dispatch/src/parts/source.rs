//! Where each part of a kit is picked up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::location::{LocationKind, LocationTree};
use crate::error::InputError;
use crate::id::{LocationId, PartId};
use crate::order::{PartNeed, check_needs};

/// What lies at a location and is not reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockLevel {
    /// Where.
    pub location: LocationId,
    /// What.
    pub part: PartId,
    /// Pieces that may be promised.
    pub available: u32,
}

/// Pieces to take from one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// What.
    pub part: PartId,
    /// Pieces, at least 1.
    pub quantity: u32,
    /// Where they lie.
    pub from: LocationId,
}

/// Where the parts of a kit come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePlan {
    /// What to reserve, part by part in the order of the kit.
    pub picks: Vec<Pick>,
    /// What is nowhere to be had.
    pub missing: Vec<PartNeed>,
    /// The plan in a sentence for people.
    pub why: String,
}

/// Finds each part of the kit as near to the technician as it lies: in the order of
/// [`LocationTree::supply_order`], taking what is available before asking the next.
///
/// # Errors
/// A bad kit or stock level, a van or a stock level's location that the tree does not
/// know, two levels of one part at one location.
pub fn source_parts(
    kit: &[PartNeed],
    van: &LocationId,
    locations: &LocationTree,
    levels: &[StockLevel],
) -> Result<SourcePlan, InputError> {
    check_needs(kit, "kit")?;
    if locations.get(van).is_none() {
        return Err(InputError::unknown("van", van.as_str(), "location"));
    }
    check_levels(levels, locations)?;
    let wanted: BTreeSet<&PartId> = kit.iter().map(|need| &need.part).collect();
    let available: BTreeMap<(&LocationId, &PartId), u32> = levels
        .iter()
        .filter(|level| wanted.contains(&level.part))
        .map(|level| ((&level.location, &level.part), level.available))
        .collect();
    let order = locations.supply_order(van);
    let (mut picks, mut missing, mut phrases) = (Vec::new(), Vec::new(), Vec::new());
    for need in kit {
        let mut open = need.quantity;
        for location in &order {
            let quantity = open.min(available.get(&(&location.id, &need.part)).copied().unwrap_or(0));
            if quantity == 0 {
                continue;
            }
            open -= quantity;
            phrases.push(format!("{quantity} × {} from {}", need.part, place_name(location.kind, &location.id, van)));
            picks.push(Pick { part: need.part.clone(), quantity, from: location.id.clone() });
        }
        if open > 0 {
            phrases.push(format!("{open} × {} nowhere in stock", need.part));
            missing.push(PartNeed { part: need.part.clone(), quantity: open });
        }
    }
    let why = if phrases.is_empty() { "no parts needed".to_owned() } else { phrases.join("; ") };
    Ok(SourcePlan { picks, missing, why })
}

fn place_name(kind: LocationKind, id: &LocationId, van: &LocationId) -> String {
    if id == van { format!("the technician's own stock {id}") } else { format!("{} {id}", kind.as_str()) }
}

fn check_levels(levels: &[StockLevel], locations: &LocationTree) -> Result<(), InputError> {
    let mut seen = BTreeSet::new();
    for (i, level) in levels.iter().enumerate() {
        level.part.check("part").map_err(|e| e.at("levels", i))?;
        if locations.get(&level.location).is_none() {
            return Err(InputError::unknown("location", level.location.as_str(), "location").at("levels", i));
        }
        if !seen.insert((&level.location, &level.part)) {
            return Err(InputError::duplicate("part", level.part.as_str()).at("levels", i));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
