//! Claims that wait for a device.

use firmware_proto::ServerTime;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use utoipa::{IntoParams, ToSchema};

use super::ViewError;
use super::paging::{Before, Limit, Page};
use crate::store::Store;

/// A claim that can still be used. The secret itself is not stored.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenClaim {
    /// Unique.
    pub id: String,
    /// Whose the device will be.
    pub tenant: String,
    /// Appliance type of the catalogue.
    pub r#type: String,
    /// Model name.
    pub model: String,
    /// The only device that may use it; any if null.
    pub device: Option<String>,
    /// Service area.
    pub area: String,
    /// Who made it.
    pub created_by: String,
    /// When, in epoch milliseconds of the gateway's clock.
    pub created_ms: i64,
    /// Until when it may be used, likewise.
    pub expires_ms: i64,
}

/// Which claims.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClaimFilter {
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// Open claims, newest first.
///
/// # Errors
/// When the paging is wrong or the database fails.
pub async fn claims(store: &Store, filter: &ClaimFilter, now: ServerTime) -> Result<Page<OpenClaim>, ViewError> {
    let limit = Limit::new(filter.limit)?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT id, tenant, type, model, device, area, created_by, created_ms, expires_ms FROM claim
          WHERE used_by IS NULL AND expires_ms > ",
    );
    query.push_bind(now.ms());
    if let Some(before) = Before::read(filter.after.as_deref())? {
        before.push(&mut query, "created_ms", "id");
    }
    query.push(" ORDER BY created_ms DESC, id DESC");
    limit.push(&mut query);
    let rows = query.build().fetch_all(store.read()).await?;
    let items = rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
    Ok(limit.page(items, |item: &OpenClaim| Before::write(item.created_ms, &item.id)))
}

fn read(row: &SqliteRow) -> Result<OpenClaim, sqlx::Error> {
    Ok(OpenClaim {
        id: row.try_get("id")?,
        tenant: row.try_get("tenant")?,
        r#type: row.try_get("type")?,
        model: row.try_get("model")?,
        device: row.try_get("device")?,
        area: row.try_get("area")?,
        created_by: row.try_get("created_by")?,
        created_ms: row.try_get("created_ms")?,
        expires_ms: row.try_get("expires_ms")?,
    })
}
