//! Air around the appliance over the day.

use std::f64::consts::PI;

use crate::random::Random;

/// A daily wave with its maximum at mid-afternoon, and slow disorder on top.
#[derive(Debug, Clone)]
pub(super) struct Weather {
    random: Random,
    mean_c: f64,
    amplitude_k: f64,
    warmest_hour: f64,
    drift: f64,
    drift_k: f64,
}

/// Clouds and gusts are forgotten after about this long.
const MEMORY_S: f64 = 2400.0;

impl Weather {
    /// A summer day outdoors: 24 to 38 °C over all homes and hours.
    pub fn outdoors(seed: u64) -> Self {
        let mut random = Random::new(seed, "outdoor weather");
        let mean_c = random.between(30.0, 32.7);
        let amplitude_k = random.between(3.0, 4.3);
        let warmest_hour = random.between(14.0, 16.0);
        Self { random, mean_c, amplitude_k, warmest_hour, drift: 0.0, drift_k: 0.5 }
    }

    /// A kitchen or bathroom whose mean lies in `low_c..high_c`.
    pub fn indoors(seed: u64, low_c: f64, high_c: f64) -> Self {
        let mut random = Random::new(seed, "indoor weather");
        let mean_c = random.between(low_c, high_c);
        let amplitude_k = random.between(0.5, 1.1);
        let warmest_hour = random.between(15.0, 19.0);
        Self { random, mean_c, amplitude_k, warmest_hour, drift: 0.0, drift_k: 0.2 }
    }

    /// One step; the temperature at this hour.
    pub fn step(&mut self, hour: f64, dt_s: f64) -> f64 {
        let decay = dt_s / MEMORY_S;
        self.drift += -self.drift * decay + self.random.normal() * (2.0 * decay).sqrt();
        self.at(hour)
    }

    /// The temperature at this hour of the present weather.
    pub fn at(&self, hour: f64) -> f64 {
        self.mean_c + self.amplitude_k * daily_wave(hour - self.warmest_hour) + self.drift_k * self.drift
    }

    /// How much of the sun comes through, 0 to 1.
    pub fn sun(&self, hour: f64) -> f64 {
        let height = daily_wave(hour - 13.0).max(0.0);
        height * (0.75 + 0.25 * self.drift).clamp(0.2, 1.0)
    }
}

/// Cosine over 24 hours, `hours` after its maximum.
fn daily_wave(hours: f64) -> f64 {
    // Bhaskara's approximation is within 0.2 %, far below what weather needs, and cheap.
    let turn = (hours / 24.0).rem_euclid(1.0);
    let x = (if turn > 0.5 { 1.0 - turn } else { turn }) * 2.0 * PI;
    let quarter = |x: f64| (PI * PI - 4.0 * x * x) / (PI * PI + x * x);
    if x <= PI / 2.0 { quarter(x) } else { -quarter(PI - x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_warm_in_the_afternoon_and_within_the_manual() {
        for seed in 0..200 {
            let mut weather = Weather::outdoors(seed);
            for step in 0..8640 {
                let hour = f64::from(step) / 360.0;
                let celsius = weather.step(hour, 10.0);
                assert!((22.0..40.0).contains(&celsius), "seed {seed}, hour {hour}: {celsius}");
            }
        }
    }

    #[test]
    fn the_wave_is_a_cosine() {
        for tenth in 0..240 {
            let hours = f64::from(tenth) / 10.0;
            assert!((daily_wave(hours) - (hours / 24.0 * 2.0 * PI).cos()).abs() < 0.003, "{hours}");
        }
    }
}
