//! One row: residual, deviation, statistics, verdict.

use fearless_simd::{Level, dispatch};
use thiserror::Error;

use super::baseline::{Mode, Model};
use super::lanes::{Lanes, bits, lanes, larger, largest, smaller, sum, times};
use super::levels::STATISTICS;
use super::schema::{MAX_CHANNELS, MAX_MODES};
use super::{Baseline, Monitor, Row};

/// Weight λ of the newest row in the EWMAs: it remembers about ten rows.
pub(super) const EWMA_WEIGHT: f32 = 0.1;

/// Slack k of the CUSUM in standard deviations: tuned to shifts of 1 (Page 1954).
const SLACK: f32 = 0.5;

/// More slack for each standard deviation by which the device's offset is uncertain, lest the
/// uncertainty be summed up.
const UNCERTAIN_SLACK: f32 = 2.0;

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
    /// The same for the unit before, with the first row judged in a new one.
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

/// How uncertain a device's place is, in parts of the variance of its rows.
struct Doubt {
    all: Lanes,
    /// The part that comes from having been drawn to the fleet. Each channel has its own, so that
    /// it shows most where channels move together; the rest follows them.
    prior: Lanes,
}

impl Monitor {
    /// Takes one row. Allocates nothing.
    ///
    /// # Errors
    /// A row of another width, or another baseline's monitor; the state is as before.
    pub fn step(&mut self, baseline: &Baseline, row: &Row<'_>) -> Result<Step, StepError> {
        self.fits(baseline, row)?;
        self.summon(row.mode);
        let model = &baseline.parts.model;
        Ok(match self.admit(model, row.time_ms).and_then(|()| self.advance(model, row)) {
            Ok(signs) => Step::Judged(self.judge(baseline, row.time_ms, &signs)),
            Err(skip) => Step::Skipped(skip),
        })
    }

