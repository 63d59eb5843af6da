//! What is known of one device's part.

use serde::{Deserialize, Serialize};

use super::block::{Block, Gathering, Taken};
use super::noise::{Mean, Noise, read_at_floor};
use super::{Sample, WearModel};
use crate::prognosis::RemainingLife;
use crate::prognosis::first_passage::FirstPassage;

/// How far a part may be from the fleet's curve though its position is right, as a part of the
/// level of failure. Blocks are averages of many readings, yet lie beside the curve for long; a
/// filter that took them at their word would chase every bend. Half or twice as much changes the
/// error on clogging filters by 1 %.
const MISFIT: f64 = 1.0 / 15.0;

/// How much faster than its clock strays a part strays from the fleet's curve, which has bends of
/// its own. 1 and 3 in its place change the error on clogging filters by 1 %.
const BENDS: f64 = 2.5;

/// Blocks the latest pace is averaged over, for loads that no earlier run went through.
pub(super) const RECENT: f64 = 20.0;

/// The part of the prior's variance that readings must have taken away before the device itself
/// has a say.
const OWN_SAY: f64 = 0.5;

/// What one device's readings say about its part. Bounded: some hundred bytes and 8 bytes for
/// each of the model's runs. Use it with the model it was made for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wear {
    gathering: Gathering,
    noise: Noise,
    /// Blocks gone by.
    blocks: u32,
    /// Clock gone by, in blocks at typical load.
    clock: f64,
    /// Where on the fleet's curve, and how sure; both by clock.
    position: f64,
    variance: f64,
    pace: Mean,
    /// Mean setting; `position` has its part in it.
    setting: Mean,
    /// How differently from each of the model's runs this one was loaded so far.
    distances: Vec<f64>,
    failed: bool,
}

impl Wear {
    /// A new part.
    pub fn new(model: &WearModel) -> Self {
        Self {
            gathering: Gathering::default(),
            noise: Noise::default(),
            blocks: 0,
            clock: 0.0,
            position: 0.0,
            variance: 0.0,
            pace: Mean::default(),
            setting: Mean::default(),
            distances: vec![0.0; model.loads.len()],
            failed: false,
        }
    }

    /// The part was replaced.
    pub fn replaced(&mut self, model: &WearModel) {
        *self = Self::new(model);
    }

    /// Takes a sample. One that is not later than the last is ignored. A gap is bridged at the
    /// last load; one longer than the longest life the model has seen is no gap but a clock that
    /// was set, and no wear.
    pub fn take(&mut self, model: &WearModel, sample: &Sample) {
        self.failed |= sample.level >= model.part.failure_level;
        let Taken::Finished { block, gap } = self.gathering.take(&model.part, sample) else { return };
        self.finish(model, &block);
        if gap as usize <= model.loads.longest() {
            self.bridge(model, gap);
        }
    }

    /// Has the part failed?
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// How long the part still lasts from the last sample on, s; None before the first block is
    /// full.
    pub fn remaining(&self, model: &WearModel) -> Option<RemainingLife> {
        if self.failed {
            return Some(RemainingLife::new(0.0, 0.0, 0.0, false));
        }
        let (mean, variance) = self.clock_to_go(model)?;
        let passage = FirstPassage::new(mean, variance)?;
        let ahead = model.loads.ahead(self.blocks as usize, self.clock, &self.distances, self.pace.value);
        let [p10, p50, p90] = ahead.quantiles(&passage);
        let begun = self.gathering.begun_ms(&model.part) / model.part.block_ms as f64;
        let seconds = |blocks: f64| (blocks - begun) * model.part.block_ms as f64 / 1000.0;
        let low = p50 - model.width * (p50 - p10);
        let high = p50 + model.width * (p90 - p50);
        Some(RemainingLife::new(seconds(low), seconds(p50), seconds(high), self.prior_dominated(model)))
    }

    /// Mean and variance of the clock until a reading touches the level of failure.
    pub(super) fn clock_to_go(&self, model: &WearModel) -> Option<(f64, f64)> {
        if self.blocks == 0 {
            return None;
        }
        let mean = (model.end(self.noise.deviation()) - self.position).max(LEAST);
        Some((mean, model.diffusion * mean))
    }

    fn prior_dominated(&self, model: &WearModel) -> bool {
        self.variance > OWN_SAY * model.diffusion * self.clock
    }

    fn finish(&mut self, model: &WearModel, block: &Block) {
        let known = if self.blocks == 0 { 1.0 } else { self.pace.value };
        let pace = block.load.map_or(known, |load| model.pace(load));
        self.advance(model, pace);
        if let Some((steps, floor)) = block.steps {
            self.noise.add(steps, floor);
        }
        if i64::from(self.blocks) * model.part.block_ms <= model.part.settle_ms {
            return;
        }
        if let Some(setting) = block.setting.filter(|_| self.prior_dominated(model)) {
            self.learn_setting(model, setting);
        }
        if let Some(level) = block.level {
            self.correct(model, level, f64::from(block.readings));
        }
    }

    /// Moves the prior to where parts of this setting are. Once the level speaks it has a say no
    /// more.
    fn learn_setting(&mut self, model: &WearModel, setting: f64) {
        let (fleet, worth) = model.setting;
        let before = if self.setting.weight > 0.0 { self.setting.value } else { fleet };
        self.setting.add(setting, RECENT);
        self.position -= worth * (self.setting.value - before);
    }

    /// Blocks without readings: the clock goes on as it went, and half of that is doubtful.
    fn bridge(&mut self, model: &WearModel, gap: u32) {
        for _ in 0..gap {
            self.advance(model, self.pace.value);
        }
        self.variance += (0.5 * f64::from(gap) * self.pace.value).powi(2);
    }

    fn advance(&mut self, model: &WearModel, pace: f64) {
        model.loads.compare(self.blocks as usize, pace, &mut self.distances);
        self.blocks = self.blocks.saturating_add(1);
        self.clock += pace;
        self.position += pace;
        self.variance += BENDS * model.diffusion * pace;
        self.pace.add(pace, RECENT);
    }

    /// One step of the extended Kalman filter.
    fn correct(&mut self, model: &WearModel, level: f64, readings: f64) {
        let noise = self.noise.deviation();
        let reach = self.variance.sqrt() + LEAST;
        let (expected, share) = read_at_floor(model.curve.level(self.position), noise);
        let slope = model.curve.slope(self.position, reach) * share;
        let misfit = MISFIT * model.part.failure_level;
        let spread = noise * noise / readings + misfit * misfit;
        let gain = self.variance * slope / (slope * slope * self.variance + spread);
        self.position += gain * (level - expected);
        self.variance *= 1.0 - gain * slope;
    }
}

/// The least clock worth telling apart, in blocks.
const LEAST: f64 = 0.3;
