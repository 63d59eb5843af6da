//! Whether a row comes when it should.

use serde::{Deserialize, Serialize};

/// A step of so many usual steps is a gap.
const GAP: i64 = 10;

/// What a row is in its recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Judged as the next row.
    Judged,
    /// Judged as the first row after a gap in time.
    AfterGap,
    /// Not judged: it has the time of the row before.
    Repeated,
    /// Not judged: its time is before that of an earlier row.
    GoesBack,
    /// Not judged: no channel has a reading.
    Empty,
}

/// The times seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    latest_ms: Option<i64>,
    usual_step_ms: Option<i64>,
}

impl Order {
    /// With the usual step of the training rows.
    pub(super) fn new(usual_step_ms: Option<i64>) -> Self {
        Self { latest_ms: None, usual_step_ms }
    }

    pub(super) fn step(&mut self, time_ms: Option<i64>) -> Standing {
        let Some(time) = time_ms else { return Standing::Judged };
        let Some(latest) = self.latest_ms.replace(time) else { return Standing::Judged };
        if time <= latest {
            self.latest_ms = Some(latest);
            return if time == latest { Standing::Repeated } else { Standing::GoesBack };
        }
        let long = |usual: i64| time.saturating_sub(latest) > usual.saturating_mul(GAP);
        if self.usual_step_ms.is_some_and(long) { Standing::AfterGap } else { Standing::Judged }
    }
}

/// The median step between times that go forward; None without any.
pub(super) fn usual_step_ms<'a>(recordings: impl Iterator<Item = &'a [i64]>) -> Option<i64> {
    let mut steps: Vec<i64> = recordings
        .flat_map(|times| times.windows(2))
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .filter(|step| *step > 0)
        .collect();
    let middle = steps.len() / 2;
    (!steps.is_empty()).then(|| *steps.select_nth_unstable(middle).1)
}
