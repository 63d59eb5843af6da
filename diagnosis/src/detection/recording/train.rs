//! Learns what is healthy.

use thiserror::Error;

use super::calibration::{Calibration, MOST_TRAINED_ROWS, judged};
use super::experience::Experience;
use super::level::{Levels, Spread};
use super::order::{Order, Standing, usual_step_ms};
use super::surprise::{Expectation, Memory};
use super::unit::{Band, UnitWatch};
use super::{Model, State};

/// The fewest training rows: below, a channel's memory cannot be told from its level.
pub const FEWEST_ROWS: usize = 100;
/// The most channels: a row costs their square.
pub const MOST_CHANNELS: usize = 256;
/// From so many training recordings on, p-values come from judging each by the others.
const FEWEST_DEVICES: usize = 5;

/// Healthy rows of one device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// Time of each row, ms; empty if the rows have none.
    pub times_ms: Vec<i64>,
    /// Row by row, a reading for each channel; NaN where there is none.
    pub readings: Vec<f64>,
}

/// Why nothing could be learned.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrainError {
    /// No channel was given.
    #[error("no channel to learn: at least one is needed")]
    NoChannel,
    /// More than can be watched row by row.
    #[error("{found} channels are too many: at most {MOST_CHANNELS} can be watched together")]
    TooManyChannels {
        /// How many there were.
        found: usize,
    },
    /// The rows do not fill the channels, or not every row has its time.
    #[error(
        "recording {recording} is not made of whole rows: each needs {channels} readings and, if any has one, a time"
    )]
    NotWhole {
        /// Which recording, from 0.
        recording: usize,
        /// How many channels there are.
        channels: usize,
    },
    /// Too few rows that could be judged.
    #[error("{found} healthy rows are too few to learn from: at least {FEWEST_ROWS} are needed")]
    TooFewRows {
        /// How many there were, without repeated and empty ones.
        found: usize,
    },
    /// A channel that is never there.
    #[error("channel `{channel}` has no number in the healthy rows: leave it out")]
    NoReading {
        /// Its name.
        channel: String,
    },
}

impl Model {
    /// Learns from the healthy beginning of one recording, whose rows a monitor then goes on from;
    /// or from healthy recordings of several devices, after which a monitor starts at a device's
    /// first row. From five devices on, devices are the unit that is exchangeable: the p-value is
    /// how often a device is as surprising to a model of the others.
    ///
    /// A missing reading counts as the one before it.
    pub fn train(channels: &[String], recordings: &[Recording]) -> Result<Self, TrainError> {
        let filled = filled(channels, recordings)?;
        let count = channels.len();
        let rows = filled.iter().map(Vec::len).sum::<usize>() / count;
        let expectation = Expectation::fit(&filled, count);
        let calibration = expectation.judges().then(|| {
            leaving_devices_out(&filled, count).unwrap_or_else(|| Calibration::simulated(&expectation, count, rows))
        });
        let spread = Spread::fit(&filled, count);
        let step = usual_step_ms(recordings.iter().map(|recording| recording.times_ms.as_slice()));
        let mut state = State {
            memory: Memory::new(count),
            experience: Experience::new(rows.min(MOST_TRAINED_ROWS)),
            levels: first_levels(&filled, count, &spread),
            units: vec![UnitWatch::default(); count],
            order: Order::new(step),
        };
        if let ([rows], [recording]) = (&filled[..], recordings) {
            for row in rows.chunks_exact(count) {
                expectation.step(&mut state.memory, row);
                state.levels.follow(row);
            }
            for &time in &recording.times_ms {
                state.order.step(Some(time));
            }
        }
        let bands = (0..count).map(|channel| band(&filled, channel, count)).collect();
        Ok(Self { channels: channels.to_vec(), expectation, calibration, spread, bands, start: state })
    }
}

/// The rows that count, with every gap filled.
fn filled(channels: &[String], recordings: &[Recording]) -> Result<Vec<Vec<f64>>, TrainError> {
    let count = channels.len();
    match count {
        0 => return Err(TrainError::NoChannel),
        found if found > MOST_CHANNELS => return Err(TrainError::TooManyChannels { found }),
        _ => {}
    }
    for (index, recording) in recordings.iter().enumerate() {
        let (readings, times) = (recording.readings.len(), recording.times_ms.len());
        if !readings.is_multiple_of(count) || (times != 0 && times != readings / count) {
            return Err(TrainError::NotWhole { recording: index, channels: count });
        }
    }
    let filled: Vec<Vec<f64>> = recordings.iter().map(|recording| fill(recording, count)).collect();
    let found = filled.iter().map(Vec::len).sum::<usize>() / count;
    if found < FEWEST_ROWS {
        return Err(TrainError::TooFewRows { found });
    }
    let never = |channel: &usize| filled.iter().any(|rows| rows.get(*channel).is_some_and(|value| value.is_nan()));
    match (0..count).find(never) {
        Some(channel) => Err(TrainError::NoReading { channel: channels[channel].clone() }),
        None => Ok(filled),
    }
}

/// Rows in their order without repeated and empty ones; a missing reading is the one before it, or
/// the first. A channel without any stays NaN.
fn fill(recording: &Recording, count: usize) -> Vec<f64> {
    let mut order = Order::default();
    let mut latest: Vec<f64> = (0..count)
        .map(|channel| {
            let mut column = recording.readings.iter().skip(channel).step_by(count);
            column.find(|value| value.is_finite()).copied().unwrap_or(f64::NAN)
        })
        .collect();
    let mut rows = Vec::with_capacity(recording.readings.len());
    for (index, row) in recording.readings.chunks_exact(count).enumerate() {
        let forward = order.step(recording.times_ms.get(index).copied()) == Standing::Judged;
        if !forward || !row.iter().any(|value| value.is_finite()) {
            continue;
        }
        for (latest, &value) in latest.iter_mut().zip(row) {
            if value.is_finite() {
                *latest = value;
            }
        }
        rows.extend_from_slice(&latest);
    }
    rows
}

/// Where a monitor's levels start: at the recording's own first rows, or, for another device,
/// between the devices and with as much tolerance as they are apart.
fn first_levels(recordings: &[Vec<f64>], count: usize, spread: &Spread) -> Levels {
    if let [rows] = recordings {
        return Levels::start(rows, count);
    }
    let starts: Vec<Levels> = recordings.iter().map(|rows| Levels::start(rows, count)).collect();
    Levels::between(&starts, spread)
}

/// Least and largest value of a channel.
fn band(recordings: &[Vec<f64>], channel: usize, count: usize) -> Band {
    let empty = Band { least: f64::INFINITY, largest: f64::NEG_INFINITY };
    recordings
        .iter()
        .flat_map(|rows| rows.iter().skip(channel).step_by(count))
        .fold(empty, |band, &value| Band { least: band.least.min(value), largest: band.largest.max(value) })
}

/// Each device judged by a model of the others; None if there are too few.
fn leaving_devices_out(recordings: &[Vec<f64>], count: usize) -> Option<Calibration> {
    if recordings.len() < FEWEST_DEVICES {
        return None;
    }
    let largest: Vec<f64> = (0..recordings.len())
        .flat_map(|left_out| {
            let others: Vec<Vec<f64>> = recordings
                .iter()
                .enumerate()
                .filter(|(index, _)| *index != left_out)
                .map(|(_, rows)| rows.clone())
                .collect();
            judged(&Expectation::fit(&others, count), &[], &recordings[left_out], count)
        })
        .collect();
    // A tail from fewer rows would say little below 1e-2.
    (largest.len() >= 2_000).then(|| Calibration::of(largest))
}
