//! Remaining life learnt from many channels of equipment that ran to failure.
//!
//! After each cycle a device's [`Trace`] holds, for every channel that moves with life, what it
//! was when new, lately and over all, and its trends over the last 30 and 60 cycles and over all:
//! the whole history in bounded memory, since early life tells slow wear from fast. Boosted trees
//! ([`boost`]) map these features to remaining life, counted up to a cap: before wear shows, every
//! device is as good as new (Heimes 2008).
//!
//! The model is the mean of trees grown on all devices but one group each; what each group's trees
//! say of it, unseen, gives the intervals (cross-conformal by device, Vovk 2015).

mod boost;
#[cfg(test)]
mod tests;
mod trace;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use trace::{TakeError, Trace};

use super::RemainingLife;
use crate::random::Random;
use crate::robust;
use boost::{Bins, Boosted, Growth, Table, binned};

/// Groups of devices; each is left out once.
const GROUPS: usize = 5;
/// Every so many cycles is a row: neighbours hardly differ.
const STEP: usize = 2;
/// Channels that go less with remaining life than this correlation are left out.
const LEAST_CORRELATION: f64 = 0.1;
/// Stretches of predicted life with errors of their own.
const STRETCHES: usize = 8;
/// Set by left-out devices of FD001's training set; 8 leaves a tree in place of 16 cost 1 %.
const GROWTH: Growth =
    Growth { trees: 250, leaves: 16, rate: 0.05, least_rows: 40, shrink: 5.0, rows: 0.6, features: 0.4 };

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FitError {
    /// Too few devices.
    #[error("{0} devices ran to failure; at least {least} are needed", least = 2 * GROUPS)]
    TooFewDevices(usize),
    /// Rows of different length.
    #[error("device {device}, cycle {cycle}: {found} channels in place of {expected}")]
    Channels {
        /// Which, from 0.
        device: usize,
        /// Which, from 1.
        cycle: usize,
        /// As the first row has.
        expected: usize,
        /// As this row has.
        found: usize,
    },
    /// Nothing to learn from.
    #[error("no channel moves with remaining life")]
    NoChannel,
    /// The cap of remaining life.
    #[error("the cap is {0}; it must be finite and positive")]
    Cap(f64),
}

/// A channel that moves with life, and its mean and spread over the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Channel {
    at: usize,
    mean: f64,
    spread: f64,
}

/// Remaining life from a [`Trace`]. Immutable once fitted; below 1 MB as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EquipmentModel {
    /// How many channels a device reports.
    width: usize,
    channels: Vec<Channel>,
    cap: f64,
    bins: Vec<Bins>,
    ensemble: Vec<Boosted>,
    /// By predicted life: its 10 and 90 % quantile of truth less prediction.
    errors: Vec<(f64, f64, f64)>,
    left_out_rmse: f64,
}

/// A device's row: which device, its features, its remaining life up to the cap.
struct Row {
    device: usize,
    features: Vec<f32>,
    target: f64,
}

impl EquipmentModel {
    /// Learns from devices that ran to failure. Each is its channels' values cycle by cycle, the
    /// last one that of failure; remaining life counts up to `cap` cycles.
    pub fn fit(devices: &[&[Vec<f64>]], cap: f64, seed: u64) -> Result<Self, FitError> {
        let width = check(devices, cap)?;
        let channels = channels(devices, width, cap);
        if channels.is_empty() {
            return Err(FitError::NoChannel);
        }
        let mut model =
            Self { width, channels, cap, bins: vec![], ensemble: vec![], errors: vec![], left_out_rmse: 0.0 };
        let rows = model.rows(devices);
        let features = rows[0].features.len();
        model.bins = (0..features).map(|at| Bins::of(rows.iter().map(|row| row.features[at]))).collect();
        let groups = groups(devices.len(), seed);
        let mut left_out = Vec::with_capacity(rows.len());
        for group in 0..GROUPS {
            let known: Vec<(Vec<f32>, f64)> = rows
                .iter()
                .filter(|row| groups[row.device] != group)
                .map(|row| (row.features.clone(), row.target))
                .collect();
            let grown = Boosted::fit(&Table::new(&model.bins, &known), &GROWTH, seed.wrapping_add(group as u64));
            for row in rows.iter().filter(|row| groups[row.device] == group) {
                let said = grown.answer(&binned(&model.bins, &row.features)).clamp(0.0, cap);
                left_out.push((said, row.target - said));
            }
            model.ensemble.push(grown);
        }
        model.left_out_rmse = (left_out.iter().map(|row| row.1 * row.1).sum::<f64>() / left_out.len() as f64).sqrt();
        model.errors = errors(left_out);
        Ok(model)
    }

    /// Root mean square error on devices left out, over all their cycles, in cycles.
    pub fn left_out_rmse(&self) -> f64 {
        self.left_out_rmse
    }

