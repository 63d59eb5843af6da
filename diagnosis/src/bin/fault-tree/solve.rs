//! What an answer may cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use diagnosis::fault_tree::{Bounds, Limits, QuantifyError, StaticTree};

/// What the answer may cost.
#[derive(clap::Args)]
pub struct Budget {
    /// Nodes of one decision diagram, some 30 bytes each
    #[arg(long, value_name = "NODES", default_value_t = 100_000_000)]
    nodes: usize,
    /// Seconds after which the answer is out of reach
    #[arg(long, value_name = "SECONDS", default_value_t = 40.0)]
    seconds: f64,
}

/// Diagrams are as deep as a module has events; each level takes some 200 bytes of stack.
const STACK_BYTES: usize = 256 << 20;

/// Seconds more in which bounds are looked for once the exact answer is out of reach.
const BOUNDS_SECONDS: f64 = 10.0;

/// The exact answer is out of reach, but not every answer.
#[derive(Debug, thiserror::Error)]
#[error("the exact answer is out of reach; P(top event) is from {:e} to {:e}", bounds.lower, bounds.upper)]
pub struct OutOfReach {
    /// Why.
    pub source: QuantifyError,
    /// Certain bounds of P(top event).
    pub bounds: Bounds,
}

impl Budget {
    /// Adds bounds to what says that the exact answer is out of reach, if they can be had.
    pub fn with_bounds(&self, error: Error, tree: &StaticTree) -> Error {
        let Some(source @ (QuantifyError::Budget { .. } | QuantifyError::Stopped)) = error.downcast_ref() else {
            return error;
        };
        let Ok(known) = tree.known_probabilities() else { return error };
        let more = Self { nodes: self.nodes, seconds: BOUNDS_SECONDS };
        match more.spend(|limits| Bounds::of(&tree.tree, &known, limits)) {
            Ok(bounds) => OutOfReach { source: source.clone(), bounds }.into(),
            Err(_) => error,
        }
    }

    /// Does the work within the budget, on a stack that is deep enough.
    ///
    /// # Errors
    /// The work's own, and a time that is none.
    pub fn spend<T: Send>(&self, work: impl FnOnce(&Limits<'_>) -> Result<T, QuantifyError> + Send) -> Result<T> {
        let Ok(time) = Duration::try_from_secs_f64(self.seconds) else {
            bail!("--seconds is {}: it is a number, 0 or more", self.seconds);
        };
        let began = Instant::now();
        let over = AtomicBool::new(false);
        let nodes = self.nodes;
        let worker = || {
            let stop = || over.load(Ordering::Relaxed) || began.elapsed() > time;
            work(&Limits { nodes, stop: &stop })
        };
        let answer = std::thread::scope(|scope| {
            let spawned = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, worker);
            spawned.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        Ok(answer??)
    }
}
