//! Orders of places in which those that lie together stand together, for the cache's sake and to
//! look for neighbours among few.

use crate::routing::model::Travel;

/// All places, each close to the one before.
pub(super) fn chain(travel: &Travel) -> Vec<u32> {
    match travel {
        Travel::Plane { points, .. } => along_curve(points),
        Travel::Table { places, .. } => nearest_next(travel, *places),
    }
}

/// Points in the order of the Z-order curve (Morton 1966) through their bounding box.
fn along_curve(points: &[[f64; 2]]) -> Vec<u32> {
    let codes = morton(points);
    let mut order: Vec<u32> = (0..points.len() as u32).collect();
    order.sort_by_key(|&place| codes[place as usize]);
    order
}

fn morton(points: &[[f64; 2]]) -> Vec<u64> {
    let spread = |axis: usize| {
        let (low, high) = points
            .iter()
            .fold((f64::MAX, f64::MIN), |(low, high), point| (low.min(point[axis]), high.max(point[axis])));
        points
            .iter()
            .map(|point| ((point[axis] - low) / (high - low).max(f64::MIN_POSITIVE) * 65_535.0) as u64)
            .collect::<Vec<_>>()
    };
    let (x, y) = (spread(0), spread(1));
    let bits = |value: u64| (0..16).fold(0, |code, bit| code | (value >> bit & 1) << (2 * bit));
    x.into_iter().zip(y).map(|(x, y)| bits(x) | bits(y) << 1).collect()
}

/// From the first place always to the nearest that is left.
fn nearest_next(travel: &Travel, places: u32) -> Vec<u32> {
    let mut left: Vec<u32> = (1..places).collect();
    let mut order: Vec<u32> = (0..places.min(1)).collect();
    while let Some(&last) = order.last() {
        let next = (0..left.len()).min_by_key(|&at| travel.cost(last, left[at]));
        let Some(next) = next else { break };
        order.push(left.swap_remove(next));
    }
    order
}
