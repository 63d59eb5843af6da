//! Whether readings look as if they came in another unit.

use serde::{Deserialize, Serialize};

/// So many rows in a row must read well in another unit: one wild reading is no unit.
const ROWS: u8 = 3;
/// Ranges of the training rows beyond which a reading is out of band in the unit it should have...
const FAR: f64 = 8.0;
/// ... and within which it must be in the other one.
const NEAR: f64 = 0.5;
/// Readings further out are as good as so many ranges out: one absurd number is forgotten within a
/// minute of rows, and no sum overflows.
const FURTHEST: f64 = 1_000.0;

/// A conversion from a wrong unit to the right one: (value + before) * factor + after.
struct Conversion {
    name: &'static str,
    factor: f64,
    before: f64,
    after: f64,
}

const CONVERSIONS: [Conversion; 8] = [
    Conversion { name: "1000 times too large (such as mV for V)", factor: 1e-3, before: 0.0, after: 0.0 },
    Conversion { name: "1000 times too small (such as kW for W)", factor: 1e3, before: 0.0, after: 0.0 },
    Conversion { name: "100 times too large (such as % for a share)", factor: 1e-2, before: 0.0, after: 0.0 },
    Conversion { name: "100 times too small (such as a share for %)", factor: 1e2, before: 0.0, after: 0.0 },
    Conversion { name: "degrees Fahrenheit for Celsius", factor: 1.0 / 1.8, before: -32.0, after: 0.0 },
    Conversion { name: "degrees Celsius for Fahrenheit", factor: 1.8, before: 0.0, after: 32.0 },
    Conversion { name: "kelvin for degrees Celsius", factor: 1.0, before: -273.15, after: 0.0 },
    Conversion { name: "degrees Celsius for kelvin", factor: 1.0, before: 273.15, after: 0.0 },
];

/// Least and largest value of a channel in training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Band {
    pub(super) least: f64,
    pub(super) largest: f64,
}

impl Band {
    fn range(&self) -> f64 {
        (self.largest - self.least).max(1e-3 * self.largest.abs().max(self.least.abs())).max(1e-9)
    }

    /// A reading within sensible limits; NaN if it is no number.
    pub(super) fn limit(&self, value: f64) -> f64 {
        let out = FURTHEST * self.range();
        if value.is_finite() { value.clamp(self.least - out, self.largest + out) } else { f64::NAN }
    }

    /// Which wrong unit explains the reading, as a number for [`name`].
    fn wrong_unit(&self, value: f64) -> Option<u8> {
        let range = self.range();
        let within =
            |value: f64, ranges: f64| value >= self.least - ranges * range && value <= self.largest + ranges * range;
        if !value.is_finite() || within(value, FAR) {
            return None;
        }
        let read = |conversion: &Conversion| (value + conversion.before) * conversion.factor + conversion.after;
        CONVERSIONS.iter().position(|conversion| within(read(conversion), NEAR)).map(|at| at as u8)
    }
}

/// How often in a row a channel has read well in another unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct UnitWatch {
    suspect: Option<u8>,
    rows: u8,
}

impl UnitWatch {
    /// Takes a reading; what is wrong with its unit, once that is certain.
    pub(super) fn step(&mut self, band: &Band, value: f64) -> Option<&'static str> {
        let suspect = band.wrong_unit(value);
        self.rows = if suspect.is_some() && suspect == self.suspect { self.rows.saturating_add(1) } else { 1 };
        self.suspect = suspect;
        suspect.filter(|_| self.rows >= ROWS).map(|at| CONVERSIONS[usize::from(at)].name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(band: Band, values: &[f64]) -> Option<&'static str> {
        let mut watch = UnitWatch::default();
        values.iter().map(|&value| watch.step(&band, value)).last().flatten()
    }

    #[test]
    fn a_wrong_unit_is_told_from_a_fault() {
        let room = Band { least: 20.0, largest: 24.0 };
        assert_eq!(told(room, &[71.0, 71.2, 71.1]), Some("degrees Fahrenheit for Celsius"));
        assert_eq!(told(room, &[294.0, 295.0, 296.0]), Some("kelvin for degrees Celsius"));
        assert_eq!(told(room, &[71.0, 71.2, 22.0]), None);
        assert_eq!(told(room, &[35.0, 36.0, 36.0]), None);
        let mains = Band { least: 225.0, largest: 235.0 };
        assert_eq!(told(mains, &[230e3; 3]), Some("1000 times too large (such as mV for V)"));
        assert_eq!(told(mains, &[0.0; 9]), None);
    }
}
