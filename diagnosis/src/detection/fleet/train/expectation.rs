//! What to expect in each mode, how far devices, days and rows are from it.

use super::{History, LEAST_ROWS, LEAST_UNITS, Row, Settings};
use crate::detection::fleet::baseline::{HOURS, Mode, Model, hour};
use crate::detection::fleet::lanes::ZERO;
use crate::detection::fleet::levels::Levels;
use crate::detection::fleet::nested::{Nested, Variances};
use crate::detection::fleet::regression::{Features, Regression};
use crate::detection::fleet::schema::{MAX_CHANNELS, MAX_INPUTS};
use crate::detection::fleet::step::{EWMA_WEIGHT, WILDEST};

/// Devices differ at least by this variance, in residual variances: none is exactly like the fleet,
/// and a fleet that looks so was too small to tell.
const LEAST_BETWEEN: f64 = 0.01;

/// A device's own offset is believed up to so many standard deviations between devices: one that was
/// faulty from the start cannot teach a wrong baseline.
const BELIEVED: f64 = 6.0;

/// Least residual standard deviation, in parts of the largest value: what rounding to f32 leaves.
const ROUNDING: f64 = 1e-6;

/// Most weight of a row in the adapting offset, and fewest rows of the fixed one, in a rare mode.
const RARE_GAIN: f32 = 0.05;
const RARE_ROWS: f32 = 50.0;

pub(super) fn learn(model: &mut Model, histories: &[&History], settings: &Settings) {
    let units = histories.iter().map(|history| units(history, model.unit_ms)).sum::<f64>();
    explain(model, histories);
    let residuals = residuals(model, histories);
    for (place, residuals) in residuals.iter().enumerate() {
        let Some(mode) = &mut model.modes[place] else { continue };
        for (channel, nested) in residuals.iter().enumerate() {
            if let Some(variances) = nested.variances() {
                let size = model.plausible.iter().map(|end| f64::from(end[channel].abs())).fold(0.0, f64::max);
                centre(mode, channel, &variances, ROUNDING * size.max(ROUNDING));
            }
        }
        let rows = residuals.iter().map(Nested::rows).fold(0.0, f64::max) / units;
        mode.fixed_rows = (settings.fixed_units * rows as f32).max(RARE_ROWS);
        mode.adapt_gain = (1.0 / (settings.adapt_units * rows as f32)).min(RARE_GAIN);
        for channel in 0..MAX_CHANNELS {
            let taught = 1.0 / (mode.fixed_rows + mode.offset_prior[channel]) + mode.adapt_gain;
            mode.drift_unit[channel] = 1.0 / (mode.long_run[channel] * taught);
        }
    }
    learn_spread(model, histories, &residuals);
    model.spread_rows = model.modes.iter().flatten().map(|mode| mode.fixed_rows).sum();
}

fn units(history: &History, unit_ms: i64) -> f64 {
    let mut units: Vec<i64> = history.rows().map(|row| row.time_ms.div_euclid(unit_ms)).collect();
    units.sort_unstable();
    units.dedup();
    units.len() as f64
}

