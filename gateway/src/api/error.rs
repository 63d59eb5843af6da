//! What went wrong, in one shape for REST and gRPC.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tonic::metadata::MetadataValue;
use utoipa::ToSchema;

use crate::control::ControlError;
use crate::store::StoreError;
use crate::store::views::ViewError;

/// Kinds of errors; a caller may branch on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the request does not read.
    Malformed,
    /// 401: no token, or an unknown one.
    Unauthenticated,
    /// 403: the token's role does not allow it, or the same person would decide twice.
    Forbidden,
    /// 404: no such thing.
    NotFound,
    /// 405: the route has other methods.
    MethodNotAllowed,
    /// 409: not in this state, or somebody else was faster.
    Conflict,
    /// 413: the body is too large.
    TooLarge,
    /// 415: the body is not JSON.
    UnsupportedMediaType,
    /// 422: a field's value is not possible.
    Invalid,
    /// 500: a fault of the gateway; its log has more.
    Internal,
    /// 503: shutting down, or busy.
    Unavailable,
    /// 504: it took too long; what was asked for may still be done.
    Timeout,
}

impl ErrorCode {
    /// For the API's description.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Malformed => "The request does not read",
            Self::Unauthenticated => "No token, or an unknown one",
            Self::Forbidden => "The token's role does not allow it, or the same person would decide twice",
            Self::NotFound => "No such thing",
            Self::MethodNotAllowed => "The route has other methods",
            Self::Conflict => "Not in this state, or somebody else was faster",
            Self::TooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body is not JSON",
            Self::Invalid => "A field's value is not possible",
            Self::Internal => "A fault of the gateway; its log has more",
            Self::Unavailable => "Shutting down, or busy",
            Self::Timeout => "It took too long; what was asked for may still be done",
        }
    }

    pub(super) fn http(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn grpc(self) -> tonic::Code {
        match self {
            Self::Malformed | Self::Invalid | Self::UnsupportedMediaType => tonic::Code::InvalidArgument,
            Self::Unauthenticated => tonic::Code::Unauthenticated,
            Self::Forbidden => tonic::Code::PermissionDenied,
            Self::NotFound => tonic::Code::NotFound,
            Self::MethodNotAllowed => tonic::Code::Unimplemented,
            Self::Conflict => tonic::Code::FailedPrecondition,
            Self::TooLarge => tonic::Code::ResourceExhausted,
            Self::Internal => tonic::Code::Internal,
            Self::Unavailable => tonic::Code::Unavailable,
            Self::Timeout => tonic::Code::DeadlineExceeded,
        }
    }
}

/// An error as REST writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Of which kind.
    pub code: ErrorCode,
    /// For people: what is wrong, and what would be right.
    pub message: String,
    /// The field or parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError(ErrorDetail);

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(ErrorDetail { code, message: message.into(), field: None })
    }

    pub(super) fn in_field(code: ErrorCode, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self(ErrorDetail { code, message: message.into(), field: Some(field.into()) })
    }

    pub(super) fn not_found(what: &str, id: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {what} {id:?}"))
    }

    pub(super) fn too_slow() -> Self {
        Self::new(
            ErrorCode::Timeout,
            "this took too long; what was asked for may still be done: look before asking again",
        )
    }

    /// A fault of the gateway: logged here, and not told to the caller.
    pub(super) fn internal(what: &'static str, error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "{what} failed a request");
        Self::new(ErrorCode::Internal, format!("{what} failed; the gateway's log says why"))
    }

    /// Of which kind it is.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            // All readers are busy: more of the same would not help.
            StoreError::Database(sqlx::Error::PoolTimedOut) => {
                Self::new(ErrorCode::Unavailable, "the gateway is busy: try again later")
            }
            StoreError::Database(sqlx::Error::PoolClosed) => ControlError::Closed.into(),
            error => Self::internal("the state database", &error),
        }
    }
}

impl From<ViewError> for ApiError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Store(error) => error.into(),
            ViewError::Invalid { field, reason } => Self::in_field(ErrorCode::Malformed, field, reason),
        }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound(message) => Self::new(ErrorCode::NotFound, message),
            ControlError::Conflict(message) => Self::new(ErrorCode::Conflict, message),
            ControlError::Invalid { field, reason } => Self::in_field(ErrorCode::Invalid, field, reason),
            ControlError::Forbidden(message) => Self::new(ErrorCode::Forbidden, message),
            ControlError::Busy(message) => Self::new(ErrorCode::Unavailable, message),
            ControlError::Closed => Self::new(ErrorCode::Unavailable, error.to_string()),
            ControlError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.0.code;
        let mut response = (code.http(), axum::Json(ErrorBody { error: self.0 })).into_response();
        if code == ErrorCode::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<ApiError> for tonic::Status {
    /// The field goes before the message, and alone into the metadata `field`.
    fn from(error: ApiError) -> Self {
        let ErrorDetail { code, message, field } = error.0;
        let Some(field) = field else { return Self::new(code.grpc(), message) };
        let mut status = Self::new(code.grpc(), format!("{field}: {message}"));
        if let Ok(field) = MetadataValue::try_from(&field) {
            status.metadata_mut().insert("field", field);
        }
        status
    }
}
