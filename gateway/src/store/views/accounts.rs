//! Who listens over MQTT.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use utoipa::{IntoParams, ToSchema};

use super::paging::{Limit, Page};
use super::{ViewError, json_column};
use crate::store::Store;

/// A service account.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServiceAccount {
    /// Its MQTT user name.
    pub name: String,
    /// Its subscriptions lie within these MQTT topic filters.
    pub filters: Vec<String>,
    /// When it got its secret, in epoch milliseconds of the gateway's clock.
    pub created_ms: i64,
}

/// Which service accounts.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountFilter {
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// Service accounts by name.
///
/// # Errors
/// When the paging is wrong or the database fails.
pub async fn accounts(store: &Store, filter: &AccountFilter) -> Result<Page<ServiceAccount>, ViewError> {
    let limit = Limit::new(filter.limit)?;
    let mut query = QueryBuilder::<Sqlite>::new("SELECT name, filters, created_ms FROM service_account WHERE 1 = 1");
    if let Some(after) = &filter.after {
        query.push(" AND name > ").push_bind(after.clone());
    }
    query.push(" ORDER BY name");
    limit.push(&mut query);
    let rows = query.build().fetch_all(store.read()).await?;
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(limit.page(items, |item: &ServiceAccount| item.name.clone()))
}

fn read(row: &SqliteRow) -> Result<ServiceAccount, ViewError> {
    Ok(ServiceAccount {
        name: row.try_get("name")?,
        filters: json_column(row, "service_account", "name", "filters")?,
        created_ms: row.try_get("created_ms")?,
    })
}
