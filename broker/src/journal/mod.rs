//! The durable record of accepted messages.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use firmware_proto::{DeviceAddress, ServerTime, UplinkKind};
use thiserror::Error;

/// Number of a record: from 0, growing by one, never reused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The position after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A message as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was accepted.
    pub received: ServerTime,
    /// Who sent it.
    pub address: DeviceAddress,
    /// On which channel.
    pub kind: UplinkKind,
    /// Its bytes, undecoded.
    pub payload: Bytes,
}

/// An [`Entry`] that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which record it is.
    pub position: Position,
    /// When it was accepted.
    pub received: ServerTime,
    /// Who sent it.
    pub address: DeviceAddress,
    /// On which channel.
    pub kind: UplinkKind,
    /// Its bytes, undecoded. Shares memory with its whole batch: copy it to keep it for long.
    pub payload: Bytes,
}

/// Where the journal lives, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// Its directory; created if missing.
    pub dir: PathBuf,
    /// A segment that has grown beyond this is closed and the next begun. 64 MiB: a few seconds at full load, so
    /// that space comes back soon, and rarely enough that creating one costs nothing.
    pub segment_bytes: u64,
    /// Bytes accepted and not yet on disk before `append` waits. 8 MiB: some tenths of a second of a slow disk.
    pub pending_bytes: usize,
}

impl JournalConfig {
    /// The defaults, in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), segment_bytes: 64 << 20, pending_bytes: 8 << 20 }
    }
}

/// Why the journal does not do what was asked.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Closed in order.
    #[error("the journal is closed")]
    Closed,
    /// A write or sync failed earlier: nothing can be promised any more. The process should stop.
    #[error("the journal failed and takes nothing more: {0}")]
    Failed(String),
}

/// The journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {}

/// Follows the journal from a position.
#[derive(Debug)]
pub struct JournalReader {}

impl Journal {
    /// Opens or creates it.
    ///
    /// # Errors
    /// If another process has it, if it is damaged, or if the disk refuses.
    pub fn open(config: JournalConfig) -> Result<Self, JournalError> {
        let _ = Path::new(&config.dir);
        Ok(Self {})
    }

    /// Writes a message; resolves when it is on disk. Once polled, dropping the future does not take it back.
    ///
    /// # Errors
    /// If the journal is closed or has failed: the message must not be acknowledged.
    pub async fn append(&self, _entry: Entry) -> Result<Position, JournalError> {
        Err(JournalError::Closed)
    }

    /// Position of the next record; everything below is on disk.
    pub fn end(&self) -> Position {
        Position(0)
    }

    /// Position of the oldest record that is still there; equal to `end` if there is none.
    pub fn first(&self) -> Position {
        Position(0)
    }

    /// Follows the journal from `from` on.
    ///
    /// # Errors
    /// If `from` has been released already or lies beyond the end.
    pub fn reader(&self, _from: Position) -> Result<JournalReader, JournalError> {
        Err(JournalError::Closed)
    }

    /// Says that no record below `below` is needed; segments that lie entirely below it are deleted.
    pub fn release(&self, _below: Position) {}

    /// Flushes what was accepted and stops the writer.
    pub async fn close(&self) {}
}

impl JournalReader {
    /// The next records, at least one and at most `max_records`; waits if there is none. Cancel-safe.
    ///
    /// # Errors
    /// [`JournalError::Closed`] after the last record of a closed journal; otherwise what is wrong with the disk.
    pub async fn next_batch(&mut self, _max_records: usize) -> Result<Vec<Record>, JournalError> {
        Err(JournalError::Closed)
    }
}
