//! State in one SQLite file: devices, findings, repairs, work orders, parts, audit.
//!
//! One connection writes, each write transaction begins with `BEGIN IMMEDIATE` and
//! is on disk when it commits. Others only read, and see the last commit.

pub mod audit;
pub mod changes;
pub mod views;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use thiserror::Error;

/// Readers at a time: the API's pages are short, two cores serve no more.
const READERS: u32 = 4;

/// How long a writer waits for the one before it; a checkpoint of 100,000 devices takes seconds.
const WRITE_WAIT: Duration = Duration::from_secs(30);

/// Schema versions in order; each runs once.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("outbox_expiry.sql"),
    include_str!("identity.sql"),
    include_str!("models.sql"),
];

/// Why state could not be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database refused or failed.
    #[error("state database: {0}")]
    Database(#[from] sqlx::Error),
    /// The file was written by a newer gateway.
    #[error("state database has schema {found}, this gateway knows up to {known}: use the newer gateway")]
    TooNew {
        /// Version in the file.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A stored JSON text does not read back.
    #[error("{what} in the state database does not read back: {source}")]
    Corrupt {
        /// Table and row.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// A write transaction.
pub type Write = Transaction<'static, Sqlite>;

/// The state database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the file, creating it or bringing its schema up to date.
    ///
    /// # Errors
    /// When the file is no database, cannot be written, or is of a newer gateway.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WRITE_WAIT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WRITE_WAIT)
            .connect_with(options.clone())
            .await?;
        migrate(&writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// Begins the write transaction; there is one at a time.
    ///
    /// # Errors
    /// When the database fails or the writer before this one does not end.
    pub async fn write(&self) -> Result<Write, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Connections that only read.
    pub fn read(&self) -> &SqlitePool {
        &self.readers
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(writer).await?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for (version, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let mut write = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*sql).execute(&mut *write).await?;
        // A pragma takes no parameter; the number is ours.
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"))).execute(&mut *write).await?;
        write.commit().await?;
    }
    Ok(())
}

/// Writes a value as the JSON text of a column.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our types have text keys only, so JSON can hold them")
}

/// Reads a column's JSON text back; `what` names table and row for the error.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    what: impl FnOnce() -> String,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Corrupt { what: what(), source })
}
