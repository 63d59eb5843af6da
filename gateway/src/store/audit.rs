//! The audit log: each entry's hash covers the one before it.

use firmware_proto::ServerTime;
use sha2::{Digest, Sha256};

use super::{StoreError, Write};
use crate::auth::hex;

/// Appends one entry inside the transaction that does what it tells of.
pub(crate) async fn append(
    write: &mut Write,
    at: ServerTime,
    actor: &str,
    what: &str,
    subject: &str,
    detail: &str,
) -> Result<(), StoreError> {
    let last: Option<(i64, String)> = sqlx::query_as("SELECT entry, hash FROM audit ORDER BY entry DESC LIMIT 1")
        .fetch_optional(&mut **write)
        .await?;
    let (entry, before) = last.map_or((1, String::new()), |(entry, hash)| (entry + 1, hash));
    let hash = chain(&before, entry, at, [actor, what, subject, detail]);
    sqlx::query(
        "INSERT INTO audit (entry, at_ms, actor, what, subject, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(entry)
    .bind(at.ms())
    .bind(actor)
    .bind(what)
    .bind(subject)
    .bind(detail)
    .bind(hash)
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// SHA-256 over the hash before and the entry's fields, each preceded by its length.
fn chain(before: &str, entry: i64, at: ServerTime, texts: [&str; 4]) -> String {
    let mut hash = Sha256::new();
    hash.update(before.as_bytes());
    hash.update(entry.to_be_bytes());
    hash.update(at.ms().to_be_bytes());
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex(&hash.finalize())
}

/// Checks the chain from its first entry.
///
/// # Errors
/// The inner error is the number of the first entry whose hash does not fit.
pub async fn verify(store: &super::Store) -> Result<Result<i64, i64>, StoreError> {
    use futures::TryStreamExt as _;
    type Row = (i64, i64, String, String, String, String, String);
    let mut rows =
        sqlx::query_as::<_, Row>("SELECT entry, at_ms, actor, what, subject, detail, hash FROM audit ORDER BY entry")
            .fetch(store.read());
    let (mut before, mut count) = (String::new(), 0);
    while let Some((entry, at, actor, what, subject, detail, hash)) = rows.try_next().await? {
        count += 1;
        if entry != count || hash != chain(&before, entry, ServerTime(at), [&actor, &what, &subject, &detail]) {
            return Ok(Err(entry));
        }
        before = hash;
    }
    Ok(Ok(count))
}
