//! Watches the channels of one recording after learning what is healthy from its beginning, or
//! from recordings of other devices of the kind.
//!
//! The flow: [`Model::train`] fits healthy rows; a [`Monitor`] takes row after row and returns a
//! [`Verdict`] from that row and those before it. Two questions are kept apart:
//!
//! - *How surprising is this row?* `surprise` whitens each channel by its own past and by the other
//!   channels; a new level is news once. `calibration` turns the largest surprise into a p-value that
//!   holds for dependent rows: it simulates healthy recordings, trains on them and judges them.
//!   `experience` corrects it by the rows judged since without a flag: simulated recordings have no
//!   level that steps or dips now and then, real ones have.
//! - *Is something wrong now?* `level` is a flag with memory: it rises when levels leave where they
//!   were, stays while they are away, and falls when they are back.
//!
//! It knows no appliance type, reads no clock, and a row costs no allocation.

mod autoregression;
mod calibration;
mod draws;
mod experience;
mod level;
mod order;
mod surprise;
mod tail;
mod train;
mod unit;

use serde::{Deserialize, Serialize};

use super::Evidence;
use calibration::Calibration;
use experience::Experience;
use level::{Levels, Spread};
use order::Order;
pub use order::Standing;
use surprise::{Expectation, Memory};
pub use train::{FEWEST_ROWS, MOST_CHANNELS, Recording, TrainError};
use unit::{Band, UnitWatch};

/// The score above which the flag rises.
pub const RISE: f64 = level::RISE;

/// What is healthy for the channels of one kind of recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    channels: Vec<String>,
    expectation: Expectation,
    /// None if no channel moved in training: nothing to compare with.
    calibration: Option<Calibration>,
    spread: Spread,
    bands: Vec<Band>,
    /// Where a monitor starts: after the training rows, or before another device's first row.
    start: State,
}

/// What a monitor knows of its recording: bounded, and what a snapshot holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    memory: Memory,
    experience: Experience,
    levels: Levels,
    units: Vec<UnitWatch>,
    order: Order,
}

/// What one row says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether the row could be judged; if not, score and p-value are None and the flag is that of
    /// the row before.
    pub standing: Standing,
    /// How far the levels of the channels are from their baselines, in standard deviations of
    /// training: the length of the vector of what exceeds 1.5 in each channel. 0 is where they
    /// were; above [`RISE`] the flag rises.
    pub score: Option<f64>,
    /// How often a healthy row is at least as surprising after the rows before it; 1e-12 to 1. A
    /// change is surprising when it comes: of a state that lasts, the flag tells.
    pub p_value: Option<f64>,
    /// Whether something is wrong now.
    pub flag: bool,
    /// Whether the flag rises or falls at this row: the levels have changed for good.
    pub changepoint: bool,
}

/// Judges the rows of one recording.
#[derive(Debug, Clone)]
pub struct Monitor<'m> {
    model: &'m Model,
    state: State,
    /// The newest readings within sensible limits.
    row: Vec<f64>,
    wrong_unit: Vec<Option<&'static str>>,
}

impl<'m> Monitor<'m> {
    /// A monitor of the rows that follow the training rows; or, after a training on several
    /// recordings, of another device from its first row.
    pub fn new(model: &'m Model) -> Self {
        Self::restore(model, model.start.clone())
    }

    /// A monitor that goes on from a snapshot of the same model's.
    pub fn restore(model: &'m Model, state: State) -> Self {
        let channels = model.channels.len();
        Self { model, state, row: vec![f64::NAN; channels], wrong_unit: vec![None; channels] }
    }

