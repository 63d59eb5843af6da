//! The standard health service, answered from the gateway's own health.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// How often a watcher's answer is looked at anew.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Names that may be asked for; the empty one is the gateway as a whole.
const SERVICES: [&str; 2] = ["", "fettle.api.v1.Gateway"];

/// Answers for the gateway.
pub(super) struct GatewayHealth {
    pub(super) health: Arc<dyn Fn() -> crate::api::Health + Send + Sync>,
    /// Ends the watchers.
    pub(super) stop: CancellationToken,
}

type Watched = Result<HealthCheckResponse, Status>;

#[tonic::async_trait]
impl Health for GatewayHealth {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !SERVICES.contains(&service.as_str()) {
            return Err(Status::not_found(format!("there is no service {service:?}")));
        }
        Ok(Response::new(response(status(&*self.health))))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Watched> + Send>>;

    /// The status now, then each change; an unknown service is told so and may come later.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let known = SERVICES.contains(&request.get_ref().service.as_str());
        let health = self.health.clone();
        let look = move || if known { status(&*health) } else { ServingStatus::ServiceUnknown };
        let changes = stream::unfold((ticks(), None), move |(mut ticks, last)| {
            let look = look.clone();
            async move {
                loop {
                    ticks.tick().await;
                    let now = look();
                    if last != Some(now) {
                        return Some((Ok(response(now)), (ticks, Some(now))));
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(changes.take_until(self.stop.clone().cancelled_owned()))))
    }
}

/// The first tick comes at once.
fn ticks() -> Interval {
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn status(health: &dyn Fn() -> crate::api::Health) -> ServingStatus {
    if health().is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
