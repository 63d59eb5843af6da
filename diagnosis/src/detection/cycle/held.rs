//! Was the load held on beyond the end of an ordinary cycle?
//!
//! A thermostat that opens late, scale on an element, a clogged filter, a leaking seal: the faults
//! of cyclic appliances let a load run on. The Bayes factor of a cycle of n samples is the mean,
//! over the m samples by which it may have been held, of
//!
//! * how much likelier the duration without them is than the whole one, as this device runs
//!   ([`Usual`]: a semi-Markov model whose stays depend on the pause before), times
//! * how much likelier the last m values are as a steady load about one level than as the load's
//!   usual wandering, where half of the prior weight says that a held load wanders as usual.
//!
//! The load's usual wandering is a random walk of its logarithm with steps of Student's t (4 degrees
//! of freedom: mains voltage has jumps), calmer in some stretches than in others. A
//! steady load varies about its level by [`STEADY`].

use serde::{Deserialize, Serialize};

use super::{Cycle, MAX_TRACE, Usual};

/// Standard deviation of the logarithm of a steady load.
const STEADY: f64 = 0.0025;

/// How far the level of a held load lies from the last values before it (natural log).
const LEVEL: f64 = 0.02;

/// How calm the load may be in a stretch, as parts of its usual wander: equally likely.
const CALM: [f64; 4] = [1.0, 0.5, 0.25, 0.125];

/// At most this part of a cycle was held: an appliance that runs 2.5 times as long as it should is
/// found by its duration alone.
const MOST_HELD: f64 = 0.6;

/// One cycle says at most this much for or against a fault in [`day`], as a natural logarithm: what
/// a model says beyond 3,000 to 1 is beyond what the model is good for.
const MOST_SAID: f64 = 8.0;

/// What one cycle says of a load that was held on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Natural log of P(cycle | held on) / P(cycle | ordinary).
    pub log_bayes_factor: f64,
    /// The same from the duration alone.
    pub from_duration: f64,
    /// For how long it was most likely held, if it was, ms.
    pub overrun_ms: i64,
    /// Whether that rests on the fleet more than on the device.
    pub prior_dominated: bool,
}

/// What the cycles of a day say together: the mean of their log Bayes factors; None without any.
///
/// The mean and not the sum, for the cycles of a day share weather and user: 50 of a fridge are not
/// 50 witnesses.
pub fn day(cycles: &[Held]) -> Option<f64> {
    let said = cycles.iter().map(|held| held.log_bayes_factor.clamp(-MOST_SAID, MOST_SAID)).sum::<f64>();
    (!cycles.is_empty()).then(|| said / cycles.len() as f64)
}

impl Usual {
    /// Weighs *held on* against *ordinary* for one cycle. None if the cycle was not seen whole, or if
    /// neither device nor fleet have shown a cycle yet.
    pub fn held(&self, cycle: &Cycle) -> Option<Held> {
        let wander = self.wander()?;
        if !cycle.whole || cycle.duration_ms <= 0 {
            return None;
        }
        let n = cycle.samples;
        let ends = Ends::of(&cycle.trace, wander, self.resolution());
        // A cycle of n samples lasted n sampling intervals, give or take one at either end.
        let density = self.duration_density(cycle);
        let lasted = |samples: usize| {
            let seconds = cycle.duration_ms as f64 / 1e3 * samples as f64 / n as f64;
            // Density per second, not per logarithm; the floor keeps one odd cycle from being proof.
            (density(seconds.ln(), 0.4 / samples as f64) + 1e-6).ln() - seconds.ln()
        };
        let ordinary = lasted(n);
        let most = ((MOST_HELD * n as f64) as usize).min(n.saturating_sub(2)).max(1).min(n.saturating_sub(1));
        let mut sums = (Sum::default(), Sum::default());
        let mut likeliest = (f64::NEG_INFINITY, 0);
        for held in (1..=most).step_by(most.div_ceil(MAX_TRACE).max(1)) {
            let duration = lasted(n - held) - ordinary;
            let both = duration + ends.as_ref().map_or(0.0, |ends| ends.steadier(held));
            sums.0.add(both);
            sums.1.add(duration);
            likeliest = if both > likeliest.0 { (both, held) } else { likeliest };
        }
        let held = Held {
            log_bayes_factor: sums.0.log_mean(),
            from_duration: sums.1.log_mean(),
            overrun_ms: cycle.duration_ms / n.max(1) as i64 * likeliest.1 as i64,
            prior_dominated: self.prior_dominated(),
        };
        // Values near the largest number have no finite ratios.
        (held.log_bayes_factor.is_finite() && held.from_duration.is_finite()).then_some(held)
    }
}

/// Sums over the last values of a cycle, from which any number of them is judged at once.
struct Ends {
    /// Sums of the logarithms, of their squares and of the log density of the steps into them for
    /// each of [`CALM`], up to each value.
    logs: Vec<f64>,
    squares: Vec<f64>,
    steps: [Vec<f64>; CALM.len()],
    steady: f64,
}

