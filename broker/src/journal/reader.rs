//! Following the journal.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::disk::{DiskFile, read_full_at};
use super::frame::{FRAME_HEADER, FrameHeader, MAX_BATCH, SEGMENT_HEADER, SegmentHeader};
use super::segments::Segment;
use super::shared::{Progress, Shared};
use super::{JournalError, Position, Record, record};

/// Follows the journal from a position.
#[derive(Debug)]
pub struct JournalReader {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    /// Position of the next record that [`Cursor`] has not read.
    next: Position,
    /// Read, but not yet asked for.
    ready: VecDeque<Record>,
    /// Where the file stands; `None` while a read is under way, or before the first.
    cursor: Option<Cursor>,
    /// The read under way. Kept here, so that a caller who stops waiting loses nothing.
    reading: Option<JoinHandle<ReadOutcome>>,
}

type ReadOutcome = (Cursor, Result<Vec<Record>, JournalError>);

impl JournalReader {
    pub(super) fn new(shared: Arc<Shared>, from: Position) -> Self {
        let progress = shared.progress.subscribe();
        Self { shared, progress, next: from, ready: VecDeque::new(), cursor: None, reading: None }
    }

    /// Position of the next record that [`next_batch`](Self::next_batch) will return.
    pub fn position(&self) -> Position {
        self.ready.front().map_or(self.next, |record| record.position)
    }

    /// The next records, at least one and at most `max_records`; waits if there is none. Cancel-safe.
    ///
    /// # Errors
    /// [`JournalError::Closed`] after the last record of a closed journal, [`JournalError::Failed`] after the last
    /// durable one of a failed one; otherwise what is wrong with the disk.
    pub async fn next_batch(&mut self, max_records: usize) -> Result<Vec<Record>, JournalError> {
        let max_records = max_records.max(1);
        while self.ready.is_empty() {
            if self.reading.is_none() {
                self.begin_read(max_records).await?;
            }
            self.finish_read().await?;
        }
        let count = max_records.min(self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }

    /// Waits for durable records and has them read on a blocking thread.
    async fn begin_read(&mut self, max_records: usize) -> Result<(), JournalError> {
        let next = self.next;
        let end = {
            let waited = self.progress.wait_for(|progress| progress.covers(next).is_some()).await;
            let progress = waited.map_err(|_| JournalError::Closed)?;
            progress.covers(next).unwrap_or(Err(JournalError::Closed))?;
            progress.end
        };
        let shared = Arc::clone(&self.shared);
        let mut cursor = self.cursor.take().unwrap_or_else(|| Cursor::at(next));
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let records = cursor.read(&shared, end, max_records);
            (cursor, records)
        }));
        Ok(())
    }

    async fn finish_read(&mut self) -> Result<(), JournalError> {
        let Some(reading) = self.reading.as_mut() else { return Ok(()) };
        let outcome = reading.await;
        self.reading = None;
        // Only a runtime that shuts down drops a blocking task.
        let (cursor, records) = outcome.map_err(|_| JournalError::Closed)?;
        let records = records?;
        self.next = Position(cursor.next);
        self.cursor = Some(cursor);
        self.ready.extend(records);
        Ok(())
    }
}

/// A place in the segment files.
#[derive(Debug)]
struct Cursor {
    /// Position of the next record.
    next: u64,
    open: Option<OpenSegment>,
    /// Rest of the frame that was read last.
    batch: Bytes,
}

struct OpenSegment {
    first: u64,
    path: PathBuf,
    salt: u32,
    file: Box<dyn DiskFile>,
    /// Where the next frame begins.
    offset: u64,
}

impl std::fmt::Debug for OpenSegment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSegment").field("path", &self.path).field("offset", &self.offset).finish()
    }
}

impl Cursor {
    fn at(position: Position) -> Self {
        Self { next: position.0, open: None, batch: Bytes::new() }
    }

