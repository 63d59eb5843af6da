//! Parts on hand.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use utoipa::{IntoParams, ToSchema};

use super::ViewError;
use super::paging::{Limit, Page, not_a_cursor};
use crate::store::Store;

/// Pieces of one part at one location: sums of the ledger's entries.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Stock {
    /// Where.
    pub location: String,
    /// `central`, `regional`, `station` or `van`.
    pub location_kind: String,
    /// For people.
    pub location_name: String,
    /// Which part, by its key in the catalogue.
    pub part: String,
    /// Pieces that lie there.
    pub on_hand: i64,
    /// Pieces of these that work orders have reserved.
    pub reserved: i64,
    /// Pieces that can still be promised: on hand less reserved.
    pub available: i64,
}

/// Which stock.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StockFilter {
    /// Only at this location.
    pub location: Option<String>,
    /// Only this part.
    pub part: Option<String>,
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// Stock by location and part.
///
/// # Errors
/// When the paging is wrong or the database fails.
pub async fn stock(store: &Store, filter: &StockFilter) -> Result<Page<Stock>, ViewError> {
    let limit = Limit::new(filter.limit)?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT s.location, s.part, s.on_hand, s.reserved, l.kind, l.name FROM (
           SELECT location, part, CAST(SUM(on_hand) AS BIGINT) AS on_hand, CAST(SUM(reserved) AS BIGINT) AS reserved
             FROM ledger WHERE 1 = 1",
    );
    if let Some(location) = &filter.location {
        query.push(" AND location = ").push_bind(location.clone());
    }
    if let Some(part) = &filter.part {
        query.push(" AND part = ").push_bind(part.clone());
    }
    if let Some(after) = &filter.after {
        // A part's key holds no blank, a location's id may.
        let (location, part) = after.rsplit_once(' ').ok_or_else(|| not_a_cursor(after))?;
        query.push(" AND (location, part) > (").push_bind(location.to_owned()).push(", ");
        query.push_bind(part.to_owned()).push(")");
    }
    query.push(" GROUP BY location, part ORDER BY location, part");
    limit.push(&mut query);
    query.push(") s JOIN location l ON l.id = s.location ORDER BY s.location, s.part");
    let rows = query.build().fetch_all(store.read()).await?;
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(limit.page(items, |item: &Stock| format!("{} {}", item.location, item.part)))
}

fn read(row: &SqliteRow) -> Result<Stock, ViewError> {
    let (on_hand, reserved): (i64, i64) = (row.try_get("on_hand")?, row.try_get("reserved")?);
    Ok(Stock {
        location: row.try_get("location")?,
        location_kind: row.try_get("kind")?,
        location_name: row.try_get("name")?,
        part: row.try_get("part")?,
        on_hand,
        reserved,
        available: on_hand - reserved,
    })
}
