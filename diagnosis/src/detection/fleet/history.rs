//! What a device sent, row by row.

use thiserror::Error;

use super::Schema;

/// One sample of all channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Device time, ms since 1970.
    pub time_ms: i64,
    /// Place of the operating mode in [`Schema::modes`].
    pub mode: u8,
    /// One number for each of [`Schema::inputs`]; NaN where it is missing.
    pub inputs: &'a [f32],
    /// One number for each of [`Schema::channels`]; NaN where it is missing.
    pub channels: &'a [f32],
}

/// Rows of one device in the order of their times.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Whose they are; several histories of one name are one device's.
    pub device: String,
    times_ms: Vec<i64>,
    modes: Vec<u8>,
    inputs: Vec<f32>,
    channels: Vec<f32>,
    width: (usize, usize),
}

/// A row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Another number of inputs or channels.
    #[error("device {device:?}, row {row}: {found} {field}, the schema has {expected}")]
    Width {
        /// Whose row.
        device: String,
        /// Which row, from 0.
        row: usize,
        /// `inputs` or `channels`.
        field: &'static str,
        /// How many the row has.
        found: usize,
        /// How many the schema has.
        expected: usize,
    },
    /// A mode the schema does not know.
    #[error("device {device:?}, row {row}: mode {mode}, the schema has {modes}")]
    Mode {
        /// Whose row.
        device: String,
        /// Which row, from 0.
        row: usize,
        /// The mode.
        mode: u8,
        /// How many the schema has.
        modes: usize,
    },
}

impl History {
    /// No rows yet.
    pub fn new(schema: &Schema, device: &str) -> Self {
        Self {
            device: device.to_owned(),
            times_ms: vec![],
            modes: vec![],
            inputs: vec![],
            channels: vec![],
            width: (schema.inputs.len(), schema.channels.len()),
        }
    }

    /// Takes one more row. Order is judged later, row by row, as [`Monitor::step`](super::Monitor::step) does.
    ///
    /// # Errors
    /// A row of another width.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), HistoryError> {
        let widths = [("inputs", row.inputs.len(), self.width.0), ("channels", row.channels.len(), self.width.1)];
        for (field, found, expected) in widths {
            if found != expected {
                let (device, row) = (self.device.clone(), self.len());
                return Err(HistoryError::Width { device, row, field, found, expected });
            }
        }
        self.times_ms.push(row.time_ms);
        self.modes.push(row.mode);
        self.inputs.extend_from_slice(row.inputs);
        self.channels.extend_from_slice(row.channels);
        Ok(())
    }

    /// All rows in the order they were pushed.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let (inputs, channels) = self.width;
        (0..self.len()).map(move |row| Row {
            time_ms: self.times_ms[row],
            mode: self.modes[row],
            inputs: &self.inputs[row * inputs..(row + 1) * inputs],
            channels: &self.channels[row * channels..(row + 1) * channels],
        })
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.times_ms.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.times_ms.is_empty()
    }

    pub(super) fn check(&self, schema: &Schema) -> Result<(), HistoryError> {
        let device = || self.device.clone();
        let widths = [("inputs", self.width.0, schema.inputs.len()), ("channels", self.width.1, schema.channels.len())];
        for (field, found, expected) in widths {
            if found != expected {
                return Err(HistoryError::Width { device: device(), row: 0, field, found, expected });
            }
        }
        let modes = schema.modes.len();
        match self.modes.iter().position(|mode| usize::from(*mode) >= modes) {
            Some(row) => Err(HistoryError::Mode { device: device(), row, mode: self.modes[row], modes }),
            None => Ok(()),
        }
    }
}
