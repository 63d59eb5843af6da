//! What a detector must beat.

use statrs::function::erf::erfc;

/// Values that the windowed Gaussian rests on, and after how many it is fitted anew.
const WINDOW: usize = 6400;
const REFIT: usize = 100;

/// Says nothing.
pub fn null(values: &[f64]) -> Vec<f64> {
    vec![0.0; values.len()]
}

/// Says anything: uniform from a seed (splitmix64; Steele et al. 2014).
pub fn random(values: &[f64], seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    values.iter().map(|_| next()).collect()
}

/// How far out each value lies in a normal distribution fitted to a window of those before, as the
/// benchmark's baseline of that name does it.
pub fn windowed_gaussian(values: &[f64]) -> Vec<f64> {
    let (mut mean, mut squares, mut deviation) = (0.0, 0.0, 1.0);
    let score = |at: usize| {
        let behind = at.saturating_sub(WINDOW);
        if behind > 0 && behind.is_multiple_of(REFIT) {
            let held = &values[behind..at];
            mean = held.iter().sum::<f64>() / WINDOW as f64;
            squares = held.iter().map(|value| (value - mean).powi(2)).sum();
            deviation = spread(squares, WINDOW);
        }
        let score = 1.0 - 0.5 * erfc((values[at] - mean).abs() / deviation / std::f64::consts::SQRT_2);
        if at < WINDOW {
            let off = values[at] - mean;
            mean += off / (at + 1) as f64;
            squares += off * (values[at] - mean);
            deviation = spread(squares, at + 1);
        }
        if at > 0 { score } else { 0.0 }
    };
    (0..values.len()).map(score).collect()
}

fn spread(squares: f64, count: usize) -> f64 {
    let deviation = (squares / count as f64).sqrt();
    if deviation > 0.0 { deviation } else { 1e-6 }
}
