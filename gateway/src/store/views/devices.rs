//! Devices, and all about one of them.

use std::time::Duration;

use firmware_proto::ServerTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use utoipa::{IntoParams, ToSchema};

use super::findings::{self, Finding, FindingBrief, FindingFilter};
use super::orders::{self, OrderBrief, OrderFilter, WorkOrder};
use super::paging::{Limit, Page};
use super::rejects::{self, Reject, RejectFilter};
use super::repairs::{self, REPAIR_UNDER_WAY, Repair, RepairBrief, RepairFilter};
use super::{ViewError, json_column};
use crate::store::Store;

/// A device counts as online this long after its last message: five of the minutes in
/// which appliances report.
pub const ONLINE_WITHIN: Duration = Duration::from_secs(5 * 60);

/// Findings, repairs, orders and rejects shown with one device; the lists have the rest.
const RECENT: u32 = 20;

/// Events shown with one device.
const RECENT_EVENTS: i64 = 50;

/// How a device is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Online, and nothing is known to be wrong.
    Healthy,
    /// Something is wrong and nothing is being done yet.
    Finding,
    /// A remote repair is under way.
    Repairing,
    /// A work order is open.
    HandedOver,
    /// Nothing is known to be wrong, but it has not been heard lately.
    Offline,
}

/// A device and how it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Device {
    /// Unique.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// Appliance type of the catalogue.
    pub r#type: String,
    /// Model name.
    pub model: String,
    /// Service area.
    pub area: String,
    /// Firmware version, once it has told.
    pub firmware: Option<String>,
    /// Its last message, in epoch milliseconds of the gateway's clock.
    pub last_seen_ms: Option<i64>,
    /// Whether it was heard lately.
    pub online: bool,
    /// How it is.
    pub condition: Condition,
    /// Its newest open finding.
    pub finding: Option<FindingBrief>,
    /// The repair under way.
    pub repair: Option<RepairBrief>,
    /// Its open work order.
    pub work_order: Option<OrderBrief>,
}

/// All about one device.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceDetail {
    /// The device.
    #[serde(flatten)]
    pub device: Device,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// When it was let in, in epoch milliseconds of the gateway's clock.
    pub registered_ms: i64,
    /// Since when it is blocked, likewise; it may not connect until it is unblocked.
    pub blocked_ms: Option<i64>,
    /// Which boot it is in; counted by the device.
    pub boot_id: Option<i64>,
    /// Version of its parameters; counted by the device.
    pub config_version: Option<i64>,
    /// Its last readings by datapoint, in the units of the catalogue.
    pub readings: Value,
    /// The parameters it reported, by name.
    pub reported: Value,
    /// Its newest findings.
    pub findings: Vec<Finding>,
    /// Its newest repairs.
    pub repairs: Vec<Repair>,
    /// Its newest work orders.
    pub work_orders: Vec<WorkOrder>,
    /// Its newest events.
    pub events: Vec<DeviceEvent>,
    /// Its newest messages that were refused.
    pub rejects: Vec<Reject>,
}

/// Something a device announced.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceEvent {
    /// When it arrived, in epoch milliseconds of the gateway's clock.
    pub at_ms: i64,
    /// The device's code for it.
    pub code: String,
    /// `info`, `warning`, `error` or what the device said.
    pub severity: String,
    /// For people.
    pub text: String,
}

/// Which devices.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeviceFilter {
    /// Only of this appliance type.
    pub r#type: Option<String>,
    /// Only in this service area.
    pub area: Option<String>,
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// What both views select; `$more` are columns of the second.
macro_rules! select {
    ($more:literal) => {
        concat!(
            "SELECT d.id, d.tenant, d.type, d.model, d.area, t.firmware, t.last_seen_ms,
                    f.id AS f_id, f.cause AS f_cause, f.title AS f_title, f.probability AS f_probability,
                    f.state AS f_state, f.opened_ms AS f_opened_ms,
                    r.id AS r_id, r.repair AS r_repair, r.state AS r_state,
                    w.id AS w_id, w.number AS w_number, w.state AS w_state",
            $more,
            " FROM device d
              LEFT JOIN twin t ON t.device = d.id
              LEFT JOIN finding f ON f.id = (
                   SELECT id FROM finding WHERE device = d.id AND state IN ('open', 'repairing', 'handed_over')
                    ORDER BY opened_ms DESC, id DESC LIMIT 1)
              LEFT JOIN repair r ON r.id = (
                   SELECT id FROM repair WHERE device = d.id AND state IN (",
        )
    };
}

fn select(head: &str) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::<Sqlite>::new(head);
    let mut states = query.separated(", ");
    for state in REPAIR_UNDER_WAY {
        states.push_bind(*state);
    }
    query.push(
        ") ORDER BY created_ms DESC, id DESC LIMIT 1)
              LEFT JOIN work_order w ON w.device = d.id AND w.closed_ms IS NULL WHERE ",
    );
    query
}

/// Devices by id. Those heard at `seen_since` or later are online.
///
/// # Errors
/// When the paging is wrong or the database fails.
pub async fn devices(store: &Store, filter: &DeviceFilter, seen_since: ServerTime) -> Result<Page<Device>, ViewError> {
    let limit = Limit::new(filter.limit)?;
    let mut query = select(select!(""));
    query.push("1 = 1");
    if let Some(ty) = &filter.r#type {
        query.push(" AND d.type = ").push_bind(ty.clone());
    }
    if let Some(area) = &filter.area {
        query.push(" AND d.area = ").push_bind(area.clone());
    }
    if let Some(after) = &filter.after {
        query.push(" AND d.id > ").push_bind(after.clone());
    }
    query.push(" ORDER BY d.id");
    limit.push(&mut query);
    let rows = query.build().fetch_all(store.read()).await?;
    let items = rows.iter().map(|row| read(row, seen_since)).collect::<Result<_, _>>()?;
    Ok(limit.page(items, |item: &Device| item.id.clone()))
}

