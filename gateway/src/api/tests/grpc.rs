use std::net::SocketAddr;

use prost_types::value::Kind;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::door::{Door, PATIENCE, health};
use crate::api::proto::gateway_client::GatewayClient;
use crate::api::proto::step_work_order_request::{Accept, Step};
use crate::api::proto::*;
use crate::api::serve_grpc;

/// A running server and a way to it.
struct Server {
    channel: Channel,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    _door: Door,
}

impl Server {
    async fn start(door: Door) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve_grpc(listener, door.state.clone(), async move {
            stopped.await.ok();
        }));
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Self { channel, stop, task, _door: door }
    }

    fn client(&self) -> GatewayClient<Channel> {
        GatewayClient::new(self.channel.clone())
    }
}

fn with_token<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn told(status: &Status) -> (Code, &str, Option<&str>) {
    let field = status.metadata().get("field").map(|field| field.to_str().unwrap());
    (status.code(), status.message(), field)
}

#[tokio::test]
async fn the_views_come_through() {
    let server = Server::start(Door::open().await).await;
    let mut client = server.client();
    let request = ListDevicesRequest { limit: Some(2), ..Default::default() };
    let page = client.list_devices(request).await.unwrap().into_inner();
    let conditions: Vec<_> = page.devices.iter().map(|device| (&*device.id, &*device.condition)).collect();
    assert_eq!(conditions, [("AC-1", "repairing"), ("AC-2", "finding")]);
    let next = ListDevicesRequest { limit: Some(9), after: page.next, ..Default::default() };
    assert_eq!(client.list_devices(next).await.unwrap().into_inner().devices.len(), 4);

    let device = client.get_device(GetDeviceRequest { id: "AC-1".into() }).await.unwrap().into_inner();
    let Some(Kind::StructValue(readings)) = device.readings.unwrap().kind else { panic!("readings are no object") };
    let Some(Kind::StructValue(room)) = &readings.fields["room_temp_c"].kind else { panic!("{readings:?}") };
    assert_eq!(room.fields["value"].kind, Some(Kind::NumberValue(23.5)));
    let finding = client.get_finding(GetFindingRequest { id: "f-ac1".into() }).await.unwrap().into_inner();
    let evidence = &finding.finding.as_ref().unwrap().evidence;
    assert_eq!(evidence.iter().map(|evidence| evidence.llr).collect::<Vec<_>>(), [Some(4.2), Some(-1.5), None]);
    assert_eq!(finding.repairs.len(), 1);
    let open = ListFindingsRequest { state: Some("open".into()), ..Default::default() };
    assert_eq!(client.list_findings(open).await.unwrap().into_inner().findings.len(), 1);

    let repair = client.get_repair(GetRepairRequest { id: "r-2".into() }).await.unwrap().into_inner();
    assert_eq!(repair.timeline.iter().map(|step| step.step).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(client.list_repairs(ListRepairsRequest::default()).await.unwrap().into_inner().repairs.len(), 3);

    let order = client.get_work_order(GetWorkOrderRequest { id: "w-1".into() }).await.unwrap().into_inner();
    assert_eq!(order.work_order.unwrap().kit[0].location.as_deref(), Some("van 1"));
    let orders = client.list_work_orders(ListWorkOrdersRequest::default()).await.unwrap().into_inner();
    assert_eq!(orders.work_orders.iter().map(|order| order.number).collect::<Vec<_>>(), [2, 1]);
    let stock = client.list_stock(ListStockRequest::default()).await.unwrap().into_inner();
    assert_eq!(stock.stock.iter().map(|stock| stock.available).collect::<Vec<_>>(), [10, 1, 0]);
}

#[tokio::test]
async fn errors_are_those_of_rest() {
    let server = Server::start(Door::open().await).await;
    let mut client = server.client();
    let unknown = client.get_device(GetDeviceRequest { id: "nobody".into() }).await.unwrap_err();
    assert_eq!(told(&unknown), (Code::NotFound, r#"there is no device "nobody""#, None));
    let limit = ListStockRequest { limit: Some(0), ..Default::default() };
    let limit = client.list_stock(limit).await.unwrap_err();
    assert_eq!(told(&limit), (Code::InvalidArgument, "limit: is 0, must be 1 to 500", Some("limit")));

    let issue = IssueRepairRequest { device: "a/b".into(), repair: "x".into() };
    let no_token = client.issue_repair(issue.clone()).await.unwrap_err();
    assert_eq!(no_token.code(), Code::Unauthenticated);
    let wrong_role = client.issue_repair(with_token("approver", issue.clone())).await.unwrap_err();
    assert_eq!(wrong_role.code(), Code::PermissionDenied);
    let bad_id = client.issue_repair(with_token("support", issue)).await.unwrap_err();
    assert_eq!((bad_id.code(), told(&bad_id).2), (Code::InvalidArgument, Some("device")));
    let no_step = StepWorkOrderRequest { id: "w-1".into(), version: 2, step: None };
    let no_step = client.step_work_order(with_token("dispatcher", no_step)).await.unwrap_err();
    assert_eq!((no_step.code(), told(&no_step).2), (Code::InvalidArgument, Some("step")));
}

#[tokio::test]
async fn each_act_needs_its_role() {
    let server = Server::start(Door::open().await).await;
    let mut client = server.client();
    let refused = |status: Status| matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated);
    for token in ["support", "approver", "dispatcher", "admin", "guessed"] {
        let issue = IssueRepairRequest { device: "AC-1".into(), repair: "x".into() };
        let issue = client.issue_repair(with_token(token, issue)).await.map(|_| ()).map_err(refused);
        assert_eq!(issue != Err(true), ["support", "admin"].contains(&token), "issue as {token}");
        let approve = ApproveRepairRequest { id: "r-3".into(), body_hash: "cc33".into() };
        let approve = client.approve_repair(with_token(token, approve)).await.map(|_| ()).map_err(refused);
        assert_eq!(approve != Err(true), ["approver", "admin"].contains(&token), "approve as {token}");
        let cancel = CancelRepairRequest { id: "r-3".into() };
        let cancel = client.cancel_repair(with_token(token, cancel)).await.map(|_| ()).map_err(refused);
        assert_eq!(cancel != Err(true), ["support", "admin"].contains(&token), "cancel as {token}");
        let step = StepWorkOrderRequest { id: "w-1".into(), version: 2, step: Some(Step::Accept(Accept {})) };
        let step = client.step_work_order(with_token(token, step)).await.map(|_| ()).map_err(refused);
        assert_eq!(step != Err(true), ["dispatcher", "admin"].contains(&token), "step as {token}");
    }
}

async fn reflect(channel: Channel, message: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let ServerReflectionResponse { message_response, .. } = answers.message().await.unwrap().unwrap();
    message_response.unwrap()
}

#[tokio::test]
async fn reflection_describes_the_service() {
    let server = Server::start(Door::open().await).await;
    let list = reflect(server.channel.clone(), MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(list) = list else { panic!("{list:?}") };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for name in ["fettle.api.v1.Gateway", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    let symbol = MessageRequest::FileContainingSymbol("fettle.api.v1.Gateway".into());
    let file = reflect(server.channel.clone(), symbol).await;
    assert!(matches!(file, MessageResponse::FileDescriptorResponse(_)), "{file:?}");
}

#[tokio::test]
async fn health_is_the_gateways_own() {
    let mut door = Door::open().await;
    let (tell, told) = tokio::sync::watch::channel(true);
    door.state.health = std::sync::Arc::new(move || health(*told.borrow()));
    let server = Server::start(door).await;
    let mut client = HealthClient::new(server.channel.clone());
    let ask = |service: &str| HealthCheckRequest { service: service.into() };
    for service in ["", "fettle.api.v1.Gateway"] {
        let status = client.check(ask(service)).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service:?}");
    }
    assert_eq!(client.check(ask("nothing")).await.unwrap_err().code(), Code::NotFound);

    let mut watch = client.watch(ask("")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    tell.send(false).unwrap();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let mut unknown = client.watch(ask("nothing")).await.unwrap().into_inner();
    assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);

    // The watchers are still there: they must not hold up the shutdown.
    server.stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
    assert!(watch.message().await.is_ok_and(|end| end.is_none()));
}
