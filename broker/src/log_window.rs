//! One line a minute for what may happen thousands of times a second.

use std::time::{Duration, Instant};

/// A fleet with a wrong setting must not fill the log.
const WINDOW: Duration = Duration::from_secs(60);

/// Lets one line through at a time.
#[derive(Debug, Default)]
pub(crate) struct LogWindow {
    logged_at: Option<Instant>,
    unlogged: u64,
}

impl LogWindow {
    /// How many lines were held back before this one; `None` if this one is.
    pub fn open(&mut self) -> Option<u64> {
        if self.logged_at.is_some_and(|at| at.elapsed() < WINDOW) {
            self.unlogged += 1;
            return None;
        }
        self.logged_at = Some(Instant::now());
        Some(std::mem::take(&mut self.unlogged))
    }
}
