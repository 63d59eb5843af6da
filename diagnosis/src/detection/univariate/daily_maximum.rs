//! The largest that a statistic gets in a day, and how far a new value exceeds that.

use firmware_proto::DeviceTime;
use serde::{Deserialize, Serialize};

use super::{HOUR_MS, MOST};

/// A day is seen as a window that slides by parts, so that midnight means nothing.
const PARTS: usize = 8;
const PART_MS: i64 = 3 * HOUR_MS;

/// Fewest readings in a part: a day of fewer than some 50 readings has too mild a maximum, and a
/// clock that jumps to and fro cannot shred the day. A channel read less often has longer days.
const READINGS: u32 = 6;

/// Days that are remembered: two weeks, and so each weekday twice.
const MEMORY: f64 = 14.0;

/// Days beyond bounds that may be glitches.
const GLITCHES: f64 = 2.0;

/// Judges one statistic by its daily maxima, whose mean and variance it keeps with exponential
/// forgetting.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DailyMaximum {
    /// Maxima of the last parts of a day, a ring.
    parts: [f64; PARTS],
    /// Parts ever closed.
    closed: usize,
    part: Part,
    /// Days that `mean` and `variance` rest on.
    days: f64,
    mean: f64,
    variance: f64,
    /// Mean of the statistic itself.
    usual: f64,
    /// Days among them whose maximum was beyond bounds.
    exceptional: f64,
}

/// The part of a day that is running.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Part {
    index: i64,
    readings: u32,
    maximum: f64,
    sum: f64,
}

impl DailyMaximum {
    /// Days that were learnt, at most [`MEMORY`].
    pub fn days(&self) -> f64 {
        self.days
    }

    /// How many standard deviations `value` lies beyond the usual daily maximum; 0 if it does not
    /// exceed the last day's too, or if no day has passed. `resolution` is the least standard
    /// deviation that means anything.
    pub fn excess(&self, value: f64, resolution: f64) -> f64 {
        if self.days == 0.0 || value <= self.mean || value <= self.latest() {
            return 0.0;
        }
        (value - self.mean) / self.deviation().max(resolution).max(f64::MIN_POSITIVE)
    }

    /// The standard deviation of the daily maxima. Few days say little of it: one more day is
    /// imagined, whose maximum is off by as much as a day's maximum exceeds the usual.
    fn deviation(&self) -> f64 {
        let range = self.mean - self.usual;
        ((range * range + self.days * self.variance) / (1.0 + self.days)).sqrt()
    }

    /// The maximum of the last day.
    fn latest(&self) -> f64 {
        let held = self.parts[..self.closed.min(PARTS)].iter();
        let running = (self.part.readings > 0).then_some(self.part.maximum);
        held.copied().chain(running).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Takes the value in.
    pub fn learn(&mut self, time: DeviceTime, value: f64) {
        let index = time.0.div_euclid(PART_MS);
        if self.part.readings >= READINGS && index != self.part.index {
            self.close();
        }
        let part = &mut self.part;
        if part.readings == 0 {
            *part = Part { index, readings: 0, maximum: value, sum: 0.0 };
        }
        part.readings = part.readings.saturating_add(1);
        part.maximum = part.maximum.max(value);
        part.sum += value;
    }

    /// Ends the part of the day; the day that ends with it counts as one part of a day.
    fn close(&mut self) {
        let part = std::mem::take(&mut self.part);
        let mean = part.sum / f64::from(part.readings);
        self.parts[self.closed % PARTS] = part.maximum;
        self.closed += 1;
        if self.closed < PARTS {
            self.usual += (mean - self.usual) / self.closed as f64;
            return;
        }
        let maximum = self.latest();
        if self.closed == PARTS {
            (self.days, self.mean) = (1.0, maximum);
        }
        let weight = 1.0 / PARTS as f64;
        self.days = (self.days + weight).min(MEMORY);
        let share = weight / self.days;
        let bound = self.bound(maximum - self.mean, weight, share);
        self.usual += share * (mean - self.usual).clamp(-bound, bound);
        let off = (maximum - self.mean).clamp(-bound, bound);
        self.mean += share * off;
        self.variance = (1.0 - share) * (self.variance + share * off * off);
    }

    /// How much of a day that is `off` is learnt: a single glitch must not blind for weeks, but what
    /// comes on a third day is how the channel is.
    fn bound(&mut self, off: f64, weight: f64, share: f64) -> f64 {
        let bound = MOST * self.deviation();
        self.exceptional *= 1.0 - share;
        if off.abs() > bound {
            self.exceptional += weight;
        }
        if self.exceptional > GLITCHES { f64::INFINITY } else { bound }
    }
}