    /// Cycles the device still lasts, up to the model's cap; None before its first cycle.
    pub fn remaining(&self, trace: &Trace) -> Option<RemainingLife> {
        let features = trace.features()?;
        let bins = binned(&self.bins, &features);
        let sum: f64 = self.ensemble.iter().map(|trees| trees.answer(&bins)).sum();
        let said = (sum / self.ensemble.len().max(1) as f64).clamp(0.0, self.cap);
        let (low, high) = self.error_at(said);
        let within = |life: f64| life.clamp(0.0, self.cap);
        Some(RemainingLife::new(within(said + low), said, within(said + high), !trace.has_baseline()))
    }

    /// Quantiles of error, linear between the stretches' middles.
    fn error_at(&self, said: f64) -> (f64, f64) {
        let above = self.errors.partition_point(|stretch| stretch.0 < said);
        let (Some(low), Some(high)) = (self.errors.get(above.saturating_sub(1)), self.errors.get(above)) else {
            return self.errors.last().map_or((0.0, 0.0), |last| (last.1, last.2));
        };
        let part = if high.0 > low.0 { (said - low.0) / (high.0 - low.0) } else { 0.0 };
        (low.1 + part * (high.1 - low.1), low.2 + part * (high.2 - low.2))
    }

    fn rows(&self, devices: &[&[Vec<f64>]]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (device, cycles) in devices.iter().enumerate() {
            let mut trace = Trace::new(self);
            for (at, values) in cycles.iter().enumerate() {
                trace.take(self, at as u32 + 1, values).expect("the width was checked, cycles rise");
                let target = ((cycles.len() - 1 - at) as f64).min(self.cap);
                if at % STEP == 0 {
                    let features = trace.features().expect("a cycle was taken");
                    rows.push(Row { device, features, target });
                }
            }
        }
        rows
    }
}

fn check(devices: &[&[Vec<f64>]], cap: f64) -> Result<usize, FitError> {
    if !(cap.is_finite() && cap > 0.0) {
        return Err(FitError::Cap(cap));
    }
    let lived = devices.iter().filter(|cycles| !cycles.is_empty()).count();
    if lived < 2 * GROUPS {
        return Err(FitError::TooFewDevices(lived));
    }
    let expected = devices.iter().flat_map(|cycles| cycles.first()).map(Vec::len).next().unwrap_or(0);
    for (device, cycles) in devices.iter().enumerate() {
        if let Some(at) = cycles.iter().position(|values| values.len() != expected) {
            return Err(FitError::Channels { device, cycle: at + 1, expected, found: cycles[at].len() });
        }
    }
    Ok(expected)
}

/// The channels worth having.
fn channels(devices: &[&[Vec<f64>]], width: usize, cap: f64) -> Vec<Channel> {
    let moving = |at: usize| {
        let mut sums = Sums::default();
        for cycles in devices {
            for (cycle, values) in cycles.iter().enumerate().filter(|(_, values)| values[at].is_finite()) {
                sums.add(values[at], ((cycles.len() - 1 - cycle) as f64).min(cap));
            }
        }
        let (mean, spread, correlation) = sums.told()?;
        (correlation.abs() >= LEAST_CORRELATION).then_some(Channel { at, mean, spread })
    };
    (0..width).filter_map(moving).collect()
}

/// Running means and products of two variables (Welford 1962).
#[derive(Default)]
struct Sums {
    count: f64,
    means: (f64, f64),
    squares: (f64, f64),
    product: f64,
}

impl Sums {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        let before = (x - self.means.0, y - self.means.1);
        self.means.0 += before.0 / self.count;
        self.means.1 += before.1 / self.count;
        self.squares.0 += before.0 * (x - self.means.0);
        self.squares.1 += before.1 * (y - self.means.1);
        self.product += before.0 * (y - self.means.1);
    }

    /// Mean and spread of the first, and the correlation; None of a constant.
    fn told(&self) -> Option<(f64, f64, f64)> {
        let spread = (self.squares.0 / self.count.max(1.0)).sqrt();
        let correlation = self.product / (self.squares.0 * self.squares.1).sqrt();
        (spread > 1e-9 * self.means.0.abs() && correlation.is_finite()).then_some((self.means.0, spread, correlation))
    }
}

/// The group of each device, of about as many devices each.
fn groups(devices: usize, seed: u64) -> Vec<usize> {
    let mut random = Random(seed);
    let mut order: Vec<usize> = (0..devices).collect();
    for last in (1..devices).rev() {
        order.swap(last, (random.next() % (last as u64 + 1)) as usize);
    }
    let mut groups = vec![0; devices];
    for (place, device) in order.into_iter().enumerate() {
        groups[device] = place % GROUPS;
    }
    groups
}

/// Middle, 10 and 90 % quantile of error of each stretch of predicted life.
fn errors(mut left_out: Vec<(f64, f64)>) -> Vec<(f64, f64, f64)> {
    left_out.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = left_out.len().div_ceil(STRETCHES).max(1);
    let told = |stretch: &[(f64, f64)]| {
        let mut errors: Vec<f64> = stretch.iter().map(|row| row.1).collect();
        let mut quantile = |p| robust::quantile(&mut errors, p).unwrap_or(0.0);
        (stretch[stretch.len() / 2].0, quantile(0.1), quantile(0.9))
    };
    left_out.chunks(rows).map(told).collect()
}
