//! Counts over everything.

use std::collections::HashMap;

use firmware_proto::ServerTime;
use serde::Serialize;
use sqlx::SqliteConnection;
use utoipa::ToSchema;

use super::ViewError;
use super::repairs::REPAIR_UNDER_WAY;
use crate::store::Store;

/// Counts of what the state database holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Counts {
    /// Devices.
    pub devices: DeviceCounts,
    /// Findings.
    pub findings: FindingCounts,
    /// Remote repairs.
    pub repairs: RepairCounts,
    /// Work orders.
    pub work_orders: OrderCounts,
}

/// Devices.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceCounts {
    /// All that were let in.
    pub registered: i64,
    /// Those heard lately.
    pub online: i64,
}

/// Findings by state.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingCounts {
    /// All.
    pub total: i64,
    /// Nothing is being done yet.
    pub open: i64,
    /// A remote repair is under way.
    pub repairing: i64,
    /// A work order has it.
    pub handed_over: i64,
    /// The repair was verified.
    pub resolved: i64,
    /// Done with.
    pub closed: i64,
}

/// Remote repairs by how they went.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RepairCounts {
    /// All.
    pub total: i64,
    /// Something is still to come; includes those that await approval.
    pub under_way: i64,
    /// A second person must approve.
    pub awaiting_approval: i64,
    /// Later telemetry proved them.
    pub verified: i64,
    /// Ended any other way.
    pub not_verified: i64,
}

/// Work orders by state.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderCounts {
    /// All.
    pub total: i64,
    /// Nobody goes yet.
    pub open: i64,
    /// A technician is chosen.
    pub assigned: i64,
    /// The technician has taken it.
    pub accepted: i64,
    /// On the road.
    pub travelling: i64,
    /// At the appliance.
    pub on_site: i64,
    /// Done.
    pub completed: i64,
    /// Not needed any more.
    pub canceled: i64,
}

/// Counts as of one commit. Devices heard at `seen_since` or later are online.
///
/// # Errors
/// When the database fails.
pub async fn overview(store: &Store, seen_since: ServerTime) -> Result<Counts, ViewError> {
    let mut snapshot = store.read().begin().await?;
    let registered = sqlx::query_scalar("SELECT COUNT(*) FROM device").fetch_one(&mut *snapshot).await?;
    let online = sqlx::query_scalar("SELECT COUNT(*) FROM twin WHERE last_seen_ms >= $1")
        .bind(seen_since.ms())
        .fetch_one(&mut *snapshot)
        .await?;
    Ok(Counts {
        devices: DeviceCounts { registered, online },
        findings: findings(&by_state(&mut snapshot, "SELECT state, COUNT(*) FROM finding GROUP BY state").await?),
        repairs: repairs(&by_state(&mut snapshot, "SELECT state, COUNT(*) FROM repair GROUP BY state").await?),
        work_orders: orders(&by_state(&mut snapshot, "SELECT state, COUNT(*) FROM work_order GROUP BY state").await?),
    })
}

/// How many rows are in each state.
struct ByState(HashMap<String, i64>);

impl ByState {
    fn of(&self, state: &str) -> i64 {
        self.0.get(state).copied().unwrap_or(0)
    }

    fn total(&self) -> i64 {
        self.0.values().sum()
    }
}

async fn by_state(connection: &mut SqliteConnection, sql: &'static str) -> Result<ByState, ViewError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(ByState(rows.into_iter().collect()))
}

fn findings(counts: &ByState) -> FindingCounts {
    FindingCounts {
        total: counts.total(),
        open: counts.of("open"),
        repairing: counts.of("repairing"),
        handed_over: counts.of("handed_over"),
        resolved: counts.of("resolved"),
        closed: counts.of("closed"),
    }
}

fn repairs(counts: &ByState) -> RepairCounts {
    let (total, verified) = (counts.total(), counts.of("verified"));
    let under_way = REPAIR_UNDER_WAY.iter().map(|state| counts.of(state)).sum();
    let awaiting_approval = counts.of("awaiting_approval");
    RepairCounts { total, under_way, awaiting_approval, verified, not_verified: total - under_way - verified }
}

fn orders(counts: &ByState) -> OrderCounts {
    OrderCounts {
        total: counts.total(),
        open: counts.of("open"),
        assigned: counts.of("assigned"),
        accepted: counts.of("accepted"),
        travelling: counts.of("travelling"),
        on_site: counts.of("on_site"),
        completed: counts.of("completed"),
        canceled: counts.of("canceled"),
    }
}