    /// Touches the cache lines that the step will need, so that memory fetches them side by side and
    /// not one after the other as they come up.
    #[inline(always)]
    fn summon(&self, mode: u8) {
        let own = &self.modes[usize::from(mode) % MAX_MODES];
        let fast = [self.ewma[7], self.down[7], self.spread[7]];
        std::hint::black_box((self.last_ms, fast, own.fixed[0], own.rows[7]));
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

    /// Whether the row is newer than all before.
    pub(super) fn admit(&mut self, model: &Model, time_ms: i64) -> Result<(), Skip> {
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
        Ok(())
    }

    /// Everything but the verdict, in the widest vectors of this machine: the same operations in the
    /// same order, so the same digits.
    pub(super) fn advance<'a>(&mut self, model: &'a Model, row: &Row<'_>) -> Result<Signs<'a>, Skip> {
        dispatch!(Level::new(), _ => self.advance_lanes(model, row))
    }

    #[inline(always)]
    fn advance_lanes<'a>(&mut self, model: &'a Model, row: &Row<'_>) -> Result<Signs<'a>, Skip> {
        let place = usize::from(row.mode);
        let Some(Some(mode)) = model.modes.get(place) else { return Err(Skip::UnknownMode) };
        check_inputs(model, row.inputs)?;
        let expected = mode.expect(row.time_ms, row.inputs);
        let mut value = [f32::NAN; MAX_CHANNELS];
        value[..row.channels.len()].copy_from_slice(row.channels);
        let [lowest, highest] = &model.plausible;
        let present = lanes(|c| if (value[c] >= lowest[c]) & (value[c] <= highest[c]) { 1.0 } else { 0.0 });
        let residual = lanes(|c| {
            let residual = (value[c] - expected[c]) * mode.inverse_scale[c];
            if present[c] > 0.0 { residual } else { 0.0 }
        });
        let (missing, implausible) = absent(&value, row.channels.len(), &present);
        if (missing | implausible).count_ones() as usize == row.channels.len() {
            return Err(Skip::NoChannel(missing, implausible));
        }

        let (deviation, doubt) = self.deviate(model, mode, place, &residual, &present);
        let trust = lanes(|c| 1.0 / (1.0 + doubt.all[c] * mode.ewma_inverse[c] + doubt.prior[c] * mode.ewma_own[c]));
        let trust = trust.map(f32::sqrt);
        let offsets = &self.modes[place];
        let prior_dominated = bits(|c| (present[c] > 0.0) & (offsets.rows[c] < mode.offset_prior[c])) != 0;
        self.accumulate(mode, &deviation, &doubt.all, &trust);
        let statistics = self.statistics(mode, place, &doubt.all, &trust);
        Ok(Signs { mode, place, deviation, statistics, prior_dominated, missing, implausible })
    }

    /// The deviation from the device's own place, and the doubt about that place. Then the device's
    /// place and scale learn from the row.
    #[inline(always)]
    fn deviate(
        &mut self,
        model: &Model,
        mode: &Mode,
        place: usize,
        residual: &Lanes,
        present: &Lanes,
    ) -> (Lanes, Doubt) {
        let own = &mut self.modes[place];
        let share = lanes(|c| 1.0 / (own.rows[c] + mode.offset_prior[c]));
        let doubt = lanes(|c| mode.long_run[c] * larger(share[c], mode.adapt_gain));
        let prior = lanes(|c| mode.long_run[c] * mode.offset_prior[c] * share[c] * share[c]);
        let variance = lanes(|c| self.spread[c] + doubt[c]);
        let predictive = variance.map(f32::sqrt);
        let off = lanes(|c| (residual[c] - own.adapting[c]) * present[c]);
        let deviation = lanes(|c| bounded(off[c] / predictive[c], WILDEST));
        if !self.frozen {
            let rows = lanes(|c| own.rows[c] + present[c]);
            let gain = lanes(|c| 1.0 / (rows[c] + mode.offset_prior[c]));
            let from_fixed = lanes(|c| (residual[c] - own.fixed[c]) * present[c]);
            own.fixed = lanes(|c| {
                let learnt = own.fixed[c] + gain[c] * bounded(from_fixed[c], WILDEST * predictive[c]);
                let learnt = bounded(learnt, mode.offset_bound[c]);
                if own.rows[c] < mode.fixed_rows { learnt } else { own.fixed[c] }
            });
            own.adapting = lanes(|c| own.adapting[c] + larger(gain[c], mode.adapt_gain) * deviation[c] * predictive[c]);
            own.rows = lanes(|c| smaller(rows[c], MOST_ROWS));
            let square =
                lanes(|c| smaller(off[c] * off[c] / (1.0 + doubt[c]), WILDEST * WILDEST) * model.spread_scale[c]);
            let learns = lanes(|c| if self.spread_rows[c] < model.spread_rows { present[c] } else { 0.0 });
            self.spread_rows = lanes(|c| self.spread_rows[c] + learns[c]);
            self.spread = lanes(|c| {
                let gain = learns[c] / (self.spread_rows[c] + model.spread_prior[c]);
                smaller(larger(self.spread[c] + gain * (square[c] - self.spread[c]), SPREAD.0), SPREAD.1)
            });
        }
        let inverse = lanes(|c| 1.0 / variance[c]);
        (deviation, Doubt { all: lanes(|c| doubt[c] * inverse[c]), prior: lanes(|c| prior[c] * inverse[c]) })
    }

    #[inline(always)]
    fn accumulate(&mut self, mode: &Mode, deviation: &Lanes, doubt: &Lanes, trust: &Lanes) {
        let slack = lanes(|c| SLACK + UNCERTAIN_SLACK * doubt[c].sqrt());
        self.ewma = lanes(|c| self.ewma[c] + EWMA_WEIGHT * (deviation[c] - self.ewma[c]));
        self.up = lanes(|c| smaller(larger(self.up[c] + deviation[c] - slack[c], 0.0), mode.cusum_cap[c]));
        self.down = lanes(|c| smaller(larger(self.down[c] - deviation[c] - slack[c], 0.0), mode.cusum_cap[c]));
        let product = times(&mode.remainder, &lanes(|c| deviation[c] * trust[c]));
        self.remainder = lanes(|c| {
            let part = product[c] * product[c] * mode.remainder_own[c];
            self.remainder[c] + EWMA_WEIGHT * (part - self.remainder[c])
        });
    }

    #[inline(always)]
    fn statistics(&self, mode: &Mode, place: usize, doubt: &Lanes, trust: &Lanes) -> [f32; STATISTICS] {
        let own = &self.modes[place];
        let precision = lanes(|c| 1.0 / (mode.ewma_variance[c] + doubt[c]));
        let ewma = lanes(|c| self.ewma[c] * trust[c]);
        let product = times(&mode.ewma_precision, &ewma);
        let drift = lanes(|c| own.adapting[c] - own.fixed[c]);
        let drift = lanes(|c| drift[c] * drift[c] * mode.drift_unit[c] / self.spread[c]);
        [
            largest(&lanes(|c| self.ewma[c] * self.ewma[c] * precision[c])),
            largest(&lanes(|c| larger(self.up[c], self.down[c]) * mode.cusum_unit[c])),
            sum(&lanes(|c| ewma[c] * product[c])),
            sum(&self.remainder),
            largest(&lanes(|c| if own.rows[c] < mode.fixed_rows { 0.0 } else { drift[c] })),
        ]
    }

    #[inline(always)]
    fn judge(&mut self, baseline: &Baseline, time_ms: i64, signs: &Signs<'_>) -> Verdict {
        let scores = signs.mode.levels.scores(&signs.statistics);
        let (mut first, mut score) = (0, scores[0]);
        for (place, other) in scores.iter().enumerate().skip(1) {
            if *other > score {
                (first, score) = (place, *other);
            }
        }
        let unit = time_ms.div_euclid(baseline.parts.model.unit_ms);
        let finished_unit = if unit == self.unit { None } else { self.unit_score.take().map(|_| self.unit_p) };
        self.unit = unit;
        if self.unit_score.is_none_or(|largest| score > largest) {
            (self.unit_score, self.unit_p) = (Some(score), baseline.parts.unit.p(score));
        }
        let sudden = scores[..STATISTICS - 1].iter().any(|score| *score >= baseline.alarm_score);
        Verdict {
            score,
            leading: ORDER[first],
            p_row: baseline.parts.row.p(score),
            p_unit: self.unit_p,
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

/// `clamp` without the branch that checks its bounds.
#[inline(always)]
fn bounded(value: f32, bound: f32) -> f32 {
    smaller(larger(value, -bound), bound)
}

/// Counting further would be in vain: f32 counts to 2^24.
const MOST_ROWS: f32 = 1e7;

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

/// Bits of the channels that are missing, and of those that are implausible; a schema has at least one.
#[inline(always)]
fn absent(value: &Lanes, channels: usize, present: &Lanes) -> (u8, u8) {
    let watched = u8::MAX >> (MAX_CHANNELS - channels);
    let missing = bits(|c| !value[c].is_finite());
    let implausible = bits(|c| value[c].is_finite() & (present[c] == 0.0));
    (missing & watched, implausible & watched)
}