/// Slopes and hours of each mode seen often enough.
fn explain(model: &mut Model, histories: &[&History]) {
    let (inputs, channels) = (model.schema.inputs.len(), model.schema.channels.len());
    let middle = |ends: &[[f32; 8]; 2], at: usize| (f64::from(ends[0][at]) + f64::from(ends[1][at])) / 2.0;
    let input_middle: Vec<f64> = (0..inputs).map(|at| middle(&model.known_inputs, at)).collect();
    let middle: Vec<f64> = (0..channels).map(|at| middle(&model.plausible, at)).collect();
    let enough = seen_enough(model, histories);
    let mut regressions: Vec<Vec<Regression>> =
        model.modes.iter().map(|_| (0..channels).map(|_| Regression::new(inputs)).collect()).collect();
    let mut features: Features = Vec::new();
    for history in histories {
        for row in history.rows().filter(|row| enough[usize::from(row.mode)] && usable(model, row)) {
            gather(&mut features, &row, &input_middle);
            for (channel, value) in plausible(model, &row) {
                regressions[usize::from(row.mode)][channel].push(&features, f64::from(value) - middle[channel]);
            }
        }
        regressions.iter_mut().flatten().for_each(Regression::end_device);
    }
    for (place, regressions) in regressions.into_iter().enumerate().filter(|(place, _)| enough[*place]) {
        let mut mode = blank();
        for (channel, regression) in regressions.into_iter().enumerate() {
            let solution = regression.solve();
            let (slopes, hours) = solution.split_at(inputs);
            slopes.iter().enumerate().for_each(|(at, slope)| mode.slopes[at][channel] = *slope as f32);
            let base = middle[channel] - slopes.iter().zip(&input_middle).map(|(s, m)| s * m).sum::<f64>();
            hours.iter().enumerate().for_each(|(at, value)| mode.hours[at][channel] = (base + value) as f32);
        }
        model.modes[place] = Some(mode);
    }
}

fn gather(features: &mut Features, row: &Row<'_>, middle: &[f64]) {
    features.clear();
    features.extend(row.inputs.iter().zip(middle).enumerate().map(|(at, (x, middle))| (at, f64::from(*x) - middle)));
    let (node, part) = hour(row.time_ms);
    let mut nodes = [(node, 1.0 - f64::from(part)), ((node + 1) % HOURS, f64::from(part))];
    nodes.sort_by_key(|(node, _)| *node);
    features.extend(nodes.map(|(node, weight)| (row.inputs.len() + node, weight)));
}

/// Which modes have enough rows, on enough units of at least two devices.
fn seen_enough(model: &Model, histories: &[&History]) -> Vec<bool> {
    let mut seen: Vec<Nested> = model.modes.iter().map(|_| Nested::default()).collect();
    walk(histories, model.unit_ms, &mut seen, |seen, _, row| {
        if usable(model, row) && plausible(model, row).next().is_some() {
            seen[usize::from(row.mode)].push(0.0);
        }
    });
    let devices = |nested: &Nested| nested.devices.iter().filter(|(rows, _)| *rows > 0.0).count();
    let enough = |n: &Nested| n.rows() >= LEAST_ROWS as f64 && n.units() >= LEAST_UNITS as f64 && devices(n) >= 2;
    seen.iter().map(enough).collect()
}

/// Residuals in the channel's unit, of each mode and channel.
fn residuals(model: &Model, histories: &[&History]) -> Vec<Vec<Nested>> {
    let (modes, channels) = (model.modes.len(), model.schema.channels.len());
    let mut nested: Vec<Nested> = (0..modes * channels).map(|_| Nested::default()).collect();
    walk(histories, model.unit_ms, &mut nested, |nested, _, row| {
        if let Some(mode) = &model.modes[usize::from(row.mode)]
            && usable(model, row)
        {
            let expected = mode.expect(row.time_ms, row.inputs);
            for (channel, value) in plausible(model, row) {
                nested[usize::from(row.mode) * channels + channel].push(f64::from(value - expected[channel]));
            }
        }
    });
    let mut nested = nested.into_iter();
    (0..modes).map(|_| nested.by_ref().take(channels).collect()).collect()
}

/// Puts the fleet's mean into the expected value, and residuals into standard deviations.
fn centre(mode: &mut Mode, channel: usize, variances: &Variances, least: f64) {
    let scale = variances.within.sqrt().max(least);
    mode.hours.iter_mut().for_each(|hour| hour[channel] += variances.mean as f32);
    let between = (variances.between / (scale * scale)).max(LEAST_BETWEEN);
    mode.inverse_scale[channel] = (1.0 / scale) as f32;
    mode.autocorrelation[channel] = variances.autocorrelation as f32;
    mode.long_run[channel] = variances.long_run as f32;
    mode.offset_prior[channel] = (variances.long_run / between) as f32;
    mode.offset_bound[channel] = (BELIEVED * between.sqrt()) as f32;
}

