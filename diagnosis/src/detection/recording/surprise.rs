//! How surprising a row is after the rows before it: each channel's residual against its own past,
//! against the other channels, and gathered over time, all as normal scores. What a score has told is
//! known from then on: the next rows are compared with the new level.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::autoregression::{Autoregression, LONGEST, remember};
use super::tail::{EXTREME, NORMAL_SCORES, Tail};

/// How fast scores are gathered: a shift of one standard deviation shows after some ten rows, which
/// a single row cannot show.
const GATHER: f64 = 0.1;
/// How fast the expected residual follows: a channel that drifts for hundreds of rows is not
/// surprising forever.
const FOLLOW: f64 = 0.01;
/// How fast the typical size of a score follows: the noise of a healthy channel changes over
/// minutes, and a p-value is about the next row.
const WIDEN: f64 = 0.005;
/// The same for gathered scores, which are fewer for being alike.
const WIDEN_GATHERED: f64 = 0.002;
/// A score beyond this, which a channel shows once in 16,000 rows by chance, has told of a new level.
/// The expectation takes it over (the restart of Page 1954): a step is surprising when it comes and
/// when it goes, and not for as long as the past holds both levels.
const TOLD: f64 = 4.0;
/// Mean of the absolute value of a normal score, cut at 3.
const TYPICAL: f64 = 0.797;
/// The least weight of "channels are independent" in their correlation, so that a channel that is
/// sent twice leaves it invertible.
const SHRINK: f64 = 0.01;

/// What a healthy recording is expected to do next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Expectation {
    channels: Vec<Channel>,
    /// Row by row, the weights by which the other channels' scores explain one channel's score.
    explain: Vec<f64>,
    /// Of a gathered score in units of its typical size, which training shows few of.
    gathered: Tail,
    /// Lower triangle L with L Lᵀ = correlation of the scores, row by row.
    cholesky: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Channel {
    past: Autoregression,
    /// Of the residual against the past; None for a channel that never moved.
    tail: Option<Tail>,
    /// Of the score against the other channels' scores.
    unexplained: Option<Tail>,
}

/// What has been seen of one recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    history: Vec<[f64; LONGEST]>,
    /// A channel without history cannot be expected yet.
    known: Vec<bool>,
    /// Where each channel has been of late: what its past is measured from.
    ground: Vec<f64>,
    follow: Vec<f64>,
    gathered: Vec<f64>,
    /// Typical size of each channel's score, gathered score and unexplained score; 1 in training.
    widths: Vec<[f64; 3]>,
    scores: Vec<f64>,
    /// The largest score of each channel at the newest row, 0 to [`EXTREME`].
    pub(super) surprise: Vec<f64>,
}

impl Memory {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            history: vec![[0.0; LONGEST]; channels],
            known: vec![false; channels],
            ground: vec![0.0; channels],
            follow: vec![0.0; channels],
            gathered: vec![0.0; channels],
            widths: vec![[1.0; 3]; channels],
            scores: vec![0.0; channels],
            surprise: vec![0.0; channels],
        }
    }

    /// After a gap, the next reading is a new start and not a jump.
    pub(super) fn forget(&mut self) {
        self.known.fill(false);
    }
}

impl Expectation {
    /// Fits healthy recordings, each row by row with `channels` finite values a row.
    pub(super) fn fit(recordings: &[Vec<f64>], channels: usize) -> Self {
        let mut fitted: Vec<Channel> = (0..channels)
            .map(|channel| {
                let column: Vec<f64> =
                    recordings.iter().flat_map(|rows| above_ground(rows, channels, channel)).collect();
                let past = Autoregression::fit(&column);
                let tail = Tail::fit(&residuals(recordings, channels, channel, &past));
                Channel { past, tail, unexplained: None }
            })
            .collect();
        let scores = scores(recordings, channels, &fitted);
        let correlation = correlation(&scores, channels);
        let explain = explaining(&correlation);
        for (channel, fitted) in fitted.iter_mut().enumerate() {
            let row = &explain[channel * channels..][..channels];
            let left: Vec<f64> =
                scores.chunks_exact(channels).map(|scores| unexplained(scores, row, channel)).collect();
            fitted.unexplained = fitted.tail.and_then(|_| Tail::fit(&left));
        }
        let lower = correlation.cholesky().expect("a shrunk correlation is positive definite").l();
        // Scores gathered with weight λ are as good as λ / (2 - λ) independent ones each.
        let gathered = Tail::of_few(scores.len() as f64 / channels as f64 * GATHER / (2.0 - GATHER));
        Self { channels: fitted, explain, gathered, cholesky: lower.transpose().as_slice().to_vec() }
    }

