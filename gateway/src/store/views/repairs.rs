//! Remote repairs.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use utoipa::{IntoParams, ToSchema};

use super::paging::{Before, Limit, Page};
use super::timeline::{self, StateChange, Step};
use super::{ViewError, json_column, known};
use crate::store::Store;

/// The states of a repair.
pub const REPAIR_STATES: &[&str] = &[
    "proposed",
    "awaiting_approval",
    "queued",
    "dispatched",
    "accepted",
    "in_progress",
    "device_succeeded",
    "verifying",
    "verified",
    "device_failed",
    "verify_failed",
    "rolling_back",
    "rolled_back",
    "rollback_failed",
    "escalated",
    "rejected",
    "expired",
    "canceled",
    "superseded",
    "blocked_unsafe",
    "outcome_unknown",
    "inconclusive",
];

/// The states in which something is still to come.
pub const REPAIR_UNDER_WAY: &[&str] = &[
    "proposed",
    "awaiting_approval",
    "queued",
    "dispatched",
    "accepted",
    "in_progress",
    "device_succeeded",
    "verifying",
    "rolling_back",
    "outcome_unknown",
    "inconclusive",
];

/// A remote repair.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Repair {
    /// Unique.
    pub id: String,
    /// The finding it answers; absent if a person asked for it.
    pub finding: Option<String>,
    /// On which device.
    pub device: String,
    /// The root cause it is to cure, by its key in the catalogue.
    pub cause: String,
    /// Which repair of the catalogue.
    pub repair: String,
    /// What the device is told to do.
    pub action: String,
    /// With which arguments.
    pub arguments: Value,
    /// Risk class, `R0` to `R4`.
    pub risk: String,
    /// SHA-256 of the command's body, in hexadecimal: what an approval is bound to.
    pub body_hash: String,
    /// Where it stands, such as `verifying`.
    pub state: String,
    /// Why it stands there.
    pub reason: String,
    /// Counts from 1; a retry is a new attempt.
    pub attempt: i64,
    /// The command that carries it, once there is one.
    pub command_id: Option<String>,
    /// The command's fence: the device refuses lower ones.
    pub fence: Option<i64>,
    /// Who asked for it.
    pub issued_by: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it was planned, in epoch milliseconds of the gateway's clock.
    pub created_ms: i64,
    /// When it last changed, likewise.
    pub updated_ms: i64,
    /// Grows with each change.
    pub version: i64,
    /// The states it went through.
    pub states: Vec<StateChange>,
}

/// A repair in a line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RepairBrief {
    /// Unique.
    pub id: String,
    /// Which repair of the catalogue.
    pub repair: String,
    /// Where it stands.
    pub state: String,
}

/// A repair with each step and its evidence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RepairDetail {
    /// The repair.
    #[serde(flatten)]
    pub repair: Repair,
    /// First to last.
    pub timeline: Vec<Step>,
}

/// Which repairs.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RepairFilter {
    /// Only in this state, such as `awaiting_approval`.
    pub state: Option<String>,
    /// Only on this device.
    pub device: Option<String>,
    /// Only for this finding.
    pub finding: Option<String>,
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

const SELECT: &str = "SELECT id, finding, device, cause, repair, action, arguments, risk, body_hash, state, reason,
            attempt, command_id, fence, issued_by, approved_by, created_ms, updated_ms, version
       FROM repair WHERE ";

/// Repairs, newest first.
///
/// # Errors
/// When a filter or the paging is wrong, or the database fails.
pub async fn repairs(store: &Store, filter: &RepairFilter) -> Result<Page<Repair>, ViewError> {
    let mut snapshot = store.read().begin().await?;
    page(&mut snapshot, filter).await
}

pub(super) async fn page(connection: &mut SqliteConnection, filter: &RepairFilter) -> Result<Page<Repair>, ViewError> {
    known("state", filter.state.as_deref(), REPAIR_STATES)?;
    let limit = Limit::new(filter.limit)?;
    let before = Before::read(filter.after.as_deref())?;
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    query.push("1 = 1");
    if let Some(state) = &filter.state {
        query.push(" AND state = ").push_bind(state.clone());
    }
    if let Some(device) = &filter.device {
        query.push(" AND device = ").push_bind(device.clone());
    }
    if let Some(finding) = &filter.finding {
        // The finding's device leads to an index.
        query.push(" AND device = (SELECT device FROM finding WHERE id = ").push_bind(finding.clone());
        query.push(") AND finding = ").push_bind(finding.clone());
    }
    if let Some(before) = &before {
        before.push(&mut query, "created_ms", "id");
    }
    query.push(" ORDER BY created_ms DESC, id DESC");
    limit.push(&mut query);
    let rows = query.build().fetch_all(&mut *connection).await?;
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    let mut page = limit.page(items, |item: &Repair| Before::write(item.created_ms, &item.id));
    let mut states = timeline::states(connection, page.items.iter().map(|item| item.id.as_str())).await?;
    for item in &mut page.items {
        item.states = states.remove(&item.id).unwrap_or_default();
    }
    Ok(page)
}

/// One repair with its timeline.
///
/// # Errors
/// When the database fails.
pub async fn repair(store: &Store, id: &str) -> Result<Option<RepairDetail>, ViewError> {
    let mut snapshot = store.read().begin().await?;
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    query.push("id = ").push_bind(id.to_owned());
    let Some(row) = query.build().fetch_optional(&mut *snapshot).await? else { return Ok(None) };
    let mut repair = read(&row)?;
    let timeline = timeline::steps(&mut snapshot, id).await?;
    repair.states = timeline.iter().map(|step| StateChange { state: step.state.clone(), at_ms: step.at_ms }).collect();
    Ok(Some(RepairDetail { repair, timeline }))
}

/// Leaves `states` empty: they come from another table.
fn read(row: &SqliteRow) -> Result<Repair, ViewError> {
    Ok(Repair {
        id: row.try_get("id")?,
        finding: row.try_get("finding")?,
        device: row.try_get("device")?,
        cause: row.try_get("cause")?,
        repair: row.try_get("repair")?,
        action: row.try_get("action")?,
        arguments: json_column(row, "repair", "id", "arguments")?,
        risk: row.try_get("risk")?,
        body_hash: row.try_get("body_hash")?,
        state: row.try_get("state")?,
        reason: row.try_get("reason")?,
        attempt: row.try_get("attempt")?,
        command_id: row.try_get("command_id")?,
        fence: row.try_get("fence")?,
        issued_by: row.try_get("issued_by")?,
        approved_by: row.try_get("approved_by")?,
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
        version: row.try_get("version")?,
        states: Vec::new(),
    })
}