/// All about one device, as of one commit.
///
/// # Errors
/// When the database fails.
pub async fn device(store: &Store, id: &str, seen_since: ServerTime) -> Result<Option<DeviceDetail>, ViewError> {
    let mut snapshot = store.read().begin().await?;
    let mut query = select(select!(
        ", d.lat, d.lon, d.registered_ms, d.blocked_ms, t.boot_id, t.config_version,
           COALESCE(t.readings, '{}') AS readings, COALESCE(t.reported, '{}') AS reported"
    ));
    query.push("d.id = ").push_bind(id.to_owned());
    let Some(row) = query.build().fetch_optional(&mut *snapshot).await? else { return Ok(None) };
    let (device, limit) = (Some(id.to_owned()), Some(RECENT));
    let finding = FindingFilter { device: device.clone(), limit, ..FindingFilter::default() };
    let repair = RepairFilter { device: device.clone(), limit, ..RepairFilter::default() };
    let order = OrderFilter { device: device.clone(), limit, ..OrderFilter::default() };
    let reject = RejectFilter { device, limit, after: None };
    Ok(Some(DeviceDetail {
        device: read(&row, seen_since)?,
        lat: row.try_get("lat")?,
        lon: row.try_get("lon")?,
        registered_ms: row.try_get("registered_ms")?,
        blocked_ms: row.try_get("blocked_ms")?,
        boot_id: row.try_get("boot_id")?,
        config_version: row.try_get("config_version")?,
        readings: json_column(&row, "twin", "id", "readings")?,
        reported: json_column(&row, "twin", "id", "reported")?,
        findings: findings::page(&mut snapshot, &finding).await?.items,
        repairs: repairs::page(&mut snapshot, &repair).await?.items,
        work_orders: orders::page(&mut snapshot, &order).await?.items,
        events: events(&mut snapshot, id).await?,
        rejects: rejects::page(&mut snapshot, &reject).await?.items,
    }))
}

/// The order in which a device's events were taken is that of their positions.
async fn events(connection: &mut SqliteConnection, device: &str) -> Result<Vec<DeviceEvent>, ViewError> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT at_ms, code, severity, text FROM event WHERE device = $1 ORDER BY position DESC LIMIT $2",
    )
    .bind(device)
    .bind(RECENT_EVENTS)
    .fetch_all(connection)
    .await?;
    let event = |(at_ms, code, severity, text)| DeviceEvent { at_ms, code, severity, text };
    Ok(rows.into_iter().map(event).collect())
}

fn read(row: &SqliteRow, seen_since: ServerTime) -> Result<Device, ViewError> {
    let last_seen_ms: Option<i64> = row.try_get("last_seen_ms")?;
    let online = last_seen_ms.is_some_and(|last_seen| last_seen >= seen_since.ms());
    let (finding, repair, work_order) = (finding_brief(row)?, repair_brief(row)?, order_brief(row)?);
    Ok(Device {
        id: row.try_get("id")?,
        tenant: row.try_get("tenant")?,
        r#type: row.try_get("type")?,
        model: row.try_get("model")?,
        area: row.try_get("area")?,
        firmware: row.try_get::<Option<String>, _>("firmware")?.filter(|firmware| !firmware.is_empty()),
        last_seen_ms,
        online,
        condition: condition(online, finding.as_ref(), repair.is_some(), work_order.is_some()),
        finding,
        repair,
        work_order,
    })
}

fn condition(online: bool, finding: Option<&FindingBrief>, repair: bool, order: bool) -> Condition {
    let state = finding.map(|finding| finding.state.as_str());
    match state {
        _ if order => Condition::HandedOver,
        Some("handed_over") => Condition::HandedOver,
        _ if repair => Condition::Repairing,
        Some("repairing") => Condition::Repairing,
        Some(_) => Condition::Finding,
        None if online => Condition::Healthy,
        None => Condition::Offline,
    }
}

fn finding_brief(row: &SqliteRow) -> Result<Option<FindingBrief>, ViewError> {
    let Some(id) = row.try_get("f_id")? else { return Ok(None) };
    Ok(Some(FindingBrief {
        id,
        cause: row.try_get("f_cause")?,
        title: row.try_get("f_title")?,
        probability: row.try_get("f_probability")?,
        state: row.try_get("f_state")?,
        opened_ms: row.try_get("f_opened_ms")?,
    }))
}

fn repair_brief(row: &SqliteRow) -> Result<Option<RepairBrief>, ViewError> {
    let Some(id) = row.try_get("r_id")? else { return Ok(None) };
    Ok(Some(RepairBrief { id, repair: row.try_get("r_repair")?, state: row.try_get("r_state")? }))
}

fn order_brief(row: &SqliteRow) -> Result<Option<OrderBrief>, ViewError> {
    let Some(id) = row.try_get("w_id")? else { return Ok(None) };
    Ok(Some(OrderBrief { id, number: row.try_get("w_number")?, state: row.try_get("w_state")? }))
}
