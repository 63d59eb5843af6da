//! The cheap watch over every appliance, all the time.
//!
//! 1. A [`Schema`] names channels, inputs and operating modes.
//! 2. [`Baseline::train`] learns from [`History`] of healthy devices what to expect and how rare a
//!    deviation is. It is immutable, and shared by all devices of one model and firmware.
//! 3. A [`Monitor`] of at most 1 KB stands for one device. [`Monitor::step`] takes one [`Row`]
//!    without allocating and returns a [`Verdict`], or why there is none.
//! 4. What is worth telling becomes [`Evidence`](super::Evidence) by [`Monitor::evidence`].
//!
//! A row's residual is what is left of a channel after inputs and the hour of the day have explained
//! their part. The device's own offset and scale, drawn towards the fleet's while little is known
//! of it, turn residuals into deviations. Five statistics of them are watched: EWMA (Roberts 1959)
//! and two-sided CUSUM (Page 1954) of each channel, T² of the EWMA vector (Lowry et al. 1992),
//! squared prediction error (SPE) outside the principal components, and drift: how far the adapting
//! offset has left the one fixed after installation or the last repair. The strangest, each in
//! units of its own rarity, is the row's score; healthy device-days say how rare that score is.

mod baseline;
mod explain;
mod history;
mod lanes;
mod levels;
mod monitor;
mod nested;
mod regression;
mod schema;
mod step;
mod train;

pub use baseline::{Baseline, BaselineError, Expected};
pub use history::{History, HistoryError, Row};
pub use monitor::Monitor;
pub use schema::{MAX_CHANNELS, MAX_INPUTS, MAX_MODES, Schema, SchemaError};
pub use step::{Alarm, Skip, Statistic, Step, StepError, Verdict};
pub use train::{Settings, TrainError};
