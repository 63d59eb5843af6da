//! How long a search goes on: arguments of the subcommands that search once.

use std::time::Instant;

use clap::Args;

/// Limits of a search.
#[derive(Args)]
pub struct Effort {
    /// Time limit, reading included.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// Limit of iterations for each thread, instead of the time limit: the same plan every time.
    #[arg(long)]
    pub iterations: Option<u64>,
    /// Threads to search on.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Effort {
    /// The share of the time limit that is used up; 0 if iterations limit the search.
    pub fn share(&self, begun: Instant) -> f64 {
        if self.iterations.is_some() { 0.0 } else { begun.elapsed().as_secs_f64() / self.seconds }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err("give seconds from 0 up".to_owned()),
    }
}
