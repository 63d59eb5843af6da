//! The room that an air conditioner cools, and the people in it.

use firmware_proto::DeviceTime;

use super::hour_of;
use super::panel::{Panel, after};
use super::weather::Weather;
use crate::random::Random;

const HOUR_S: f64 = 3600.0;
/// Air and furniture, joules a kelvin.
const AIR_J_K: f64 = 350e3;
/// Walls and floor that take part within a day.
const MASS_J_K: f64 = 2.6e6;
/// From air to walls, watts a kelvin.
const AIR_TO_MASS_W_K: f64 = 260.0;

/// Air and walls of one room, and what people want of it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    weather: Weather,
    random: Random,
    air_c: f64,
    mass_c: f64,
    outdoor_c: f64,
    leak_w_k: f64,
    wall_w_k: f64,
    inner_gain_w: f64,
    window_w: f64,
    cooling: bool,
    setpoint_c: f64,
    switch_at: DeviceTime,
    retouch_at: DeviceTime,
}

impl Room {
    pub fn new(seed: u64, start: DeviceTime) -> Self {
        let weather = Weather::outdoors(seed);
        let mut random = Random::new(seed, "room");
        let outdoor_c = weather.at(hour_of(start));
        let setpoint_c = favourite_setpoint(&mut random);
        let mut room = Self {
            weather,
            air_c: setpoint_c,
            mass_c: setpoint_c + 0.6,
            outdoor_c,
            leak_w_k: random.between(52.0, 66.0),
            wall_w_k: random.between(52.0, 68.0),
            inner_gain_w: random.between(450.0, 620.0),
            window_w: random.between(400.0, 750.0),
            cooling: random.chance(0.72),
            setpoint_c,
            switch_at: start,
            retouch_at: start,
            random,
        };
        // Somewhere within the present span, not at its beginning.
        let rest = room.random.between(0.05, 1.0);
        room.switch_at = after(start, room.span_s() * rest);
        room.retouch_at = after(start, room.random.waiting(4.0 * HOUR_S));
        room
    }

    /// People are on for 2.5 to 5 hours and off for 1 to 2.5.
    fn span_s(&mut self) -> f64 {
        if self.cooling { self.random.between(2.5, 5.0) * HOUR_S } else { self.random.between(1.0, 2.5) * HOUR_S }
    }

    /// What people do at the appliance.
    pub fn people(&mut self, now: DeviceTime, panel: &mut Panel) {
        if now >= self.switch_at {
            self.cooling = !self.cooling;
            if self.cooling {
                self.setpoint_c = favourite_setpoint(&mut self.random);
            }
            panel.touch(now);
            let span = self.span_s();
            self.switch_at = after(now, span);
        }
        if now >= self.retouch_at {
            if self.cooling {
                let step = if self.random.chance(0.5) { 1.0 } else { -1.0 };
                self.setpoint_c = (self.setpoint_c + step).clamp(23.0, 27.0);
                panel.touch(now);
            }
            self.retouch_at = after(now, self.random.waiting(4.0 * HOUR_S));
        }
    }

    /// Heat in from outside, sun and people, out by `cooling_w`.
    pub fn step(&mut self, now: DeviceTime, dt_s: f64, cooling_w: f64) {
        let hour = hour_of(now);
        self.outdoor_c = self.weather.step(hour, dt_s);
        let sun_w = self.window_w * self.weather.sun(hour);
        let to_mass_w = AIR_TO_MASS_W_K * (self.air_c - self.mass_c);
        let air_w = self.leak_w_k * (self.outdoor_c - self.air_c) + self.inner_gain_w + 0.5 * sun_w;
        self.air_c += (air_w - to_mass_w - cooling_w) / AIR_J_K * dt_s;
        self.mass_c += (self.wall_w_k * (self.outdoor_c - self.mass_c) + 0.5 * sun_w + to_mass_w) / MASS_J_K * dt_s;
    }

    pub fn air_c(&self) -> f64 {
        self.air_c
    }

    pub fn outdoor_c(&self) -> f64 {
        self.outdoor_c
    }

    pub fn setpoint_c(&self) -> f64 {
        self.setpoint_c
    }

    /// People want it cool.
    pub fn cooling(&self) -> bool {
        self.cooling
    }
}

fn favourite_setpoint(random: &mut Random) -> f64 {
    23.5 + 0.5 * random.below(7) as f64
}
