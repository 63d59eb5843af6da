//! Who may ask for what.

use super::{ApiError, ApiState, ErrorCode};
use crate::auth::{Actor, Role};
use crate::store::views;

/// What needs a token. Reads need none: the API listens on loopback unless it has TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    RegisterDevice,
    /// Credentials, claims, blocks, service accounts.
    ManageAccess,
    IssueRepair,
    ApproveRepair,
    CancelRepair,
    StepOrder,
    PutTechnician,
    AddLocation,
    ReceiveStock,
}

impl Act {
    fn role(self) -> Role {
        match self {
            Self::RegisterDevice | Self::ManageAccess => Role::Admin,
            Self::IssueRepair | Self::CancelRepair => Role::Support,
            Self::ApproveRepair => Role::Approver,
            Self::StepOrder | Self::PutTechnician | Self::AddLocation | Self::ReceiveStock => Role::Dispatcher,
        }
    }
}

impl ApiState {
    /// The actor behind an `Authorization` value, if it may do this.
    pub(super) async fn admit(&self, authorization: Option<&str>, act: Act) -> Result<Actor, ApiError> {
        let token = bearer(authorization)?;
        let actor = views::authenticate(&self.store, token)
            .await?
            .ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated, "this token is not known here"))?;
        if actor.role.allows(act.role()) {
            Ok(actor)
        } else {
            Err(ApiError::new(
                ErrorCode::Forbidden,
                format!("this needs the role {}, the token has {}", act.role().as_str(), actor.role.as_str()),
            ))
        }
    }
}

/// The token in `Bearer TOKEN` (RFC 6750, 2.1; the scheme in any case by RFC 9110, 11.1).
fn bearer(authorization: Option<&str>) -> Result<&str, ApiError> {
    authorization
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            ApiError::new(ErrorCode::Unauthenticated, "this needs a token: send `Authorization: Bearer TOKEN`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_counts() {
        assert_eq!(bearer(Some("Bearer abc")).unwrap(), "abc");
        assert_eq!(bearer(Some("bearer  abc ")).unwrap(), "abc");
        for bad in [None, Some(""), Some("abc"), Some("Bearer"), Some("Bearer "), Some("Basic abc")] {
            assert_eq!(bearer(bad).unwrap_err().code(), ErrorCode::Unauthenticated, "{bad:?}");
        }
    }
}
