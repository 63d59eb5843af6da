//! Windows that move along with time, in buckets.

use serde::{Deserialize, Serialize};

/// In how many steps a window moves along: it covers between five sixths and all of its length.
const BUCKETS: usize = 6;

/// Part of a window that must have been seen before it says anything: leaves room for
/// one message in eight to be lost.
const COVERED: f32 = 0.7;

/// Keeps sums finite whatever a channel computes.
const LIMIT: f32 = 1e24;

fn bucket_ms(window_ms: i64) -> i64 {
    (window_ms / BUCKETS as i64).max(1)
}

/// Where a bucket lies, by its number counted from the epoch.
fn place(number: i64) -> usize {
    number.rem_euclid(BUCKETS as i64) as usize
}

/// Moves the newest bucket to `now_ms`; true if it is another one. Calls `clear` with the place
/// of each bucket that is begun afresh: all of them after a long silence and when time went back.
fn move_to(newest: &mut i64, now_ms: i64, window_ms: i64, mut clear: impl FnMut(usize)) -> bool {
    let bucket_ms = bucket_ms(window_ms);
    let since_begin = now_ms.wrapping_sub(newest.wrapping_mul(bucket_ms));
    if (0..bucket_ms).contains(&since_begin) {
        return false;
    }
    let number = now_ms.div_euclid(bucket_ms);
    let passed = number.saturating_sub(*newest);
    let first = if (0..BUCKETS as i64).contains(&passed) {
        newest.saturating_add(1)
    } else {
        number.saturating_sub(BUCKETS as i64 - 1)
    };
    (first..=number).for_each(|number| clear(place(number)));
    *newest = number;
    true
}

fn is_covered(seconds: f32, window_ms: i64) -> bool {
    seconds >= COVERED * window_ms as f32 / 1_000.0
}

/// A sum and the time it covers, a bucket each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    newest: i64,
    sum: [f32; BUCKETS],
    seconds: [f32; BUCKETS],
    /// Of all buckets.
    all_sum: f32,
    all_seconds: f32,
}

impl Sums {
    pub fn move_to(&mut self, now_ms: i64, window_ms: i64) {
        let (sum, seconds) = (&mut self.sum, &mut self.seconds);
        if move_to(&mut self.newest, now_ms, window_ms, |at| (sum[at], seconds[at]) = (0.0, 0.0)) {
            self.all_sum = self.sum.iter().sum();
            self.all_seconds = self.seconds.iter().sum();
        }
    }

    pub fn add(&mut self, value: f32, seconds: f32) {
        let (at, value) = (place(self.newest), value.clamp(-LIMIT, LIMIT));
        self.sum[at] += value;
        self.seconds[at] += seconds;
        self.all_sum += value;
        self.all_seconds += seconds;
    }

    /// The sum over the window.
    pub fn total(&self, window_ms: i64) -> Option<f64> {
        is_covered(self.all_seconds, window_ms).then(|| f64::from(self.all_sum))
    }

    /// The sum over the time it covers.
    pub fn mean(&self, window_ms: i64) -> Option<f64> {
        Some(self.total(window_ms)? / f64::from(self.all_seconds))
    }

    /// By how much the mean grows a minute: the least-squares line through the buckets' means,
    /// each weighed by the time it covers.
    pub fn slope_per_minute(&self, window_ms: i64) -> Option<f64> {
        let mean = self.mean(window_ms)?;
        let all = f64::from(self.all_seconds);
        let buckets = (0..BUCKETS as i64).map(|back| {
            let at = place(self.newest.wrapping_sub(back));
            (-(back as f64), f64::from(self.sum[at]), f64::from(self.seconds[at]))
        });
        let centre = buckets.clone().map(|(x, _, seconds)| x * seconds).sum::<f64>() / all;
        let (rise, run) = buckets.fold((0.0, 0.0), |(rise, run), (x, sum, seconds)| {
            let off = x - centre;
            (rise + off * (sum - mean * seconds), run + off * off * seconds)
        });
        Some(rise / run * 60_000.0 / bucket_ms(window_ms) as f64)
    }
}

/// Lowest and highest value, a bucket each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extremes {
    newest: i64,
    low: [f32; BUCKETS],
    high: [f32; BUCKETS],
    seconds: [f32; BUCKETS],
}

/// Empty buckets: no lowest value is above, no highest below.
impl Default for Extremes {
    fn default() -> Self {
        Self { newest: 0, low: [f32::MAX; BUCKETS], high: [f32::MIN; BUCKETS], seconds: [0.0; BUCKETS] }
    }
}

impl Extremes {
    pub fn move_to(&mut self, now_ms: i64, window_ms: i64) {
        let (low, high, seconds) = (&mut self.low, &mut self.high, &mut self.seconds);
        move_to(&mut self.newest, now_ms, window_ms, |at| {
            (low[at], high[at], seconds[at]) = (f32::MAX, f32::MIN, 0.0);
        });
    }

    pub fn add(&mut self, value: f64, seconds: f32) {
        let (at, value) = (place(self.newest), (value as f32).clamp(-LIMIT, LIMIT));
        self.low[at] = self.low[at].min(value);
        self.high[at] = self.high[at].max(value);
        self.seconds[at] += seconds;
    }

    pub fn lowest(&self, window_ms: i64) -> Option<f64> {
        self.covered(window_ms).then(|| f64::from(self.low.into_iter().fold(f32::MAX, f32::min)))
    }

    pub fn highest(&self, window_ms: i64) -> Option<f64> {
        self.covered(window_ms).then(|| f64::from(self.high.into_iter().fold(f32::MIN, f32::max)))
    }

    fn covered(&self, window_ms: i64) -> bool {
        is_covered(self.seconds.iter().sum(), window_ms)
    }
}
