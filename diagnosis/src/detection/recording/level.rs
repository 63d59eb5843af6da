//! The flag: whether the levels of the channels have left where they were, and come back.
//!
//! Each channel has a quick level and a slow baseline. The flag rises when the levels stand apart
//! from the baselines by more than training ever showed; from then on the baseline of a channel
//! that stands apart is held, and that of the others still follows, so that slow drift is not
//! taken for a fault. It falls when all that carried the alarm has come back by more than half.
//! Where a fault has been, the first levels after it are uncertain: the larger the fault, the more
//! distance is tolerated, and the tolerance fades.

use serde::{Deserialize, Serialize};

use crate::robust::quantile;

// The constants were chosen on SKAB's 14 `other` experiments, with 300 to 500 training rows, and on
// faults added to its healthy run. Each stands on a plateau: no step to the next value that was
// tried moves F1 by more than 0.03, but for a RISE of 2, which doubles the false alarms.

/// Smoothing of the level, per row: some six rows decide.
const LEVEL: f64 = 1.0 / 6.0;
/// Smoothing of the baseline, per row: drift over minutes is followed, a fault of minutes is not.
const BASELINE: f64 = 1.0 / 80.0;
/// Standard deviations within which a channel counts as where it was.
const WITHIN: f64 = 1.5;
/// The score that raises the flag.
pub(super) const RISE: f64 = 3.0;
/// The part of the largest distance below which the levels have come back.
const BACK: f64 = 0.5;
/// Off delay: so many rows in a row must be back.
const OFF_DELAY: u32 = 5;
/// The largest distance in standard deviations: one wild channel does not hide the others.
const FURTHEST: f64 = 100.0;
/// How fast the largest distance is forgotten, per row: a fault that settles at half of its first
/// kick is judged by where it settled.
const FORGET: f64 = 0.003;
/// The part of a fault's distance that is tolerated after it.
const TOLERATED: f64 = 0.5;
/// How fast the tolerance fades, per row.
const FADE: f64 = 0.01;
/// A level that never comes back is a new normal after so many rows: the baseline starts anew.
const ACCEPTED_AFTER: u32 = 1_000;
/// Rows whose mean starts the levels.
const START: usize = 20;
/// Training's largest distance counts as so many standard deviations: a channel that wanders or
/// jumps in healthy rows is trusted less.
const LARGEST_COUNTS_AS: f64 = 3.0;
/// Of a channel that never moved in training, this part of its value counts as one standard
/// deviation.
const STILL: f64 = 0.01;

/// The standard deviation of level minus baseline of each channel, in its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread(Vec<f64>);

/// Where the levels of one recording are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Levels {
    level: Vec<f64>,
    baseline: Vec<f64>,
    /// Distance of level and baseline at the newest row, in standard deviations.
    pub(super) distance: Vec<f64>,
    /// The largest distance of the present alarm.
    largest: Vec<f64>,
    tolerance: Vec<f64>,
    alarm: Option<Alarm>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Alarm {
    rows: u32,
    rows_back: u32,
}

/// What one row did to the flag.
pub(super) struct Standing {
    /// 0 if all channels are where they were.
    pub(super) score: f64,
    pub(super) flag: bool,
    /// Whether the flag rose or fell.
    pub(super) changed: bool,
}

impl Spread {
    /// From healthy recordings, each row by row with `channels` finite values a row.
    pub(super) fn fit(recordings: &[Vec<f64>], channels: usize) -> Self {
        let followed: Vec<Vec<f64>> = recordings.iter().map(|rows| distances(rows, channels)).collect();
        let spread = |channel: usize| {
            let column = |rows: &[f64]| rows.iter().skip(channel).step_by(channels).copied().collect::<Vec<f64>>();
            let mut distances: Vec<f64> = followed.iter().flat_map(|rows| column(rows)).map(f64::abs).collect();
            let largest = distances.iter().copied().fold(0.0, f64::max);
            let median = quantile(&mut distances, 0.5).unwrap_or(0.0);
            let columns: Vec<Vec<f64>> = recordings.iter().map(|rows| column(rows)).collect();
            let observed = (1.482_6 * median).max(largest / LARGEST_COUNTS_AS).max(noise(&columns));
            if observed > 0.0 { observed } else { (STILL * columns[0][0].abs()).max(1e-9) }
        };
        Self((0..channels).map(spread).collect())
    }
}

/// Level minus baseline, both following all rows, without the rows that start them.
fn distances(rows: &[f64], channels: usize) -> Vec<f64> {
    let mut levels = Levels::start(rows, channels);
    let mut distances = Vec::new();
    for (row, values) in rows.chunks_exact(channels).enumerate() {
        levels.follow(values);
        if row >= START {
            distances.extend(levels.level.iter().zip(&levels.baseline).map(|(level, baseline)| level - baseline));
        }
    }
    distances
}

