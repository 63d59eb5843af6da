//! gRPC over tonic, with reflection and health.

mod health;
/// The generated messages, client and server.
#[allow(missing_docs, clippy::all)]
pub mod proto {
    tonic::include_proto!("fettle.api.v1");
}
mod requests;
mod responses;
mod value;

use std::future::Future;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::access::Act;
use super::{ApiError, ApiState, MAX_BODY, REQUEST_TIME, until_shut_down};
use crate::store::views;
use proto::gateway_server::{Gateway, GatewayServer};

/// The service's description for reflection.
const DESCRIPTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gateway.fds"));

/// Serves gRPC until `shutdown`, then lets requests under way end, within a few seconds.
///
/// # Errors
/// When the listener fails.
pub async fn serve_grpc(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tonic::transport::Error> {
    until_shut_down(shutdown, |stop| {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let routes = routes(state, stop.clone());
        tonic::transport::Server::builder()
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
    })
    .await
    .unwrap_or(Ok(()))
}

/// The API, its health and its description; open streams end at `stop`.
fn routes(state: ApiState, stop: CancellationToken) -> Routes {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTION)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors were compiled with this binary");
    let health = health::GatewayHealth { health: state.health.clone(), stop };
    Routes::new(GatewayServer::new(Door(state)).max_decoding_message_size(MAX_BODY))
        .add_service(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(reflection)
}

/// The gRPC door to the gateway.
struct Door(ApiState);

type Answer<T> = Result<Response<T>, Status>;

/// Writes out what was answered in time.
async fn answer<T, V: Into<T>>(work: impl Future<Output = Result<V, ApiError>>) -> Answer<T> {
    match tokio::time::timeout(REQUEST_TIME, work).await {
        Ok(Ok(view)) => Ok(Response::new(view.into())),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(ApiError::too_slow().into()),
    }
}

/// The `authorization` metadata and the message.
fn open<T>(request: Request<T>) -> (Option<String>, T) {
    let authorization = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    (authorization.map(str::to_owned), request.into_inner())
}

#[tonic::async_trait]
impl Gateway for Door {
    async fn list_devices(&self, request: Request<proto::ListDevicesRequest>) -> Answer<proto::ListDevicesResponse> {
        let filter = request.into_inner().into();
        answer(async { Ok(views::devices(&self.0.store, &filter, self.0.seen_since()).await?) }).await
    }

    async fn get_device(&self, request: Request<proto::GetDeviceRequest>) -> Answer<proto::DeviceDetail> {
        let id = request.into_inner().id;
        answer(async {
            let device = views::device(&self.0.store, &id, self.0.seen_since()).await?;
            device.ok_or_else(|| ApiError::not_found("device", &id))
        })
        .await
    }

    async fn list_findings(&self, request: Request<proto::ListFindingsRequest>) -> Answer<proto::ListFindingsResponse> {
        let filter = request.into_inner().into();
        answer(async { Ok(views::findings(&self.0.store, &filter).await?) }).await
    }

    async fn get_finding(&self, request: Request<proto::GetFindingRequest>) -> Answer<proto::FindingDetail> {
        let id = request.into_inner().id;
        answer(async {
            let finding = views::finding(&self.0.store, &id).await?;
            finding.ok_or_else(|| ApiError::not_found("finding", &id))
        })
        .await
    }

    async fn list_repairs(&self, request: Request<proto::ListRepairsRequest>) -> Answer<proto::ListRepairsResponse> {
        let filter = request.into_inner().into();
        answer(async { Ok(views::repairs(&self.0.store, &filter).await?) }).await
    }

    async fn get_repair(&self, request: Request<proto::GetRepairRequest>) -> Answer<proto::RepairDetail> {
        let id = request.into_inner().id;
        answer(async {
            let repair = views::repair(&self.0.store, &id).await?;
            repair.ok_or_else(|| ApiError::not_found("repair", &id))
        })
        .await
    }

    async fn issue_repair(&self, request: Request<proto::IssueRepairRequest>) -> Answer<proto::IssueRepairResponse> {
        let (authorization, request) = open(request);
        answer(async {
            let actor = self.0.admit(authorization.as_deref(), Act::IssueRepair).await?;
            let id = self.0.control.issue_repair(request.try_into()?, &actor).await?;
            Ok(proto::IssueRepairResponse { id })
        })
        .await
    }

    async fn approve_repair(
        &self,
        request: Request<proto::ApproveRepairRequest>,
    ) -> Answer<proto::ApproveRepairResponse> {
        let (authorization, request) = open(request);
        answer(async {
            let actor = self.0.admit(authorization.as_deref(), Act::ApproveRepair).await?;
            self.0.control.approve_repair(&request.id, &request.body_hash, &actor).await?;
            Ok(proto::ApproveRepairResponse {})
        })
        .await
    }

    async fn cancel_repair(&self, request: Request<proto::CancelRepairRequest>) -> Answer<proto::CancelRepairResponse> {
        let (authorization, request) = open(request);
        answer(async {
            let actor = self.0.admit(authorization.as_deref(), Act::CancelRepair).await?;
            self.0.control.cancel_repair(&request.id, &actor).await?;
            Ok(proto::CancelRepairResponse {})
        })
        .await
    }

    async fn list_work_orders(
        &self,
        request: Request<proto::ListWorkOrdersRequest>,
    ) -> Answer<proto::ListWorkOrdersResponse> {
        let filter = request.into_inner().into();
        answer(async { Ok(views::orders(&self.0.store, &filter).await?) }).await
    }

    async fn get_work_order(&self, request: Request<proto::GetWorkOrderRequest>) -> Answer<proto::WorkOrderDetail> {
        let id = request.into_inner().id;
        answer(async {
            let order = views::order(&self.0.store, &id).await?;
            order.ok_or_else(|| ApiError::not_found("work order", &id))
        })
        .await
    }

    async fn step_work_order(
        &self,
        request: Request<proto::StepWorkOrderRequest>,
    ) -> Answer<proto::StepWorkOrderResponse> {
        let (authorization, request) = open(request);
        answer(async {
            let actor = self.0.admit(authorization.as_deref(), Act::StepOrder).await?;
            let step = requests::order_step(request.step)?;
            self.0.control.step_order(&request.id, request.version, step, &actor).await?;
            Ok(proto::StepWorkOrderResponse {})
        })
        .await
    }

    async fn list_stock(&self, request: Request<proto::ListStockRequest>) -> Answer<proto::ListStockResponse> {
        let filter = request.into_inner().into();
        answer(async { Ok(views::stock(&self.0.store, &filter).await?) }).await
    }
}
