//! Cuts a channel into cycles, one sample after the other.

use serde::{Deserialize, Serialize};

use super::Cycle;

/// How many samples of a cycle's end are kept: four hours at one a minute. The memory of one
/// segmenter, and of one cycle, is bounded by it.
pub const MAX_TRACE: usize = 240;

/// How a channel is cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Segmentation {
    /// A cycle begins with the first value above this; in the channel's unit.
    pub on_above: f64,
    /// It ends with the first value at or below this, which is at most `on_above`.
    pub off_below: f64,
    /// What happens in a longer silence nobody knows: a cycle under way is given up, ms.
    pub max_gap_ms: i64,
}

impl Segmentation {
    /// The mode in which an appliance uses most of its energy (heating, the compressor's run):
    /// above half of the value at which half of the energy is used. `values` is a stretch of
    /// healthy operation, evenly sampled; None if it never runs. Self-scaling, so one rule serves
    /// a fridge of 70 W and a heater of 4 kW.
    pub fn main_load(values: &[f64], max_gap_ms: i64) -> Option<Self> {
        let mut positive: Vec<f64> = values.iter().copied().filter(|value| value.is_finite() && *value > 0.0).collect();
        positive.sort_unstable_by(f64::total_cmp);
        let half = positive.iter().sum::<f64>() / 2.0;
        let mut used = 0.0;
        let level = positive.iter().copied().find(|value| {
            used += value;
            used >= half
        })?;
        Some(Self { on_above: level / 2.0, off_below: level / 2.0, max_gap_ms })
    }
}

/// Cuts one channel into cycles. Serialisable, so that a restart loses nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segmenter {
    how: Segmentation,
    last_ms: Option<i64>,
    /// Whether the channel was off at the last sample, so that a rise is a beginning.
    off: bool,
    /// When the last cycle ended; None if none was seen to.
    ended_ms: Option<i64>,
    running: Option<Running>,
}

/// A cycle under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Running {
    start_ms: i64,
    /// Whether the value was seen to rise.
    start_seen: bool,
    pause_ms: Option<i64>,
    /// The last value and since when it holds.
    value: f64,
    value_ms: i64,
    peak: f64,
    energy: f64,
    samples: usize,
    trace: Vec<f64>,
}

impl Segmenter {
    /// A segmenter that has seen nothing.
    pub fn new(how: Segmentation) -> Self {
        Self { how, last_ms: None, off: false, ended_ms: None, running: None }
    }

    /// Takes one sample; returns the cycle that it ended. A value holds until the next sample.
    ///
    /// A value that is not finite is as if it had not come. A sample not later than the last one
    /// (a duplicate, or time going back) is ignored, unless it lies further back than `max_gap_ms`:
    /// then the device's clock was set, and the segmenter starts anew. After a silence longer than
    /// `max_gap_ms`, the cycle under way is returned as not `whole`.
    pub fn step(&mut self, time_ms: i64, value: f64) -> Option<Cycle> {
        if !value.is_finite() {
            return None;
        }
        let since = self.last_ms.map(|last| time_ms.saturating_sub(last));
        if since.is_some_and(|since| since <= 0 && since >= -self.how.max_gap_ms) {
            return None;
        }
        let broken = since.is_some_and(|since| since < 0 || since > self.how.max_gap_ms);
        let given_up = if broken { self.break_off() } else { None };
        self.last_ms = Some(time_ms);
        given_up.or(self.follow(time_ms, value))
    }

    /// The cycle under way, as far as it is known: after a gap or when the device goes away.
    pub fn break_off(&mut self) -> Option<Cycle> {
        self.off = false;
        self.ended_ms = None;
        let last_ms = self.last_ms.take()?;
        self.running.take().map(|running| running.finish(last_ms, false))
    }

    fn follow(&mut self, time_ms: i64, value: f64) -> Option<Cycle> {
        if let Some(running) = &mut self.running
            && value > self.how.off_below
        {
            running.go_on(time_ms, value);
            return None;
        }
        if self.running.is_none() && value > self.how.on_above {
            let pause_ms = self.ended_ms.map(|ended| time_ms.saturating_sub(ended));
            self.running = Some(Running::begin(time_ms, value, self.off, pause_ms));
            self.off = false;
            return None;
        }
        self.off = true;
        let ended = self.running.take()?;
        self.ended_ms = Some(time_ms);
        Some(ended.finish(time_ms, true))
    }
}

impl Running {
    fn begin(time_ms: i64, value: f64, start_seen: bool, pause_ms: Option<i64>) -> Self {
        Self {
            start_ms: time_ms,
            start_seen,
            pause_ms,
            value,
            value_ms: time_ms,
            peak: value,
            energy: 0.0,
            samples: 1,
            trace: vec![value],
        }
    }

    fn go_on(&mut self, time_ms: i64, value: f64) {
        self.hold_until(time_ms);
        self.value = value;
        self.peak = self.peak.max(value);
        self.samples += 1;
        // The first half of a full trace is let go at once, so that a sample costs O(1).
        if self.trace.len() == 2 * MAX_TRACE {
            self.trace.drain(..MAX_TRACE);
        }
        self.trace.push(value);
    }

    fn hold_until(&mut self, time_ms: i64) {
        self.energy += self.value * (time_ms.saturating_sub(self.value_ms)) as f64 / 3.6e6;
        self.value_ms = time_ms;
    }

    fn finish(mut self, end_ms: i64, end_seen: bool) -> Cycle {
        self.hold_until(end_ms);
        let excess = self.trace.len().saturating_sub(MAX_TRACE);
        self.trace.drain(..excess);
        Cycle {
            start_ms: self.start_ms,
            duration_ms: end_ms.saturating_sub(self.start_ms),
            pause_ms: self.pause_ms,
            whole: self.start_seen && end_seen,
            energy: self.energy,
            peak: self.peak,
            samples: self.samples,
            trace: self.trace,
        }
    }
}
