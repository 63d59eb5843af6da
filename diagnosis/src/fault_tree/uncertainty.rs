//! How far the probability of the top event is known, given how far those of the events are.
//!
//! Latin hypercube sampling (McKay, Beckman and Conover, Technometrics 21, 1979) in independent
//! batches: within a batch each event's law is cut into [`BATCH`] parts of equal probability, each
//! drawn from once, in random order. The means of the batches are independent, and tell how well
//! the mean is known.

mod quantile;

use self::quantile::{Beta, normal, student};
use super::{Event, EventKind, Spread};
use crate::random::Random;

/// Trials of one batch. The fewest batches make [`MIN_TRIALS`] trials.
const BATCH: usize = 100;

/// Enough for ten batches, and for percentiles 5 and 95 to mean something.
pub const MIN_TRIALS: usize = 1_000;

/// Their results are kept: 80 MB.
pub const MAX_TRIALS: usize = 10_000_000;

/// The least and greatest shape of a beta law. Beyond, its quantiles leave what a number can hold,
/// or lose the digits that the law is about.
pub const BETA_SHAPES: (f64, f64) = (1e-2, 1e8);

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// How often, [`MIN_TRIALS`] to [`MAX_TRIALS`]; rounded up to whole batches of 100.
    pub trials: usize,
    /// The same seed draws the same.
    pub seed: u64,
}

/// The distribution of the top event's probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertainty {
    /// How many trials there were; fewer than asked for if stopped.
    pub trials: usize,
    /// Mean.
    pub mean: f64,
    /// The mean lies between these with 95 % confidence, as far as sampling goes.
    pub mean_interval: (f64, f64),
    /// Standard deviation.
    pub deviation: f64,
    /// 5th percentile.
    pub p05: f64,
    /// 50th percentile.
    pub median: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 95th percentile over median; `None` if the median is 0.
    pub error_factor: Option<f64>,
    /// Draws of an event above 1, taken as 1: a wide log-normal around a large probability.
    pub cut: u64,
}

/// Why there is no distribution.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UncertaintyError {
    /// Too few to say anything or too many to keep.
    #[error("{0} trials; there must be {MIN_TRIALS} to {MAX_TRIALS}")]
    Trials(usize),
    /// No event has a spread.
    #[error("no event has a spread; give at least one an error factor, a beta law or a range")]
    NothingUncertain,
    /// Not a law.
    #[error("event {event:?}: {parameter} is {value}; it must be {expected}")]
    Spread {
        /// The event.
        event: String,
        /// Which parameter.
        parameter: &'static str,
        /// What was given.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// Stopped before two batches were done.
    #[error("stopped after {trials} trials; at least {} are needed", 2 * BATCH)]
    Stopped {
        /// How many there were.
        trials: usize,
    },
}

/// Draws the events' probabilities and looks what `top` makes of them.
///
/// `events` and `probabilities` go together, as in [`super::StaticTree`]; events without a spread
/// keep their probability. `top` maps the probabilities of all events to that of the top event.
/// `stop` is asked before every trial; a batch that it breaks off does not count.
///
/// # Errors
/// A spread is none, there is nothing to draw, the trials are too few or too many, or `stop` came
/// too early.
pub fn propagate(
    events: &[Event],
    probabilities: &[f64],
    sampling: Sampling,
    stop: &dyn Fn() -> bool,
    top: &mut dyn FnMut(&[f64]) -> f64,
) -> Result<Uncertainty, UncertaintyError> {
    let mut draws = Draws::new(events, probabilities, sampling)?;
    let batches = sampling.trials.div_ceil(BATCH);
    let mut results = Vec::with_capacity(batches * BATCH);
    while results.len() < batches * BATCH {
        draws.shuffle();
        let batch = results.len();
        for trial in 0..BATCH {
            if stop() {
                results.truncate(batch);
                return summary(results, draws.cut);
            }
            results.push(top(draws.draw(trial)));
        }
    }
    summary(results, draws.cut)
}

/// What is drawn for one event.
struct Uncertain {
    event: usize,
    law: Law,
    /// For each trial of a batch: which part of the law it draws from.
    parts: Vec<usize>,
}

enum Law {
    LogNormal { ln_median: f64, deviation: f64 },
    Beta(Beta),
    Uniform { min: f64, max: f64 },
}

