//! From what an appliance sends to a row of features.

use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 3_600_000;
/// Most numbers a window keeps of an appliance: 64 channels over a week.
const MOST_CELLS: usize = 64 * 168;

/// What the features of an appliance type are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowShape {
    /// Measured datapoints; each gives its mean over each span.
    pub channels: Vec<String>,
    /// Lengths of the means, in hours, rising.
    pub spans_h: Vec<u32>,
    /// Error codes; each gives the hours since it was last seen...
    pub codes: Vec<String>,
    /// ...up to so many hours, which also stand for never.
    pub memory_h: u32,
    /// Parts; each gives the days since it was renewed, missing if nobody knows.
    pub parts: Vec<String>,
}

impl WindowShape {
    /// Names of the features, in the order of a row.
    pub fn schema(&self) -> Vec<String> {
        let means = self
            .channels
            .iter()
            .flat_map(|channel| self.spans_h.iter().map(move |span| format!("{channel}: mean of {span} h")));
        let codes = self.codes.iter().map(|code| format!("{code}: hours since"));
        let parts = self.parts.iter().map(|part| format!("{part}: days since renewal"));
        means.chain(codes).chain(parts).collect()
    }

    fn hours(&self) -> usize {
        self.spans_h.last().map_or(0, |span| *span as usize)
    }
}

/// A window that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Spans that are not spans.
    #[error("spans are at least 1 hour, rise, and there is at least one: {0:?}")]
    Spans(Vec<u32>),
    /// More than an appliance may take of the memory.
    #[error("{found} channels times hours, at most {MOST_CELLS}")]
    TooLarge {
        /// Channels times hours.
        found: usize,
    },
    /// Stored state that does not fit its shape.
    #[error("the state has other numbers of channels, hours, codes or parts than its shape")]
    State,
}

/// What one appliance sent lately, hour by hour; bounded, and small enough to keep for each one.
///
/// Times are the device's, in ms. Order does not matter within the longest span; what is older than
/// that, and values that are not finite, are ignored. A clock that jumps ahead empties the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "State", into = "State")]
pub struct EventWindow(State);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    shape: WindowShape,
    /// The latest hour that anything was measured in.
    latest_h: i64,
    /// Sums and counts, an hour a cell, channel by channel; hour h is in cell h modulo their number.
    sums: Vec<f64>,
    counts: Vec<u32>,
    /// When each code was last seen, and each part last renewed.
    codes_ms: Vec<Option<i64>>,
    parts_ms: Vec<Option<i64>>,
}

impl TryFrom<State> for EventWindow {
    type Error = WindowError;

    fn try_from(state: State) -> Result<Self, WindowError> {
        let shape = &state.shape;
        let fresh = EventWindow::new(shape.clone())?.0;
        let lengths =
            |state: &State| (state.sums.len(), state.counts.len(), state.codes_ms.len(), state.parts_ms.len());
        if lengths(&fresh) != lengths(&state) {
            return Err(WindowError::State);
        }
        Ok(EventWindow(state))
    }
}

impl From<EventWindow> for State {
    fn from(window: EventWindow) -> Self {
        window.0
    }
}

impl EventWindow {
    /// A window that has seen nothing.
    ///
    /// # Errors
    ///
    /// Spans that do not rise, or channels times hours beyond what an appliance may take.
    pub fn new(shape: WindowShape) -> Result<Self, WindowError> {
        if shape.spans_h.first().is_none_or(|span| *span == 0) || !shape.spans_h.is_sorted_by(|a, b| a < b) {
            return Err(WindowError::Spans(shape.spans_h));
        }
        let cells = shape.channels.len() * shape.hours();
        if cells > MOST_CELLS {
            return Err(WindowError::TooLarge { found: cells });
        }
        Ok(EventWindow(State {
            latest_h: i64::MIN,
            sums: vec![0.0; cells],
            counts: vec![0; cells],
            codes_ms: vec![None; shape.codes.len()],
            parts_ms: vec![None; shape.parts.len()],
            shape,
        }))
    }

    /// Takes a reading; `channel` is its index in the shape. Whether it counted.
    pub fn reading(&mut self, at_ms: i64, channel: usize, value: f64) -> bool {
        let hours = self.0.shape.hours();
        let hour = at_ms.div_euclid(HOUR_MS);
        if channel >= self.0.shape.channels.len() || !value.is_finite() {
            return false;
        }
        if hour > self.0.latest_h {
            self.forget(hour);
        }
        if self.0.latest_h.saturating_sub(hour) >= hours as i64 {
            return false;
        }
        let cell = channel * hours + hour.rem_euclid(hours as i64) as usize;
        self.0.sums[cell] += value;
        self.0.counts[cell] = self.0.counts[cell].saturating_add(1);
        true
    }

    /// An error code was seen; `code` is its index in the shape.
    pub fn event(&mut self, at_ms: i64, code: usize) {
        if let Some(last) = self.0.codes_ms.get_mut(code) {
            *last = (*last).max(Some(at_ms));
        }
    }

    /// A part was renewed; `part` is its index in the shape.
    pub fn renewed(&mut self, at_ms: i64, part: usize) {
        if let Some(last) = self.0.parts_ms.get_mut(part) {
            *last = (*last).max(Some(at_ms));
        }
    }

    /// The features as of a time, into `row`. Nothing later counts.
    pub fn features(&self, now_ms: i64, row: &mut Vec<f64>) {
        let State { shape, codes_ms, parts_ms, .. } = &self.0;
        row.clear();
        let hour = now_ms.div_euclid(HOUR_MS);
        for channel in 0..shape.channels.len() {
            row.extend(shape.spans_h.iter().map(|span| self.mean(channel, hour, *span)));
        }
        let hours = |since: i64| now_ms.saturating_sub(since) as f64 / HOUR_MS as f64;
        let past = |time: &Option<i64>| time.filter(|time| *time <= now_ms).map(hours);
        let memory = f64::from(shape.memory_h);
        row.extend(codes_ms.iter().map(|time| past(time).map_or(memory, |since| since.min(memory))));
        row.extend(parts_ms.iter().map(|time| past(time).map_or(f64::NAN, |since| since / 24.0)));
    }

    /// Empties the cells of the hours up to a new latest one.
    fn forget(&mut self, hour: i64) {
        let hours = self.0.shape.hours() as i64;
        let gone = hour.saturating_sub(self.0.latest_h).min(hours);
        for back in 0..gone {
            let cell = (hour - back).rem_euclid(hours) as usize;
            for channel in 0..self.0.shape.channels.len() {
                self.0.sums[channel * hours as usize + cell] = 0.0;
                self.0.counts[channel * hours as usize + cell] = 0;
            }
        }
        self.0.latest_h = hour;
    }

    /// The mean over the hours up to `hour`; NaN without a reading.
    fn mean(&self, channel: usize, hour: i64, span: u32) -> f64 {
        let hours = self.0.shape.hours() as i64;
        let first = hour.saturating_sub(i64::from(span) - 1).max(self.0.latest_h.saturating_sub(hours - 1));
        let cells =
            (first..=hour.min(self.0.latest_h)).map(|hour| channel * hours as usize + hour.rem_euclid(hours) as usize);
        let (sum, count) = cells
            .fold((0.0, 0u64), |(sum, count), cell| (sum + self.0.sums[cell], count + u64::from(self.0.counts[cell])));
        if count == 0 { f64::NAN } else { sum / count as f64 }
    }
}
