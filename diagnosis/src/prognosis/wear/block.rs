//! Samples averaged over blocks of time.

use serde::{Deserialize, Serialize};

use super::{Sample, WearPart};

/// What a block of samples amounts to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Block {
    /// Mean level; None without a finite one.
    pub(super) level: Option<f64>,
    /// Finite levels.
    pub(super) readings: u32,
    /// Mean load.
    pub(super) load: Option<f64>,
    /// Mean setting.
    pub(super) setting: Option<f64>,
    /// Mean square step from reading to reading, and the share of readings at 0 or below; None of
    /// fewer than two readings.
    pub(super) steps: Option<(f64, f64)>,
}

/// What came of a sample.
pub(super) enum Taken {
    /// Not later than the one before: ignored.
    Stale,
    /// The block goes on.
    Within,
    /// A block is full, and so many blocks without samples follow it.
    Finished { block: Block, gap: u32 },
}

/// Sums over the block under way.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Gathering {
    /// Time of the block's begin and of the last sample.
    times_ms: Option<(i64, i64)>,
    level: Sum,
    load: Sum,
    setting: Sum,
    steps: Sum,
    at_floor: u32,
    last_level: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Sum {
    sum: f64,
    count: u32,
}

impl Sum {
    fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.sum += value;
            self.count += 1;
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl Gathering {
    pub(super) fn take(&mut self, part: &WearPart, sample: &Sample) -> Taken {
        let (begin, last) = *self.times_ms.get_or_insert((sample.time_ms, i64::MIN));
        if sample.time_ms <= last {
            return Taken::Stale;
        }
        let blocks = sample.time_ms.saturating_sub(begin) / part.block_ms.max(1);
        if blocks == 0 {
            self.times_ms = Some((begin, sample.time_ms));
            self.add(sample);
            return Taken::Within;
        }
        let block = self.block();
        let begin = begin + blocks * part.block_ms.max(1);
        let last_level = self.last_level.filter(|_| blocks == 1);
        *self = Self { times_ms: Some((begin, sample.time_ms)), last_level, ..Self::default() };
        self.add(sample);
        Taken::Finished { block, gap: u32::try_from(blocks - 1).unwrap_or(u32::MAX) }
    }

    /// How long the block under way has lasted, ms.
    pub(super) fn begun_ms(&self, part: &WearPart) -> f64 {
        self.times_ms.map_or(0.0, |(begin, last)| last.saturating_sub(begin).clamp(0, part.block_ms) as f64)
    }

    fn add(&mut self, sample: &Sample) {
        self.load.add(sample.load);
        self.setting.add(sample.setting);
        if !sample.level.is_finite() {
            return;
        }
        self.level.add(sample.level);
        self.at_floor += u32::from(sample.level <= 0.0);
        if let Some(before) = self.last_level.replace(sample.level) {
            self.steps.add((sample.level - before).powi(2));
        }
    }

    fn block(&self) -> Block {
        let floor = f64::from(self.at_floor) / f64::from(self.level.count.max(1));
        Block {
            level: self.level.mean(),
            readings: self.level.count,
            load: self.load.mean(),
            setting: self.setting.mean(),
            steps: self.steps.mean().map(|steps| (steps, floor)),
        }
    }
}
