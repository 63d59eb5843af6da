//! One row: residual, deviation, statistics, verdict.

use thiserror::Error;

use super::baseline::{Mode, Model};
use super::lanes::{Lanes, lanes, largest, sum, times};
use super::levels::STATISTICS;
use super::{Baseline, Monitor, Row};

/// Weight λ of the newest row in the EWMAs: it remembers about ten rows.
pub(super) const EWMA_WEIGHT: f32 = 0.1;

/// Slack k of the CUSUM in standard deviations: tuned to shifts of 1 (Page 1954).
const SLACK: f32 = 0.5;

/// More slack for each standard deviation by which the device's offset is uncertain, lest the
/// uncertainty be summed up.
const UNCERTAIN_SLACK: f32 = 2.0;

/// The CUSUM goes no higher, in units of its 99 % level: a device that has recovered is soon seen to have.
const CUSUM_CAP: f32 = 4.0;

/// Largest deviation that one row counts for, in standard deviations: one wild row is no change.
pub(super) const WILDEST: f32 = 6.0;

/// A device scatters at most so many times as much, or as little, as the fleet (variances).
const SPREAD: (f32, f32) = (1.0 / 16.0, 16.0);

/// After a gap of so many intervals the last rows say nothing about the next.
const GAP_INTERVALS: i64 = 30;

/// So many rows from the past without one from the present: the device's clock was set back.
const CLOCK_SET_BACK: u16 = 16;

/// An alarm stands until no row has been strange for this part of a unit.
const HOLD: i64 = 24;

/// What a row led to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The row was judged.
    Judged(Verdict),
    /// The row was not judged and taught nothing.
    Skipped(Skip),
}

/// How strange a device is at one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The largest score of the five statistics; about −ln of its rarity.
    pub score: f32,
    /// Which one that is.
    pub leading: Statistic,
    /// How often a healthy device's row reaches this score.
    pub p_row: f32,
    /// How often a healthy device reaches, within a whole unit (a day), the largest score of the
    /// unit so far. Early in a unit it errs on the calm side.
    pub p_unit: f32,
    /// The same for the unit before, with the first row of a new one.
    pub finished_unit: Option<f32>,
    /// Whether an alarm stands.
    pub alarm: Alarm,
    /// The device is judged by the fleet's offsets more than by its own: little is known of it yet.
    pub prior_dominated: bool,
    /// Channels without a value, one bit each.
    pub missing: u8,
    /// Channels whose value is so far out that it is no value of that kind (another unit, a broken
    /// wire), one bit each. They are not judged.
    pub implausible: u8,
}

/// The statistics that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// A channel's EWMA left its place.
    Ewma,
    /// A channel's deviations all point one way.
    Cusum,
    /// T²: the channels together left the place that they keep together.
    Shift,
    /// SPE: the channels no longer move together.
    Remainder,
    /// The device is no longer where it was after installation or repair.
    Drift,
}

const ORDER: [Statistic; STATISTICS] =
    [Statistic::Ewma, Statistic::Cusum, Statistic::Shift, Statistic::Remainder, Statistic::Drift];

/// The state of a device's alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// There is none.
    None,
    /// With this row.
    Raised,
    /// Since an earlier row.
    Standing,
    /// Ended with this row.
    Cleared,
}

/// Why a row was not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skip {
    /// A row of this time was taken before.
    Duplicate,
    /// It is older than the last one.
    TimeWentBack,
    /// The schema has no such mode, or it was seen too seldom in training.
    UnknownMode,
    /// This input is missing: nobody knows what to expect.
    InputMissing(u8),
    /// This input is far outside of what was trained: no prediction.
    InputOutside(u8),
    /// No channel has a plausible value. The first number has a bit for each missing channel, the
    /// second for each implausible one.
    NoChannel(u8, u8),
}

/// A row or a monitor that does not belong to this baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StepError {
    /// Another number of values: the schema has changed.
    #[error("the row has {found} {field}, the baseline's schema has {expected}")]
    Width {
        /// `inputs` or `channels`.
        field: &'static str,
        /// How many the row has.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The monitor was made for another baseline; make a new one.
    #[error("the monitor belongs to another baseline ({found:016x}, not {expected:016x})")]
    OtherBaseline {
        /// Whose it is.
        found: u64,
        /// Whose it should be.
        expected: u64,
    },
}

