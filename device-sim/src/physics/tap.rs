//! People drawing hot water.

use firmware_proto::DeviceTime;

use super::hour_of;
use super::panel::after;
use crate::random::Random;

/// Hot water as people want it: when, how long, how much.
#[derive(Debug, Clone)]
pub(super) struct Tap {
    random: Random,
    next_draw: DeviceTime,
    draw_ends: DeviceTime,
    next_change: DeviceTime,
    opened_lpm: f64,
    wiggle: f64,
}

impl Tap {
    pub fn new(seed: u64, start: DeviceTime) -> Self {
        let mut random = Random::new(seed, "draws");
        let next_draw = after(start, random.waiting(mean_gap_s(hour_of(start))));
        Self { random, next_draw, draw_ends: start, next_change: start, opened_lpm: 0.0, wiggle: 0.0 }
    }

    /// The flow people let through in this step; `most_lpm` is what still comes hot.
    pub fn step(&mut self, now: DeviceTime, dt_s: f64, most_lpm: f64) -> f64 {
        if now >= self.next_draw {
            self.open(now);
        }
        if now >= self.draw_ends {
            return 0.0;
        }
        if now >= self.next_change {
            self.opened_lpm = self.random.between(4.2, 12.0);
            self.next_change = after(now, self.random.waiting(200.0));
        }
        self.wiggle += -self.wiggle * dt_s / 30.0 + 0.04 * (dt_s / 15.0).sqrt() * self.random.normal();
        (self.opened_lpm.min(most_lpm) * (1.0 + self.wiggle)).clamp(4.0, 12.0)
    }

    fn open(&mut self, now: DeviceTime) {
        let seconds = (120.0 + self.random.waiting(120.0)).min(720.0);
        self.draw_ends = after(now, seconds);
        let gap_s = 120.0 + self.random.waiting(mean_gap_s(hour_of(now)));
        self.next_draw = after(self.draw_ends, gap_s);
        self.next_change = now;
        self.wiggle = 0.0;
    }
}

/// 25 to 45 draws a day, fewer at night.
fn mean_gap_s(hour: f64) -> f64 {
    if (6.0..23.0).contains(&hour) { 1700.0 } else { 4200.0 }
}