    /// Whether any channel ever moved.
    pub(super) fn judges(&self) -> bool {
        self.channels.iter().any(|channel| channel.tail.is_some())
    }

    /// Takes one row, missing readings as NaN, and returns its largest normal score over channels
    /// and kinds; None if no channel could be judged.
    pub(super) fn step(&self, memory: &mut Memory, row: &[f64]) -> Option<f64> {
        let mut judged = false;
        for (index, (channel, &reading)) in self.channels.iter().zip(row).enumerate() {
            let score = channel.score(memory, index, reading);
            judged |= score.is_some();
            memory.scores[index] = score.unwrap_or(0.0);
        }
        judged.then(|| self.largest(memory))
    }

    fn largest(&self, memory: &mut Memory) -> f64 {
        let count = self.channels.len();
        let spread = (GATHER / (2.0 - GATHER)).sqrt();
        let mut largest = 0.0_f64;
        for (index, channel) in self.channels.iter().enumerate() {
            let score = memory.scores[index];
            memory.gathered[index] += GATHER * (score - memory.gathered[index]);
            let [width, gathered, left] = &mut memory.widths[index];
            let together = sized(memory.gathered[index] / spread, gathered, WIDEN_GATHERED).abs();
            if let (Some(tail), true) = (channel.tail, together > TOLD) {
                memory.follow[index] += *width * NORMAL_SCORES.residual(tail, memory.gathered[index]);
                memory.gathered[index] = 0.0;
            }
            let mut surprise = score.abs().max(NORMAL_SCORES.score(self.gathered, together));
            // A missing reading and a channel that never moved say nothing about the others.
            if let (Some(tail), true) = (channel.unexplained, score != 0.0) {
                let unexplained = unexplained(&memory.scores, &self.explain[index * count..][..count], index);
                let score = NORMAL_SCORES.score(tail, unexplained / *left);
                widen(left, score, WIDEN);
                surprise = surprise.max(score.abs());
            }
            memory.surprise[index] = surprise.min(EXTREME);
            largest = largest.max(memory.surprise[index]);
        }
        largest
    }

    /// A healthy recording of `rows` rows as this expectation would make it.
    pub(super) fn simulate(&self, rows: usize, draw: &mut impl FnMut() -> f64) -> Vec<f64> {
        /// Rows until a start at the mean is forgotten: ten times the memory of φ = 0.95.
        const SETTLE: usize = 200;
        let count = self.channels.len();
        let mut histories: Vec<[f64; LONGEST]> = self.channels.iter().map(|c| [c.past.mean; LONGEST]).collect();
        let mut grounds = vec![0.0; count];
        let mut independent = vec![0.0; count];
        let mut values = Vec::with_capacity(rows * count);
        for row in 0..rows + SETTLE {
            independent.fill_with(&mut *draw);
            for (index, channel) in self.channels.iter().enumerate() {
                let weights = &self.cholesky[index * count..][..=index];
                let score: f64 = weights.iter().zip(&independent).map(|(weight, normal)| weight * normal).sum();
                let residual = channel.tail.map_or(0.0, |tail| NORMAL_SCORES.residual(tail, score));
                let above = channel.past.expect(&histories[index]) + residual;
                remember(&mut histories[index], above);
                if row >= SETTLE {
                    values.push(grounds[index] + above);
                }
                grounds[index] += FOLLOW * above;
            }
        }
        values
    }
}