/// A row on its way from value to verdict.
pub(super) struct Signs<'a> {
    pub mode: &'a Mode,
    pub place: usize,
    /// Deviations from the device's own place, in its own predictive standard deviations, bounded.
    pub deviation: Lanes,
    pub statistics: [f32; STATISTICS],
    pub prior_dominated: bool,
    pub missing: u8,
    pub implausible: u8,
}

impl Monitor {
    /// Takes one row. Allocates nothing.
    ///
    /// # Errors
    /// A row of another width, or another baseline's monitor; the state is as before.
    pub fn step(&mut self, baseline: &Baseline, row: &Row<'_>) -> Result<Step, StepError> {
        self.fits(baseline, row)?;
        let finished = match self.admit(&baseline.parts.model, row.time_ms) {
            Ok(finished) => finished.map(|score| baseline.parts.unit.p(score)),
            Err(skip) => return Ok(Step::Skipped(skip)),
        };
        Ok(match self.advance(&baseline.parts.model, row) {
            Ok(signs) => Step::Judged(self.judge(baseline, row.time_ms, &signs, finished)),
            Err(skip) => Step::Skipped(skip),
        })
    }

    fn fits(&self, baseline: &Baseline, row: &Row<'_>) -> Result<(), StepError> {
        let schema = &baseline.parts.model.schema;
        if self.baseline != baseline.id {
            return Err(StepError::OtherBaseline { found: self.baseline, expected: baseline.id });
        }
        let width = |field, found, expected| Err(StepError::Width { field, found, expected });
        if row.channels.len() != schema.channels.len() {
            return width("channels", row.channels.len(), schema.channels.len());
        }
        if row.inputs.len() != schema.inputs.len() {
            return width("inputs", row.inputs.len(), schema.inputs.len());
        }
        Ok(())
    }

    /// Whether the row is newer than all before. With a new unit, returns the old one's largest score.
    pub(super) fn admit(&mut self, model: &Model, time_ms: i64) -> Result<Option<f32>, Skip> {
        let last = *self.last_ms.get_or_insert(time_ms.saturating_sub(model.interval_ms));
        let elapsed = time_ms.saturating_sub(last);
        if elapsed == 0 {
            return Err(Skip::Duplicate);
        }
        if elapsed < 0 {
            self.late += 1;
            if self.late < CLOCK_SET_BACK {
                return Err(Skip::TimeWentBack);
            }
        }
        if elapsed < 0 || elapsed / GAP_INTERVALS > model.interval_ms {
            self.forget();
        }
        (self.last_ms, self.late) = (Some(time_ms), 0);
        let turned = time_ms.div_euclid(model.unit_ms) != last.div_euclid(model.unit_ms);
        let finished = turned.then_some(self.unit_score).filter(|score| score.is_finite());
        if turned {
            self.unit_score = f32::NEG_INFINITY;
        }
        Ok(finished)
    }

    /// Everything but the verdict.
    #[inline(always)]
    pub(super) fn advance<'a>(&mut self, model: &'a Model, row: &Row<'_>) -> Result<Signs<'a>, Skip> {
        let place = usize::from(row.mode);
        let Some(Some(mode)) = model.modes.get(place) else { return Err(Skip::UnknownMode) };
        check_inputs(model, row.inputs)?;
        let expected = mode.expect(row.time_ms, row.inputs);
        let value = lanes(|c| row.channels.get(c).copied().unwrap_or(f32::NAN));
        let [lowest, highest] = &model.plausible;
        let there: [bool; 8] = std::array::from_fn(|c| value[c] >= lowest[c] && value[c] <= highest[c]);
        let residual = lanes(|c| if there[c] { (value[c] - expected[c]) * mode.inverse_scale[c] } else { 0.0 });
        let (missing, implausible) = absent(row.channels, &there);
        if (missing | implausible).count_ones() as usize == row.channels.len() {
            return Err(Skip::NoChannel(missing, implausible));
        }

        let present = lanes(|c| f32::from(u8::from(there[c])));
        let (deviation, doubt) = self.deviate(model, mode, place, &residual, &present);
        let offsets = &self.modes[place];
        let prior_dominated = (0..row.channels.len()).any(|c| there[c] && offsets.rows[c] < mode.offset_prior[c]);
        self.accumulate(mode, &deviation, &doubt);
        let statistics = self.statistics(mode, place, &doubt);
        Ok(Signs { mode, place, deviation, statistics, prior_dominated, missing, implausible })
    }

