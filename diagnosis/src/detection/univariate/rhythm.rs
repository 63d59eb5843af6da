//! What each hour of the day and of the week brings.

use firmware_proto::DeviceTime;
use serde::{Deserialize, Serialize};

use super::HOUR_MS;

/// Times that an hour is remembered: few, so that a new season or a moved clock is soon learnt.
const MEMORY: u8 = 3;

/// The usual level by hour of the day, and by hour of the week where that is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rhythm {
    every_day: Profile,
    weekdays: [Profile; 7],
    /// The hour that is running, since the epoch.
    hour: i64,
    sum: f64,
    readings: u32,
}

/// A level by hour of one day.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Profile {
    levels: [f32; 24],
    /// Times that the hour was seen, at most [`MEMORY`].
    seen: [u8; 24],
}

impl Profile {
    fn level(&self, hour: usize) -> Option<f64> {
        (self.seen[hour] > 0).then(|| f64::from(self.levels[hour]))
    }

    fn learn(&mut self, hour: usize, level: f64) {
        self.seen[hour] = (self.seen[hour] + 1).min(MEMORY);
        let old = f64::from(self.levels[hour]);
        self.levels[hour] = (old + (level - old) / f64::from(self.seen[hour])) as f32;
    }
}

/// Day of the week (0 is Thursday, as the epoch was) and hour of the day.
fn place(hour: i64) -> (usize, usize) {
    (hour.div_euclid(24).rem_euclid(7) as usize, hour.rem_euclid(24) as usize)
}

impl Rhythm {
    /// How far `level` is from the nearer of what this hour brings on any day and on this day of the
    /// week; None before the hour was seen once.
    pub fn distance(&self, time: DeviceTime, level: f64) -> Option<f64> {
        let (day, hour) = place(time.0.div_euclid(HOUR_MS));
        let off = (level - self.every_day.level(hour)?).abs();
        Some(self.weekdays[day].level(hour).map_or(off, |weekly| off.min((level - weekly).abs())))
    }

    /// Takes a level in; the hour counts once it is over.
    pub fn learn(&mut self, time: DeviceTime, level: f64) {
        let hour = time.0.div_euclid(HOUR_MS);
        if self.readings > 0 && hour != self.hour {
            let mean = self.sum / f64::from(self.readings);
            let (day, hour) = place(self.hour);
            self.every_day.learn(hour, mean);
            self.weekdays[day].learn(hour, mean);
            (self.sum, self.readings) = (0.0, 0);
        }
        self.hour = hour;
        self.sum += level;
        self.readings = self.readings.saturating_add(1);
    }
}
