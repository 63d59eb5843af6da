//! What is news, and what repeats what was said.

use firmware_proto::DeviceTime;
use serde::{Deserialize, Serialize};

use super::HOUR_MS;

/// How much stranger than what was last said a reading is that is worth saying.
const CLEARLY: f64 = 1.5;

/// Time in which what was said fades by the factor e: a third of a day, so that the next day is
/// heard again.
const FADE_MS: i64 = 8 * HOUR_MS;

/// Holds off alarms that repeat the last one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Repeats {
    /// The strangeness that was reached, as of `since`.
    reached: f64,
    since: DeviceTime,
}

impl Repeats {
    /// Whether a strangeness is clearly above what the latest ones have faded to.
    pub fn is_news(&mut self, time: DeviceTime, strangeness: f64) -> bool {
        // After a clock was set back, fading begins anew, or silence could last for years.
        self.since = self.since.min(time);
        if strangeness <= 0.0 {
            return false;
        }
        let fade = time.0.saturating_sub(self.since.0) as f64 / FADE_MS as f64;
        let faded = self.reached * (-fade).exp();
        if strangeness > faded {
            (self.reached, self.since) = (strangeness, time);
        }
        strangeness > CLEARLY * faded
    }
}
