//! Readings of the past: compressed blocks in one SQLite file per month.
//!
//! A shard pushes accepted rows; they can be read at once. [`HistoryStore::flush`]
//! sorts and compresses them into a block; only then does the shard move its
//! position past them, so that the journal keeps what is not in a block. A block
//! that was written but whose position was not stored is removed at start.
//! Small blocks are merged, so that a slow fleet too ends up with long columns.

mod block;
mod month;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use firmware_proto::{DeviceId, ServerTime};
use jiff::Timestamp;
use thiserror::Error;

pub use block::{DamagedBlock, Row};
use month::Month;

/// Why history could not be read or written.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// A month's file refused or failed.
    #[error("history database: {0}")]
    Database(#[from] sqlx::Error),
    /// A block does not read back.
    #[error(transparent)]
    Damaged(#[from] DamagedBlock),
    /// The directory cannot be read.
    #[error("history directory {dir}: {source}")]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The compression task ended early.
    #[error("history compression did not end: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// A row and whose it is.
#[derive(Debug, Clone)]
pub struct DeviceRow {
    /// Whose.
    pub device: DeviceId,
    /// Its appliance type.
    pub r#type: Arc<str>,
    /// What it said.
    pub row: Row,
}

/// All history; shared by shards and API.
#[derive(Debug)]
pub struct HistoryStore {
    dir: PathBuf,
    pending: Mutex<HashMap<u32, Vec<Arc<DeviceRow>>>>,
    months: tokio::sync::Mutex<BTreeMap<String, Month>>,
}

impl HistoryStore {
    /// Opens the directory; `flushed` tells each shard's stored position, later blocks are removed.
    ///
    /// # Errors
    /// When the directory or one of its files cannot be read.
    pub async fn open(dir: &Path, flushed: &HashMap<u32, u64>) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Directory { dir: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(failed)?;
        let mut months = BTreeMap::new();
        for (name, path) in files(dir).map_err(failed)? {
            let month = Month::open(&path).await?;
            month.forget_after(flushed).await?;
            months.insert(name, month);
        }
        Ok(Self { dir: dir.to_owned(), pending: Mutex::default(), months: tokio::sync::Mutex::new(months) })
    }

    /// Opens the directory for reading only, also while a gateway writes there. Rows that it has not written
    /// yet are not seen. A directory that is not there has no rows.
    ///
    /// # Errors
    /// When one of its files cannot be read.
    pub async fn open_to_read(dir: &Path) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Directory { dir: dir.to_owned(), source };
        let mut months = BTreeMap::new();
        for (name, path) in if dir.is_dir() { files(dir).map_err(failed)? } else { Vec::new() } {
            months.insert(name, Month::open_to_read(&path).await?);
        }
        Ok(Self { dir: dir.to_owned(), pending: Mutex::default(), months: tokio::sync::Mutex::new(months) })
    }

    /// Takes rows of a shard; readable at once, durable after [`HistoryStore::flush`].
    pub fn push(&self, shard: u32, rows: impl IntoIterator<Item = DeviceRow>) {
        self.pending().entry(shard).or_default().extend(rows.into_iter().map(Arc::new));
    }

    /// How many rows of a shard wait for a flush.
    pub fn pending_rows(&self, shard: u32) -> usize {
        self.pending().get(&shard).map_or(0, Vec::len)
    }

    /// Writes a shard's rows, all of which lie before journal position `until`.
    ///
    /// # Errors
    /// When they could not be written; they stay pending.
    pub async fn flush(&self, shard: u32, until: u64, now: ServerTime) -> Result<(), HistoryError> {
        let rows: Vec<Arc<DeviceRow>> = self.pending().get(&shard).cloned().unwrap_or_default();
        if rows.is_empty() {
            return Ok(());
        }
        let month = self.month(now).await?;
        // Before the write: the position of every block there is stored, so no merged block is ever forgotten.
        month.merge(shard).await?;
        month.write(shard, until, &rows).await?;
        if let Some(pending) = self.pending().get_mut(&shard) {
            pending.drain(..rows.len());
        }
        Ok(())
    }

    /// A device's rows with `from_ms <= time <= to_ms`, in time order, at most `limit`; of one
    /// datapoint only, and only rows that have it, if it is named.
    ///
    /// # Errors
    /// When a file or block cannot be read.
    pub async fn rows(
        &self,
        device: &DeviceId,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
        only: Option<&str>,
    ) -> Result<Vec<Row>, HistoryError> {
        let wanted = |row: &Row| {
            let has = only.is_none_or(|only| row.readings.iter().any(|(name, _)| name == only));
            has && (from_ms..=to_ms).contains(&row.time.ms())
        };
        // Pending first: a row that is flushed in between is then seen twice, never missed.
        let mut rows: BTreeMap<(i64, u64), Row> = self
            .pending()
            .values()
            .flatten()
            .filter(|pending| pending.device == *device && wanted(&pending.row))
            .map(|pending| ((pending.row.time.ms(), pending.row.position), pending.row.clone()))
            .collect();
        let months: Vec<Month> = self.months.lock().await.values().cloned().collect();
        for month in months {
            for row in month.rows(device, from_ms, to_ms, limit, only).await? {
                if wanted(&row) {
                    rows.insert((row.time.ms(), row.position), row);
                }
            }
        }
        Ok(rows.into_values().take(limit).collect())
    }

    /// Closes the files.
    pub async fn close(&self) {
        for month in self.months.lock().await.values() {
            month.close().await;
        }
    }

    async fn month(&self, now: ServerTime) -> Result<Month, HistoryError> {
        let at = Timestamp::from_millisecond(now.ms()).unwrap_or(Timestamp::UNIX_EPOCH);
        let name = at.strftime("%Y-%m").to_string();
        let mut months = self.months.lock().await;
        if let Some(month) = months.get(&name) {
            return Ok(month.clone());
        }
        let month = Month::open(&self.dir.join(format!("{name}.db"))).await?;
        months.insert(name, month.clone());
        Ok(month)
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Vec<Arc<DeviceRow>>>> {
        // A panic while it was held leaves whole rows behind: the data is usable.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The months of a directory and their files.
fn files(dir: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if let (Some(name), Some("db")) = (path.file_stem(), path.extension().and_then(|e| e.to_str())) {
            files.push((name.to_string_lossy().into_owned(), path.clone()));
        }
    }
    Ok(files)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
