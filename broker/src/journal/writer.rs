//! The writer thread: group commit without a timer.
//!
//! While one batch is being synced, the next gathers in the queue. So a lone message is on disk after one sync,
//! and under load a sync carries as much as came in during the last one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tracing::{error, info};

use super::JournalError;
use super::disk::Disk;
use super::frame::seal;
use super::segments::{ActiveSegment, create};
use super::shared::{Batch, Shared};

/// How long to wait for space on a full disk before trying again. 1 s: space comes back when a person or a cleaner
/// makes it, not within milliseconds.
const FULL_DISK_RETRY: Duration = Duration::from_secs(1);

/// Zeros that are written behind the frames, at a time. An fdatasync that also has to make a new length durable waits
/// for the file system's own journal, and for whatever others have in it. 1 MiB: some thousand messages, so that this
/// happens a few times a second at most; and as little is written and cut off for nothing.
const LAY_AHEAD: u64 = 1 << 20;

/// From this length on, a frame pays for its own growth. 64 KiB: zeros for longer ones would be written more often
/// than they save anything.
const LONG_FRAME: u64 = LAY_AHEAD / 16;

pub(super) struct Writer {
    shared: Arc<Shared>,
    active: ActiveSegment,
    segment_bytes: u64,
    reclaimer: Option<JoinHandle<()>>,
    /// Held for as long as files are touched.
    _lock: Box<dyn Send>,
    meters: Meters,
}

struct Meters {
    append_seconds: Histogram,
    sync_seconds: Histogram,
    batch_records: Histogram,
    bytes: Counter,
    records: Counter,
    disk_full: Gauge,
}

impl Meters {
    fn new() -> Self {
        Self {
            append_seconds: histogram!("journal_append_seconds"),
            sync_seconds: histogram!("journal_sync_seconds"),
            batch_records: histogram!("journal_batch_records"),
            bytes: counter!("journal_bytes_total"),
            records: counter!("journal_records_total"),
            disk_full: gauge!("journal_disk_full"),
        }
    }
}

/// Tells those who wait, even if the thread panics.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.stopped(JournalError::Failed("its writer thread has ended".into()));
    }
}

impl Writer {
    pub fn new(
        shared: Arc<Shared>,
        active: ActiveSegment,
        segment_bytes: u64,
        reclaimer: JoinHandle<()>,
        lock: Box<dyn Send>,
    ) -> Self {
        Self { shared, active, segment_bytes, reclaimer: Some(reclaimer), _lock: lock, meters: Meters::new() }
    }

    /// Writes batches until the journal is closed or the disk fails.
    pub fn run(mut self) {
        let ended = Ended(Arc::clone(&self.shared));
        let mut outcome = JournalError::Closed;
        while let Some(batch) = self.shared.take_batch() {
            if let Err(failure) = self.commit(batch) {
                error!(error = %failure, "the journal has failed; nothing more is acknowledged");
                outcome = JournalError::Failed(failure.to_string().into());
                break;
            }
        }
        if let (JournalError::Closed, Err(failure)) = (&outcome, self.active.trim()) {
            error!(error = %failure, "zeros behind the last message stay; the next start cuts them off");
        }
        self.shared.stop_reclaiming();
        if let Some(reclaimer) = self.reclaimer.take() {
            // It logs its own failures.
            let _ = reclaimer.join();
        }
        // Gives the lock back before anybody hears of the end.
        drop(self);
        ended.0.stopped(outcome);
    }

    fn commit(&mut self, mut batch: Batch) -> Result<(), JournalError> {
        if self.active.has_frames() && self.active.length >= self.segment_bytes {
            self.begin_segment(batch.first)?;
        }
        seal(&mut batch.frame, self.active.salt, batch.first);
        self.write(&batch.frame)?;
        self.lay_ahead(batch.frame.len() as u64)?;
        let began = Instant::now();
        // After a failed sync the kernel may have dropped the pages and report success next time: never retry.
        self.active.file.sync_data().map_err(JournalError::io("sync", &self.active.path))?;
        self.active.length += batch.frame.len() as u64;
        self.meters.sync_seconds.record(began.elapsed());
        self.meters.append_seconds.record(batch.since.elapsed());
        self.meters.batch_records.record(batch.records as f64);
        self.meters.records.increment(batch.records);
        self.meters.bytes.increment(batch.frame.len() as u64);
        self.shared.publish(batch);
        Ok(())
    }

