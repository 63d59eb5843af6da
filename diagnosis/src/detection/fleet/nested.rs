//! How much devices differ, days of a device differ, and rows of a day differ.

/// Values of many devices, each with many units, one after the other.
#[derive(Debug, Default)]
pub(super) struct Nested {
    rows: f64,
    squares: f64,
    neighbours: f64,
    last: Option<f64>,
    unit: (f64, f64),
    device: (f64, f64),
    units: f64,
    /// Σ rows·mean² of all units.
    unit_squares: f64,
    /// Rows and mean of each device; 0 rows for one that never showed the value.
    pub devices: Vec<(f64, f64)>,
}

/// A nested analysis of variance (one way, unbalanced, random effects).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Variances {
    /// Mean of the devices' means.
    pub mean: f64,
    /// Variance within a device.
    pub within: f64,
    /// Variance of a long mean, times its rows, over `within`: 1 for independent rows.
    pub long_run: f64,
    /// Variance of the devices' true means.
    pub between: f64,
    /// Correlation of neighbouring rows.
    pub autocorrelation: f64,
}

impl Nested {
    pub fn push(&mut self, value: f64) {
        self.rows += 1.0;
        self.squares += value * value;
        self.neighbours += value * self.last.unwrap_or(value);
        self.last = Some(value);
        self.unit = (self.unit.0 + 1.0, self.unit.1 + value);
    }

    pub fn end_unit(&mut self) {
        let (rows, sum) = std::mem::take(&mut self.unit);
        self.last = None;
        if rows > 0.0 {
            self.units += 1.0;
            self.unit_squares += sum * sum / rows;
            self.device = (self.device.0 + rows, self.device.1 + sum);
        }
    }

    pub fn end_device(&mut self) {
        self.end_unit();
        let (rows, sum) = std::mem::take(&mut self.device);
        self.devices.push((rows, if rows > 0.0 { sum / rows } else { 0.0 }));
    }

    pub fn rows(&self) -> f64 {
        self.rows
    }

    pub fn units(&self) -> f64 {
        self.units
    }

    /// None without rows.
    pub fn variances(&self) -> Option<Variances> {
        let seen: Vec<(f64, f64)> = self.devices.iter().copied().filter(|(rows, _)| *rows > 0.0).collect();
        let devices = seen.len() as f64;
        if seen.is_empty() {
            return None;
        }
        let mean = seen.iter().map(|(_, mean)| mean).sum::<f64>() / devices;
        let device_squares: f64 = seen.iter().map(|(rows, mean)| rows * mean * mean).sum();
        let within = ((self.squares - device_squares) / (self.rows - devices).max(1.0)).max(0.0);
        let autocorrelation = ((self.neighbours - device_squares) / (within * self.rows)).clamp(-0.999, 0.999);
        let autocorrelation = if autocorrelation.is_finite() { autocorrelation } else { 0.0 };
        let long_run = if self.units > devices && within > 0.0 {
            (self.unit_squares - device_squares) / (self.units - devices) / within
        } else {
            (1.0 + autocorrelation) / (1.0 - autocorrelation)
        };
        let long_run = long_run.max(LEAST_LONG_RUN);
        let spread = seen.iter().map(|(_, m)| (m - mean).powi(2)).sum::<f64>() / (devices - 1.0).max(1.0);
        let error = seen.iter().map(|(rows, _)| long_run * within / rows).sum::<f64>() / devices;
        Some(Variances { mean, within, long_run, between: (spread - error).max(0.0), autocorrelation })
    }
}

/// Rows that undo each other would make a mean too sure of itself.
const LEAST_LONG_RUN: f64 = 0.2;
