//! Travel times of a problem, computed anew.

use serde_json::Value;

use super::{array, int, text};

const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Seconds from one place to another when leaving at `leave`; `None`: no road.
pub fn travel_s(travel: &Value, from: &Value, to: &Value, leave: i64) -> Option<f64> {
    if from == to {
        return Some(0.0);
    }
    if travel["matrix"].is_object() {
        let places = array(&travel["matrix"]["places"]);
        let at = |place: &Value| places.iter().position(|known| known == place);
        return travel["matrix"]["durations_s"][at(from)?][at(to)?].as_f64();
    }
    let estimate = &travel["estimate"];
    let number = |field: &str, default: f64| estimate[field].as_f64().unwrap_or(default);
    let metres = metres(from, to) * number("circuity", 1.3);
    let (stop, speed) = (number("stop_s", 300.0), number("speed_kmh", 35.0) / 3.6);
    let speed = speed * (factor(estimate, from) + factor(estimate, to)) / 2.0;
    Some(stop + driving_s(estimate, metres, speed, leave as f64 + stop))
}

/// Second by second where the speed depends on the hour.
fn driving_s(estimate: &Value, metres: f64, speed: f64, leave: f64) -> f64 {
    let hours = array(&estimate["speed_by_hour"]);
    if hours.is_empty() {
        return metres / speed;
    }
    let (mut left, mut clock) = (metres, leave + int(&estimate["utc_offset_s"]) as f64);
    let mut spent = 0.0;
    while left > 0.0 {
        let hour = (clock / 3600.0).floor().rem_euclid(24.0) as usize;
        let pace = speed * hours[hour].as_f64().expect("a number");
        let step = (left / pace).min(1.0 - clock.fract());
        left -= pace * step;
        spent += step;
        clock += step;
        if left < 1e-9 {
            break;
        }
    }
    spent
}

fn factor(estimate: &Value, place: &Value) -> f64 {
    let cells = array(&estimate["cells"]);
    let found = cells.iter().find(|speed| is_in_cell(place, &text(&speed["cell"])));
    found.map_or(1.0, |speed| speed["factor"].as_f64().expect("a number"))
}

/// Great circle by the angle between two vectors.
fn metres(from: &Value, to: &Value) -> f64 {
    let vector = |place: &Value| {
        let degrees = |field: &str| place[field].as_f64().expect("a number").to_radians();
        let (lat, lon) = (degrees("lat"), degrees("lon"));
        [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
    };
    let (a, b) = (vector(from), vector(to));
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let sine = cross.iter().map(|x| x * x).sum::<f64>().sqrt();
    let cosine: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    sine.atan2(cosine) * EARTH_RADIUS_M
}

/// Whether a place lies in an H3 cell.
pub fn is_in_cell(place: &Value, cell: &str) -> bool {
    let cell: h3o::CellIndex = cell.parse().expect("a cell");
    let degrees = |field: &str| place[field].as_f64().expect("a number");
    h3o::LatLng::new(degrees("lat"), degrees("lon")).expect("a place").to_cell(cell.resolution()) == cell
}