    fn begin_segment(&mut self, first: u64) -> Result<(), JournalError> {
        self.active.trim()?;
        let created = self.when_there_is_space(|writer| {
            create(&*writer.shared.disk, &writer.shared.dir, first).map_err(|error| match error {
                JournalError::Io { source, .. } if is_full(&source) => Attempt::Full,
                other => Attempt::Failed(other),
            })
        })?;
        let (segment, active) = created;
        self.active = active;
        self.shared.add_segment(segment);
        Ok(())
    }

    fn write(&mut self, frame: &[u8]) -> Result<(), JournalError> {
        self.when_there_is_space(|writer| {
            let ActiveSegment { file, path, length, laid, .. } = &mut writer.active;
            let Err(error) = file.write_all_at(frame, *length) else { return Ok(()) };
            if !is_full(&error) {
                return Err(Attempt::Failed(JournalError::io("write", path)(error)));
            }
            file.truncate(*length).map_err(|error| Attempt::Failed(JournalError::io("truncate", path)(error)))?;
            *laid = *length;
            Err(Attempt::Full)
        })
    }

    /// Lays zeros behind a frame that was just written and made the file longer, within the segment.
    fn lay_ahead(&mut self, frame: u64) -> Result<(), JournalError> {
        let ActiveSegment { file, path, length, laid, .. } = &mut self.active;
        let end = *length + frame;
        if end <= *laid {
            return Ok(());
        }
        *laid = end;
        let zeros = LAY_AHEAD.min(self.segment_bytes.saturating_sub(end));
        if frame >= LONG_FRAME || zeros == 0 {
            return Ok(());
        }
        match file.write_all_at(&vec![0; zeros as usize], end) {
            Ok(()) => *laid = end + zeros,
            // The frame has its place; the zeros are worth nothing by themselves.
            Err(error) if is_full(&error) => file.truncate(end).map_err(JournalError::io("truncate", path))?,
            Err(error) => return Err(JournalError::io("write", path)(error)),
        }
        Ok(())
    }

    /// Tries again for as long as the disk is full: nothing is acknowledged meanwhile, and nothing lost.
    fn when_there_is_space<T>(&mut self, attempt: impl Fn(&mut Self) -> Result<T, Attempt>) -> Result<T, JournalError> {
        let mut waiting = false;
        loop {
            match attempt(self) {
                Ok(done) => {
                    if waiting {
                        self.meters.disk_full.set(0.0);
                        info!("the disk has space again; the journal goes on");
                    }
                    return Ok(done);
                }
                Err(Attempt::Failed(error)) => return Err(error),
                Err(Attempt::Full) if self.shared.is_stopping() => {
                    return Err(JournalError::Failed("the disk is full".into()));
                }
                Err(Attempt::Full) => {
                    if !waiting {
                        self.meters.disk_full.set(1.0);
                        error!(dir = %self.shared.dir.display(), "the disk is full: nothing is acknowledged until there is space");
                        waiting = true;
                    }
                    self.shared.wait_unless_stopping(FULL_DISK_RETRY);
                }
            }
        }
    }
}

enum Attempt {
    Full,
    Failed(JournalError),
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The thread that deletes released segments, oldest first. The directory is synced after each, so that no crash
/// can bring back an old segment without the ones after it. Deleting takes milliseconds, which the writer has not.
pub(super) fn reclaim(disk: &dyn Disk, dir: &std::path::Path, released: &Receiver<PathBuf>) {
    for path in released {
        let deleted = disk.remove(&path).and_then(|()| disk.sync_dir(dir));
        if let Err(source) = deleted {
            error!(segment = %path.display(), error = %source, "cannot delete a released segment; none is deleted until the next start");
            return;
        }
    }
}
