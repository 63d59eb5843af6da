//! Where things are, and how long the way is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};

/// Mean radius R1 of the GRS 80 ellipsoid (Moritz 2000, "Geodetic Reference System 1980").
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A point on earth, WGS 84, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Latitude, -90 to 90, north positive.
    pub lat: f64,
    /// Longitude, -180 to 180, east positive.
    pub lon: f64,
}

impl Place {
    pub(crate) fn check(&self) -> Result<(), InputError> {
        check_number(self.lat, -90.0, 90.0, "lat")?;
        check_number(self.lon, -180.0, 180.0, "lon")
    }

    /// Equal for equal places; 0 and -0 degrees are the same.
    pub(crate) fn key(self) -> (u64, u64) {
        ((self.lat + 0.0).to_bits(), (self.lon + 0.0).to_bits())
    }
}

/// Great-circle distance by the haversine formula (Sinnott 1984), in km.
pub fn distance_km(from: Place, to: Place) -> f64 {
    let half_lat = (to.lat - from.lat).to_radians() / 2.0;
    let half_lon = (to.lon - from.lon).to_radians() / 2.0;
    let h = half_lat.sin().powi(2) + from.lat.to_radians().cos() * to.lat.to_radians().cos() * half_lon.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}

/// Estimates the road from the great circle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TravelModel {
    /// Road distance over great-circle distance.
    pub circuity: f64,
    /// Mean driving speed over a whole leg, in km/h.
    pub speed_kmh: f64,
    /// Added to each leg for setting off, parking and walking to the door, in minutes.
    pub stop_min: f64,
}

impl Default for TravelModel {
    /// Circuity 1.3: Ballou, Rahardja & Sakai, "Selected country circuity factors for road
    /// travel distance estimation" (Transportation Research A 36, 2002), find about 1.2 (United
    /// States) to 1.4 (England) in well-roaded countries. Speed (35 km/h, a town and its
    /// surroundings) and stop (5 min) are assumptions; an operator sets its own.
    fn default() -> Self {
        Self { circuity: 1.3, speed_kmh: 35.0, stop_min: 5.0 }
    }
}

/// The way from one place to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Road distance, in km.
    pub km: f64,
    /// Travel time, in minutes.
    pub min: f64,
}

impl TravelModel {
    /// The way by road. Both places must be valid.
    pub fn leg(&self, from: Place, to: Place) -> Leg {
        let km = distance_km(from, to) * self.circuity;
        Leg { km, min: self.stop_min + km / self.speed_kmh * 60.0 }
    }

    pub(crate) fn check(&self) -> Result<(), InputError> {
        check_number(self.circuity, 1.0, 10.0, "circuity")?;
        check_number(self.speed_kmh, 1.0, 200.0, "speed_kmh")?;
        check_number(self.stop_min, 0.0, 120.0, "stop_min")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_globe() {
        let place = |lat, lon| Place { lat, lon };
        // A degree of the meridian is R·π/180; opposite ends of the globe are R·π apart.
        for (from, to, km) in [
            (place(0.0, 0.0), place(1.0, 0.0), 111.195),
            (place(60.0, 10.0), place(60.0, 11.0), 55.596),
            (place(0.0, 179.5), place(0.0, -179.5), 111.195),
            (place(90.0, 0.0), place(-90.0, 0.0), 20_015.115),
            (place(52.5, 13.4), place(52.5, 13.4), 0.0),
        ] {
            let (out, back) = (distance_km(from, to), distance_km(to, from));
            assert!((out - km).abs() < 0.01, "{from:?} to {to:?}: {out} instead of {km}");
            assert!((out - back).abs() < 1e-9);
        }
    }

    #[test]
    fn a_leg_is_longer_than_the_great_circle() {
        let model = TravelModel { circuity: 1.5, speed_kmh: 60.0, stop_min: 4.0 };
        let leg = model.leg(Place { lat: 0.0, lon: 0.0 }, Place { lat: 1.0, lon: 0.0 });
        assert!((leg.km - 166.79).abs() < 0.01 && (leg.min - 170.79).abs() < 0.01, "{leg:?}");
    }
}
