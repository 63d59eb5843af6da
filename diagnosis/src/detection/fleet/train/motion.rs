//! How deviations of healthy devices move: together, over time, and how far.

use super::covariance::Covariance;
use super::{History, replay, stride};
use crate::detection::fleet::baseline::Model;
use crate::detection::fleet::lanes::lanes;
use crate::detection::fleet::levels::{Levels, STATISTICS};
use crate::detection::fleet::schema::MAX_CHANNELS;
use crate::robust::quantile;

/// Rows that levels are taken from.
const MOST: usize = 500_000;

/// Least 99 % level of a CUSUM, in standard deviations.
const LEAST_CUSUM: f64 = 1.0;

/// A CUSUM goes no higher than so many times that level.
const CUSUM_CAP: f64 = 4.0;

#[derive(Default)]
struct Motion {
    deviation: Covariance,
    ewma: Covariance,
    cusum: [Vec<f64>; MAX_CHANNELS],
}

pub(super) fn learn(model: &mut Model, histories: &[&History]) {
    let stride = stride(histories, MOST);
    let mut motions: Vec<Motion> = model.modes.iter().map(|_| Motion::default()).collect();
    replay(model, histories, |_, at, _, monitor, signs| {
        let motion = &mut motions[signs.place];
        if (signs.missing | signs.implausible) == 0 {
            motion.deviation.push(&signs.deviation);
            motion.ewma.push(&monitor.ewma);
        }
        if at % stride == 0 {
            for (channel, levels) in motion.cusum.iter_mut().enumerate() {
                levels.push(f64::from(monitor.up[channel].max(monitor.down[channel])));
            }
        }
    });
    for (mode, mut motion) in model.modes.iter_mut().zip(motions) {
        let Some(mode) = mode else { continue };
        let repeats = f64::from(mode.long_run.iter().sum::<f32>()) / MAX_CHANNELS as f64;
        mode.remainder = motion.deviation.remainder(repeats);
        mode.ewma_precision = motion.ewma.precision(repeats);
        let inverse = |value: f32| if value > 0.0 { 1.0 / value } else { 0.0 };
        mode.remainder_own = lanes(|c| inverse(mode.remainder[c][c]));
        mode.ewma_own = lanes(|c| mode.ewma_precision[c][c]);
        for (channel, levels) in motion.cusum.iter_mut().enumerate() {
            let variance = motion.ewma.variance(channel);
            if variance > 1e-9 {
                mode.ewma_variance[channel] = variance as f32;
            }
            mode.ewma_inverse[channel] = 1.0 / mode.ewma_variance[channel];
            let level = quantile(levels, 0.99).unwrap_or(LEAST_CUSUM).max(LEAST_CUSUM);
            mode.cusum_unit[channel] = (1.0 / level) as f32;
            mode.cusum_cap[channel] = (CUSUM_CAP * level) as f32;
        }
    }
}

pub(super) fn learn_levels(model: &mut Model, histories: &[&History]) {
    let stride = stride(histories, MOST);
    let mut values: Vec<[Vec<f32>; STATISTICS]> = model.modes.iter().map(|_| Default::default()).collect();
    replay(model, histories, |_, at, _, _, signs| {
        if at % stride == 0 {
            for (values, value) in values[signs.place].iter_mut().zip(signs.statistics) {
                values.push(value);
            }
        }
    });
    for (mode, mut values) in model.modes.iter_mut().zip(values) {
        if let Some(mode) = mode {
            mode.levels = Levels::fit(&mut values);
        }
    }
}