impl Ends {
    /// None for fewer than 4 values, or if one is not positive.
    fn of(trace: &[f64], wander: f64, resolution: f64) -> Option<Self> {
        if trace.len() < 4 || trace.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let grain = resolution / (trace.iter().sum::<f64>() / trace.len() as f64);
        // Logarithms relative to the first, so that the squares do not cancel.
        let relative: Vec<f64> = trace.iter().map(|value| (value / trace[0]).ln()).collect();
        let logs = running(relative.iter().copied());
        let squares = running(relative.iter().map(|log| log * log));
        let steps = CALM.map(|calm| {
            let scale = (wander * calm).hypot(STEP_GRAIN * grain).max(f64::MIN_POSITIVE);
            let density = relative.windows(2).map(|pair| student_4(pair[1] - pair[0], scale));
            running(std::iter::once(0.0).chain(density))
        });
        Some(Self { logs, squares, steps, steady: STEADY.hypot(GRAIN * grain) })
    }

    /// Log of: likelihood of the last `held` values as held, half of it as a steady load and half as
    /// wandering, over their likelihood as wandering.
    fn steadier(&self, held: usize) -> f64 {
        let end = self.logs.len() - 1;
        let from = end.saturating_sub(held);
        if from == 0 {
            return 0.0;
        }
        let m = (end - from) as f64;
        let mean = (self.logs[end] - self.logs[from]) / m;
        let squares = (self.squares[end] - self.squares[from] - m * mean * mean).max(0.0);
        let before = from.min(3);
        let level = (self.logs[from] - self.logs[from - before]) / before as f64;
        let variance = self.steady.powi(2);
        // The level of the held load is integrated out.
        let steady =
            -0.5 * (m - 1.0) * (std::f64::consts::TAU * variance).ln() - 0.5 * m.ln() - 0.5 * squares / variance
                + normal(mean - level, (variance / m + LEVEL * LEVEL).sqrt());
        let mut wandering = Sum::default();
        self.steps.iter().for_each(|steps| wandering.add(steps[end] - steps[from]));
        let mut both = Sum::default();
        both.add(0.0);
        both.add(steady - wandering.log_mean());
        both.log_mean()
    }
}

/// Standard deviation of what rounding to multiples of 1 does to a value, and to a step.
const GRAIN: f64 = 0.289;
const STEP_GRAIN: f64 = 0.408;

/// How much the logarithm of the load wanders from one value to the next, and the number of steps
/// that say so: the scale of Student's t (4 degrees of freedom) with the largest likelihood, by
/// expectation maximisation. Rise and fall are left out.
pub(super) fn wander_scale(trace: &[f64]) -> (f64, f64) {
    let logs: Vec<f64> = trace.iter().filter(|value| **value > 0.0).map(|value| value.ln()).collect();
    let rise = if logs.len() > 4 { 2 } else { 1 };
    let steps: Vec<f64> = logs.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).collect();
    let inner = steps.get(rise..steps.len().saturating_sub(1)).unwrap_or_default();
    if inner.is_empty() {
        return (0.0, 0.0);
    }
    let n = inner.len() as f64;
    let mut variance = inner.iter().sum::<f64>() / n + 1e-12;
    for _ in 0..50 {
        variance = inner.iter().map(|square| 5.0 / (4.0 + square / variance) * square).sum::<f64>() / n + 1e-12;
    }
    (n, variance.sqrt())
}

/// Log density of a normal distribution.
pub(super) fn normal(distance: f64, sd: f64) -> f64 {
    -0.5 * (distance / sd).powi(2) - sd.ln() - 0.918_938_533_204_672_8
}

/// Log density of Student's t with 4 degrees of freedom.
fn student_4(distance: f64, scale: f64) -> f64 {
    (0.375 / scale).ln() - 2.5 * (0.25 * (distance / scale).powi(2)).ln_1p()
}

/// Running sums, beginning with 0: one more than values.
fn running(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(values.map(|value| {
            sum += value;
            sum
        }))
        .collect()
}

/// Sums numbers that are given by their logarithms.
#[derive(Default)]
struct Sum {
    largest: Option<f64>,
    rest: f64,
    count: usize,
}

impl Sum {
    fn add(&mut self, log: f64) {
        self.count += 1;
        match self.largest {
            Some(largest) if log <= largest => self.rest += (log - largest).exp(),
            Some(largest) => {
                self.rest = self.rest * (largest - log).exp() + 1.0;
                self.largest = Some(log);
            }
            None => (self.largest, self.rest) = (Some(log), 1.0),
        }
    }

    /// The logarithm of the mean; 0 of none.
    fn log_mean(&self) -> f64 {
        self.largest.map_or(0.0, |largest| largest + (self.rest / self.count as f64).ln())
    }
}
