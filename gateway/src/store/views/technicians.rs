//! Who can be sent.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use utoipa::{IntoParams, ToSchema};

use super::paging::{Limit, Page};
use super::{ViewError, json_column};
use crate::store::Store;

/// A technician.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Technician {
    /// Unique.
    pub id: String,
    /// For people.
    pub name: String,
    /// Start of the day, degrees north.
    pub lat: f64,
    /// Start of the day, degrees east.
    pub lon: f64,
    /// What he or she is trained for.
    pub skills: Vec<String>,
    /// Where he or she works.
    pub areas: Vec<String>,
    /// Visits a day.
    pub capacity: i64,
    /// Customers' rating, 0 to 5.
    pub rating: f64,
    /// The stock location that is the van.
    pub van: String,
    /// Work orders that he or she has and that are not closed.
    pub open_orders: i64,
}

/// Which technicians.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TechnicianFilter {
    /// Most items, 1 to 500; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// Technicians by id.
///
/// # Errors
/// When the paging is wrong or the database fails.
pub async fn technicians(store: &Store, filter: &TechnicianFilter) -> Result<Page<Technician>, ViewError> {
    let limit = Limit::new(filter.limit)?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT t.id, t.name, t.lat, t.lon, t.skills, t.areas, t.capacity, t.rating, t.van,
                (SELECT COUNT(*) FROM work_order w WHERE w.technician = t.id AND w.closed_ms IS NULL) AS open_orders
           FROM technician t WHERE 1 = 1",
    );
    if let Some(after) = &filter.after {
        query.push(" AND t.id > ").push_bind(after.clone());
    }
    query.push(" ORDER BY t.id");
    limit.push(&mut query);
    let rows = query.build().fetch_all(store.read()).await?;
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(limit.page(items, |item: &Technician| item.id.clone()))
}

fn read(row: &SqliteRow) -> Result<Technician, ViewError> {
    Ok(Technician {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        lat: row.try_get("lat")?,
        lon: row.try_get("lon")?,
        skills: json_column(row, "technician", "id", "skills")?,
        areas: json_column(row, "technician", "id", "areas")?,
        capacity: row.try_get("capacity")?,
        rating: row.try_get("rating")?,
        van: row.try_get("van")?,
        open_orders: row.try_get("open_orders")?,
    })
}
