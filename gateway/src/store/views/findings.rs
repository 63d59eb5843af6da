//! Diagnosed conditions.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use utoipa::{IntoParams, ToSchema};

use super::orders::{self, OrderBrief};
use super::paging::{Before, Limit, Page};
use super::repairs::{self, Repair, RepairFilter};
use super::{ViewError, json_column, known};
use crate::store::Store;

/// The states of a finding. The first three are open: something is still to be done.
pub const FINDING_STATES: &[&str] = &["open", "repairing", "handed_over", "resolved", "closed"];

/// A diagnosed condition of one device.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Finding {
    /// Unique; the same after a replay.
    pub id: String,
    /// On which device.
    pub device: String,
    /// Its appliance type.
    pub device_type: String,
    /// The most likely root cause, by its key in the catalogue.
    pub cause: String,
    /// The same for people.
    pub title: String,
    /// Its probability, 0 to 1.
    pub probability: f64,
    /// `open`, `repairing`, `handed_over`, `resolved` or `closed`.
    pub state: String,
    /// How often it came back after it was resolved.
    pub reopened: i64,
    /// The causes that were weighed, most likely first.
    pub ranked: Vec<RankedCause>,
    /// What speaks for and against, strongest first.
    pub evidence: Vec<Evidence>,
    /// The diagnosis in a few sentences.
    pub explanation: String,
    /// When it was opened, in epoch milliseconds of the gateway's clock.
    pub opened_ms: i64,
    /// When it was closed, likewise.
    pub closed_ms: Option<i64>,
    /// Grows with each change.
    pub version: i64,
}

/// A root cause and how likely it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RankedCause {
    /// By its key in the catalogue.
    pub cause: String,
    /// Probability, 0 to 1, given the evidence.
    pub probability: f64,
}

/// What one symptom says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// By its key in the catalogue.
    pub symptom: String,
    /// `present`, `absent` or `unknown`.
    pub state: String,
    /// By how much it moved the log odds (natural logarithm) of the most likely cause;
    /// absent where it decides all.
    pub llr: Option<f64>,
    /// For people, with the numbers seen.
    pub why: String,
}

/// A finding in a line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingBrief {
    /// Unique.
    pub id: String,
    /// The most likely root cause, by its key in the catalogue.
    pub cause: String,
    /// The same for people.
    pub title: String,
    /// Its probability, 0 to 1.
    pub probability: f64,
    /// `open`, `repairing` or `handed_over`.
    pub state: String,
    /// When it was opened, in epoch milliseconds of the gateway's clock.
    pub opened_ms: i64,
}

/// A finding with what was done about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingDetail {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Remote repairs, newest first.
    pub repairs: Vec<Repair>,
    /// Work orders, newest first.
    pub work_orders: Vec<OrderBrief>,
}

/// Which findings.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FindingFilter {
    /// Only in this state: `open`, `repairing`, `handed_over`, `resolved` or `closed`.
    pub state: Option<String>,
    /// Only of this device.
    pub device: Option<String>,
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

const SELECT: &str = "SELECT f.id, f.device, d.type, f.cause, f.title, f.probability, f.state, f.reopened, f.ranked,
            f.evidence, f.explanation, f.opened_ms, f.closed_ms, f.version
       FROM finding f JOIN device d ON d.id = f.device WHERE ";

/// Findings, newest first.
///
/// # Errors
/// When a filter or the paging is wrong, or the database fails.
pub async fn findings(store: &Store, filter: &FindingFilter) -> Result<Page<Finding>, ViewError> {
    let mut connection = store.read().acquire().await?;
    page(&mut connection, filter).await
}

pub(super) async fn page(
    connection: &mut SqliteConnection,
    filter: &FindingFilter,
) -> Result<Page<Finding>, ViewError> {
    known("state", filter.state.as_deref(), FINDING_STATES)?;
    let limit = Limit::new(filter.limit)?;
    let before = Before::read(filter.after.as_deref())?;
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    query.push("1 = 1");
    if let Some(state) = &filter.state {
        query.push(" AND f.state = ").push_bind(state.clone());
    }
    if let Some(device) = &filter.device {
        query.push(" AND f.device = ").push_bind(device.clone());
    }
    if let Some(before) = &before {
        before.push(&mut query, "f.opened_ms", "f.id");
    }
    query.push(" ORDER BY f.opened_ms DESC, f.id DESC");
    limit.push(&mut query);
    let rows = query.build().fetch_all(connection).await?;
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(limit.page(items, |item: &Finding| Before::write(item.opened_ms, &item.id)))
}

/// One finding with what was done about it.
///
/// # Errors
/// When the database fails.
pub async fn finding(store: &Store, id: &str) -> Result<Option<FindingDetail>, ViewError> {
    let mut snapshot = store.read().begin().await?;
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    query.push("f.id = ").push_bind(id.to_owned());
    let Some(row) = query.build().fetch_optional(&mut *snapshot).await? else { return Ok(None) };
    let of_finding = RepairFilter { finding: Some(id.to_owned()), ..RepairFilter::default() };
    let finding = read(&row)?;
    Ok(Some(FindingDetail {
        repairs: repairs::page(&mut snapshot, &of_finding).await?.items,
        work_orders: orders::briefs_of_finding(&mut snapshot, &finding.device, id).await?,
        finding,
    }))
}

fn read(row: &SqliteRow) -> Result<Finding, ViewError> {
    Ok(Finding {
        id: row.try_get("id")?,
        device: row.try_get("device")?,
        device_type: row.try_get("type")?,
        cause: row.try_get("cause")?,
        title: row.try_get("title")?,
        probability: row.try_get("probability")?,
        state: row.try_get("state")?,
        reopened: row.try_get("reopened")?,
        ranked: json_column(row, "finding", "id", "ranked")?,
        evidence: json_column(row, "finding", "id", "evidence")?,
        explanation: row.try_get("explanation")?,
        opened_ms: row.try_get("opened_ms")?,
        closed_ms: row.try_get("closed_ms")?,
        version: row.try_get("version")?,
    })
}
