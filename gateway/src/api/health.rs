//! How the gateway is.

use serde::Serialize;
use utoipa::ToSchema;

/// How the gateway and its parts are.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Health {
    /// When this process started, in epoch milliseconds of the gateway's clock.
    pub started_ms: i64,
    /// Messages acknowledged since then.
    pub messages_accepted: u64,
    /// Messages refused since then.
    pub messages_rejected: u64,
    /// Parts that can fail on their own.
    pub components: Vec<Component>,
}

/// A part of the gateway.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Component {
    /// Such as `journal`.
    pub name: String,
    /// Whether it does its work.
    pub ok: bool,
    /// What is wrong, or a number worth knowing.
    pub detail: String,
}

/// [`Health`] with its verdict.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HealthReport {
    /// `ok`, or `degraded` while any component does not do its work.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// The parts.
    #[serde(flatten)]
    pub health: Health,
}

impl Health {
    /// Whether every component does its work.
    pub fn is_ok(&self) -> bool {
        self.components.iter().all(|component| component.ok)
    }
}

impl From<Health> for HealthReport {
    fn from(health: Health) -> Self {
        Self { status: if health.is_ok() { "ok" } else { "degraded" }, health }
    }
}
