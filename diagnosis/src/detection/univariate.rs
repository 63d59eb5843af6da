//! An unsupervised detector for one channel of any kind, which learns as it goes.
//!
//! It needs no training, no unit, no range and no sampling period: a channel may be smooth, spiky,
//! periodic, quantised or constant. Every reading is looked at in six ways (its [`Statistic`]s), and
//! each way asks the same question: *does this exceed what a usual day's largest one is?*
//!
//! 1. The day is the unit that is exchangeable in a home; consecutive readings are not. So each
//!    statistic is judged against its **daily maxima** (block maxima; Coles 2001, "An Introduction
//!    to Statistical Modeling of Extreme Values", chapter 3), kept as a slowly forgetting mean and
//!    standard deviation. What happens every day, however wild, is thereby usual, and a heavy tail
//!    makes itself known by scattered maxima.
//! 2. One of the statistics is the distance from the **rhythm** of the day and of the week.
//! 3. Their excesses, in standard deviations and bounded, are merged as the root of their sum of
//!    squares: the *strangeness*.
//! 4. Of one strange event only the first reading, and those that are clearly stranger, are news
//!    (re-alarms are held off as ISA-18.2 asks for chattering alarms): the *score*.
//!
//! It says that a channel behaves as it never did, not why, nor whether that is a fault. Slow
//! drifts are left to the cumulative sums of the rules, since this detector learns them.
//! A single glitch later on is not learnt, but one on the first day is taken for usual for weeks:
//! limits that a datapoint cannot exceed belong before it.
//!
//! ```
//! use diagnosis::detection::univariate::{ALARM, Detector};
//! use firmware_proto::DeviceTime;
//!
//! let mut power = Detector::new();
//! let watts = |minute: i64| if minute % 60 < 20 { 90.0 } else { 2.0 };
//! for minute in 0..5 * 1440 {
//!     let step = power.step(DeviceTime(minute * 60_000), watts(minute));
//!     assert!(step.score < ALARM, "the compressor runs as it did");
//! }
//! let step = power.step(DeviceTime(5 * 1440 * 60_000), 700.0);
//! assert!(step.score >= ALARM);
//! ```

mod daily_maximum;
mod repeats;
mod rhythm;
#[cfg(test)]
mod tests;

use firmware_proto::DeviceTime;
use serde::{Deserialize, Serialize};

use daily_maximum::DailyMaximum;
use repeats::Repeats;
use rhythm::Rhythm;

/// The [`Step::score`] from which a reading is an alarm: one standard deviation of the daily maxima
/// beyond their mean, and news.
pub const ALARM: f64 = 0.5;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Readings that the recent mean is taken over: enough to calm a noisy channel tenfold in variance,
/// few enough to answer within the hour at the usual cadence of minutes.
const RECENT: usize = 10;

/// What is finer than this part of the channel's usual magnitude is rounding, not change; a 16-bit
/// converter resolves 1.5e-5.
const RESOLUTION: f64 = 1e-6;

/// Readings are taken to be within this, so that neither single precision nor a square overflows.
const LARGEST: f64 = 1e30;

/// Most standard deviations that one statistic brings: beyond, all are as strange, and an event that
/// broke all bounds must not outshine the next one for long.
const MOST: f64 = 8.0;

/// A way of looking at a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The reading is high.
    High,
    /// The reading is low.
    Low,
    /// The reading is far from the one before.
    Jump,
    /// The mean of the last readings is high.
    MeanHigh,
    /// The mean of the last readings is low.
    MeanLow,
    /// The mean of the last readings is far from what this hour of the day or of the week brings.
    Rhythm,
}

impl Statistic {
    /// All of them, in the order of [`Step::excesses`].
    pub const ALL: [Self; 6] = [Self::High, Self::Low, Self::Jump, Self::MeanHigh, Self::MeanLow, Self::Rhythm];
}

/// What one reading says.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Step {
    /// How far each statistic lies beyond its usual daily maximum, in standard deviations of that
    /// maximum; 0 if it does not, or no more than earlier on the same day. At most 8.
    pub excesses: [f64; Statistic::ALL.len()],
    /// The root of the sum of squares of the excesses; 0 for most readings.
    pub strangeness: f64,
    /// strangeness / (1 + strangeness) of a reading that is news, 0 of any other; in [0, 1), an
    /// alarm from [`ALARM`].
    pub score: f64,
}

