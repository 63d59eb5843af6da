//! What is at hand for a kit, and what may be used instead of what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{InputError, Problem};
use crate::id::PartId;

/// What is at hand for a visit. The default: an empty van, stores that have everything,
/// no substitutes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KitSupply {
    /// Pieces in the technician's van that are promised to nobody: carried anyway, so
    /// free.
    pub van: BTreeMap<PartId, u32>,
    /// Pieces that can be had from stores before the visit; a part not listed cannot.
    /// `None`: stock is not counted, every part can be had.
    pub stores: Option<BTreeMap<PartId, u32>>,
    /// What may be used instead of what.
    pub substitutes: Vec<Substitute>,
}

/// `by` may be used where `part` is asked for; not the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Substitute {
    /// The part asked for.
    pub part: PartId,
    /// What may be used instead.
    pub by: PartId,
    /// How the two stand to each other.
    pub kind: Substitution,
}

/// How a substitute stands to the part asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Substitution {
    /// As good: whichever makes the cheaper kit.
    StandIn,
    /// The maker's replacement: the old part is used up first. What lies in the van
    /// goes before what lies in a store, and there the old before the new.
    Successor,
}

impl KitSupply {
    pub(super) fn check(&self) -> Result<(), InputError> {
        let mut successors = BTreeMap::new();
        for (i, substitute) in self.substitutes.iter().enumerate() {
            let at = |e: InputError| e.at("substitutes", i);
            substitute.part.check("part").map_err(at)?;
            substitute.by.check("by").map_err(at)?;
            if substitute.part == substitute.by {
                return Err(at(InputError::new("by", Problem::Cycle(vec![substitute.by.to_string(); 2]))));
            }
            if substitute.kind == Substitution::Successor
                && successors.insert(&substitute.part, &substitute.by).is_some()
            {
                return Err(at(InputError::duplicate("part", substitute.part.as_str())));
            }
        }
        self.substitutes
            .iter()
            .enumerate()
            .filter(|(_, s)| s.kind == Substitution::Successor)
            .try_for_each(|(i, s)| circle(&s.part, &successors).map_err(|e| e.at("substitutes", i)))
    }

    /// Lines of parts that may be used for `part`: its own, then those of its stand-ins.
    /// A line begins with the oldest part and goes on with its successors.
    pub(super) fn lines<'a>(&'a self, part: &'a PartId) -> Vec<Vec<&'a PartId>> {
        let stand_ins = self.substitutes.iter().filter(|s| s.kind == Substitution::StandIn && &s.part == part);
        let line = |first: &'a PartId| std::iter::successors(Some(first), |p| self.successor(p)).collect();
        std::iter::once(part).chain(stand_ins.map(|s| &s.by)).map(line).collect()
    }

    fn successor(&self, part: &PartId) -> Option<&PartId> {
        self.substitutes.iter().find(|s| s.kind == Substitution::Successor && &s.part == part).map(|s| &s.by)
    }

    pub(super) fn in_van(&self, part: &PartId) -> u32 {
        self.van.get(part).copied().unwrap_or(0)
    }

    pub(super) fn in_stores(&self, part: &PartId) -> u32 {
        self.stores.as_ref().map_or(u32::MAX, |stores| stores.get(part).copied().unwrap_or(0))
    }
}

fn circle(start: &PartId, successors: &BTreeMap<&PartId, &PartId>) -> Result<(), InputError> {
    let mut path = vec![start];
    while let Some(next) = path.last().and_then(|part| successors.get(*part)) {
        path.push(next);
        if *next == start {
            let names = path.into_iter().map(ToString::to_string).collect();
            return Err(InputError::new("by", Problem::Cycle(names)));
        }
        if path.len() > successors.len() {
            break; // a circle that `start` only leads to; its own members report it
        }
    }
    Ok(())
}
