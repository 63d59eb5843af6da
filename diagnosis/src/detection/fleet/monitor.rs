//! What is kept of one device.

use serde::{Deserialize, Serialize};

use super::Baseline;
use super::lanes::{Lanes, ZERO};
use super::schema::{MAX_CHANNELS, MAX_MODES};

/// The state of one device: at most 1 KB, without pointers, serialisable.
///
/// Fields lie in memory in this order: a row touches the first four cache lines and the two of its mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[repr(C, align(64))]
pub struct Monitor {
    pub(super) baseline: u64,
    /// Time of the last row taken; None before the first.
    pub(super) last_ms: Option<i64>,
    /// Last row that kept the alarm up.
    pub(super) strange_ms: i64,
    /// Which unit is under way, and the largest score in it; None before the first row judged.
    pub(super) unit: i64,
    pub(super) unit_score: Option<f32>,
    /// How rare that score is: looked up once, not with every row.
    pub(super) unit_p: f32,
    /// Rows in a row that came from the past.
    pub(super) late: u16,
    pub(super) alarm: bool,
    /// Whether the adapting offset stands still.
    pub(super) frozen: bool,
    pub(super) ewma: Lanes,
    pub(super) up: Lanes,
    pub(super) down: Lanes,
    /// EWMA of each channel's part in the SPE.
    pub(super) remainder: Lanes,
    /// The device's variance over the fleet's, and the rows that taught it.
    pub(super) spread: Lanes,
    pub(super) spread_rows: Lanes,
    pub(super) modes: [Offsets; MAX_MODES],
}

/// The device's own offset in one mode, in residual standard deviations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[repr(C, align(32))]
pub(super) struct Offsets {
    pub fixed: Lanes,
    pub adapting: Lanes,
    /// Rows that taught them.
    pub rows: Lanes,
}

const UNKNOWN: Offsets = Offsets { fixed: ZERO, adapting: ZERO, rows: ZERO };

impl Monitor {
    /// A device of which nothing is known yet: like the fleet, until its rows say otherwise.
    pub fn new(baseline: &Baseline) -> Self {
        Self::of(baseline.id)
    }

    pub(super) fn of(baseline: u64) -> Self {
        Self {
            baseline,
            last_ms: None,
            strange_ms: 0,
            unit: 0,
            unit_score: None,
            unit_p: 1.0,
            late: 0,
            alarm: false,
            frozen: false,
            ewma: ZERO,
            up: ZERO,
            down: ZERO,
            remainder: ZERO,
            spread: [1.0; MAX_CHANNELS],
            spread_rows: ZERO,
            modes: [UNKNOWN; MAX_MODES],
        }
    }

    /// After a repair: both baselines and the alarm begin anew; the clock goes on.
    pub fn repaired(&mut self, baseline: &Baseline) {
        *self = Self { last_ms: self.last_ms, late: self.late, ..Self::new(baseline) };
    }

    /// Whether an alarm stands.
    pub fn alarm(&self) -> bool {
        self.alarm
    }

    /// Whether the numbers are such as [`step`](Self::step) leaves: check what comes from outside.
    pub fn is_valid(&self) -> bool {
        let fast = [&self.ewma, &self.up, &self.down, &self.remainder, &self.spread, &self.spread_rows];
        let slow = self.modes.iter().flat_map(|mode| [&mode.fixed, &mode.adapting, &mode.rows]);
        let counts = self.modes.iter().map(|mode| &mode.rows).chain([&self.spread, &self.spread_rows]);
        fast.into_iter().chain(slow).flatten().all(|number| number.is_finite())
            && counts.flatten().all(|number| *number >= 0.0)
            && self.unit_score.is_none_or(f32::is_finite)
            && (0.0..=1.0).contains(&self.unit_p)
    }

    /// Forgets what only holds between neighbouring rows.
    pub(super) fn forget(&mut self) {
        (self.ewma, self.up, self.down, self.remainder) = (ZERO, ZERO, ZERO, ZERO);
    }
}