    /// Reads records below `end`, up to `max_records`.
    fn read(&mut self, shared: &Shared, end: Position, max_records: usize) -> Result<Vec<Record>, JournalError> {
        let mut records = Vec::new();
        while records.len() < max_records && self.next < end.0 {
            match self.read_record(shared) {
                Ok(record) => records.push(record),
                Err(error) if records.is_empty() => return Err(error),
                // What came before the damage is handed out first; the next call meets it again.
                Err(_) => {
                    *self = Self::at(Position(self.next));
                    break;
                }
            }
        }
        Ok(records)
    }

    fn read_record(&mut self, shared: &Shared) -> Result<Record, JournalError> {
        if self.batch.is_empty() {
            self.load_frame(shared)?;
        }
        let record =
            record::decode(Position(self.next), &mut self.batch).map_err(|error| self.damaged(error.to_string()))?;
        self.next += 1;
        Ok(record)
    }

    /// Brings in the frame that holds `next`, and goes to `next` in it.
    fn load_frame(&mut self, shared: &Shared) -> Result<(), JournalError> {
        let first = loop {
            let segment = shared
                .segment_of(self.next)
                .ok_or_else(|| JournalError::Released { asked: Position(self.next), first: shared.first() })?;
            let mut open = match self.open.take() {
                Some(open) if open.first == segment.first => open,
                _ => OpenSegment::open(shared, &segment)?,
            };
            let (first, batch) = open.next_frame()?;
            self.open = Some(open);
            if first > self.next {
                return Err(
                    self.damaged(format!("its frame begins at position {first}, but {} was expected", self.next))
                );
            }
            let records = record::count(&batch).map_err(|error| self.damaged(error.to_string()))?;
            if first + records > self.next {
                self.batch = batch;
                break first;
            }
        };
        for position in first..self.next {
            record::decode(Position(position), &mut self.batch).map_err(|error| self.damaged(error.to_string()))?;
        }
        Ok(())
    }

    fn damaged(&self, reason: String) -> JournalError {
        match &self.open {
            Some(open) => JournalError::corrupt(&open.path, open.offset, reason),
            None => JournalError::Failed(reason.into()),
        }
    }
}

impl OpenSegment {
    fn open(shared: &Shared, segment: &Segment) -> Result<Self, JournalError> {
        let path = segment.path.clone();
        let file = shared.disk.open(&path).map_err(JournalError::io("open", &path))?;
        let mut header = [0; SEGMENT_HEADER];
        read_full_at(&*file, &mut header, 0).map_err(JournalError::io("read", &path))?;
        let header = SegmentHeader::decode(&header)
            .filter(|header| header.first == segment.first)
            .ok_or_else(|| JournalError::corrupt(&path, 0, "its header is not that of this segment"))?;
        Ok(Self { first: segment.first, path, salt: header.salt, file, offset: SEGMENT_HEADER as u64 })
    }

    /// The next frame: its first position and its batch. It is durable, so it must be whole.
    fn next_frame(&mut self) -> Result<(u64, Bytes), JournalError> {
        let mut header = [0; FRAME_HEADER];
        if self.fill(&mut header, self.offset)? < FRAME_HEADER {
            return Err(self.damaged("it ends before its last record"));
        }
        let header = FrameHeader::decode(&header);
        if header.length == 0 || header.length > MAX_BATCH {
            return Err(self.damaged("no frame has this length"));
        }
        let mut batch = vec![0; header.length];
        if self.fill(&mut batch, self.offset + FRAME_HEADER as u64)? < header.length {
            return Err(self.damaged("its last frame is cut short"));
        }
        if !header.fits(self.salt, &batch) {
            return Err(self.damaged("the checksum is wrong"));
        }
        self.offset += (FRAME_HEADER + header.length) as u64;
        Ok((header.first, batch.into()))
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<usize, JournalError> {
        read_full_at(&*self.file, buffer, offset).map_err(JournalError::io("read", &self.path))
    }

    fn damaged(&self, reason: &str) -> JournalError {
        JournalError::corrupt(&self.path, self.offset, reason)
    }
}
