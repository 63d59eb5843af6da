//! Where values can be at all, and how often they come.

use super::{History, Schema, Settings, TrainError, stride};
use crate::detection::fleet::baseline::Model;
use crate::detection::fleet::lanes::ZERO;
use crate::robust::quantile;

/// One wild value in a thousand is not where values can be.
const OUTSIDE: f64 = 1e-3;

/// A channel may leave the trained range by this part of it: faults do. Further out is no such value.
const CHANNEL_MARGIN: f64 = 1.0;

/// An input may leave the trained range by this part of it: slopes hold a little beyond.
const INPUT_MARGIN: f64 = 0.5;

/// Part of a value's size that is always allowed: a constant one may be rounded.
const ROUNDING: f64 = 1e-3;

/// Values looked at.
const MOST: usize = 500_000;

pub(super) fn learn(schema: &Schema, histories: &[&History], settings: &Settings) -> Result<Model, TrainError> {
    let mut plausible = [ZERO; 2];
    let mut known_inputs = [ZERO; 2];
    for (kind, names, margin, ends) in [
        ("channel", &schema.channels, CHANNEL_MARGIN, &mut plausible),
        ("input", &schema.inputs, INPUT_MARGIN, &mut known_inputs),
    ] {
        for (at, name) in names.iter().enumerate() {
            let mut values = values(histories, |row| if kind == "channel" { row.channels[at] } else { row.inputs[at] });
            let (Some(low), Some(high)) = (quantile(&mut values, OUTSIDE), quantile(&mut values, 1.0 - OUTSIDE)) else {
                return Err(TrainError::NeverSeen { kind, name: name.clone() });
            };
            let room = margin * (high - low) + ROUNDING * low.abs().max(high.abs()).max(ROUNDING);
            (ends[0][at], ends[1][at]) = ((low - room) as f32, (high + room) as f32);
        }
    }
    Ok(Model {
        schema: schema.clone(),
        unit_ms: settings.unit_ms,
        interval_ms: interval(histories),
        plausible,
        known_inputs,
        spread_prior: [1.0; 8],
        spread_scale: [1.0; 8],
        spread_rows: 1.0,
        modes: vec![None; schema.modes.len()],
    })
}

fn values(histories: &[&History], of: impl Fn(&super::Row<'_>) -> f32) -> Vec<f64> {
    let rows = histories.iter().flat_map(|history| history.rows()).step_by(stride(histories, MOST));
    rows.map(|row| f64::from(of(&row))).filter(|value| value.is_finite()).collect()
}

/// The median time between rows, ms; at least 1.
fn interval(histories: &[&History]) -> i64 {
    let mut gaps = Vec::new();
    for history in histories {
        let times: Vec<i64> = history.rows().take(10_000).map(|row| row.time_ms).collect();
        gaps.extend(times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64).filter(|gap| *gap > 0.0));
    }
    quantile(&mut gaps, 0.5).map_or(1, |gap| gap.max(1.0) as i64)
}
