//! What is usual for a device: how long its cycles last after which pause, and how steady the
//! load is while it is on.

use serde::{Deserialize, Serialize};

use super::Cycle;
use super::held::{normal, wander_scale};

/// How many cycles are remembered; the oldest goes first. Five days of a fridge, a season of a
/// washer; it bounds memory (6 KB) and the cost of a judgement.
pub const MAX_CYCLES: usize = 256;

/// After a longer rest everything has cooled down, and all rests are alike. A pause whose beginning
/// was not seen counts as such a rest. 400 min, in ms.
const LONG_REST_MS: i64 = 400 * 60_000;

/// Pauses within a factor of 1.5 are alike (natural log).
const PAUSE_WIDTH: f64 = 0.4;

/// Half of the factor in Silverman's rule of thumb (1986, eq. 3.31) for the width of the kernels: the
/// rule is for one hump and blurs several (section 3.4.2), and an appliance has several programmes.
const SILVERMAN: f64 = 0.45;

/// Two cycles of the same length are never closer than this (natural log): 2 %.
const MIN_WIDTH: f64 = 0.02;

/// The spread (natural log) that one device's cycles of all kinds have where nothing else is known.
const WIDE: f64 = 0.4;

/// How many cycles alike weigh as much as what is known of all cycles whatever their pause.
const WIDE_WEIGHT: f64 = 0.3;

/// How many of a device's own cycles weigh as much as the fleet.
const FLEET_CYCLES: f64 = 5.0;

/// How many steps of its own from sample to sample.
const FLEET_STEPS: f64 = 50.0;

/// What is usual across the devices of one model: the prior of a device that has shown little.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// Centre of the natural logarithm of a cycle's duration in seconds.
    pub log_duration: f64,
    /// Spread of it over cycles and devices.
    pub log_duration_spread: f64,
    /// How much the logarithm of the load wanders from one sample to the next.
    pub wander: f64,
}

impl Fleet {
    /// The fleet of the devices that have learned; None without a cycle. Every device counts alike.
    pub fn of<'a>(devices: impl IntoIterator<Item = &'a Usual>) -> Option<Self> {
        let devices: Vec<&Usual> = devices.into_iter().filter(|device| device.steps() > 0.0).collect();
        let n = devices.len() as f64;
        let mean = |of: &dyn Fn(&Usual) -> f64| devices.iter().map(|device| of(device)).sum::<f64>() / n;
        let log_duration = mean(&|device| device.mean(|lasted| lasted.log_s));
        let variance = mean(&|device| device.mean(|lasted| (lasted.log_s - log_duration).powi(2)));
        let wander = mean(&|device| device.own_wander().ln()).exp();
        (n > 0.0).then_some(Self { log_duration, log_duration_spread: variance.sqrt().max(WIDE), wander })
    }
}

/// One remembered cycle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Lasted {
    log_s: f64,
    log_pause: f64,
    /// Steps from sample to sample, and how much the load wanders in one.
    steps: f64,
    wander: f64,
}

/// What is usual for one device. Serialisable; at most [`MAX_CYCLES`] cycles large.
///
/// It is a baseline fixed at installation if nobody goes on to teach it, and an adapting one if
/// every cycle judged healthy is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    fleet: Option<Fleet>,
    /// The channel's resolution: values are multiples of it.
    resolution: f64,
    lasted: Vec<Lasted>,
}

impl Usual {
    /// A device that has shown nothing, in its fleet (None: of a model nobody knows), with a channel
    /// of this resolution (0 if it is finer than any noise).
    pub fn new(fleet: Option<Fleet>, resolution: f64) -> Self {
        Self { fleet, resolution: if resolution >= 0.0 { resolution } else { 0.0 }, lasted: Vec::new() }
    }

    /// Remembers a healthy cycle. One that was not seen whole says nothing of its length and is
    /// passed over.
    pub fn learn(&mut self, cycle: &Cycle) {
        let Some(log_s) = log_seconds(cycle) else { return };
        if self.lasted.len() == MAX_CYCLES {
            self.lasted.remove(0);
        }
        let (steps, wander) = wander_scale(&cycle.trace);
        self.lasted.push(Lasted { log_s, log_pause: log_pause(cycle), steps, wander });
    }

    /// Whether the fleet says more about this device than the device itself.
    pub fn prior_dominated(&self) -> bool {
        (self.lasted.len() as f64) < FLEET_CYCLES
    }

    pub(super) fn resolution(&self) -> f64 {
        self.resolution
    }

