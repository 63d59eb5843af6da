//! Work orders.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use utoipa::{IntoParams, ToSchema};

use super::findings::{Evidence, RankedCause};
use super::paging::{Before, Limit, Page};
use super::timeline::{self, Step};
use super::{ViewError, json_column, known};
use crate::store::Store;

/// The states of a work order.
pub const ORDER_STATES: &[&str] = &["open", "assigned", "accepted", "travelling", "on_site", "completed", "canceled"];

/// A visit to an appliance.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkOrder {
    /// Unique.
    pub id: String,
    /// The number people use.
    pub number: i64,
    /// The finding it answers; absent if a person asked for it.
    pub finding: Option<String>,
    /// Which device.
    pub device: String,
    /// Its appliance type.
    pub device_type: String,
    /// Who asked for it, such as `diagnosis`.
    pub source: String,
    /// The most likely root cause, by its key in the catalogue.
    pub cause: String,
    /// The same for people.
    pub title: String,
    /// `open`, `assigned`, `accepted`, `travelling`, `on_site`, `completed` or `canceled`.
    pub state: String,
    /// How urgent it is.
    pub priority: String,
    /// Why somebody must go.
    pub why: String,
    /// What the technician must be trained for.
    pub skill: String,
    /// Where.
    pub area: String,
    /// The procedure to follow.
    pub sop: String,
    /// Parts to carry.
    pub kit: Vec<KitItem>,
    /// Who goes.
    pub technician: Option<String>,
    /// His or her name.
    pub technician_name: Option<String>,
    /// Start of the appointment, in epoch milliseconds of the gateway's clock.
    pub starts_ms: Option<i64>,
    /// The root cause as found on site.
    pub confirmed: Option<String>,
    /// When it was made, in epoch milliseconds of the gateway's clock.
    pub created_ms: i64,
    /// When it last changed, likewise.
    pub updated_ms: i64,
    /// When it was completed or canceled, likewise.
    pub closed_ms: Option<i64>,
    /// Grows with each change; a step must name the one it was decided on.
    pub version: i64,
}

/// A part to carry.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KitItem {
    /// By its key in the catalogue.
    pub part: String,
    /// Pieces.
    pub quantity: u32,
    /// Where it is taken from, once that is known.
    pub location: Option<String>,
    /// Whether it is reserved there.
    pub reserved: bool,
}

/// A work order in a line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderBrief {
    /// Unique.
    pub id: String,
    /// The number people use.
    pub number: i64,
    /// Where it stands.
    pub state: String,
}

/// A work order with what led to it and each step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderDetail {
    /// The work order.
    #[serde(flatten)]
    pub order: WorkOrder,
    /// The causes that were weighed, most likely first.
    pub posterior: Vec<RankedCause>,
    /// What speaks for and against, strongest first.
    pub evidence: Vec<Evidence>,
    /// Why this technician.
    pub assignment: Value,
    /// First to last.
    pub timeline: Vec<Step>,
}

/// Which work orders.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrderFilter {
    /// Only in this state, such as `assigned`.
    pub state: Option<String>,
    /// Only for this device.
    pub device: Option<String>,
    /// Only of this technician.
    pub technician: Option<String>,
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// `posterior`, `evidence` and `assignment` are read with one order only: they are long.
macro_rules! select {
    ($more:literal) => {
        concat!(
            "SELECT w.id, w.number, w.finding, w.device, d.type, w.source, w.cause, w.title, w.state, w.priority,
                    w.why, w.skill, w.area, w.sop, w.kit, w.technician, t.name AS technician_name, w.starts_ms,
                    w.confirmed, w.created_ms, w.updated_ms, w.closed_ms, w.version",
            $more,
            " FROM work_order w JOIN device d ON d.id = w.device LEFT JOIN technician t ON t.id = w.technician WHERE "
        )
    };
}

/// Work orders, newest first.
///
/// # Errors
/// When a filter or the paging is wrong, or the database fails.
pub async fn orders(store: &Store, filter: &OrderFilter) -> Result<Page<WorkOrder>, ViewError> {
    let mut connection = store.read().acquire().await?;
    page(&mut connection, filter).await
}

pub(super) async fn page(
    connection: &mut SqliteConnection,
    filter: &OrderFilter,
) -> Result<Page<WorkOrder>, ViewError> {
    known("state", filter.state.as_deref(), ORDER_STATES)?;
    let limit = Limit::new(filter.limit)?;
    let before = Before::read(filter.after.as_deref())?;
    let mut query = QueryBuilder::<Sqlite>::new(select!(""));
    query.push("1 = 1");
    if let Some(state) = &filter.state {
        query.push(" AND w.state = ").push_bind(state.clone());
    }
    if let Some(device) = &filter.device {
        query.push(" AND w.device = ").push_bind(device.clone());
    }
    if let Some(technician) = &filter.technician {
        query.push(" AND w.technician = ").push_bind(technician.clone());
    }
    if let Some(before) = &before {
        before.push(&mut query, "w.created_ms", "w.id");
    }
    query.push(" ORDER BY w.created_ms DESC, w.id DESC");
    limit.push(&mut query);
    let rows = query.build().fetch_all(connection).await?;
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(limit.page(items, |item: &WorkOrder| Before::write(item.created_ms, &item.id)))
}

/// One work order with all that belongs to it.
///
/// # Errors
/// When the database fails.
pub async fn order(store: &Store, id: &str) -> Result<Option<OrderDetail>, ViewError> {
    let mut snapshot = store.read().begin().await?;
    let mut query = QueryBuilder::<Sqlite>::new(select!(", w.posterior, w.evidence, w.assignment"));
    query.push("w.id = ").push_bind(id.to_owned());
    let Some(row) = query.build().fetch_optional(&mut *snapshot).await? else { return Ok(None) };
    Ok(Some(OrderDetail {
        order: read(&row)?,
        posterior: json_column(&row, "work_order", "id", "posterior")?,
        evidence: json_column(&row, "work_order", "id", "evidence")?,
        assignment: json_column(&row, "work_order", "id", "assignment")?,
        timeline: timeline::steps(&mut snapshot, id).await?,
    }))
}

pub(super) async fn briefs_of_finding(
    connection: &mut SqliteConnection,
    device: &str,
    finding: &str,
) -> Result<Vec<OrderBrief>, ViewError> {
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "SELECT id, number, state FROM work_order WHERE device = $1 AND finding = $2
          ORDER BY created_ms DESC, id DESC LIMIT $3",
    )
    .bind(device)
    .bind(finding)
    .bind(super::DEFAULT_LIMIT)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id, number, state)| OrderBrief { id, number, state }).collect())
}

fn read(row: &SqliteRow) -> Result<WorkOrder, ViewError> {
    Ok(WorkOrder {
        id: row.try_get("id")?,
        number: row.try_get("number")?,
        finding: row.try_get("finding")?,
        device: row.try_get("device")?,
        device_type: row.try_get("type")?,
        source: row.try_get("source")?,
        cause: row.try_get("cause")?,
        title: row.try_get("title")?,
        state: row.try_get("state")?,
        priority: row.try_get("priority")?,
        why: row.try_get("why")?,
        skill: row.try_get("skill")?,
        area: row.try_get("area")?,
        sop: row.try_get("sop")?,
        kit: json_column(row, "work_order", "id", "kit")?,
        technician: row.try_get("technician")?,
        technician_name: row.try_get("technician_name")?,
        starts_ms: row.try_get("starts_ms")?,
        confirmed: row.try_get("confirmed")?,
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
        closed_ms: row.try_get("closed_ms")?,
        version: row.try_get("version")?,
    })
}
