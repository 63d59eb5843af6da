//! The doors to the gateway: REST, gRPC, status page, metrics.
//!
//! A request is checked (`access`, `extract`), answered from [`crate::store::views`] or
//! handed to [`Control`], and written out. REST (`rest`) and gRPC (`grpc`) differ only in
//! how they write; what may go wrong is one type, [`ApiError`]. Nothing here decides or
//! stores anything.

mod access;
mod error;
mod extract;
mod grpc;
mod health;
mod history;
mod openapi;
mod overview;
mod page;
mod rest;
#[cfg(test)]
mod tests;

pub use error::{ApiError, ErrorBody, ErrorCode, ErrorDetail};
pub use grpc::{proto, serve_grpc};
pub use health::{Component, Health, HealthReport};
pub use history::{HistoryRead, Point};
pub use openapi::document;
pub use overview::{MessageCounts, Overview};
pub use rest::{router, serve_http};

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::control::Control;
use crate::store::Store;

/// Largest request body: the largest request, a completed visit with its parts, is a few kilobytes.
const MAX_BODY: usize = 64 * 1024;

/// Longest time for one request. Views take milliseconds; a write waits for the one before it.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// What the doors lead to; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// For reads.
    pub store: Store,
    /// For everything else.
    pub control: Control,
    /// The gateway's clock.
    pub clock: Clock,
    /// Renders all metrics as Prometheus text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How the gateway is; asked often, so it only reads counters.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
    /// Readings of the past.
    pub history: Arc<dyn HistoryRead>,
}

/// How long requests under way may still take at shutdown; page and programs ask anew elsewhere.
const SHUTDOWN_TIME: Duration = Duration::from_secs(3);

/// Runs a server that ends by itself once its token is cancelled; drops it (`None`) if it
/// then does not, because a caller holds a stream open or reads slowly.
async fn until_shut_down<S: Future>(
    shutdown: impl Future<Output = ()> + Send + 'static,
    serve: impl FnOnce(CancellationToken) -> S,
) -> Option<S::Output> {
    let stop = CancellationToken::new();
    let server = serve(stop.clone());
    let deadline = async {
        shutdown.await;
        stop.cancel();
        tokio::time::sleep(SHUTDOWN_TIME).await;
    };
    tokio::select! {
        ended = server => Some(ended),
        () = deadline => None,
    }
}