    /// What has been seen so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes one row: its time in ms if it has one, and a reading for each channel of the model in
    /// its order, NaN where there is none.
    ///
    /// A time that was seen before or that goes back leaves the row unjudged. After a gap in time
    /// the first readings start anew and are judged by their level alone. A missing reading says
    /// nothing; a row without any is unjudged.
    ///
    /// # Panics
    ///
    /// If the row has not one reading for each channel of the model.
    pub fn step(&mut self, time_ms: Option<i64>, readings: &[f64]) -> Verdict {
        assert_eq!(readings.len(), self.model.channels.len(), "a row has a reading for each channel of the model");
        let state = &mut self.state;
        let mut standing = state.order.step(time_ms);
        if matches!(standing, Standing::Judged | Standing::AfterGap) && !readings.iter().any(|x| x.is_finite()) {
            standing = Standing::Empty;
        }
        if standing == Standing::AfterGap {
            state.memory.forget();
        }
        if !matches!(standing, Standing::Judged | Standing::AfterGap) {
            return Verdict { standing, score: None, p_value: None, flag: state.levels.flag(), changepoint: false };
        }
        for ((row, band), &reading) in self.row.iter_mut().zip(&self.model.bands).zip(readings) {
            *row = band.limit(reading);
        }
        let surprise = self.model.expectation.step(&mut state.memory, &self.row);
        let believed = surprise.zip(self.model.calibration.as_ref()).map(|(largest, p)| p.p_value(largest));
        let p_value = believed.map(|p| state.experience.p_value(p));
        let level = state.levels.step(&self.model.spread, &self.row);
        // What is wrong, or may be, does not teach what is healthy.
        if let (Some(p), false) = (believed, level.flag) {
            state.experience.learn(p);
        }
        self.watch_units(readings);
        Verdict { standing, score: Some(level.score), p_value, flag: level.flag, changepoint: level.changed }
    }

    fn watch_units(&mut self, readings: &[f64]) {
        let watches = self.state.units.iter_mut().zip(&self.model.bands).zip(readings).zip(&mut self.wrong_unit);
        for (((watch, band), &reading), wrong) in watches {
            *wrong = watch.step(band, reading);
        }
    }

    /// The channels that carry the newest verdict with their shares, which sum to 1, largest first;
    /// empty if all are exactly where they are expected. A channel weighs the square of its level's
    /// distance or of its surprise, whichever is larger.
    pub fn channels(&self) -> Vec<(&'m str, f64)> {
        let weights = self.state.levels.distance.iter().zip(&self.state.memory.surprise);
        let weights: Vec<f64> = weights.map(|(distance, surprise)| distance.abs().max(*surprise).powi(2)).collect();
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            return Vec::new();
        }
        let names = self.model.channels.iter().map(String::as_str);
        let mut shares: Vec<_> = names.zip(weights.into_iter().map(|weight| weight / sum)).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    /// Channels whose newest readings only make sense in another unit, and what is wrong with it.
    pub fn wrong_units(&self) -> impl Iterator<Item = (&'m str, &'static str)> + '_ {
        let names = self.model.channels.iter().map(String::as_str);
        names.zip(&self.wrong_unit).filter_map(|(name, wrong)| wrong.map(|wrong| (name, wrong)))
    }

    /// What the newest verdict says to a fault tree; None if it was not judged. The likelihood
    /// ratio is the most that a p-value can mean, 1 / (-e p ln p) (Sellke, Bayarri & Berger 2001).
    pub fn evidence(&self, verdict: &Verdict, symptom: &str, window_ms: (i64, i64), version: &str) -> Option<Evidence> {
        let p_value = verdict.p_value?;
        let below = p_value < (-1.0_f64).exp();
        let log_likelihood_ratio = if below { -(-std::f64::consts::E * p_value * p_value.ln()).ln() } else { 0.0 };
        Some(Evidence {
            symptom: symptom.to_owned(),
            log_likelihood_ratio,
            p_value,
            channels: self.channels().into_iter().map(|(name, share)| (name.to_owned(), share)).collect(),
            window_ms,
            model_version: version.to_owned(),
        })
    }
}

impl Model {
    /// The channels' names, in the order of a row's readings.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The channels that never moved in training: a change of more than a few per cent raises the
    /// flag, and they take no part in the p-value.
    pub fn still_channels(&self) -> impl Iterator<Item = &str> {
        let still = |(name, band): (_, &Band)| (band.least == band.largest).then_some(name);
        self.channels.iter().map(String::as_str).zip(&self.bands).filter_map(still)
    }
}

#[cfg(test)]
mod tests;
