//! The numbers at the head of the status page.

use firmware_proto::ServerTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiError, ApiState};
use crate::store::views::{self, Counts, ONLINE_WITHIN};

/// How far the stored `last seen` may lag behind by the wall: it is written at checkpoints,
/// by default every second.
const CHECKPOINT_LAG_S: f64 = 5.0;

/// The fleet in numbers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Overview {
    /// The gateway's clock, in epoch milliseconds.
    pub now_ms: i64,
    /// Seconds of the gateway's clock per second of the wall; 1 outside demos and tests.
    pub speed: f64,
    /// `ok` or `degraded`; `/api/v1/health` says more.
    pub health: &'static str,
    /// Messages since the gateway started.
    pub messages: MessageCounts,
    /// What the state database holds.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Messages since the gateway started.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageCounts {
    /// Acknowledged.
    pub accepted: u64,
    /// Refused.
    pub rejected: u64,
}

impl ApiState {
    /// Devices heard since then are online.
    pub(super) fn seen_since(&self) -> ServerTime {
        let lag_ms = CHECKPOINT_LAG_S * 1_000.0 * self.clock.scale().speed;
        self.clock.now().plus_ms(-(ONLINE_WITHIN.as_millis() as i64) - lag_ms as i64)
    }

    pub(super) async fn overview(&self) -> Result<Overview, ApiError> {
        let health = (self.health)();
        Ok(Overview {
            now_ms: self.clock.now().ms(),
            speed: self.clock.scale().speed,
            messages: MessageCounts { accepted: health.messages_accepted, rejected: health.messages_rejected },
            health: super::HealthReport::from(health).status,
            counts: views::overview(&self.store, self.seen_since()).await?,
        })
    }
}
