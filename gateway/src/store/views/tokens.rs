//! Who holds a token.

use crate::auth::{Actor, Role, token_hash};
use crate::store::{Store, StoreError};

/// Who showed this token; nobody if it is not stored, or its role is not known here.
///
/// # Errors
/// When the database fails.
pub async fn authenticate(store: &Store, token: &str) -> Result<Option<Actor>, StoreError> {
    let row: Option<(String, String)> = sqlx::query_as("SELECT name, role FROM token WHERE sha256 = $1")
        .bind(token_hash(token))
        .fetch_optional(store.read())
        .await?;
    Ok(row.and_then(|(name, role)| Some(Actor { name, role: Role::parse(&role)? })))
}
