//! What inputs and the hour of the day explain of a channel.

use nalgebra::{DMatrix, DVector};

use super::baseline::HOURS;

/// Penalty of a slope, in rows per row: slopes lose a thousandth, and one that the data do not tell stays 0.
const SLOPE_PENALTY: f64 = 1e-3;

/// Penalty of an hour, in parts of an average hour's rows.
const HOUR_PENALTY: f64 = 1e-2;

/// Ridge regression (Hoerl & Kennard 1970) within devices: each device's mean is taken out first,
/// so that a device that runs warm in a warm room does not bend the slope. The hours are linear
/// splines with a node at each full hour.
#[derive(Debug)]
pub(super) struct Regression {
    inputs: usize,
    rows: f64,
    products: DMatrix<f64>,
    target: DVector<f64>,
    device_rows: f64,
    device_sums: DVector<f64>,
    device_target: f64,
}

/// Values of the regressors that are not 0 in a row: their places and values.
pub(super) type Features = Vec<(usize, f64)>;

impl Regression {
    pub fn new(inputs: usize) -> Self {
        let width = inputs + HOURS;
        Self {
            inputs,
            rows: 0.0,
            products: DMatrix::zeros(width, width),
            target: DVector::zeros(width),
            device_rows: 0.0,
            device_sums: DVector::zeros(width),
            device_target: 0.0,
        }
    }

    /// Takes a row; `features` ascend by place.
    pub fn push(&mut self, features: &Features, target: f64) {
        self.device_rows += 1.0;
        self.device_target += target;
        for (at, (place, value)) in features.iter().enumerate() {
            self.device_sums[*place] += value;
            self.target[*place] += value * target;
            for (other, factor) in &features[at..] {
                self.products[(*other, *place)] += value * factor;
            }
        }
    }

    /// Takes the device's mean out of what it added.
    pub fn end_device(&mut self) {
        if self.device_rows > 0.0 {
            let width = self.device_sums.len();
            for column in 0..width {
                let mean = self.device_sums[column] / self.device_rows;
                self.target[column] -= mean * self.device_target;
                for row in column..width {
                    self.products[(row, column)] -= mean * self.device_sums[row];
                }
            }
            self.rows += self.device_rows;
        }
        (self.device_rows, self.device_target) = (0.0, 0.0);
        self.device_sums.fill(0.0);
    }

    /// Slopes of the inputs, then values of the hours.
    pub fn solve(mut self) -> Vec<f64> {
        let width = self.target.len();
        // A regressor is scaled to mean square 1, so that one penalty suits all units.
        let scale: Vec<f64> =
            (0..width).map(|i| (self.products[(i, i)].max(0.0) / self.rows.max(1.0)).sqrt()).collect();
        let usable = |i: usize| scale[i] > 1e-9;
        for column in 0..width {
            for row in column..width {
                let both = if usable(row) && usable(column) { scale[row] * scale[column] } else { f64::INFINITY };
                self.products[(row, column)] /= both;
            }
            let penalty = match (usable(column), column < self.inputs) {
                (false, _) => 1.0,
                (true, true) => SLOPE_PENALTY * self.rows,
                (true, false) => HOUR_PENALTY * self.rows / HOURS as f64 / scale[column].powi(2),
            };
            self.products[(column, column)] += penalty;
            self.target[column] /= if usable(column) { scale[column] } else { f64::INFINITY };
        }
        // Only the lower triangle is filled, and only it is read.
        let Some(factors) = self.products.cholesky() else { return vec![0.0; width] };
        let solution = factors.solve(&self.target);
        (0..width).map(|i| if usable(i) { solution[i] / scale[i] } else { 0.0 }).collect()
    }
}
