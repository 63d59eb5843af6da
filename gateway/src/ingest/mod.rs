//! From the journal to the shards.
//!
//! One reader follows the journal and hands each record to the shard of its device;
//! every shard hears of every position, so that each can say how far it has come.
//! The journal is released up to the slowest shard.

pub mod check;
pub mod dedup;

use std::hash::{DefaultHasher, Hash, Hasher};

use broker::{Journal, JournalError, Position, Record};
use firmware_proto::DeviceId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::shard::ToShard;

/// Records read at once: enough to share a commit among, few enough to stay below 1 MB.
const BATCH: usize = 1_024;

/// Which shard a device belongs to. Positions are kept per device, so that another
/// number of shards after a restart does no harm.
pub fn shard_of(device: &DeviceId, shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    device.hash(&mut hasher);
    (hasher.finish() % shards as u64) as usize
}

/// Follows the journal until it is closed or `stop` is called.
///
/// # Errors
/// When the journal cannot be read.
pub async fn follow(
    journal: Journal,
    from: Position,
    shards: Vec<mpsc::Sender<ToShard>>,
    stop: CancellationToken,
) -> Result<(), JournalError> {
    let mut reader = journal.reader(from)?;
    loop {
        let records = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            batch = reader.next_batch(BATCH) => batch?,
        };
        let Some(until) = records.last().map(|record| record.position.0 + 1) else { continue };
        let mut parts: Vec<Vec<Record>> = shards.iter().map(|_| Vec::new()).collect();
        for record in records {
            parts[shard_of(&record.address.device, shards.len())].push(record);
        }
        for (shard, records) in shards.iter().zip(parts) {
            if shard.send(ToShard::Records { records, until }).await.is_err() {
                return Ok(());
            }
        }
    }
}