/// How much devices differ in scatter: the same analysis, of squares around the device's mean.
fn learn_spread(model: &mut Model, histories: &[&History], residuals: &[Vec<Nested>]) {
    let fleet: Vec<Vec<f64>> = residuals
        .iter()
        .map(|mode| mode.iter().map(|nested| nested.variances().map_or(0.0, |known| known.mean)).collect())
        .collect();
    let mut squares: Vec<Nested> = model.schema.channels.iter().map(|_| Nested::default()).collect();
    let shared = &*model;
    walk(histories, model.unit_ms, &mut squares, |squares, device, row| {
        let place = usize::from(row.mode);
        if let Some(mode) = &shared.modes[place]
            && usable(shared, row)
        {
            let expected = mode.expect(row.time_ms, row.inputs);
            for (channel, value) in plausible(shared, row) {
                let own = residuals[place][channel].devices[device].1 - fleet[place][channel];
                let off = (f64::from(value - expected[channel]) - own) * f64::from(mode.inverse_scale[channel]);
                squares[channel].push((off * off).min(f64::from(WILDEST * WILDEST)));
            }
        }
    });
    for (channel, nested) in squares.iter().enumerate() {
        let Some(variances) = nested.variances().filter(|known| known.within > 0.0 && known.mean > 0.0) else {
            continue;
        };
        model.spread_scale[channel] = (1.0 / variances.mean) as f32;
        let between = variances.between.max(LEAST_BETWEEN * variances.mean * variances.mean);
        model.spread_prior[channel] = (variances.long_run * variances.within / between) as f32;
    }
}

/// Shows each row with its device's number, and ends units and devices of all accumulators.
fn walk(
    histories: &[&History],
    unit_ms: i64,
    nested: &mut [Nested],
    mut see: impl FnMut(&mut [Nested], usize, &Row<'_>),
) {
    for (device, history) in histories.iter().enumerate() {
        let mut unit = None;
        for row in history.rows() {
            let now = Some(row.time_ms.div_euclid(unit_ms));
            if now != unit {
                nested.iter_mut().for_each(Nested::end_unit);
                unit = now;
            }
            see(nested, device, &row);
        }
        nested.iter_mut().for_each(Nested::end_device);
    }
}

/// Whether all inputs are known values.
fn usable(model: &Model, row: &Row<'_>) -> bool {
    let [low, high] = &model.known_inputs;
    row.inputs.iter().enumerate().all(|(at, input)| *input >= low[at] && *input <= high[at])
}

/// The channels that have a plausible value.
fn plausible(model: &Model, row: &Row<'_>) -> impl Iterator<Item = (usize, f32)> {
    let [low, high] = &model.plausible;
    let values = row.channels.iter().copied().enumerate();
    values.filter(|(at, value)| *value >= low[*at] && *value <= high[*at])
}

/// A mode in which nothing was seen yet.
fn blank() -> Mode {
    Mode {
        slopes: [ZERO; MAX_INPUTS],
        hours: [ZERO; HOURS],
        inverse_scale: ZERO,
        autocorrelation: ZERO,
        long_run: [1.0; MAX_CHANNELS],
        offset_prior: [1.0 / LEAST_BETWEEN as f32; MAX_CHANNELS],
        offset_bound: ZERO,
        fixed_rows: RARE_ROWS,
        adapt_gain: RARE_GAIN,
        ewma_variance: [EWMA_WEIGHT / (2.0 - EWMA_WEIGHT); MAX_CHANNELS],
        ewma_precision: [ZERO; MAX_CHANNELS],
        ewma_inverse: ZERO,
        ewma_own: ZERO,
        remainder: [ZERO; MAX_CHANNELS],
        remainder_own: ZERO,
        cusum_unit: [1.0; MAX_CHANNELS],
        cusum_cap: [f32::MAX; MAX_CHANNELS],
        drift_unit: ZERO,
        levels: Levels::default(),
    }
}
