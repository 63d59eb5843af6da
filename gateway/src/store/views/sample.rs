//! A small fleet on a real file, for tests.

use tempfile::TempDir;

use crate::auth::{Role, token_hash};
use crate::store::Store;

/// Opens a new state database with the fleet of `sample.sql` and one token for each role,
/// named and spelt like the role. The directory lives as long as it is held.
pub(crate) async fn store() -> (Store, TempDir) {
    let (store, dir) = empty().await;
    execute(&store, include_str!("sample.sql")).await;
    let mut write = store.write().await.unwrap();
    for role in [Role::Support, Role::Approver, Role::Dispatcher, Role::Admin] {
        sqlx::query("INSERT INTO token (sha256, name, role, created_ms) VALUES ($1, $2, $2, 0)")
            .bind(token_hash(role.as_str()))
            .bind(role.as_str())
            .execute(&mut *write)
            .await
            .unwrap();
    }
    write.commit().await.unwrap();
    (store, dir)
}

/// Opens a new state database.
pub(crate) async fn empty() -> (Store, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(&dir.path().join("state.db")).await.unwrap(), dir)
}

/// Runs SQL that writes.
pub(crate) async fn execute(store: &Store, sql: &'static str) {
    let mut write = store.write().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut *write).await.unwrap();
    write.commit().await.unwrap();
}