/// The standard deviation that the level would have if the channel were noise around one value,
/// from the differences of neighbours.
fn noise(columns: &[Vec<f64>]) -> f64 {
    let mut steps: Vec<f64> =
        columns.iter().flat_map(|column| column.windows(2)).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let n = steps.len().max(1) as f64;
    let mean_square = steps.iter().map(|step| step * step).sum::<f64>() / n;
    let median = quantile(&mut steps, 0.5).unwrap_or(0.0);
    let spread = mean_square.sqrt().max(1.482_6 * median) / std::f64::consts::SQRT_2;
    spread * (LEVEL / (2.0 - LEVEL)).sqrt()
}

impl Levels {
    /// Levels at the mean of the first rows.
    pub(super) fn start(rows: &[f64], channels: usize) -> Self {
        let rows: Vec<&[f64]> = rows.chunks_exact(channels).take(START).collect();
        let mean = |channel: usize| rows.iter().map(|row| row[channel]).sum::<f64>() / rows.len().max(1) as f64;
        let level: Vec<f64> = (0..channels).map(mean).collect();
        Self::at(level, vec![0.0; channels])
    }

    fn at(level: Vec<f64>, tolerance: Vec<f64>) -> Self {
        let none = vec![0.0; level.len()];
        let (distance, largest) = (none.clone(), none);
        Self { baseline: level.clone(), level, distance, largest, tolerance, alarm: None }
    }

    /// Between the first levels of several recordings, tolerating as much as they are apart.
    pub(super) fn between(starts: &[Self], spread: &Spread) -> Self {
        let n = starts.len().max(1) as f64;
        let channels = 0..spread.0.len();
        let mean = |channel: usize| starts.iter().map(|start| start.level[channel]).sum::<f64>() / n;
        let level: Vec<f64> = channels.clone().map(mean).collect();
        let apart = |channel: usize| {
            let square: f64 = starts.iter().map(|start| (start.level[channel] - level[channel]).powi(2)).sum();
            (square / n).sqrt() / spread.0[channel]
        };
        let tolerance = channels.map(apart).collect();
        Self::at(level, tolerance)
    }

    pub(super) fn flag(&self) -> bool {
        self.alarm.is_some()
    }

    /// Follows a row that is known to be healthy. Missing readings are NaN.
    pub(super) fn follow(&mut self, row: &[f64]) {
        for (channel, &value) in row.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            self.level[channel] += LEVEL * (value - self.level[channel]);
            self.baseline[channel] += BASELINE * (value - self.baseline[channel]);
        }
    }

    /// Judges a row. Missing readings are NaN and leave their channel where it is.
    pub(super) fn step(&mut self, spread: &Spread, row: &[f64]) -> Standing {
        let score = self.measure(spread, row);
        let raised = self.alarm.is_none() && score > RISE;
        if raised {
            self.alarm = Some(Alarm { rows: 0, rows_back: 0 });
            self.largest.fill(0.0);
        }
        let fell = self.alarm.is_some() && self.watch_return();
        self.follow_baselines(row);
        if fell {
            self.rest();
        }
        Standing { score, flag: self.alarm.is_some(), changed: raised != fell }
    }

    /// Updates levels and distances; the score is the length of what exceeds [`WITHIN`].
    fn measure(&mut self, spread: &Spread, row: &[f64]) -> f64 {
        let mut square = 0.0;
        for (channel, &value) in row.iter().enumerate() {
            if value.is_finite() {
                self.level[channel] += LEVEL * (value - self.level[channel]);
            }
            let distance = (self.level[channel] - self.baseline[channel]) / spread.0[channel];
            self.distance[channel] = distance.clamp(-FURTHEST, FURTHEST);
            let tolerated = self.distance[channel].abs() / (1.0 + self.tolerance[channel]);
            square += (tolerated - WITHIN).max(0.0).powi(2);
            self.tolerance[channel] *= 1.0 - FADE;
        }
        square.sqrt()
    }

    /// Whether what carried the alarm has been back for long enough, or has become normal.
    fn watch_return(&mut self) -> bool {
        let (mut now, mut then) = (0.0, 0.0);
        for (distance, largest) in self.distance.iter().zip(&mut self.largest) {
            if distance.abs() > largest.abs() {
                *largest = *distance;
            } else {
                *largest += FORGET * (distance - *largest);
            }
            if largest.abs() > WITHIN {
                now += distance * distance;
                then += *largest * *largest;
            }
        }
        let alarm = self.alarm.as_mut().expect("only an alarm is watched");
        alarm.rows += 1;
        alarm.rows_back = if now < BACK * BACK * then || then == 0.0 { alarm.rows_back + 1 } else { 0 };
        alarm.rows_back > OFF_DELAY || alarm.rows > ACCEPTED_AFTER
    }

    /// In an alarm, only the baselines of channels that are where they were follow.
    fn follow_baselines(&mut self, row: &[f64]) {
        for (channel, &value) in row.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            if self.alarm.is_none() || self.distance[channel].abs() < WITHIN {
                self.baseline[channel] += BASELINE * (value - self.baseline[channel]);
            }
        }
    }

    /// Ends an alarm: the present levels are the baselines.
    fn rest(&mut self) {
        self.alarm = None;
        self.baseline.copy_from_slice(&self.level);
        for (tolerance, largest) in self.tolerance.iter_mut().zip(&self.largest) {
            *tolerance = TOLERATED * largest.abs();
        }
    }
}