    /// How much the logarithm of the load wanders in one step, shrunk to the fleet; None if neither
    /// device nor fleet have shown any.
    pub(super) fn wander(&self) -> Option<f64> {
        let own = self.steps();
        match self.fleet {
            Some(fleet) => {
                let weight = own / (own + FLEET_STEPS);
                let squares = if own > 0.0 { self.own_wander().powi(2) } else { 0.0 };
                Some((weight * squares + (1.0 - weight) * fleet.wander.powi(2)).sqrt())
            }
            None => (own > 0.0).then(|| self.own_wander()),
        }
    }

    /// Density of the logarithm of a duration (s) for cycles that came after such a pause: a kernel
    /// estimate over cycles after like pauses, mixed with one over all cycles, mixed with the fleet.
    /// The returned closure also takes how exactly the duration was measured, in the same logarithm.
    pub(super) fn duration_density(&self, cycle: &Cycle) -> impl Fn(f64, f64) -> f64 {
        let pause = log_pause(cycle);
        let likes: Vec<(f64, f64)> = self.lasted.iter().map(|l| (l.log_s, alike(l.log_pause, pause))).collect();
        let width = kernel_width(&likes);
        let weight: f64 = likes.iter().map(|like| like.1).sum();
        let n = likes.len() as f64;
        let fleet = self.fleet;
        move |log_s, exactness| {
            let near = width.hypot(exactness);
            let (mut close, mut wide) = (0.0, 0.0);
            for (known, like) in &likes {
                close += like * normal(log_s - known, near).exp();
                wide += normal(log_s - known, WIDE).exp();
            }
            let prior = |fleet: Fleet| normal(log_s - fleet.log_duration, fleet.log_duration_spread).exp();
            let wide = match fleet {
                Some(fleet) => (wide + FLEET_CYCLES * prior(fleet)) / (n + FLEET_CYCLES),
                None => wide / n.max(1.0),
            };
            (close + WIDE_WEIGHT * wide) / (weight + WIDE_WEIGHT)
        }
    }

    fn mean(&self, of: impl Fn(&Lasted) -> f64) -> f64 {
        self.lasted.iter().map(of).sum::<f64>() / self.lasted.len() as f64
    }

    fn steps(&self) -> f64 {
        self.lasted.iter().map(|lasted| lasted.steps).sum()
    }

    /// NaN without a step.
    fn own_wander(&self) -> f64 {
        (self.lasted.iter().map(|lasted| lasted.steps * lasted.wander.powi(2)).sum::<f64>() / self.steps()).sqrt()
    }
}

/// The logarithm of a cycle's duration in seconds; None if that is not known.
fn log_seconds(cycle: &Cycle) -> Option<f64> {
    (cycle.whole && cycle.duration_ms > 0).then(|| (cycle.duration_ms as f64 / 1e3).ln())
}

fn log_pause(cycle: &Cycle) -> f64 {
    (cycle.pause_ms.unwrap_or(LONG_REST_MS).clamp(1, LONG_REST_MS) as f64).ln()
}

fn alike(one: f64, other: f64) -> f64 {
    (-0.5 * ((one - other) / PAUSE_WIDTH).powi(2)).exp()
}

/// Silverman's width for weighted values: from the lesser of standard deviation and scaled
/// interquartile range, so that a second programme does not blur the first.
fn kernel_width(weighted: &[(f64, f64)]) -> f64 {
    let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    if total < 1e-3 {
        return WIDE;
    }
    let mean = weighted.iter().map(|(value, weight)| value * weight).sum::<f64>() / total;
    let variance = weighted.iter().map(|(value, weight)| weight * (value - mean).powi(2)).sum::<f64>() / total;
    let quartiles = (weighted_quantile(weighted, total * 0.75) - weighted_quantile(weighted, total * 0.25)) / 1.34;
    let spread = if quartiles > 0.0 { variance.sqrt().min(quartiles) } else { variance.sqrt() };
    let size = total.powi(2) / weighted.iter().map(|(_, weight)| weight.powi(2)).sum::<f64>();
    (SILVERMAN * spread * size.powf(-0.2)).max(MIN_WIDTH)
}

/// The value at which the weights of the values up to it reach `reach`.
fn weighted_quantile(weighted: &[(f64, f64)], reach: f64) -> f64 {
    let mut sorted = weighted.to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut sum = 0.0;
    let found = sorted.iter().find(|(_, weight)| {
        sum += weight;
        sum >= reach
    });
    found.or(sorted.last()).map_or(0.0, |(value, _)| *value)
}