impl Law {
    fn quantile(&self, probability: f64) -> f64 {
        match self {
            Law::LogNormal { ln_median, deviation } => (ln_median + deviation * normal(probability)).exp(),
            Law::Beta(beta) => beta.quantile(probability),
            Law::Uniform { min, max } => min + (max - min) * probability,
        }
    }
}

struct Draws {
    uncertain: Vec<Uncertain>,
    probabilities: Vec<f64>,
    random: Random,
    cut: u64,
}

impl Draws {
    fn new(events: &[Event], probabilities: &[f64], sampling: Sampling) -> Result<Self, UncertaintyError> {
        if !(MIN_TRIALS..=MAX_TRIALS).contains(&sampling.trials) {
            return Err(UncertaintyError::Trials(sampling.trials));
        }
        assert_eq!(events.len(), probabilities.len(), "one probability for each event");
        let mut uncertain = Vec::new();
        for (index, (event, probability)) in events.iter().zip(probabilities).enumerate() {
            if let Some(spread) = event.spread
                && !matches!(event.kind, EventKind::House(_))
            {
                let law = law(event, spread, *probability)?;
                uncertain.push(Uncertain { event: index, law, parts: (0..BATCH).collect() });
            }
        }
        if uncertain.is_empty() {
            return Err(UncertaintyError::NothingUncertain);
        }
        Ok(Self { uncertain, probabilities: probabilities.to_vec(), random: Random(sampling.seed), cut: 0 })
    }

    /// Begins a batch.
    fn shuffle(&mut self) {
        for Uncertain { parts, .. } in &mut self.uncertain {
            for last in (1..BATCH).rev() {
                let other = (self.random.unit() * (last + 1) as f64) as usize;
                parts.swap(last, other);
            }
        }
    }

    fn draw(&mut self, trial: usize) -> &[f64] {
        for Uncertain { event, law, parts } in &self.uncertain {
            let drawn = law.quantile((parts[trial] as f64 + self.random.unit()) / BATCH as f64);
            self.cut += u64::from(drawn > 1.0);
            self.probabilities[*event] = drawn.min(1.0);
        }
        &self.probabilities
    }
}

fn law(event: &Event, spread: Spread, mean: f64) -> Result<Law, UncertaintyError> {
    let require = |fits: bool, parameter, value, expected| {
        if fits {
            Ok(())
        } else {
            Err(UncertaintyError::Spread { event: event.name.clone(), parameter, value, expected })
        }
    };
    match spread {
        Spread::LogNormal { error_factor } => {
            let fits = error_factor >= 1.0 && error_factor.is_finite();
            require(fits, "error factor", error_factor, "1 or above and finite")?;
            let deviation = error_factor.ln() / normal(0.95);
            Ok(Law::LogNormal { ln_median: mean.ln() - deviation * deviation / 2.0, deviation })
        }
        Spread::Beta { alpha, beta } => {
            let shapes = BETA_SHAPES.0..=BETA_SHAPES.1;
            require(shapes.contains(&alpha), "alpha", alpha, "between 0.01 and 1e8")?;
            require(shapes.contains(&beta), "beta", beta, "between 0.01 and 1e8")?;
            Ok(Law::Beta(Beta::new(alpha, beta)))
        }
        Spread::Uniform { min, max } => {
            require((0.0..=1.0).contains(&max), "greatest value", max, "between 0 and 1")?;
            require((0.0..=max).contains(&min), "least value", min, "between 0 and the greatest value")?;
            Ok(Law::Uniform { min, max })
        }
    }
}

fn summary(mut results: Vec<f64>, cut: u64) -> Result<Uncertainty, UncertaintyError> {
    let trials = results.len();
    if trials < 2 * BATCH {
        return Err(UncertaintyError::Stopped { trials });
    }
    let means: Vec<f64> = results.chunks(BATCH).map(mean).collect();
    let mean_of_all = mean(&means);
    let batches = means.len() as f64;
    let half = student(batches - 1.0, 0.05) * deviation(&means) / batches.sqrt();
    let deviation = deviation(&results);
    results.sort_by(f64::total_cmp);
    let [p05, median, p95] = [0.05, 0.5, 0.95].map(|share| percentile(&results, share));
    Ok(Uncertainty {
        trials,
        mean: mean_of_all,
        mean_interval: (mean_of_all - half, mean_of_all + half),
        deviation,
        p05,
        median,
        p95,
        error_factor: (median > 0.0).then(|| p95 / median),
        cut,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation of the law that the values, two at least, were drawn from.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Between the two values next to it, of sorted ones.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests;
