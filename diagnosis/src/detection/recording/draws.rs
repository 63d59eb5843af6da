//! Seeded draws for simulated healthy recordings.

use std::f64::consts::TAU;

/// A stream of random numbers (xorshift64*, Vigna 2016): the same seed gives the same model.
pub(super) struct Draws {
    state: u64,
    spare: Option<f64>,
}

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        // Any odd multiplier keeps neighbouring seeds apart; the state may not be 0.
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, spare: None }
    }

    /// Uniform in (0, 1].
    pub(super) fn uniform(&mut self) -> f64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let bits = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        (bits + 1) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box & Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sine, cosine) = (TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }
}