impl Channel {
    /// The normal score of a reading against the channel's past; None without reading or past.
    fn score(&self, memory: &mut Memory, index: usize, reading: f64) -> Option<f64> {
        let tail = self.tail?;
        let (history, ground) = (&mut memory.history[index], &mut memory.ground[index]);
        if !memory.known[index] {
            if reading.is_finite() {
                history.fill(0.0);
                *ground = reading;
                memory.known[index] = true;
            }
            return None;
        }
        let expected = self.past.expect(history);
        if !reading.is_finite() {
            remember(history, expected);
            return None;
        }
        let above = reading - *ground;
        remember(history, above);
        *ground += FOLLOW * above;
        let residual = above - expected;
        let (follow, [width, ..]) = (&mut memory.follow[index], &mut memory.widths[index]);
        let step = residual - *follow;
        let score = NORMAL_SCORES.score(tail, step / *width);
        if score.abs() > TOLD {
            history[0] -= step;
            *ground += (1.0 - FOLLOW) * step;
        }
        widen(width, score, WIDEN);
        *follow += FOLLOW * (residual.clamp(-3.0 * tail.scale, 3.0 * tail.scale) - *follow);
        Some(score)
    }
}

/// A score in units of its typical size, which follows it.
fn sized(score: f64, width: &mut f64, rate: f64) -> f64 {
    let sized = score / *width;
    widen(width, sized, rate);
    sized
}

fn widen(width: &mut f64, score: f64, rate: f64) {
    *width = (*width * (1.0 + rate * (score.abs().min(3.0) / TYPICAL - 1.0))).clamp(0.2, 100.0);
}

/// What each value is above the ground that followed the values before it.
fn above_ground(rows: &[f64], channels: usize, channel: usize) -> Vec<f64> {
    let mut column = rows.iter().skip(channel).step_by(channels).copied();
    let Some(mut ground) = column.next() else { return Vec::new() };
    let above = |value: f64| {
        let above = value - ground;
        ground += FOLLOW * above;
        above
    };
    column.map(above).collect()
}

/// Residuals of one channel against its past, without the rows whose past is not whole.
fn residuals(recordings: &[Vec<f64>], channels: usize, channel: usize, past: &Autoregression) -> Vec<f64> {
    let mut residuals = Vec::new();
    for rows in recordings {
        let mut history = [0.0; LONGEST];
        for (row, value) in above_ground(rows, channels, channel).into_iter().enumerate() {
            if row >= LONGEST {
                residuals.push(value - past.expect(&history));
            }
            remember(&mut history, value);
        }
    }
    residuals
}

/// Normal scores of all channels, row by row.
fn scores(recordings: &[Vec<f64>], channels: usize, fitted: &[Channel]) -> Vec<f64> {
    let columns: Vec<Vec<f64>> = fitted
        .iter()
        .enumerate()
        .map(|(index, channel)| {
            let residuals = residuals(recordings, channels, index, &channel.past);
            let score = |residual| channel.tail.map_or(0.0, |tail| NORMAL_SCORES.score(tail, residual));
            residuals.into_iter().map(score).collect()
        })
        .collect();
    (0..columns[0].len()).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

/// Correlation of the scores around 0, shrunk towards independence by the number of channels for
/// each row.
fn correlation(scores: &[f64], channels: usize) -> DMatrix<f64> {
    let rows = DMatrix::from_row_slice(scores.len() / channels, channels, scores);
    let mut product = rows.tr_mul(&rows);
    let spreads: Vec<f64> = (0..channels).map(|index| product[(index, index)].sqrt()).collect();
    let shrink = SHRINK.max(channels as f64 / (channels + rows.nrows()) as f64);
    for row in 0..channels {
        for column in 0..channels {
            let both = spreads[row] * spreads[column];
            let observed = if both > 0.0 { product[(row, column)] / both } else { 0.0 };
            product[(row, column)] = if row == column { 1.0 } else { (1.0 - shrink) * observed };
        }
    }
    product
}

/// The regression of each score on the others, from the inverse of their correlation.
fn explaining(correlation: &DMatrix<f64>) -> Vec<f64> {
    let channels = correlation.nrows();
    let precision = correlation.clone().cholesky().expect("a shrunk correlation is positive definite").inverse();
    let weight =
        |row: usize, column: usize| if row == column { 0.0 } else { -precision[(row, column)] / precision[(row, row)] };
    (0..channels * channels).map(|at| weight(at / channels, at % channels)).collect()
}

fn unexplained(scores: &[f64], weights: &[f64], channel: usize) -> f64 {
    let explained: f64 = scores.iter().zip(weights).map(|(score, weight)| score * weight).sum();
    scores[channel] - explained
}
