//! Travel times: from the globe, or from a road router's matrix.

mod matrix;

use std::collections::HashMap;

use h3o::{CellIndex, LatLng, Resolution};

pub use matrix::{osrm_table, valhalla_matrix};

use super::problem::{Estimate, Matrix, Problem, Time, Travel};
use crate::place::{Place, distance_km};

/// The way from one place to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Way {
    /// Travel time, in seconds.
    pub seconds: f64,
    /// Length by road, in metres; 0 where it is not known.
    pub metres: f64,
}

/// Tells how long the way is: the seam for a road router. An implementation must answer the same
/// question always the same; a later departure must not arrive earlier.
pub trait Roads: Send + Sync {
    /// The way when leaving at `leave`; `None`: there is none.
    fn way(&self, from: Place, to: Place, leave: Time) -> Option<Way>;

    /// The way at the slowest time of the day. What fits with it fits at any time, so plans are
    /// made with it and then told with [`way`](Self::way).
    fn slowest(&self, from: Place, to: Place) -> Option<Way> {
        self.way(from, to, Time(0))
    }
}

/// The roads of a problem.
pub(crate) fn roads(problem: &Problem) -> Box<dyn Roads> {
    match &problem.travel {
        Travel::Estimate(estimate) => Box::new(Globe::new(estimate)),
        Travel::Matrix(matrix) => Box::new(Table::new(matrix)),
    }
}

/// Whole seconds of a way: rounded up, so that nobody is promised too early.
pub(crate) fn whole(seconds: f64) -> i64 {
    seconds.ceil() as i64
}

/// Great circle × circuity ÷ speed by hour and cell.
#[derive(Debug, Clone)]
pub struct Globe {
    estimate: Estimate,
    resolution: Option<Resolution>,
    factors: HashMap<CellIndex, f64>,
    slowest: f64,
}

impl Globe {
    /// The estimate must have passed [`Problem::check`].
    pub fn new(estimate: &Estimate) -> Self {
        Self {
            resolution: estimate.cells.first().map(|first| first.cell.0.resolution()),
            factors: estimate.cells.iter().map(|speed| (speed.cell.0, speed.factor)).collect(),
            slowest: estimate.speed_by_hour.iter().copied().reduce(f64::min).unwrap_or(1.0),
            estimate: estimate.clone(),
        }
    }

    fn cell_factor(&self, place: Place) -> f64 {
        let cell =
            self.resolution.and_then(|resolution| Some(LatLng::new(place.lat, place.lon).ok()?.to_cell(resolution)));
        cell.and_then(|cell| self.factors.get(&cell).copied()).unwrap_or(1.0)
    }

    /// Metres by road, and metres per second at factor 1 of the hour.
    fn road(&self, from: Place, to: Place) -> (f64, f64) {
        let metres = distance_km(from, to) * 1000.0 * self.estimate.circuity;
        let cells = if self.factors.is_empty() { 1.0 } else { (self.cell_factor(from) + self.cell_factor(to)) / 2.0 };
        (metres, self.estimate.speed_kmh / 3.6 * cells)
    }

    /// Seconds of driving from `leave` on, hour by hour at the speed of each: a later departure
    /// never arrives earlier (Ichoua, Gendreau & Potvin, "Vehicle dispatching with time-dependent
    /// travel times", European Journal of Operational Research 144, 2003).
    fn driving_s(&self, metres: f64, speed: f64, leave: Time) -> f64 {
        let hours = &self.estimate.speed_by_hour;
        let (mut left, mut seconds) = (metres, 0.0);
        let mut clock = leave.0 + i64::from(self.estimate.utc_offset_s);
        if hours.is_empty() {
            return metres / speed;
        }
        loop {
            let hour = clock.div_euclid(3600);
            let pace = speed * hours[hour.rem_euclid(24) as usize];
            let until_next = ((hour + 1) * 3600 - clock) as f64;
            if left <= pace * until_next {
                return seconds + left / pace;
            }
            left -= pace * until_next;
            seconds += until_next;
            clock = (hour + 1) * 3600;
        }
    }
}

impl Roads for Globe {
    fn way(&self, from: Place, to: Place, leave: Time) -> Option<Way> {
        if from.key() == to.key() {
            return Some(Way { seconds: 0.0, metres: 0.0 });
        }
        let (metres, speed) = self.road(from, to);
        let stop = self.estimate.stop_s;
        let leave = Time(leave.0.saturating_add(stop.into()));
        Some(Way { seconds: f64::from(stop) + self.driving_s(metres, speed, leave), metres })
    }

    fn slowest(&self, from: Place, to: Place) -> Option<Way> {
        if from.key() == to.key() {
            return Some(Way { seconds: 0.0, metres: 0.0 });
        }
        let (metres, speed) = self.road(from, to);
        Some(Way { seconds: f64::from(self.estimate.stop_s) + metres / (speed * self.slowest), metres })
    }
}

/// A matrix, looked up by place.
#[derive(Debug, Clone)]
pub struct Table {
    index: HashMap<(u64, u64), usize>,
    matrix: Matrix,
}

impl Table {
    /// The matrix must have passed [`Problem::check`].
    pub fn new(matrix: &Matrix) -> Self {
        let index = matrix.places.iter().enumerate().map(|(i, place)| (place.key(), i)).collect();
        Self { index, matrix: matrix.clone() }
    }
}

impl Roads for Table {
    fn way(&self, from: Place, to: Place, _: Time) -> Option<Way> {
        if from.key() == to.key() {
            return Some(Way { seconds: 0.0, metres: 0.0 });
        }
        let (from, to) = (*self.index.get(&from.key())?, *self.index.get(&to.key())?);
        let metres = self.matrix.distances_m.get(from).and_then(|row| row[to]).unwrap_or(0.0);
        Some(Way { seconds: self.matrix.durations_s[from][to]?, metres })
    }
}

#[cfg(test)]
mod tests;