    /// The deviation from the device's own place, and the part of its variance that is doubt about
    /// that place. Then the device's place and scale learn from the row.
    #[inline(always)]
    fn deviate(
        &mut self,
        model: &Model,
        mode: &Mode,
        place: usize,
        residual: &Lanes,
        present: &Lanes,
    ) -> (Lanes, Lanes) {
        let own = &mut self.modes[place];
        let doubt = lanes(|c| mode.long_run[c] * (1.0 / (own.rows[c] + mode.offset_prior[c])).max(mode.adapt_gain));
        let predictive = lanes(|c| (self.spread[c].clamp(SPREAD.0, SPREAD.1) + doubt[c]).sqrt());
        let off = lanes(|c| (residual[c] - own.adapting[c]) * present[c]);
        let deviation = lanes(|c| (off[c] / predictive[c]).clamp(-WILDEST, WILDEST));
        if !self.frozen {
            let rows = lanes(|c| own.rows[c] + present[c]);
            let gain = lanes(|c| 1.0 / (rows[c] + mode.offset_prior[c]));
            let bound = lanes(|c| WILDEST * predictive[c]);
            let learnt = lanes(|c| {
                own.fixed[c] + gain[c] * present[c] * (residual[c] - own.fixed[c]).clamp(-bound[c], bound[c])
            });
            own.fixed = lanes(|c| {
                let learnt = learnt[c].clamp(-mode.offset_bound[c], mode.offset_bound[c]);
                if own.rows[c] < mode.fixed_rows { learnt } else { own.fixed[c] }
            });
            own.adapting = lanes(|c| own.adapting[c] + gain[c].max(mode.adapt_gain) * deviation[c] * predictive[c]);
            own.rows = lanes(|c| rows[c].min(MOST_ROWS));
            let square = lanes(|c| (off[c] * off[c] / (1.0 + doubt[c])).min(WILDEST * WILDEST) / model.spread_mean[c]);
            let learns = lanes(|c| if self.spread_rows[c] < model.spread_rows { present[c] } else { 0.0 });
            self.spread_rows = lanes(|c| self.spread_rows[c] + learns[c]);
            self.spread = lanes(|c| {
                let gain = learns[c] / (self.spread_rows[c] + model.spread_prior[c]);
                self.spread[c] + gain * (square[c] - self.spread[c])
            });
        }
        (deviation, lanes(|c| doubt[c] / (predictive[c] * predictive[c])))
    }

    #[inline(always)]
    fn accumulate(&mut self, mode: &Mode, deviation: &Lanes, doubt: &Lanes) {
        let slack = lanes(|c| SLACK + UNCERTAIN_SLACK * doubt[c].sqrt());
        let cap = lanes(|c| CUSUM_CAP / mode.cusum_unit[c]);
        self.ewma = lanes(|c| self.ewma[c] + EWMA_WEIGHT * (deviation[c] - self.ewma[c]));
        self.up = lanes(|c| (self.up[c] + deviation[c] - slack[c]).max(0.0).min(cap[c]));
        self.down = lanes(|c| (self.down[c] - deviation[c] - slack[c]).max(0.0).min(cap[c]));
        let product = times(&mode.remainder, deviation);
        self.remainder = lanes(|c| {
            let part = blame(product[c], mode.remainder[c][c]);
            self.remainder[c] + EWMA_WEIGHT * (part - self.remainder[c])
        });
    }

