//! Reads path, query and body; what does not read is answered in our shape.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::{ApiError, ApiState, ErrorCode};

/// The `{id}` of the path.
pub(super) struct Id(pub(super) String);

impl FromRequestParts<ApiState> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let unreadable = |reason: String| ApiError::in_field(ErrorCode::Malformed, "id", reason);
        let params =
            RawPathParams::from_request_parts(parts, state).await.map_err(|error| unreadable(error.body_text()))?;
        let id = params.iter().find(|(name, _)| *name == "id").map(|(_, id)| Self(id.to_owned()));
        id.ok_or_else(|| unreadable("is missing".into()))
    }
}

/// The query's parameters; unknown ones are refused, so that a misspelt filter does not show everything.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<ApiState> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
            .map(Self)
            .map_err(|error| malformed("query", error.path(), error.inner()))
    }
}

/// What the `Authorization` header says.
pub(super) fn authorization(request: &Request) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
}

/// Reads a JSON body. A function, not an extractor, so that a handler asks for the token first.
pub(super) async fn json<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !media.is_some_and(is_json) {
        return Err(ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "the body must be JSON: send `Content-Type: application/json`",
        ));
    }
    let body = Bytes::from_request(request, &()).await.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(ErrorCode::TooLarge, format!("the body has more than {} bytes", super::MAX_BODY))
        }
        _ => ApiError::in_field(ErrorCode::Malformed, "body", error.body_text()),
    })?;
    let mut json = serde_json::Deserializer::from_slice(&body);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| malformed("body", error.path(), error.inner()))?;
    json.end().map_err(|error| ApiError::in_field(ErrorCode::Malformed, "body", error.to_string()))?;
    Ok(value)
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Where the path stops at the whole, the reason names the field.
fn malformed(whole: &str, path: &serde_path_to_error::Path, reason: &dyn std::fmt::Display) -> ApiError {
    let path = path.to_string();
    let field = if path == "." || path.contains('?') { whole.to_owned() } else { path };
    ApiError::in_field(ErrorCode::Malformed, field, reason.to_string())
}
