//! Who may do what over the API.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// What a token allows; a higher role includes none of the others except `Admin`, which includes all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Issues remote repairs of class R0 to R2.
    Support,
    /// Approves repairs that need a second person.
    Approver,
    /// Moves work orders, keeps technicians and stock.
    Dispatcher,
    /// Everything, also devices and tokens.
    Admin,
}

impl Role {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Approver => "approver",
            Self::Dispatcher => "dispatcher",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Role::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Support, Self::Approver, Self::Dispatcher, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }

    /// Whether a holder of this role may do what `needed` may.
    pub fn allows(self, needed: Self) -> bool {
        self == needed || self == Self::Admin
    }
}

/// A person or program that showed a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The token's name, as it appears in timelines and the audit log.
    pub name: String,
    /// What it allows.
    pub role: Role,
}

/// A new random secret: 256 bits, so that a plain SHA-256 at rest is enough.
pub fn new_token() -> String {
    hex(&rand::random::<[u8; 32]>())
}

/// What is stored of a token.
pub fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
