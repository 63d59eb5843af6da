//! What a device's channels did so far, in bounded memory.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::EquipmentModel;

/// Cycles that say what a channel was when new.
const BASELINE: u32 = 20;
/// Cycles kept one by one.
const WINDOW: usize = 60;
/// The shorter stretch within.
const SHORT: usize = 30;
/// Share of the latest cycle in the running mean: half is gone after four cycles.
const LATEST: f64 = 0.16;
/// A trend of so many cycles is believed by half.
const TREND_SHRINK: f64 = 10.0;
/// A longer gap than this is another device.
const LONGEST_GAP: u32 = 1000;

/// Why a cycle was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TakeError {
    /// Another number of values than the model has channels.
    #[error("{found} values in place of {expected}, one a channel")]
    Channels {
        /// As the model was fitted with.
        expected: usize,
        /// As came.
        found: usize,
    },
    /// Not later than the last cycle: a duplicate, or a counter that restarted.
    #[error("cycle {found} does not follow cycle {last}; start a new trace if the device is new")]
    NotLater {
        /// The last one taken.
        last: u32,
        /// As came.
        found: u32,
    },
    /// Too many cycles are missing.
    #[error("cycle {found} is more than {LONGEST_GAP} after cycle {last}; start a new trace")]
    Gap {
        /// The last one taken.
        last: u32,
        /// As came.
        found: u32,
    },
}

/// One device's history, for the model it was made for. 60 cycles of the model's channels and
/// some sums: some kilobytes, however long it lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The number of the last cycle, and how many were taken.
    last_cycle: Option<u32>,
    taken: u32,
    channels: Vec<Sums>,
    /// The last [`WINDOW`] cycles, channel by channel; the oldest is overwritten.
    window: Vec<f32>,
}

/// Sums of one channel, in fleet spreads from the fleet's mean.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Sums {
    last: f64,
    baseline: f64,
    all: f64,
    by_time: f64,
    latest: f64,
}

impl Trace {
    /// A new device.
    pub fn new(model: &EquipmentModel) -> Self {
        let channels = model.channels.len();
        Self {
            last_cycle: None,
            taken: 0,
            channels: vec![Sums::default(); channels],
            window: vec![0.0; WINDOW * channels],
        }
    }

    /// Takes the values of a cycle. A value that is not finite is taken as the one before (the
    /// fleet's mean if there is none); cycles that are missing, as the last one.
    pub fn take(&mut self, model: &EquipmentModel, cycle: u32, values: &[f64]) -> Result<(), TakeError> {
        if values.len() != model.width {
            return Err(TakeError::Channels { expected: model.width, found: values.len() });
        }
        if let Some(last) = self.last_cycle {
            if cycle <= last {
                return Err(TakeError::NotLater { last, found: cycle });
            }
            if cycle - last > LONGEST_GAP {
                return Err(TakeError::Gap { last, found: cycle });
            }
            (last + 1..cycle).for_each(|_| self.add());
        }
        self.last_cycle = Some(cycle);
        for (sums, channel) in self.channels.iter_mut().zip(&model.channels) {
            let value = values[channel.at];
            if value.is_finite() {
                sums.last = (value - channel.mean) / channel.spread;
            }
        }
        self.add();
        Ok(())
    }

    /// Are there enough cycles to say what this device was when new?
    pub(super) fn has_baseline(&self) -> bool {
        self.taken >= BASELINE
    }

    /// Adds a cycle of the last values.
    fn add(&mut self) {
        let time = f64::from(self.taken);
        let place = self.taken as usize % WINDOW;
        self.taken += 1;
        let latest = LATEST / (1.0 - (1.0 - LATEST).powi(self.taken.min(10_000) as i32));
        for (channel, sums) in self.channels.iter_mut().enumerate() {
            if time < f64::from(BASELINE) {
                sums.baseline += sums.last;
            }
            sums.all += sums.last;
            sums.by_time += sums.last * time;
            sums.latest += latest * (sums.last - sums.latest);
            self.window[channel * WINDOW + place] = sums.last as f32;
        }
    }

    /// Age, then for each channel: lately, mean of the last 30, when new, over all, and the trends
    /// of 30, 60 and all cycles.
    pub(super) fn features(&self) -> Option<Vec<f32>> {
        if self.taken == 0 {
            return None;
        }
        let taken = f64::from(self.taken);
        let mut features = vec![taken as f32];
        for (channel, sums) in self.channels.iter().enumerate() {
            let short = self.window_sums(channel, SHORT);
            let long = self.window_sums(channel, WINDOW);
            let all = Trend { count: taken, sum: sums.all, by_time: sums.by_time };
            let of_channel = [
                sums.latest,
                short.sum / short.count,
                sums.baseline / f64::from(self.taken.min(BASELINE)),
                sums.all / taken,
                short.slope(),
                long.slope(),
                all.slope(),
            ];
            features.extend(of_channel.map(|feature| feature as f32));
        }
        Some(features)
    }

    /// Sums over the last cycles, time counted from the first of them.
    fn window_sums(&self, channel: usize, cycles: usize) -> Trend {
        let taken = self.taken as usize;
        let count = taken.min(cycles);
        let mut trend = Trend { count: count as f64, sum: 0.0, by_time: 0.0 };
        for at in 0..count {
            let value = f64::from(self.window[channel * WINDOW + (taken - count + at) % WINDOW]);
            trend.sum += value;
            trend.by_time += value * at as f64;
        }
        trend
    }
}

/// Sums of values at times 0, 1, 2, ….
struct Trend {
    count: f64,
    sum: f64,
    by_time: f64,
}

impl Trend {
    /// Least-squares slope, shrunk to none where few cycles make it.
    fn slope(&self) -> f64 {
        if self.count < 2.0 {
            return 0.0;
        }
        let middle = 0.5 * (self.count - 1.0);
        let squares = self.count * (self.count * self.count - 1.0) / 12.0;
        (self.by_time - middle * self.sum) / squares * self.count / (self.count + TREND_SHRINK)
    }
}
