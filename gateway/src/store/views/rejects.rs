//! Refused messages.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use utoipa::{IntoParams, ToSchema};

use super::ViewError;
use super::paging::{Before, Limit, Page};
use crate::store::Store;

/// Something in a message that was not taken, and why. Older ones are deleted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reject {
    /// Of the message in the journal; where the journal stood, if a connection was refused.
    pub position: i64,
    /// When it arrived, in epoch milliseconds of the gateway's clock.
    pub at_ms: i64,
    /// Who sent it.
    pub device: String,
    /// What kind of message it was, such as `tlm`; `connection` if a client was refused.
    pub channel: String,
    /// The field at fault.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
    /// Its first bytes, as text.
    pub head: String,
}

/// Which refused messages.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RejectFilter {
    /// Only of this device.
    pub device: Option<String>,
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// Refused messages, newest first.
///
/// # Errors
/// When the paging is wrong or the database fails.
pub async fn rejects(store: &Store, filter: &RejectFilter) -> Result<Page<Reject>, ViewError> {
    let mut connection = store.read().acquire().await?;
    page(&mut connection, filter).await
}

pub(super) async fn page(connection: &mut SqliteConnection, filter: &RejectFilter) -> Result<Page<Reject>, ViewError> {
    let limit = Limit::new(filter.limit)?;
    let before = Before::read(filter.after.as_deref())?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT position, at_ms, device, channel, field, reason, head FROM reject WHERE 1 = 1",
    );
    if let Some(device) = &filter.device {
        query.push(" AND device = ").push_bind(device.clone());
    }
    if let Some(before) = &before {
        before.push(&mut query, "position", "field");
    }
    // Several fields of one message may be at fault.
    query.push(" ORDER BY position DESC, field DESC");
    limit.push(&mut query);
    let rows = query.build().fetch_all(connection).await?;
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(limit.page(items, |item: &Reject| Before::write(item.position, &item.field)))
}

fn read(row: &SqliteRow) -> Result<Reject, ViewError> {
    Ok(Reject {
        position: row.try_get("position")?,
        at_ms: row.try_get("at_ms")?,
        device: row.try_get("device")?,
        channel: row.try_get("channel")?,
        field: row.try_get("field")?,
        reason: row.try_get("reason")?,
        head: row.try_get("head")?,
    })
}