    #[inline(always)]
    fn statistics(&self, mode: &Mode, place: usize, doubt: &Lanes) -> [f32; STATISTICS] {
        let own = &self.modes[place];
        let known = lanes(|c| mode.ewma_variance[c] / (mode.ewma_variance[c] + doubt[c]));
        let ewma = lanes(|c| self.ewma[c] * known[c].sqrt());
        let product = times(&mode.ewma_precision, &ewma);
        let drift = lanes(|c| {
            let drift = own.adapting[c] - own.fixed[c];
            if own.rows[c] < mode.fixed_rows { 0.0 } else { drift * drift * mode.drift_unit[c] }
        });
        [
            largest(&lanes(|c| ewma[c] * ewma[c] / mode.ewma_variance[c])),
            largest(&lanes(|c| self.up[c].max(self.down[c]) * mode.cusum_unit[c])),
            sum(&lanes(|c| ewma[c] * product[c])),
            sum(&self.remainder),
            largest(&drift),
        ]
    }

    #[inline(always)]
    fn judge(&mut self, baseline: &Baseline, time_ms: i64, signs: &Signs<'_>, finished_unit: Option<f32>) -> Verdict {
        let scores = signs.mode.levels.scores(&signs.statistics);
        let (mut first, mut score) = (0, scores[0]);
        for (place, other) in scores.iter().enumerate().skip(1) {
            if *other > score {
                (first, score) = (place, *other);
            }
        }
        self.unit_score = self.unit_score.max(score);
        let sudden = scores[..STATISTICS - 1].iter().any(|score| *score >= baseline.alarm_score);
        Verdict {
            score,
            leading: ORDER[first],
            p_row: baseline.parts.row.p(score),
            p_unit: baseline.parts.unit.p(self.unit_score),
            finished_unit,
            alarm: self.alarm_after(baseline, time_ms, score, sudden),
            prior_dominated: signs.prior_dominated,
            missing: signs.missing,
            implausible: signs.implausible,
        }
    }

    /// A sudden change also freezes the adapting offset, lest it be learnt as normal. A drift does
    /// not: only the fixed offset is to stand still then.
    fn alarm_after(&mut self, baseline: &Baseline, time_ms: i64, score: f32, sudden: bool) -> Alarm {
        if score >= baseline.alarm_score {
            let before = std::mem::replace(&mut self.alarm, true);
            self.frozen |= sudden;
            self.strange_ms = time_ms;
            return if before { Alarm::Standing } else { Alarm::Raised };
        }
        if !self.alarm {
            return Alarm::None;
        }
        if score >= baseline.calm_score {
            self.strange_ms = time_ms;
        }
        if time_ms.saturating_sub(self.strange_ms) < baseline.parts.model.unit_ms / HOLD {
            return Alarm::Standing;
        }
        (self.alarm, self.frozen) = (false, false);
        Alarm::Cleared
    }
}

/// Counting further would be in vain: f32 counts to 2^24.
const MOST_ROWS: f32 = 1e7;

/// A channel's part in a quadratic form x'Mx: how much of it goes if this channel alone is put
/// right, (Mx)²/M (reconstruction-based contribution, Alcala & Qin 2009). The faulty channel of a
/// single fault has the largest.
#[inline(always)]
pub(super) fn blame(product: f32, diagonal: f32) -> f32 {
    if diagonal > 0.0 { product * product / diagonal } else { 0.0 }
}

#[inline(always)]
fn check_inputs(model: &Model, inputs: &[f32]) -> Result<(), Skip> {
    let [lowest, highest] = &model.known_inputs;
    for (at, input) in inputs.iter().enumerate() {
        if !(*input >= lowest[at] && *input <= highest[at]) {
            let missing = !input.is_finite();
            return Err(if missing { Skip::InputMissing(at as u8) } else { Skip::InputOutside(at as u8) });
        }
    }
    Ok(())
}

/// Bits of the channels that are missing, and of those that are implausible.
#[inline(always)]
fn absent(channels: &[f32], there: &[bool; 8]) -> (u8, u8) {
    let (mut missing, mut implausible) = (0, 0);
    for (channel, value) in channels.iter().enumerate() {
        missing |= u8::from(!value.is_finite()) << channel;
        implausible |= u8::from(value.is_finite() && !there[channel]) << channel;
    }
    (missing, implausible)
}
