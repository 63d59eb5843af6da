//! Reads for the API: what REST and gRPC show, queried from the last commit.
//!
//! Every list is bounded: at most [`MAX_LIMIT`] items a page, and `after` takes the
//! `next` of the page before it.

mod accounts;
mod claims;
mod devices;
mod findings;
mod orders;
mod overview;
mod paging;
mod rejects;
mod repairs;
#[cfg(test)]
pub(crate) mod sample;
mod stock;
mod technicians;
#[cfg(test)]
mod tests;
mod timeline;
mod tokens;

pub use accounts::{AccountFilter, ServiceAccount, accounts};
pub use claims::{ClaimFilter, OpenClaim, claims};
pub use devices::{Condition, Device, DeviceDetail, DeviceEvent, DeviceFilter, ONLINE_WITHIN, device, devices};
pub use findings::{
    Evidence, FINDING_STATES, Finding, FindingBrief, FindingDetail, FindingFilter, RankedCause, finding, findings,
};
pub use orders::{KitItem, ORDER_STATES, OrderBrief, OrderDetail, OrderFilter, WorkOrder, order, orders};
pub use overview::{Counts, DeviceCounts, FindingCounts, OrderCounts, RepairCounts, overview};
pub use paging::{DEFAULT_LIMIT, MAX_LIMIT, Page};
pub use rejects::{Reject, RejectFilter, rejects};
pub use repairs::{REPAIR_STATES, REPAIR_UNDER_WAY, Repair, RepairBrief, RepairDetail, RepairFilter, repair, repairs};
pub use stock::{Stock, StockFilter, stock};
pub use technicians::{Technician, TechnicianFilter, technicians};
pub use timeline::{StateChange, Step};
pub use tokens::authenticate;

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use thiserror::Error;

use super::{StoreError, from_json};

/// Why a view cannot be shown.
#[derive(Debug, Error)]
pub enum ViewError {
    /// The database failed, or holds what does not read back.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A filter or the paging is wrong.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which parameter.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

impl From<sqlx::Error> for ViewError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Reads a column of JSON text; `id` is the column that names the row in an error.
fn json_column<T: DeserializeOwned>(row: &SqliteRow, table: &str, id: &str, column: &str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    from_json(|| format!("{table} {}, {column}", row.try_get::<String, _>(id).unwrap_or_default()), text)
}

/// Refuses a filter value that no row can have.
fn known(field: &'static str, value: Option<&str>, states: &[&str]) -> Result<(), ViewError> {
    match value {
        Some(value) if !states.contains(&value) => {
            Err(ViewError::Invalid { field, reason: format!("is {value:?}, must be one of {}", states.join(", ")) })
        }
        _ => Ok(()),
    }
}