impl Step {
    /// The statistic that carries most of the strangeness; None without any.
    #[must_use]
    pub fn carried_by(&self) -> Option<Statistic> {
        let most = (0..Statistic::ALL.len()).max_by(|&a, &b| self.excesses[a].total_cmp(&self.excesses[b]))?;
        (self.excesses[most] > 0.0).then_some(Statistic::ALL[most])
    }
}

/// Watches one channel. Holds a bounded 2 KB, allocates nothing, and can be stored at any time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Detector {
    last: Option<(DeviceTime, f64)>,
    recent: Recent,
    rhythm: Rhythm,
    maxima: [DailyMaximum; Statistic::ALL.len()],
    repeats: Repeats,
    /// Readings to come until the recent mean has forgotten the last alarm.
    tainted: usize,
}

impl Detector {
    /// A detector that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Days of readings that the verdicts rest on, at most 14. 0 until a full day was seen; until
    /// then nothing is strange, and below some 3 the verdicts rest on an assumed scatter.
    #[must_use]
    pub fn days(&self) -> f64 {
        self.maxima[0].days()
    }

    /// Takes one reading: judges it by what was learnt before, then learns it.
    ///
    /// A value that is not a finite number is skipped (score 0, nothing learnt). After a gap of more
    /// than a day, jump and recent mean begin anew. A second reading at the same time, and one from
    /// before the last, count as readings of their own at the time that they bear.
    pub fn step(&mut self, time: DeviceTime, value: f64) -> Step {
        if !value.is_finite() {
            return Step::default();
        }
        let value = value.clamp(-LARGEST, LARGEST);
        if self.last.is_some_and(|(last, _)| time.0.saturating_sub(last.0) > DAY_MS) {
            self.last = None;
            self.recent = Recent::default();
        }
        let statistics = self.statistics(time, value);
        let mut excesses = [0.0; Statistic::ALL.len()];
        let resolution = RESOLUTION * self.recent.magnitude();
        for ((maximum, statistic), excess) in self.maxima.iter_mut().zip(statistics).zip(&mut excesses) {
            if let Some(statistic) = statistic {
                *excess = maximum.excess(statistic, resolution).min(MOST);
                maximum.learn(time, statistic);
            }
        }
        let strangeness = excesses.iter().map(|excess| excess * excess).sum::<f64>().sqrt();
        let score = if self.repeats.is_news(time, strangeness) { strangeness / (1.0 + strangeness) } else { 0.0 };
        self.learn_rhythm(time, score >= ALARM);
        Step { excesses, strangeness, score }
    }

    /// The reading seen in each way, None where too little is known; in the order of
    /// [`Statistic::ALL`], larger is stranger.
    fn statistics(&mut self, time: DeviceTime, value: f64) -> [Option<f64>; Statistic::ALL.len()] {
        let jump = self.last.map(|(_, last)| (value - last).abs());
        self.last = Some((time, value));
        self.recent.push(value);
        let mean = self.recent.mean();
        let full = self.recent.is_full().then_some(mean);
        let off = self.rhythm.distance(time, mean);
        [Some(value), Some(-value), jump, full, full.map(|mean| -mean), off]
    }

    /// Learns the rhythm, but not from an alarm: it would echo the next day.
    fn learn_rhythm(&mut self, time: DeviceTime, alarm: bool) {
        if alarm {
            self.tainted = RECENT;
        }
        if self.tainted == 0 {
            self.rhythm.learn(time, self.recent.mean());
        }
        self.tainted = self.tainted.saturating_sub(1);
    }
}

/// The last few readings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Recent {
    values: [f64; RECENT],
    /// Readings ever taken.
    taken: usize,
}

impl Recent {
    fn push(&mut self, value: f64) {
        self.values[self.taken % RECENT] = value;
        self.taken += 1;
    }

    fn is_full(&self) -> bool {
        self.taken >= RECENT
    }

    fn magnitude(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, value| value.abs().max(largest))
    }

    /// Added up anew each time, so that no rounding gathers.
    fn mean(&self) -> f64 {
        let held = self.taken.min(RECENT);
        self.values[..held].iter().sum::<f64>() / held as f64
    }
}
