//! The description of the REST API.

use std::collections::BTreeMap;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response};
use utoipa::{IntoResponses, Modify, OpenApi as _};

use super::error::{ErrorBody, ErrorCode};

/// The OpenAPI document that `/api/openapi.json` serves.
pub fn document() -> OpenApi {
    super::rest::routes().into_openapi()
}

/// The document without its paths, which the routes add.
pub(super) fn head() -> OpenApi {
    Head::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Fettle gateway",
        description = "Devices and their identity, findings, remote repairs, work orders and stock.\n\n\
            Times are epoch milliseconds of the gateway's clock, which may run fast in a demo. Lists are paged: \
            at most 500 items, `next` of one page is `after` of the following one. Every error has the shape of \
            `ErrorBody`. Reads need no token; everything else needs one with the role named."
    ),
    tags(
        (name = "fleet", description = "Devices and what they said"),
        (name = "identity", description = "Who may connect"),
        (name = "findings", description = "What is wrong"),
        (name = "repairs", description = "What is done about it from afar"),
        (name = "work orders", description = "What is done about it on site"),
        (name = "stock", description = "Parts and where they lie"),
        (name = "gateway", description = "The gateway itself")
    ),
    components(schemas(ErrorBody)),
    modifiers(&Bearer)
)]
struct Head;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of the gateway; its role decides what it may do."))
            .build();
        document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// What may go wrong with anything.
pub(super) struct AnyErrors;

/// What may go wrong with a list.
pub(super) struct ListErrors;

/// What may go wrong with one item.
pub(super) struct ItemErrors;

/// What may go wrong with an act.
pub(super) struct ActErrors;

impl IntoResponses for AnyErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[])
    }
}

impl IntoResponses for ListErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[ErrorCode::Malformed])
    }
}

impl IntoResponses for ItemErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[ErrorCode::Malformed, ErrorCode::NotFound])
    }
}

impl IntoResponses for ActErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        use ErrorCode as E;
        errors(&[
            E::Malformed,
            E::Unauthenticated,
            E::Forbidden,
            E::NotFound,
            E::Conflict,
            E::TooLarge,
            E::UnsupportedMediaType,
            E::Invalid,
        ])
    }
}

/// These, and what may go wrong with any request.
fn errors(codes: &[ErrorCode]) -> BTreeMap<String, RefOr<Response>> {
    let any = [ErrorCode::Internal, ErrorCode::Unavailable, ErrorCode::Timeout];
    codes.iter().chain(&any).map(|code| (code.http().as_u16().to_string(), RefOr::T(error(*code)))).collect()
}

fn error(code: ErrorCode) -> Response {
    let mut response = Response::new(code.meaning());
    let body = Content::builder().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    response.content.insert("application/json".to_owned(), body.into());
    response
}
