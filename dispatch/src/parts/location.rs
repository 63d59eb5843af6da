//! The tree of places that keep stock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{InputError, Problem};
use crate::id::LocationId;
use crate::place::{Place, distance_km};

/// A place that keeps stock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Which location.
    pub id: LocationId,
    /// Its level.
    pub kind: LocationKind,
    /// Where it is supplied from; of a higher level. `None`: a root.
    #[serde(default)]
    pub parent: Option<LocationId>,
    /// Where it is; a van may have none.
    #[serde(default)]
    pub place: Option<Place>,
}

/// Levels of stock, from below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocationKind {
    /// Goes with one technician; nobody else takes from it.
    Van,
    /// Where technicians pick up parts.
    Station,
    /// Supplies the stations of a region.
    Regional,
    /// Supplies the regions.
    Central,
}

impl LocationKind {
    /// The kind in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Van => "van",
            Self::Station => "station",
            Self::Regional => "regional store",
            Self::Central => "central store",
        }
    }
}

/// Locations whose parents all exist, stand higher and end at a root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Location>", into = "Vec<Location>")]
pub struct LocationTree {
    by_id: BTreeMap<LocationId, Location>,
}

impl TryFrom<Vec<Location>> for LocationTree {
    type Error = InputError;

    fn try_from(locations: Vec<Location>) -> Result<Self, InputError> {
        Self::new(locations)
    }
}

impl From<LocationTree> for Vec<Location> {
    fn from(tree: LocationTree) -> Self {
        tree.by_id.into_values().collect()
    }
}

impl LocationTree {
    /// Checks the locations and joins them to a tree (or several).
    ///
    /// # Errors
    /// A bad id or place, an id given twice, a parent that is unknown or of no higher
    /// level, a cycle.
    pub fn new(locations: Vec<Location>) -> Result<Self, InputError> {
        let mut by_id = BTreeMap::new();
        for (i, location) in locations.iter().enumerate() {
            location.id.check("id").map_err(|e| e.at("locations", i))?;
            if let Some(place) = &location.place {
                place.check().map_err(|e| e.within("place").at("locations", i))?;
            }
            if by_id.insert(location.id.clone(), location.clone()).is_some() {
                return Err(InputError::duplicate("id", location.id.as_str()).at("locations", i));
            }
        }
        let tree = Self { by_id };
        for (i, location) in locations.iter().enumerate() {
            tree.check_parent(location).map_err(|e| e.at("locations", i))?;
        }
        Ok(tree)
    }

    fn check_parent(&self, child: &Location) -> Result<(), InputError> {
        let Some(id) = &child.parent else { return Ok(()) };
        let parent = self.by_id.get(id).ok_or_else(|| InputError::unknown("parent", id.as_str(), "location"))?;
        if parent.kind > child.kind {
            return Ok(());
        }
        // Levels cannot rise all the way round, so each cycle is met here.
        Err(InputError::new("parent", self.cycle_through(child).unwrap_or_else(|| level_problem(child, parent))))
    }

    fn cycle_through(&self, start: &Location) -> Option<Problem> {
        let walk = self.line(&start.id).skip(1).take(self.by_id.len());
        let mut path = vec![start.id.to_string()];
        for location in walk {
            path.push(location.id.to_string());
            if location.id == start.id {
                return Some(Problem::Cycle(path));
            }
        }
        None
    }

    /// One location.
    pub fn get(&self, id: &LocationId) -> Option<&Location> {
        self.by_id.get(id)
    }

    /// All locations, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Location> {
        self.by_id.values()
    }

    /// The location and where it is supplied from, upwards to the root; empty if unknown.
    pub fn line<'a>(&'a self, id: &LocationId) -> impl Iterator<Item = &'a Location> {
        std::iter::successors(self.by_id.get(id), |l| l.parent.as_ref().and_then(|id| self.by_id.get(id)))
    }

    /// Locations from which a visit that starts at `van` may take parts, in the order to
    /// ask them: the van; the stations of its region by distance, its own first; its
    /// regional store; the central store; then regional stores and stations elsewhere by
    /// distance. Never another van. Where a place is unknown, distance counts as
    /// unlimited; ties go by id.
    pub fn supply_order(&self, van: &LocationId) -> Vec<&Location> {
        let line: Vec<&Location> = self.line(van).collect();
        let here = line.iter().find_map(|l| l.place);
        let region = line.iter().find(|l| l.kind == LocationKind::Regional).map(|l| &l.id);
        let rank = |l: &Location| {
            let is_own = line.iter().any(|own| own.id == l.id);
            let in_region = || region.is_some() && self.line(&l.id).any(|up| Some(&up.id) == region);
            match l.kind {
                _ if &l.id == van => 0,
                LocationKind::Station if is_own => 1,
                LocationKind::Station if in_region() => 2,
                LocationKind::Regional if is_own => 3,
                LocationKind::Central if is_own => 4,
                _ => 5,
            }
        };
        let km = |l: &Location| match (here, l.place) {
            (Some(from), Some(to)) => distance_km(from, to),
            _ => f64::INFINITY,
        };
        let mut order: Vec<_> =
            self.iter().filter(|l| l.kind != LocationKind::Van || &l.id == van).map(|l| (rank(l), km(l), l)).collect();
        order.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then_with(|| a.2.id.cmp(&b.2.id)));
        order.into_iter().map(|(_, _, l)| l).collect()
    }
}

fn level_problem(child: &Location, parent: &Location) -> Problem {
    Problem::Level { child: child.kind.as_str(), parent: parent.id.to_string(), parent_kind: parent.kind.as_str() }
}
