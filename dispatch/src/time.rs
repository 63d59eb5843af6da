//! Windows of time, and shifts that repeat.

use firmware_proto::ServerTime;
use serde::{Deserialize, Serialize};

use crate::error::{InputError, check_number};

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAY_MIN: u32 = 24 * 60;

/// Most days a shift is rolled out over: a quarter, beyond any promised appointment.
const MAX_DAYS: u32 = 92;

/// From `start` to `end`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// First moment.
    pub start: ServerTime,
    /// Last moment.
    pub end: ServerTime,
}

/// A shift that repeats on some weekdays, in local time of a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyShift {
    /// Begin, in minutes after local midnight.
    pub start_min: u32,
    /// End, in minutes after the same midnight; may pass the next midnight.
    pub end_min: u32,
    /// Local time minus UTC, in minutes. Whoever knows the time zone gives it anew
    /// when it changes.
    pub utc_offset_min: i32,
    /// Which days are worked, Monday first.
    pub weekdays: [bool; 7],
}

impl DailyShift {
    /// From 8:00 to 17:00 UTC on every day.
    pub const EVERY_DAY: Self = Self { start_min: 8 * 60, end_min: 17 * 60, utc_offset_min: 0, weekdays: [true; 7] };

    /// The shifts that end after `from`, of the local day of `from` and the `days - 1`
    /// after it, and of the night shift before it.
    ///
    /// # Errors
    /// A begin after 24:00, an end that is not after the begin or lets shifts overlap,
    /// an offset beyond a day, more than 92 days.
    pub fn windows(&self, from: ServerTime, days: u32) -> Result<Vec<TimeWindow>, InputError> {
        self.check(days)?;
        let offset_ms = i64::from(self.utc_offset_min) * MINUTE_MS;
        let today = from.ms().saturating_add(offset_ms).div_euclid(DAY_MS);
        let shift_of = |day: i64| {
            let midnight = ServerTime(day.saturating_mul(DAY_MS)).plus_ms(-offset_ms);
            TimeWindow {
                start: midnight.plus_ms(i64::from(self.start_min) * MINUTE_MS),
                end: midnight.plus_ms(i64::from(self.end_min) * MINUTE_MS),
            }
        };
        // 1970-01-01, day 0, was a Thursday: index 3 from Monday.
        let is_worked = |day: &i64| self.weekdays[(day + 3).rem_euclid(7) as usize];
        Ok((today - 1..today + i64::from(days)).filter(is_worked).map(shift_of).filter(|w| w.end > from).collect())
    }

    fn check(&self, days: u32) -> Result<(), InputError> {
        let day = f64::from(DAY_MIN);
        check_number(f64::from(self.start_min), 0.0, day, "start_min")?;
        let start = f64::from(self.start_min);
        check_number(f64::from(self.end_min), start + 1.0, start + day, "end_min")?;
        check_number(f64::from(self.utc_offset_min), -day, day, "utc_offset_min")?;
        check_number(f64::from(days), 0.0, f64::from(MAX_DAYS), "days")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-01, a Monday, 0:00 UTC.
    const MONDAY: ServerTime = ServerTime(1_704_067_200_000);

    fn hours(windows: &[TimeWindow]) -> Vec<(i64, i64)> {
        let hour = |t: ServerTime| t.since_ms(MONDAY) / HOUR_MS;
        windows.iter().map(|w| (hour(w.start), hour(w.end))).collect()
    }

    #[test]
    fn a_shift_repeats_on_its_weekdays() {
        let mut shift =
            DailyShift { weekdays: [true, false, true, false, false, false, false], ..DailyShift::EVERY_DAY };
        assert_eq!(hours(&shift.windows(MONDAY, 7).unwrap()), [(8, 17), (56, 65)]);
        assert_eq!(hours(&shift.windows(MONDAY.plus_ms(16 * HOUR_MS), 1).unwrap()), [(8, 17)], "still going on");
        assert_eq!(hours(&shift.windows(MONDAY.plus_ms(17 * HOUR_MS), 1).unwrap()), [], "over");
        shift.utc_offset_min = 120;
        assert_eq!(hours(&shift.windows(MONDAY, 1).unwrap()), [(6, 15)]);
    }

    #[test]
    fn a_night_shift_of_yesterday_still_counts() {
        let night = DailyShift { start_min: 22 * 60, end_min: 30 * 60, ..DailyShift::EVERY_DAY };
        assert_eq!(hours(&night.windows(MONDAY, 1).unwrap()), [(-2, 6), (22, 30)]);
    }

    #[test]
    fn a_shift_that_cannot_be_is_named() {
        let backwards = DailyShift { end_min: 8 * 60, ..DailyShift::EVERY_DAY };
        assert_eq!(backwards.windows(MONDAY, 1).unwrap_err().to_string(), "end_min: is 480; give 481 to 1920");
        assert_eq!(DailyShift::EVERY_DAY.windows(MONDAY, 1000).unwrap_err().field, "days");
        assert!(DailyShift::EVERY_DAY.windows(ServerTime(i64::MAX), 2).is_ok());
        assert!(DailyShift::EVERY_DAY.windows(ServerTime(i64::MIN), 2).is_ok());
    }
}
