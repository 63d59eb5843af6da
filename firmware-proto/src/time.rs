//! Two clocks that must not be mixed up, and a clock that may run fast.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! epoch_ms {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// Milliseconds since the Unix epoch.
            pub fn ms(self) -> i64 {
                self.0
            }

            /// `self - earlier` in milliseconds; negative if time went back.
            pub fn since_ms(self, earlier: Self) -> i64 {
                self.0.saturating_sub(earlier.0)
            }

            /// This time moved by a signed number of milliseconds.
            pub fn plus_ms(self, ms: i64) -> Self {
                Self(self.0.saturating_add(ms))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

epoch_ms!(
    /// What a device's own clock said, in epoch milliseconds. May be wrong.
    DeviceTime
);
epoch_ms!(
    /// What the gateway's clock said, in epoch milliseconds.
    ServerTime
);

/// Simulated time: `anchor + (wall - anchor) * speed`. Two processes with the same
/// anchor and speed agree, also after a restart. Speed 1 is wall time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScaledTime {
    /// Wall time, in epoch milliseconds, at which simulated and wall time are equal.
    pub anchor_ms: i64,
    /// Simulated seconds per wall second; at least 1.
    pub speed: f64,
}

impl ScaledTime {
    /// Wall time itself.
    pub const REAL: Self = Self { anchor_ms: 0, speed: 1.0 };

    /// Simulated epoch milliseconds at a wall time.
    pub fn at_wall_ms(&self, wall_ms: i64) -> i64 {
        if self.speed == 1.0 {
            return wall_ms;
        }
        self.anchor_ms + ((wall_ms - self.anchor_ms) as f64 * self.speed) as i64
    }

    /// Wall duration of a simulated span.
    pub fn wall(&self, simulated: Duration) -> Duration {
        simulated.div_f64(self.speed)
    }

    /// Simulated epoch milliseconds now.
    pub fn now_ms(&self) -> i64 {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("the system clock stands after 1970");
        self.at_wall_ms(wall.as_millis() as i64)
    }
}
