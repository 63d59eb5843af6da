//! One month's file of blocks.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use firmware_proto::DeviceId;
use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::block::{self, Row};
use super::{DeviceRow, HistoryError};

/// Blocks of one level that are merged into one of the next.
const MERGE: usize = 8;

/// Rows above which a block is not merged any further: about 700 KB of memory per merge.
const MERGED_ROWS: i64 = 65_536;

#[derive(Debug, Clone)]
pub(super) struct Month(SqlitePool);

/// A device's rows within the sorted rows of a block.
struct Run {
    device: DeviceId,
    first: usize,
    rows: usize,
}

impl Month {
    pub(super) async fn open(file: &Path) -> Result<Self, HistoryError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await?;
        if version == 0 {
            let mut write = pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *write).await?;
            sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut *write).await?;
            write.commit().await?;
        }
        Ok(Self(pool))
    }

    pub(super) async fn open_to_read(file: &Path) -> Result<Self, HistoryError> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        Ok(Self(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
    }

    /// Removes blocks whose position was not stored: their rows will come again.
    pub(super) async fn forget_after(&self, flushed: &HashMap<u32, u64>) -> Result<(), HistoryError> {
        let shards: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT shard FROM block").fetch_all(&self.0).await?;
        for shard in shards {
            let until = flushed.get(&(shard as u32)).copied().unwrap_or(0) as i64;
            sqlx::query("DELETE FROM block WHERE shard = $1 AND until > $2")
                .bind(shard)
                .bind(until)
                .execute(&self.0)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn write(&self, shard: u32, until: u64, rows: &[Arc<DeviceRow>]) -> Result<(), HistoryError> {
        let mut by_type: BTreeMap<Arc<str>, Vec<Arc<DeviceRow>>> = BTreeMap::new();
        for row in rows {
            by_type.entry(row.r#type.clone()).or_default().push(row.clone());
        }
        let mut write = self.0.begin_with("BEGIN IMMEDIATE").await?;
        for (r#type, rows) in by_type {
            let (data, runs, rows) = compress(rows).await?;
            insert(
                &mut write,
                &NewBlock { shard: shard.into(), until: until as i64, r#type: &r#type, level: 0, data: &data },
                &runs,
                &rows,
            )
            .await?;
        }
        write.commit().await?;
        Ok(())
    }

    /// Merges full levels, smallest first.
    pub(super) async fn merge(&self, shard: u32) -> Result<(), HistoryError> {
        let full: Vec<(String, i64)> = sqlx::query_as(
            "SELECT type, level FROM block WHERE shard = $1 AND rows < $2 GROUP BY type, level HAVING COUNT(*) >= $3 ORDER BY level",
        )
        .bind(i64::from(shard))
        .bind(MERGED_ROWS)
        .bind(MERGE as i64)
        .fetch_all(&self.0)
        .await?;
        for (r#type, level) in full {
            self.merge_level(shard, &r#type, level).await?;
        }
        Ok(())
    }

    async fn merge_level(&self, shard: u32, r#type: &str, level: i64) -> Result<(), HistoryError> {
        let mut write = self.0.begin_with("BEGIN IMMEDIATE").await?;
        let blocks: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT id, until, data FROM block WHERE shard = $1 AND type = $2 AND level = $3 AND rows < $4 ORDER BY id",
        )
        .bind(i64::from(shard))
        .bind(r#type)
        .bind(level)
        .bind(MERGED_ROWS)
        .fetch_all(&mut *write)
        .await?;
        let mut rows = Vec::new();
        let mut until = 0;
        let shared: Arc<str> = r#type.into();
        for (id, block_until, data) in &blocks {
            until = until.max(*block_until);
            rows.extend(read_block(&mut write, *id, data, &shared).await?);
        }
        let (data, runs, rows) = compress(rows).await?;
        for (id, _, _) in &blocks {
            sqlx::query("DELETE FROM block WHERE id = $1").bind(id).execute(&mut *write).await?;
        }
        let merged = NewBlock { shard: shard.into(), until, r#type, level: level + 1, data: &data };
        insert(&mut write, &merged, &runs, &rows).await?;
        write.commit().await?;
        Ok(())
    }

    /// A device's rows of the runs that touch the span, until there are `limit` and no later run
    /// can hold an earlier row.
    pub(super) async fn rows(
        &self,
        device: &DeviceId,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
        only: Option<&str>,
    ) -> Result<Vec<Row>, HistoryError> {
        let mut runs = sqlx::query_as::<_, (i64, i64, i64, Vec<u8>)>(
            "SELECT run.from_ms, run.first, run.rows, block.data FROM run JOIN block ON block.id = run.block \
             WHERE run.device = $1 AND run.from_ms <= $2 AND run.to_ms >= $3 ORDER BY run.from_ms",
        )
        .bind(device.as_str())
        .bind(to_ms)
        .bind(from_ms)
        .fetch(&self.0);
        let mut found: Vec<Row> = Vec::new();
        while let Some((run_from_ms, first, rows, data)) = runs.try_next().await? {
            let earlier = found.iter().filter(|row| row.time.ms() >= from_ms && row.time.ms() < run_from_ms);
            if found.len() >= limit && earlier.count() >= limit {
                break;
            }
            let only = only.map(str::to_owned);
            let part = first as usize..(first + rows) as usize;
            let decode = move || block::decode_part(&data, part, only.as_deref());
            found.extend(tokio::task::spawn_blocking(decode).await??);
        }
        Ok(found)
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

struct NewBlock<'a> {
    shard: i64,
    until: i64,
    r#type: &'a str,
    level: i64,
    data: &'a [u8],
}

/// Sorts by device and time and compresses, on a thread that may be busy for long.
async fn compress(mut rows: Vec<Arc<DeviceRow>>) -> Result<(Vec<u8>, Vec<Run>, Vec<Arc<DeviceRow>>), HistoryError> {
    let packed = tokio::task::spawn_blocking(move || {
        rows.sort_by(|a, b| (&a.device, a.row.time, a.row.position).cmp(&(&b.device, b.row.time, b.row.position)));
        let data = block::encode(&rows.iter().map(|row| &row.row).collect::<Vec<_>>());
        let mut runs: Vec<Run> = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if run.device == row.device => run.rows += 1,
                _ => runs.push(Run { device: row.device.clone(), first: n, rows: 1 }),
            }
        }
        (data, runs, rows)
    });
    Ok(packed.await?)
}

async fn insert(
    write: &mut Transaction<'static, Sqlite>,
    block: &NewBlock<'_>,
    runs: &[Run],
    rows: &[Arc<DeviceRow>],
) -> Result<(), HistoryError> {
    let id: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) + 1 FROM block").fetch_one(&mut **write).await?;
    sqlx::query("INSERT INTO block (id, shard, until, type, level, rows, data) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(id)
        .bind(block.shard)
        .bind(block.until)
        .bind(block.r#type)
        .bind(block.level)
        .bind(rows.len() as i64)
        .bind(block.data)
        .execute(&mut **write)
        .await?;
    for run in runs {
        sqlx::query("INSERT INTO run (device, from_ms, to_ms, block, first, rows) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(run.device.as_str())
            .bind(rows[run.first].row.time.ms())
            .bind(rows[run.first + run.rows - 1].row.time.ms())
            .bind(id)
            .bind(run.first as i64)
            .bind(run.rows as i64)
            .execute(&mut **write)
            .await?;
    }
    Ok(())
}

async fn read_block(
    write: &mut Transaction<'static, Sqlite>,
    id: i64,
    data: &[u8],
    r#type: &Arc<str>,
) -> Result<Vec<Arc<DeviceRow>>, HistoryError> {
    let runs: Vec<(String, i64)> = sqlx::query_as("SELECT device, rows FROM run WHERE block = $1 ORDER BY first")
        .bind(id)
        .fetch_all(&mut **write)
        .await?;
    let mut decoded = block::decode(data)?.into_iter();
    let mut rows = Vec::with_capacity(decoded.len());
    for (device, count) in runs {
        let device: DeviceId =
            device.parse().map_err(|error| block::DamagedBlock(format!("device {device:?}: {error}")))?;
        rows.extend(
            decoded
                .by_ref()
                .take(count as usize)
                .map(|row| Arc::new(DeviceRow { device: device.clone(), r#type: r#type.clone(), row })),
        );
    }
    Ok(rows)
}
