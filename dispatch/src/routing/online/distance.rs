//! Distances fast enough for tens of thousands of gaps in a millisecond.

use crate::place::Place;
use crate::routing::problem::{Estimate, Problem, Travel};
use crate::routing::travel::{Roads, roads, whole};

/// Mean earth radius, as in [`distance_km`](crate::distance_km).
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Seconds that stand for "no way".
const NO_WAY_S: i64 = 1 << 40;

/// A place, ready to be measured from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// On the unit sphere.
    vector: [f64; 3],
    /// For a ruler that asks the roads.
    place: Place,
}

/// Travel times at the slowest hour, between points.
pub(crate) struct Ruler {
    pub is_symmetric: bool,
    kind: Kind,
}

enum Kind {
    /// Seconds a metre of the great circle, and a leg's fixed seconds.
    Globe {
        pace: f64,
        stop_s: f64,
    },
    Roads(Box<dyn Roads>),
}

impl std::fmt::Debug for Ruler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ruler").field("is_symmetric", &self.is_symmetric).finish_non_exhaustive()
    }
}

impl Ruler {
    pub fn new(problem: &Problem) -> Self {
        match &problem.travel {
            Travel::Estimate(estimate) if estimate.cells.is_empty() => {
                Self { is_symmetric: true, kind: globe(estimate) }
            }
            Travel::Estimate(_) => Self { is_symmetric: true, kind: Kind::Roads(roads(problem)) },
            Travel::Matrix(_) => Self { is_symmetric: false, kind: Kind::Roads(roads(problem)) },
        }
    }

    pub fn point(&self, place: Place) -> Point {
        let (lat, lon) = (place.lat.to_radians(), place.lon.to_radians());
        Point { vector: [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()], place }
    }

    /// Whole seconds from one point to another.
    #[inline]
    pub fn seconds(&self, from: &Point, to: &Point) -> i64 {
        match &self.kind {
            Kind::Globe { pace, stop_s } => {
                let metres = arc_m(&from.vector, &to.vector);
                if metres == 0.0 { 0 } else { (stop_s + metres * pace).ceil() as i64 }
            }
            Kind::Roads(roads) => roads.slowest(from.place, to.place).map_or(NO_WAY_S, |way| whole(way.seconds)),
        }
    }
}

fn globe(estimate: &Estimate) -> Kind {
    let slowest = estimate.speed_by_hour.iter().copied().reduce(f64::min).unwrap_or(1.0);
    Kind::Globe { pace: estimate.circuity * 3.6 / (estimate.speed_kmh * slowest), stop_s: f64::from(estimate.stop_s) }
}

/// Great circle from the chord: exact to a millimetre below 300 km by the first terms of the
/// arcsine's series, by the arcsine itself beyond.
#[inline]
fn arc_m(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    let (x, y, z) = (a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    let square = x * x + y * y + z * z;
    let chord = square.sqrt();
    if chord < 0.05 {
        return EARTH_RADIUS_M * chord * (1.0 + square * (1.0 / 24.0 + square * (3.0 / 640.0)));
    }
    EARTH_RADIUS_M * 2.0 * (chord / 2.0).min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance_km;

    #[test]
    fn the_fast_distance_is_the_haversine() {
        let ruler = Ruler::new(&Problem::default());
        let from = Place { lat: 52.5, lon: 13.4 };
        for (lat, lon) in [(52.5001, 13.4), (52.6, 13.9), (51.0, 11.0), (48.0, 2.0), (-30.0, 170.0), (-52.5, -166.6)] {
            let to = Place { lat, lon };
            let (fast, exact) =
                (arc_m(&ruler.point(from).vector, &ruler.point(to).vector), distance_km(from, to) * 1e3);
            assert!((fast - exact).abs() < 1e-3 + exact * 1e-9, "{fast} {exact}");
        }
    }
}
