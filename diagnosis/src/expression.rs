//! The expressions a service engineer writes in the catalogue.
//!
//! ```text
//! indoor_coil_temp_c > 16 and compressor_hz >= 45
//! compressor_hz >= 20 for 15 min                   held without a break
//! abs(room_temp_c - setpoint_c) > 1.5
//! share(compressor_on, 3 h) > 0.72                 part of the time it was true
//! mean(freezer_temp_c, 2 h) > -14.5                also lowest, highest, spread
//! time(compressor_on, since defrost_active) > 3.75 h
//! rise(ignition_attempts, since water_flow_lpm < 1) >= 3
//! rate(freezer_temp_c, 10 min) > 2                 slope, in its unit a minute
//! starts(compressor_on, 2 h) > 12                  how often it became true
//! run_time(compressor_on) < 3 min                  length of the last run that was seen whole
//! run_integral(power_w, compressor_on) > 90        number times hours over that run, here Wh
//! spread(freezer_temp_c, 3 h) == 0                 a sensor that stands still
//! ```
//!
//! Text is parsed into a tree ([`parse`]), checked against the datapoints and compiled into
//! typed expressions and [`Slot`]s ([`compile`]), and evaluated on each sample ([`evaluate`]).
//! A slot is what a function of time must remember. A missing value makes a comparison
//! neither true nor false; `and` and `or` follow Kleene's strong logic.

pub(crate) mod compile;
pub(crate) mod evaluate;
mod lexer;
pub(crate) mod parse;
pub(crate) mod slot;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use compile::{Compiler, Flag, Num};
pub(crate) use evaluate::{Values, number_of};
pub(crate) use slot::{Slot, SlotState};

/// What is wrong in an expression, and at which byte of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpressionError {
    /// Byte offset from the start of the text.
    pub offset: usize,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl ExpressionError {
    fn new(offset: usize, reason: impl Into<String>) -> Self {
        Self { offset, reason: reason.into() }
    }
}

/// Milliseconds in one of the units that durations are written in.
pub(crate) fn unit_ms(unit: &str) -> Option<f64> {
    match unit {
        "ms" => Some(1.0),
        "s" => Some(1_000.0),
        "min" => Some(60_000.0),
        "h" => Some(3_600_000.0),
        "d" => Some(86_400_000.0),
        _ => None,
    }
}
