//! How long the way is: estimated from the globe, or a matrix from a road router.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Territory;
use crate::place::Place;

/// How travel times are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Travel {
    /// Great circle × circuity ÷ speed.
    Estimate(Estimate),
    /// Times between named places, such as OSRM's `/table` or Valhalla's `/sources_to_targets`
    /// give them.
    Matrix(Matrix),
}

impl Default for Travel {
    fn default() -> Self {
        Self::Estimate(Estimate::default())
    }
}

/// Estimates the road from the great circle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Estimate {
    /// Road distance over great-circle distance.
    pub circuity: f64,
    /// Mean driving speed over a whole leg, in km/h.
    pub speed_kmh: f64,
    /// Added to each leg between different places for setting off, parking and walking to the
    /// door, in seconds.
    pub stop_s: u32,
    /// Speed by hour of the day, as a factor of `speed_kmh`: 24 numbers from midnight on. Empty:
    /// 1 throughout.
    pub speed_by_hour: Vec<f64>,
    /// Local time minus the problem's clock, in seconds, for the hour of the day.
    pub utc_offset_s: i32,
    /// Cells with a speed of their own, all of one resolution. A leg takes the mean of the factors
    /// at its two ends; elsewhere it is 1.
    pub cells: Vec<CellSpeed>,
}

/// Speed in one cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellSpeed {
    /// Which cell.
    pub cell: Territory,
    /// Speed there as a factor of `speed_kmh`.
    pub factor: f64,
}

impl Default for Estimate {
    /// As [`TravelModel`](crate::TravelModel), which tells the sources, at all hours.
    fn default() -> Self {
        let base = crate::TravelModel::default();
        Self {
            circuity: base.circuity,
            speed_kmh: base.speed_kmh,
            stop_s: (base.stop_min * 60.0) as u32,
            speed_by_hour: Vec::new(),
            utc_offset_s: 0,
            cells: Vec::new(),
        }
    }
}

/// Travel times between places, for one region.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The places. Every place of the problem is among them, with exactly these coordinates.
    pub places: Vec<Place>,
    /// `durations_s[from][to]`, in seconds; `null`: there is no way.
    pub durations_s: Vec<Vec<Option<f64>>>,
    /// `distances_m[from][to]`, in metres, for display only; may stay empty.
    #[serde(default)]
    pub distances_m: Vec<Vec<Option<f64>>>,
}
