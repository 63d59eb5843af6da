//! Technicians: who can do what, where and when.

use std::fmt;
use std::str::FromStr;

use h3o::{CellIndex, LatLng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, Window};
use crate::id::TechnicianId;
use crate::order::PartNeed;
use crate::place::Place;

/// A technician and his or her coming shifts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Technician {
    /// Which technician.
    pub id: TechnicianId,
    /// Where each shift begins.
    pub start: Place,
    /// Where each shift ends; absent: at `start`.
    #[serde(default)]
    pub end: Option<Place>,
    /// Where he or she is now, if a shift is going on; absent: at `start`. A visit already begun
    /// says it better, see `begun` of an order.
    #[serde(default)]
    pub position: Option<Place>,
    /// Coming shifts, sorted and not overlapping. Empty: on leave.
    #[serde(default)]
    pub shifts: Vec<Shift>,
    /// What he or she may work on.
    #[serde(default)]
    pub skills: Vec<String>,
    /// Certificates held.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Where he or she goes: H3 cells of any resolution. Empty: everywhere.
    #[serde(default)]
    pub territories: Vec<Territory>,
    /// Most visits in one shift; absent: as many as fit.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// What an hour of travel costs compared with others': 0.1 to 100.
    #[serde(default = "one")]
    pub cost: f64,
    /// Mean rating by customers, 0 to 5; absent: unknown, counted as 5.
    #[serde(default)]
    pub rating: Option<f64>,
    /// Work done before in the same pay period, in seconds; see `objective.fairness_s`.
    #[serde(default)]
    pub worked_s: u32,
    /// What lies in the van and is not reserved; counted for the first coming shift.
    #[serde(default)]
    pub van_stock: Vec<PartNeed>,
}

fn one() -> f64 {
    1.0
}

/// Working time: from leaving the start to being back at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Leaves the start no earlier.
    pub start: Time,
    /// Is back no later, but for overtime.
    pub end: Time,
    /// Overtime allowed, in seconds; see `objective.overtime`.
    #[serde(default)]
    pub overtime_s: u32,
    /// Breaks, sorted by window, none overlapping; without those already taken.
    #[serde(default)]
    pub breaks: Vec<Break>,
}

/// A break, taken wherever the technician then is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// It begins within.
    pub window: Window,
    /// How long, in seconds.
    pub duration_s: u32,
}

/// A certificate, and until when it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Name, as orders ask for it.
    pub name: String,
    /// Last moment of validity, which covers a shift only if it covers its end and overtime;
    /// absent: unlimited.
    #[serde(default)]
    pub valid_until: Option<Time>,
}

/// A cell of the H3 grid, written as its 15 hexadecimal digits, such as `861f1d48fffffff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Territory(pub(crate) CellIndex);

impl Territory {
    /// The cell of a resolution (0, continents, to 15, square metres) that holds a place; `None`
    /// for a resolution that does not exist or a place that is not on earth.
    pub fn around(place: Place, resolution: u8) -> Option<Self> {
        let resolution = h3o::Resolution::try_from(resolution).ok()?;
        Some(Self(LatLng::new(place.lat, place.lon).ok()?.to_cell(resolution)))
    }

    /// Whether a place lies in it.
    pub fn holds(self, place: Place) -> bool {
        LatLng::new(place.lat, place.lon).is_ok_and(|point| point.to_cell(self.0.resolution()) == self.0)
    }
}

impl FromStr for Territory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("{text:?} is no H3 cell; give 15 hexadecimal digits"))
    }
}

impl TryFrom<String> for Territory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Territory> for String {
    fn from(cell: Territory) -> Self {
        cell.to_string()
    }
}

impl fmt::Display for Territory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl JsonSchema for Territory {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Territory".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9a-fA-F]{15}$",
            "description": "A cell of the H3 grid, as 15 hexadecimal digits.",
        })
    }
}

impl Technician {
    /// A technician with one shift, who may go everywhere and holds no skill.
    pub fn new(id: impl Into<TechnicianId>, start: Place, shift: Window) -> Self {
        Self {
            id: id.into(),
            start,
            end: None,
            position: None,
            shifts: vec![Shift { start: shift.start, end: shift.end, overtime_s: 0, breaks: Vec::new() }],
            skills: Vec::new(),
            certificates: Vec::new(),
            territories: Vec::new(),
            capacity: None,
            cost: 1.0,
            rating: None,
            worked_s: 0,
            van_stock: Vec::new(),
        }
    }

    /// Where each shift ends.
    pub fn end_place(&self) -> Place {
        self.end.unwrap_or(self.start)
    }
}
