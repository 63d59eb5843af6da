//! The gateway's one clock.

use std::time::Duration;

use firmware_proto::{ScaledTime, ServerTime};

/// Gives [`ServerTime`]; may run faster than the wall in a demo or a test. Keepalives,
/// group commit and HTTP use wall time instead.
#[derive(Debug, Clone, Copy)]
pub struct Clock(ScaledTime);

impl Clock {
    /// A clock by the configured scale.
    pub fn new(scale: ScaledTime) -> Self {
        Self(scale)
    }

    /// Now.
    pub fn now(&self) -> ServerTime {
        ServerTime(self.0.now_ms())
    }

    /// The wall duration of a span of this clock.
    pub fn wall(&self, span: Duration) -> Duration {
        self.0.wall(span)
    }

    /// How it runs, for a simulator that must agree.
    pub fn scale(&self) -> ScaledTime {
        self.0
    }
}
