//! The model of a fleet from runs to failure.

use thiserror::Error;

use super::block::{Block, Gathering, Taken};
use super::curve::{Curve, isotonic};
use super::forecast::Loads;
use super::noise::Noise;
use super::state::{RECENT, Wear};
use super::{End, NOISE_MARGIN, Sample, WearModel, WearPart};
use crate::robust;

/// Fewer runs say nothing about the spread between parts.
const LEAST_RUNS: usize = 5;
/// Levels at which the curve is laid, between 0 and the level of failure.
const LEVELS: usize = 48;
/// Runs the guess is worth that the setting makes no difference and the margin is
/// [`NOISE_MARGIN`].
const GUESS: f64 = 10.0;
/// Margins tried, in tenths.
const MARGINS: std::ops::RangeInclusive<u8> = 10..=40;
/// Every so many blocks of a run left out is asked; neighbours say the same.
const ASKED: usize = 4;
/// The part of samples an interval shall cover.
const COVERAGE: f64 = 0.8;
/// Diffusion where runs hardly differ, as variance per clock.
const LEAST_DIFFUSION: f64 = 1e-3;

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FitError {
    /// Too few runs.
    #[error("{0} runs to failure; at least {LEAST_RUNS} are needed")]
    TooFewRuns(usize),
    /// A run of a few blocks.
    #[error("run {run} has {blocks} full blocks of {block_ms} ms; at least 10 are needed")]
    RunTooShort {
        /// Which, from 0.
        run: usize,
        /// How many it has.
        blocks: usize,
        /// [`WearPart::block_ms`].
        block_ms: i64,
    },
    /// The part itself is not in order.
    #[error("{0} must be finite and positive")]
    NotPositive(&'static str),
    /// No rising curve.
    #[error("the level does not rise with wear: fewer than two levels below {failure_level} are passed by most runs")]
    NoCurve {
        /// [`WearPart::failure_level`].
        failure_level: f64,
    },
}

impl WearModel {
    /// Learns from runs, each from a new part to its failure at the last sample.
    ///
    /// Intervals are calibrated on runs: the model of all others foresees each one, and widths are
    /// scaled until 80 % are covered, every run counting alike however many samples it has
    /// (cross-conformal, Vovk 2015).
    pub fn fit(part: WearPart, runs: &[&[Sample]]) -> Result<Self, FitError> {
        check(&part)?;
        if runs.len() < LEAST_RUNS {
            return Err(FitError::TooFewRuns(runs.len()));
        }
        let histories: Vec<History> =
            runs.iter().enumerate().map(|(run, samples)| History::of(&part, run, samples)).collect::<Result<_, _>>()?;
        let all: Vec<&History> = histories.iter().collect();
        let mut model = narrow(part, &all)?;
        model.width = width(&part, &histories, runs)?;
        Ok(model)
    }
}

fn check(part: &WearPart) -> Result<(), FitError> {
    let positive = |value: f64| value.is_finite() && value > 0.0;
    for (name, valid) in [
        ("failure_level", positive(part.failure_level)),
        ("block_ms", part.block_ms > 0),
        ("load_exponent", positive(part.load_exponent)),
    ] {
        if !valid {
            return Err(FitError::NotPositive(name));
        }
    }
    Ok(())
}

/// One run, block by block.
struct History {
    blocks: Vec<Block>,
    /// Loads, where none is known the one before.
    loads: Vec<f64>,
    /// The rising sequence nearest to the levels, from the first settled block.
    levels: Vec<f64>,
    settled: usize,
    noise: f64,
    setting: Option<f64>,
}

impl History {
    fn of(part: &WearPart, run: usize, samples: &[Sample]) -> Result<Self, FitError> {
        let (mut gathering, mut noise, mut blocks) = (Gathering::default(), Noise::default(), Vec::new());
        for sample in samples {
            if let Taken::Finished { block, gap } = gathering.take(part, sample) {
                if let Some((steps, floor)) = block.steps {
                    noise.add(steps, floor);
                }
                let unknown = Block { level: None, readings: 0, steps: None, ..block };
                blocks.push(block);
                blocks.extend(std::iter::repeat_n(unknown, (gap as usize).min(blocks.len())));
            }
        }
        if blocks.len() < 10 {
            return Err(FitError::RunTooShort { run, blocks: blocks.len(), block_ms: part.block_ms });
        }
        let settled = (part.settle_ms.max(0) / part.block_ms) as usize;
        let settled = settled.min(blocks.len() / 2);
        let mut settings: Vec<f64> =
            blocks[settled..].iter().filter_map(|block| block.setting).take(RECENT as usize).collect();
        let levels = carried(blocks[settled..].iter().map(|block| block.level), 0.0);
        Ok(Self {
            loads: carried(blocks.iter().map(|block| block.load), 0.0),
            levels: isotonic(&levels),
            settled,
            noise: noise.deviation(),
            setting: robust::quantile(&mut settings, 0.5),
            blocks,
        })
    }

    /// The run's clock after each block.
    fn clocks(&self, model: &WearModel) -> Vec<f64> {
        let mut clock = 0.0;
        let add = |&load: &f64| {
            clock += model.pace(load);
            clock
        };
        self.loads.iter().map(add).collect()
    }

    /// The clock at which the level is passed; None where noise or the run's end hides it.
    fn passes(&self, clocks: &[f64], level: f64, failure_level: f64) -> Option<f64> {
        let hidden_below = 1.2 * self.noise + failure_level / 60.0;
        let hidden_above = failure_level - NOISE_MARGIN * self.noise;
        let at = self.levels.partition_point(|&passed| passed < level);
        let shown = level > hidden_below && level < hidden_above && at > 0 && at < self.levels.len();
        shown.then(|| clocks[self.settled + at])
    }
}

/// Values with the one before where there is none.
fn carried(values: impl Iterator<Item = Option<f64>>, first: f64) -> Vec<f64> {
    let mut last = first;
    values
        .map(|value| {
            last = value.unwrap_or(last);
            last
        })
        .collect()
}

/// The model with intervals as the process itself has them.
fn narrow(part: WearPart, histories: &[&History]) -> Result<WearModel, FitError> {
    let loads: f64 = histories.iter().map(|run| run.loads.iter().sum::<f64>()).sum();
    let blocks: usize = histories.iter().map(|run| run.loads.len()).sum();
    let typical_load = loads / blocks as f64;
    if !(typical_load > 0.0 && typical_load.is_finite()) {
        return Err(FitError::NotPositive("the mean load"));
    }
    let mut model = WearModel {
        part,
        typical_load,
        curve: Curve::new(vec![(0.0, 0.0), (1.0, 1.0)]).expect("two rising points"),
        end: End { margin: NOISE_MARGIN, beyond: 0.0 },
        diffusion: LEAST_DIFFUSION,
        setting: (0.0, 0.0),
        loads: Loads::new(std::iter::empty()),
        width: 1.0,
    };
    let clocks: Vec<Vec<f64>> = histories.iter().map(|run| run.clocks(&model)).collect();
    model.curve = curve(&part, histories, &clocks).ok_or(FitError::NoCurve { failure_level: part.failure_level })?;
    model.end = end(&model, histories, &clocks);
    let surplus = surplus(&model, histories, &clocks);
    let lives = clocks.iter().map(|clocks| clocks[clocks.len() - 1]).sum::<f64>();
    let squares = surplus.iter().map(|surplus| surplus * surplus).sum::<f64>();
    model.diffusion = (squares / lives).max(LEAST_DIFFUSION);
    model.setting = setting(histories, &surplus);
    model.loads = Loads::new(histories.iter().map(|run| run.loads.iter().map(|&load| model.pace(load)).collect()));
    Ok(model)
}

/// How much clock each run lasted beyond the model's end.
fn surplus(model: &WearModel, histories: &[&History], clocks: &[Vec<f64>]) -> Vec<f64> {
    histories.iter().zip(clocks).map(|(run, clocks)| clocks[clocks.len() - 1] - model.end(run.noise)).collect()
}

/// Where runs ended: the margin by which, setting apart, their ends differ least from their median.
/// Least absolute deviations, for the median is what is told, and one odd run must not turn the
/// margin. Clogging filters want 2.6, as those with noisier readings clog sooner.
fn end(model: &WearModel, histories: &[&History], clocks: &[Vec<f64>]) -> End {
    let with = |margin: f64| {
        let model = WearModel { end: End { margin, beyond: 0.0 }, ..model.clone() };
        let surplus = surplus(&model, histories, clocks);
        let (mean, worth) = setting(histories, &surplus);
        let apart = |(run, surplus): (&&History, f64)| surplus - worth * (run.setting.unwrap_or(mean) - mean);
        let mut surplus: Vec<f64> = histories.iter().zip(surplus).map(apart).collect();
        let beyond = robust::quantile(&mut surplus, 0.5).unwrap_or(0.0);
        let deviations = surplus.iter().map(|surplus| (surplus - beyond).abs()).sum::<f64>();
        (deviations, End { margin, beyond })
    };
    let tried = MARGINS.map(|tenths| with(f64::from(tenths) / 10.0));
    let nearest = tried.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(NOISE_MARGIN, |(_, end)| end.margin);
    let runs = histories.len() as f64;
    with(NOISE_MARGIN + (nearest - NOISE_MARGIN) * runs / (runs + GUESS)).1
}

/// The mean curve. Runs show different stretches of it, so that clocks are averaged between
/// neighbouring levels, from the level that most runs show.
fn curve(part: &WearPart, histories: &[&History], clocks: &[Vec<f64>]) -> Option<Curve> {
    let levels: Vec<f64> = (1..LEVELS).map(|i| part.failure_level * i as f64 / LEVELS as f64).collect();
    let passes: Vec<Vec<Option<f64>>> = levels
        .iter()
        .map(|&level| {
            let of_run = |(run, clocks): (&&History, &Vec<f64>)| run.passes(clocks, level, part.failure_level);
            histories.iter().zip(clocks).map(of_run).collect()
        })
        .collect();
    let shown = |at: usize| passes[at].iter().flatten().count();
    let most = (0..levels.len()).map(shown).max()?;
    let anchor = (0..levels.len()).find(|&at| shown(at) == most)?;
    let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let step = |at: usize| {
        let pairs = passes[at].iter().zip(&passes[at + 1]).filter_map(|(from, to)| Some((*to)? - (*from)?));
        mean(pairs.collect()).map(|step| step.max(1e-3))
    };
    let start = mean(passes[anchor].iter().flatten().copied().collect())?;
    let mut points = vec![(start, levels[anchor])];
    let mut clock = start;
    for at in anchor..levels.len() - 1 {
        let Some(step) = step(at) else { break };
        clock += step;
        points.push((clock, levels[at + 1]));
    }
    let (mut clock, mut below) = (start, Vec::new());
    for at in (0..anchor).rev() {
        let Some(step) = step(at) else { break };
        clock -= step;
        below.push((clock, levels[at]));
    }
    points.splice(0..0, below.into_iter().rev());
    with_start(points, histories)
}

/// The curve begins where parts do when they are new.
fn with_start(mut points: Vec<(f64, f64)>, histories: &[&History]) -> Option<Curve> {
    let mut first: Vec<f64> = histories.iter().map(|run| run.levels[0]).collect();
    let new = robust::quantile(&mut first, 0.5)?;
    points.retain(|&(clock, level)| clock > 0.0 && level > new);
    points.insert(0, (0.0, new));
    Curve::new(points)
}

/// Mean setting and the clock a unit above it is worth: regression of the surplus of life, shrunk
/// to none.
fn setting(histories: &[&History], surplus: &[f64]) -> (f64, f64) {
    let pairs: Vec<(f64, f64)> =
        histories.iter().zip(surplus).filter_map(|(run, &surplus)| Some((run.setting?, surplus))).collect();
    let count = pairs.len().max(1) as f64;
    let mean = pairs.iter().map(|pair| pair.0).sum::<f64>() / count;
    let mean_surplus = pairs.iter().map(|pair| pair.1).sum::<f64>() / count;
    let variance = pairs.iter().map(|pair| (pair.0 - mean).powi(2)).sum::<f64>() / count;
    let product = pairs.iter().map(|pair| (pair.0 - mean) * (pair.1 - mean_surplus)).sum::<f64>();
    let slope = if variance > 0.0 { product / (variance * (count + GUESS)) } else { 0.0 };
    (mean, slope)
}

/// By how much intervals must be wider, from runs left out.
fn width(part: &WearPart, histories: &[History], runs: &[&[Sample]]) -> Result<f64, FitError> {
    let mut scores: Vec<(f64, f64)> = Vec::new();
    for (left_out, samples) in runs.iter().enumerate() {
        let others: Vec<&History> =
            histories.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, run)| run).collect();
        let of_run = misses(&narrow(*part, &others)?, samples, histories[left_out].blocks.len());
        let weight = 1.0 / of_run.len().max(1) as f64;
        scores.extend(of_run.into_iter().map(|miss| (miss, weight)));
    }
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    // One run more than was seen: the next one.
    let wanted = COVERAGE * (runs.len() + 1) as f64;
    let mut sum = 0.0;
    let reached = scores.iter().find(|score| {
        sum += score.1;
        sum >= wanted
    });
    Ok(reached.or(scores.last()).map_or(1.0, |score| score.0).max(1e-3))
}

/// How far from the median the end was, in half-widths of the interval, asked now and then.
fn misses(model: &WearModel, samples: &[Sample], blocks: usize) -> Vec<f64> {
    let Some(end) = samples.last().map(|sample| sample.time_ms) else { return Vec::new() };
    let every = (samples.len() / blocks.max(1) * ASKED).max(1);
    let mut wear = Wear::new(model);
    let mut misses = Vec::new();
    for (at, sample) in samples[..samples.len() - 1].iter().enumerate() {
        wear.take(model, sample);
        if at % every != 0 {
            continue;
        }
        if let Some(life) = wear.remaining(model) {
            let truth = (end - sample.time_ms) as f64 / 1000.0;
            let side = if truth < life.p50 { life.p50 - life.p10 } else { life.p90 - life.p50 };
            misses.push((truth - life.p50).abs() / side.max(1e-9));
        }
    }
    misses
}
