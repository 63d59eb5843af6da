//! Cycles: what an appliance does between switching a load on and off, and whether the load was
//! held on for longer than is usual for this device.
//!
//! Appliances are cyclic: a heater heats, a compressor runs, a washer heats its water. Consecutive
//! samples say little, a cycle says much. The flow:
//!
//! 1. [`Segmenter`] cuts a channel into [`Cycle`]s, streaming.
//! 2. [`Usual`] learns from a device's healthy cycles how long they last after which pause and how
//!    steady the load is, shrunk to the [`Fleet`].
//! 3. [`Usual::held`] weighs, for one cycle, *the load stayed on after the cycle should have ended*
//!    (thermostat, scale, clogged filter, leaking seal) against *an ordinary cycle*.
//! 4. [`day`] joins the cycles of a day.

mod held;
mod segmenter;
mod usual;

use serde::{Deserialize, Serialize};

pub use held::{Held, day};
pub use segmenter::{MAX_TRACE, Segmentation, Segmenter};
pub use usual::{Fleet, Usual};

/// One stay of a channel above its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// Device time of the first value above, ms.
    pub start_ms: i64,
    /// To the first value below, ms.
    pub duration_ms: i64,
    /// From the end of the cycle before, ms; None if that was not seen.
    pub pause_ms: Option<i64>,
    /// Whether begin and end were both seen, with no gap between.
    pub whole: bool,
    /// Time integral of the channel, in its unit times hours (Wh for a power in W).
    pub energy: f64,
    /// The largest value, in the channel's unit.
    pub peak: f64,
    /// How many samples lie in it.
    pub samples: usize,
    /// The last values of it, at most [`MAX_TRACE`], in the channel's unit.
    pub trace: Vec<f64>,
}

impl Cycle {
    /// What [`Cycle::features`] holds.
    pub const FEATURES: [&'static str; 7] =
        ["log duration/s", "log energy", "log mean", "log peak/mean", "log first/mean", "log last/mean", "log pause/s"];

    /// The cycle as numbers: durations and levels as natural logarithms, since faults stretch and
    /// scale. `first` is the first value kept, so the ramp up only if the trace was not cut. NaN
    /// where unknown or not positive.
    pub fn features(&self) -> [f64; 7] {
        let log = |value: f64| if value > 0.0 { value.ln() } else { f64::NAN };
        let hours = self.duration_ms as f64 / 3.6e6;
        let mean = self.energy / hours;
        let edge = |value: Option<&f64>| value.map_or(f64::NAN, |value| log(value / mean));
        let first = if self.samples == self.trace.len() { self.trace.first() } else { None };
        [
            log(hours * 3600.0),
            log(self.energy),
            log(mean),
            log(self.peak / mean),
            edge(first),
            edge(self.trace.last()),
            self.pause_ms.map_or(f64::NAN, |pause| log(pause as f64 / 1e3)),
        ]
    }
}

#[cfg(test)]
mod tests;
