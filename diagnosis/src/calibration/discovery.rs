//! Which of a fleet's many p-values are reported, so that most reports are right.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Discoveries that still pay for tests. Older ones pay next to nothing; to forget them only makes
/// the budget more careful.
const REMEMBERED: usize = 256;

/// A level that is no level.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("the false-discovery level must lie between 0 and 1, it is {level}")]
pub struct BudgetError {
    level: f64,
}

/// LORD++ (Ramdas, Yang, Wainwright & Jordan 2017): tests p-values one after the other and keeps
/// the expected share of false discoveries at or below a level, without knowing how many come.
/// Needs p-values of which each is valid given those before it. A budget that finds nothing for
/// long grows poor: start one for each day's units; the level then holds day by day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiscoveryBudget {
    level: f64,
    tested: u64,
    discoveries: u64,
    first: Option<u64>,
    /// When the latest discoveries after the first were made, in tests.
    later: VecDeque<u64>,
}

impl DiscoveryBudget {
    /// A fresh budget; `level` is the share of false discoveries that is borne, such as 0.1.
    ///
    /// # Errors
    /// A level outside 0..1.
    pub fn new(level: f64) -> Result<Self, BudgetError> {
        if !(level > 0.0 && level < 1.0) {
            return Err(BudgetError { level });
        }
        Ok(Self { level, tested: 0, discoveries: 0, first: None, later: VecDeque::new() })
    }

    /// Tests the next p-value: true if it is a discovery. NaN never is, but is counted.
    pub fn test(&mut self, p: f64) -> bool {
        self.tested += 1;
        let found = p <= self.threshold();
        if found {
            self.discoveries += 1;
            if self.first.is_none() {
                self.first = Some(self.tested);
            } else {
                self.later.push_front(self.tested);
                self.later.truncate(REMEMBERED);
            }
        }
        found
    }

    /// How many were discovered.
    pub fn discoveries(&self) -> u64 {
        self.discoveries
    }

    /// α_t = γ_t·w₀ + (α − w₀)·γ_{t−τ₁} + α·Σ γ_{t−τⱼ}, with w₀ = α / 2.
    fn threshold(&self) -> f64 {
        let start = self.level / 2.0;
        let since = |at: &u64| share(self.tested - at);
        let first = self.first.as_ref().map_or(0.0, since);
        let later: f64 = self.later.iter().map(since).sum();
        start * share(self.tested) + (self.level - start) * first + self.level * later
    }
}

/// γ_j = 0.0722·ln(max(j, 2)) / (j·e^√ln j), which sums to 1 (Javanmard & Montanari 2018).
fn share(j: u64) -> f64 {
    if j == 0 {
        return 0.0;
    }
    let (j, ln) = (j as f64, (j as f64).ln());
    0.0722 * j.max(2.0).ln() / (j * ln.sqrt().exp())
}
