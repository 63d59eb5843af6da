//! Who may connect.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::api::access::Act;
use crate::api::extract::{Id, Query, authorization, json};
use crate::api::openapi::{ActErrors, ListErrors};
use crate::api::{ApiError, ApiState};
use crate::control::{AccountLogin, ClaimTicket, DeviceLogin, NewAccount, NewClaim, NewCredentials};
use crate::store::views::{self, AccountFilter, ClaimFilter, OpenClaim, Page, ServiceAccount};

/// Replaces a device's token or password, and ends its connection. Role: admin. A token that is made is shown this
/// once.
#[utoipa::path(
    post, path = "/api/v1/devices/{id}/credentials", tag = "identity", operation_id = "replace_credentials",
    params(("id" = String, Path, description = "Device id")), request_body = NewCredentials,
    security(("bearer" = [])),
    responses((status = 200, description = "Its new MQTT login", body = DeviceLogin), ActErrors)
)]
pub(super) async fn replace_credentials(
    State(state): State<ApiState>,
    Id(id): Id,
    request: Request,
) -> Result<Json<DeviceLogin>, ApiError> {
    let actor = state.admit(authorization(&request), Act::ManageAccess).await?;
    let new = json::<NewCredentials>(request).await?;
    Ok(Json(state.control.replace_credentials(&id, new, &actor).await?))
}

/// Keeps a device out, and ends its connection. Role: admin. A second time changes nothing.
#[utoipa::path(
    post, path = "/api/v1/devices/{id}/block", tag = "identity", operation_id = "block_device",
    params(("id" = String, Path, description = "Device id")), security(("bearer" = [])),
    responses((status = 204, description = "It may not connect"), ActErrors)
)]
pub(super) async fn block(State(state): State<ApiState>, Id(id): Id, request: Request) -> Result<StatusCode, ApiError> {
    set_blocked(&state, &id, true, authorization(&request)).await
}

/// Lets a blocked device in again. Role: admin. A second time changes nothing.
#[utoipa::path(
    post, path = "/api/v1/devices/{id}/unblock", tag = "identity", operation_id = "unblock_device",
    params(("id" = String, Path, description = "Device id")), security(("bearer" = [])),
    responses((status = 204, description = "It may connect"), ActErrors)
)]
pub(super) async fn unblock(
    State(state): State<ApiState>,
    Id(id): Id,
    request: Request,
) -> Result<StatusCode, ApiError> {
    set_blocked(&state, &id, false, authorization(&request)).await
}

async fn set_blocked(
    state: &ApiState,
    id: &str,
    blocked: bool,
    authorization: Option<&str>,
) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization, Act::ManageAccess).await?;
    state.control.block_device(id, blocked, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Claims that can still be used, newest first, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/claims", tag = "identity", operation_id = "claims", params(ClaimFilter),
    responses((status = 200, description = "A page of open claims", body = Page<OpenClaim>), ListErrors)
)]
pub(super) async fn claims(
    State(state): State<ApiState>,
    Query(filter): Query<ClaimFilter>,
) -> Result<Json<Page<OpenClaim>>, ApiError> {
    Ok(Json(views::claims(&state.store, &filter, state.clock.now()).await?))
}

/// Makes a claim, with which one device registers itself. Role: admin. It is shown this once.
#[utoipa::path(
    post, path = "/api/v1/claims", tag = "identity", operation_id = "add_claim", request_body = NewClaim,
    security(("bearer" = [])),
    responses((status = 201, description = "The claim", body = ClaimTicket), ActErrors)
)]
pub(super) async fn add_claim(
    State(state): State<ApiState>,
    request: Request,
) -> Result<(StatusCode, Json<ClaimTicket>), ApiError> {
    let actor = state.admit(authorization(&request), Act::ManageAccess).await?;
    let claim = json::<NewClaim>(request).await?;
    Ok((StatusCode::CREATED, Json(state.control.add_claim(claim, &actor).await?)))
}

/// Withdraws a claim that has not been used. Role: admin.
#[utoipa::path(
    delete, path = "/api/v1/claims/{id}", tag = "identity", operation_id = "withdraw_claim",
    params(("id" = String, Path, description = "Claim id")), security(("bearer" = [])),
    responses((status = 204, description = "It cannot be used any more"), ActErrors)
)]
pub(super) async fn withdraw_claim(
    State(state): State<ApiState>,
    Id(id): Id,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization(&request), Act::ManageAccess).await?;
    state.control.withdraw_claim(&id, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Service accounts by name, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/service-accounts", tag = "identity", operation_id = "service_accounts",
    params(AccountFilter),
    responses((status = 200, description = "A page of service accounts", body = Page<ServiceAccount>), ListErrors)
)]
pub(super) async fn accounts(
    State(state): State<ApiState>,
    Query(filter): Query<AccountFilter>,
) -> Result<Json<Page<ServiceAccount>>, ApiError> {
    Ok(Json(views::accounts(&state.store, &filter).await?))
}

/// Adds or replaces a service account, and ends connections with the old one. Role: admin. The password is always a
/// new one, and shown this once.
#[utoipa::path(
    put, path = "/api/v1/service-accounts/{id}", tag = "identity", operation_id = "put_service_account",
    params(("id" = String, Path, description = "Name of the account: letters, digits, `.`, `_`, `-`")),
    request_body = NewAccount, security(("bearer" = [])),
    responses((status = 200, description = "Its MQTT login", body = AccountLogin), ActErrors)
)]
pub(super) async fn put_account(
    State(state): State<ApiState>,
    Id(name): Id,
    request: Request,
) -> Result<Json<AccountLogin>, ApiError> {
    let actor = state.admit(authorization(&request), Act::ManageAccess).await?;
    let account = json::<NewAccount>(request).await?;
    Ok(Json(state.control.put_account(&name, account, &actor).await?))
}

/// Removes a service account, and ends its connections. Role: admin.
#[utoipa::path(
    delete, path = "/api/v1/service-accounts/{id}", tag = "identity", operation_id = "remove_service_account",
    params(("id" = String, Path, description = "Name of the account")), security(("bearer" = [])),
    responses((status = 204, description = "It is gone"), ActErrors)
)]
pub(super) async fn remove_account(
    State(state): State<ApiState>,
    Id(name): Id,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let actor = state.admit(authorization(&request), Act::ManageAccess).await?;
    state.control.remove_account(&name, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
