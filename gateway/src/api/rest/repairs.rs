//! What is done about it from afar.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::access::Act;
use crate::api::extract::{Id, Query, authorization, json};
use crate::api::openapi::{ActErrors, ItemErrors, ListErrors};
use crate::api::{ApiError, ApiState};
use crate::control::IssueRepair;
use crate::store::views::{self, Page, Repair, RepairDetail, RepairFilter};

/// Remote repairs, newest first.
#[utoipa::path(
    get, path = "/api/v1/repairs", tag = "repairs", operation_id = "repairs", params(RepairFilter),
    responses((status = 200, description = "A page of repairs", body = Page<Repair>), ListErrors)
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(filter): Query<RepairFilter>,
) -> Result<Json<Page<Repair>>, ApiError> {
    Ok(Json(views::repairs(&state.store, &filter).await?))
}

/// One repair with each step and its evidence.
#[utoipa::path(
    get, path = "/api/v1/repairs/{id}", tag = "repairs", operation_id = "repair",
    params(("id" = String, Path, description = "Repair id")),
    responses((status = 200, description = "The repair", body = RepairDetail), ItemErrors)
)]
pub(super) async fn one(State(state): State<ApiState>, Id(id): Id) -> Result<Json<RepairDetail>, ApiError> {
    let repair = views::repair(&state.store, &id).await?;
    repair.map(Json).ok_or_else(|| ApiError::not_found("repair", &id))
}

/// A repair that was planned.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Issued {
    /// Its id.
    id: String,
}

/// Plans a remote repair. Role: support. Classes R3 and R4 then wait for approval.
#[utoipa::path(
    post, path = "/api/v1/repairs", tag = "repairs", operation_id = "issue_repair", request_body = IssueRepair,
    security(("bearer" = [])),
    responses((status = 201, description = "It is planned", body = Issued), ActErrors)
)]
pub(super) async fn issue(
    State(state): State<ApiState>,
    request: Request,
) -> Result<(StatusCode, Json<Issued>), ApiError> {
    let actor = state.admit(authorization(&request), Act::IssueRepair).await?;
    let repair = json::<IssueRepair>(request).await?;
    let id = state.control.issue_repair(repair, &actor).await?;
    Ok((StatusCode::CREATED, Json(Issued { id })))
}

/// What the approver saw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    /// The `body_hash` of the repair as it was shown.
    body_hash: String,
}

/// Approves a repair that waits for it. Role: approver, and not who issued it.
#[utoipa::path(
    post, path = "/api/v1/repairs/{id}/approve", tag = "repairs", operation_id = "approve_repair",
    params(("id" = String, Path, description = "Repair id")), request_body = Approval,
    security(("bearer" = [])),
    responses((status = 204, description = "It is approved"), ActErrors)
)]
pub(super) async fn approve(
    State(state): State<ApiState>,
    Id(id): Id,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization(&request), Act::ApproveRepair).await?;
    let approval = json::<Approval>(request).await?;
    state.control.approve_repair(&id, &approval.body_hash, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Cancels a repair that has not been sent. Role: support.
#[utoipa::path(
    post, path = "/api/v1/repairs/{id}/cancel", tag = "repairs", operation_id = "cancel_repair",
    params(("id" = String, Path, description = "Repair id")),
    security(("bearer" = [])),
    responses((status = 204, description = "It is canceled"), ActErrors)
)]
pub(super) async fn cancel(
    State(state): State<ApiState>,
    Id(id): Id,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization(&request), Act::CancelRepair).await?;
    state.control.cancel_repair(&id, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
