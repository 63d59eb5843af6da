//! Readings of the past, as the API needs them.

use futures::future::BoxFuture;
use serde::Serialize;
use utoipa::ToSchema;

/// Most points of one answer: a datapoint reported every 20 s for a day.
pub(super) const MAX_POINTS: usize = 5_000;

/// Reads readings of the past.
pub trait HistoryRead: Send + Sync {
    /// The numbers of one datapoint of a device with `from_ms <= at_ms < to_ms`, oldest
    /// first; the oldest `limit` of them if there are more. True and false count as 1 and
    /// 0; texts are left out. An unknown device or datapoint has none.
    ///
    /// # Errors
    /// Why the history cannot be read, for the log.
    fn points<'a>(
        &'a self,
        device: &'a str,
        metric: &'a str,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Point>, String>>;
}

/// One number of one datapoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Point {
    /// Device time, or the time of receipt if the device told none; epoch milliseconds.
    pub at_ms: i64,
    /// The device's boot; absent if the message was not numbered.
    pub boot_id: Option<u64>,
    /// The message's number in that boot; absent if the message was not numbered.
    pub seq: Option<u64>,
    /// In the unit of the catalogue.
    pub value: f64,
}
