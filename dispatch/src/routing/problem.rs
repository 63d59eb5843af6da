//! What is to be planned, as JSON.
//!
//! A [`Problem`] is one region: some thousand orders and its technicians. Times are seconds on
//! any clock that all fields share (epoch seconds, or seconds after a midnight). Unknown fields
//! are refused; an error names the field by its path, such as `orders[3].windows[0].end`.

mod check;
mod order;
mod technician;
mod travel;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use order::{Assignment, Promise, WorkOrder};
pub use technician::{Break, Certificate, Shift, Technician, Territory};
pub use travel::{CellSpeed, Estimate, Matrix, Travel};

use crate::error::{InputError, Problem as Wrong};
use crate::id::{LocationId, PartId};
use crate::place::Place;

/// Most orders of one problem, on a [`Board`](super::Board).
pub const MAX_ORDERS: usize = 200_000;

/// Most shifts of one problem, over all technicians.
pub const MAX_SHIFTS: usize = 100_000;

/// Most orders, and most shifts, that are planned together. Travel times are a matrix, so memory
/// grows with the square: 5,000 orders need some 100 MB. More is planned region by region.
pub const MAX_PLANNED: usize = 5_000;

/// Most stations of one problem. A station counts once for each time at which parts arrive there.
pub const MAX_STATIONS: usize = 64;

/// Most different places that are planned together; see [`MAX_PLANNED`].
pub const MAX_PLACES: usize = 6_000;

/// A moment, in seconds on the problem's clock; never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Time(pub i64);

/// From `start` to `end`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First moment.
    pub start: Time,
    /// Last moment.
    pub end: Time,
}

/// One region to plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Problem {
    /// The present: nothing begins earlier, except visits already begun.
    pub now: Time,
    /// What is to be done.
    pub orders: Vec<WorkOrder>,
    /// Who can do it. Without any the plan is empty and every order unassigned.
    pub technicians: Vec<Technician>,
    /// Where parts are picked up.
    pub stations: Vec<Station>,
    /// How long the way is.
    pub travel: Travel,
    /// What a good plan is.
    pub objective: Objective,
}

/// A place where technicians pick up parts: station, depot or parcel box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Which location.
    pub id: LocationId,
    /// Where it is.
    pub place: Place,
    /// How long a pick-up takes, in seconds, however many parts it is for.
    #[serde(default)]
    pub pick_up_s: u32,
    /// What may be taken.
    #[serde(default)]
    pub stock: Vec<Stock>,
}

/// Pieces of one part at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// Which part.
    pub part: PartId,
    /// Pieces that may be promised.
    pub quantity: u32,
    /// When they have arrived; absent: they are there.
    #[serde(default)]
    pub ready: Option<Time>,
}

/// What a good plan is, in tiers: (1) orders served, by priority; (2) travel and overtime; (3)
/// lateness risk; (4) fairness and continuity.
///
/// Tier 1 always goes before the others. Ties in travel hardly ever happen, so the later tiers
/// have a price: what a unit of them may cost in travel, in seconds. With 0 a term does not count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// One second of overtime in seconds of travel.
    pub overtime: f64,
    /// Lateness risk: a visit that will certainly miss its window, in seconds. It counts in the cost
    /// of a plan and so in comparing plans; the search itself does not look at it.
    pub lateness_s: f64,
    /// Continuity: a visit by somebody who is not preferred though others are, in seconds.
    pub continuity_s: f64,
    /// A visit by a technician rated 0 instead of 5, in seconds.
    pub rating_s: f64,
    /// Stability: sending somebody else than the customer was promised, in seconds.
    pub moved_s: f64,
    /// Fairness: a visit by a technician who has already worked twice the mean, in seconds.
    pub fairness_s: f64,
    /// Standard deviation of a travel or service time over its mean, for the lateness risk.
    pub spread: f64,
}

impl Default for Objective {
    /// Assumptions, all of the order of a short detour; an operator sets its own.
    fn default() -> Self {
        Self {
            overtime: 1.5,
            lateness_s: 600.0,
            continuity_s: 120.0,
            rating_s: 60.0,
            moved_s: 900.0,
            fairness_s: 60.0,
            spread: 0.2,
        }
    }
}

impl Problem {
    /// Reads and checks a problem.
    ///
    /// # Errors
    /// The first thing that is wrong, with the path of its field: no JSON, an unknown or missing
    /// field, a wrong type, or what [`check`](Self::check) finds.
    pub fn from_json(text: &str) -> Result<Self, InputError> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let problem: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.into_inner());
            InputError::new(if path == "." { "problem" } else { &path }, Wrong::Json(inner.to_string()))
        })?;
        reader.end().map_err(|error| InputError::new("problem", Wrong::Json(error.to_string())))?;
        problem.check()?;
        Ok(problem)
    }

    /// The published JSON schema of a problem.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

impl fmt::Display for Time {
    /// Day and time of day on the problem's clock; the day only where there is more than one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        if day != 0 {
            write!(f, "{day}d ")?;
        }
        write!(f, "{:02}:{:02}", second / 3600, second / 60 % 60)
    }
}

impl Window {
    /// From `start` to `end`, both included, in seconds.
    pub fn new(start: i64, end: i64) -> Self {
        Self { start: Time(start), end: Time(end) }
    }

    /// Length in seconds.
    pub(crate) fn length_s(&self) -> i64 {
        self.end.0.saturating_sub(self.start.0)
    }
}
