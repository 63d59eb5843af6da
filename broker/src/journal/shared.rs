//! What the journal's handles, its writer thread and its readers share.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::disk::Disk;
use super::frame::{FRAME_HEADER, MAX_BATCH};
use super::segments::Segment;
use super::waiter::Waiter;
use super::{Entry, JournalError, Position, record};

/// How far the journal is on disk, and whether it goes on.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// Everything below is durable.
    pub end: Position,
    /// Why nothing more will come, if so.
    pub stopped: Option<JournalError>,
}

impl Progress {
    /// Whether the record is durable, or why it never will be.
    pub fn covers(&self, position: Position) -> Option<Result<(), JournalError>> {
        if position < self.end {
            return Some(Ok(()));
        }
        self.stopped.clone().map(Err)
    }
}

/// What became of an offered entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It will be this record.
    Accepted(Position),
    /// Too much waits for the disk; wait for [`Shared::room`] and offer it again.
    Full,
}

/// Entries on their way to disk: one frame, its header still empty.
pub(super) struct Batch {
    pub frame: Vec<u8>,
    pub first: u64,
    pub records: u64,
    /// When the oldest entry came.
    pub since: Instant,
}

struct Queue {
    frame: Vec<u8>,
    first: u64,
    records: u64,
    since: Instant,
    /// A buffer to go on with while the writer has the other.
    spare: Vec<u8>,
    /// Whom these entries wake.
    waiters: Vec<Arc<Waiter>>,
    /// Whom the batch wakes that the writer has.
    underway: Vec<Arc<Waiter>>,
    /// Whose records have come to their end, until [`Shared::wake_settled`].
    settled: Vec<Arc<Waiter>>,
    /// Set once; no entry is taken afterwards.
    stopped: Option<JournalError>,
}

/// What is on disk, and for whom.
struct Kept {
    /// Oldest first; the last is the active one.
    segments: VecDeque<Segment>,
    /// Up to where each consumer needs nothing any more, by its id.
    marks: BTreeMap<u64, Position>,
    next_consumer: u64,
}

impl Kept {
    /// Position of the oldest record that is still there.
    fn first(&self) -> Position {
        Position(self.segments.front().map_or(0, |segment| segment.first))
    }
}

pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    pending_bytes: usize,
    queue: Mutex<Queue>,
    /// Wakes the writer: something to write, or the end.
    work: Condvar,
    /// Wakes who waits for the queue to be taken.
    room: Notify,
    pub progress: watch::Sender<Progress>,
    kept: Mutex<Kept>,
    /// To the thread that deletes; gone once the writer has ended.
    reclaim: Mutex<Option<Sender<PathBuf>>>,
}

impl Shared {
    pub fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        pending_bytes: usize,
        segments: VecDeque<Segment>,
        end: u64,
        reclaim: Sender<PathBuf>,
    ) -> Self {
        let queue = Queue {
            frame: empty_frame(),
            first: end,
            records: 0,
            since: Instant::now(),
            spare: empty_frame(),
            waiters: Vec::new(),
            underway: Vec::new(),
            settled: Vec::new(),
            stopped: None,
        };
        Self {
            disk,
            dir,
            // One entry more must still make a legal batch.
            pending_bytes: pending_bytes.min(MAX_BATCH / 2),
            queue: Mutex::new(queue),
            work: Condvar::new(),
            room: Notify::new(),
            progress: watch::Sender::new(Progress { end: Position(end), stopped: None }),
            kept: Mutex::new(Kept { segments, marks: BTreeMap::new(), next_consumer: 0 }),
            reclaim: Mutex::new(Some(reclaim)),
        }
    }

    /// Takes an entry for the next batch, if there is room. The waiter is woken when it is durable, or never will be.
    pub fn offer(&self, entry: &Entry, waiter: Option<&Arc<Waiter>>) -> Result<Offer, JournalError> {
        let length = record::encoded_len(entry);
        if length > MAX_BATCH / 2 {
            return Err(JournalError::TooLarge(length));
        }
        let mut queue = lock(&self.queue);
        if let Some(error) = &queue.stopped {
            return Err(error.clone());
        }
        if queue.frame.len() >= self.pending_bytes {
            return Ok(Offer::Full);
        }
        if queue.records == 0 {
            queue.since = Instant::now();
            self.work.notify_one();
        }
        record::encode(entry, &mut queue.frame);
        queue.records += 1;
        let batch = queue.first;
        queue.waiters.extend(waiter.filter(|waiter| waiter.joins(batch)).cloned());
        Ok(Offer::Accepted(Position(queue.first + queue.records - 1)))
    }

    /// Waits until an offer may succeed, or will fail for good.
    pub async fn room(&self) {
        loop {
            let taken = self.room.notified();
            {
                let queue = lock(&self.queue);
                if queue.frame.len() < self.pending_bytes || queue.stopped.is_some() {
                    return;
                }
            }
            taken.await;
        }
    }

    /// For the writer: waits for entries and takes them all; `None` when there are none and there will be none.
    pub fn take_batch(&self) -> Option<Batch> {
        // Who runs on our processor puts in its messages first, if it is busy: fewer syncs, each for more. On an idle one
        // this returns at once.
        std::thread::yield_now();
        let mut queue = lock(&self.queue);
        while queue.records == 0 {
            if queue.stopped.is_some() {
                return None;
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let spare = std::mem::take(&mut queue.spare);
        let batch = Batch {
            frame: std::mem::replace(&mut queue.frame, spare),
            first: queue.first,
            records: queue.records,
            since: queue.since,
        };
        queue.first += queue.records;
        queue.records = 0;
        let Queue { waiters, underway, .. } = &mut *queue;
        std::mem::swap(waiters, underway);
        drop(queue);
        self.room.notify_waiters();
        Some(batch)
    }

    /// For the writer: the batch is durable.
    pub fn publish(&self, mut batch: Batch) {
        let end = Position(batch.first + batch.records);
        batch.frame.truncate(FRAME_HEADER);
        // A burst must not pin its memory for ever.
        batch.frame.shrink_to(1 << 20);
        // In one step, so that whoever is woken sees why.
        self.progress.send_modify(|progress| {
            let mut queue = lock(&self.queue);
            let Queue { spare, underway, settled, .. } = &mut *queue;
            *spare = batch.frame;
            settled.append(underway);
            progress.end = end;
        });
    }

    /// Wakes those whose records are durable or never will be; to be called when the progress has changed.
    pub fn wake_settled(&self) {
        let settled = std::mem::take(&mut lock(&self.queue).settled);
        settled.iter().for_each(|waiter| waiter.wake());
    }

    /// Takes no entry any more; what was taken is still written.
    pub fn stop_taking(&self, why: JournalError) {
        let mut queue = lock(&self.queue);
        queue.stopped.get_or_insert(why);
        drop(queue);
        self.work.notify_all();
        self.room.notify_waiters();
    }

    /// For the writer: it has ended. What was not published never will be. The first reason counts.
    pub fn stopped(&self, why: JournalError) {
        self.stop_taking(why.clone());
        self.progress.send_if_modified(|progress| {
            let mut queue = lock(&self.queue);
            let Queue { waiters, underway, settled, .. } = &mut *queue;
            settled.append(underway);
            settled.append(waiters);
            let first = progress.stopped.is_none();
            progress.stopped.get_or_insert(why);
            first
        });
    }

    pub fn is_stopping(&self) -> bool {
        lock(&self.queue).stopped.is_some()
    }

    /// For the writer: waits, but not beyond the moment the journal is told to stop.
    pub fn wait_unless_stopping(&self, wait: Duration) {
        let queue = lock(&self.queue);
        drop(self.work.wait_timeout_while(queue, wait, |queue| queue.stopped.is_none()));
    }

    pub fn add_segment(&self, segment: Segment) {
        lock(&self.kept).segments.push_back(segment);
    }

    /// Position of the oldest record that is still there.
    pub fn first(&self) -> Position {
        lock(&self.kept).first()
    }

    /// The segment that holds a position; `None` if it has been deleted.
    pub fn segment_of(&self, position: u64) -> Option<Segment> {
        let kept = lock(&self.kept);
        let after = kept.segments.partition_point(|segment| segment.first <= position);
        kept.segments.get(after.checked_sub(1)?).cloned()
    }

    /// Keeps what lies at or above `from`; the consumer's id.
    pub fn register(&self, from: Position) -> Result<u64, JournalError> {
        // Under one lock, so that nothing is deleted between the look and the registration.
        let mut kept = lock(&self.kept);
        self.check_within(from, kept.first())?;
        let id = kept.next_consumer;
        kept.next_consumer += 1;
        kept.marks.insert(id, from);
        Ok(id)
    }

    pub fn unregister(&self, consumer: u64) {
        lock(&self.kept).marks.remove(&consumer);
    }

    /// Whether a reader can begin at `from`, when `first` is the oldest record.
    pub fn check_within(&self, from: Position, first: Position) -> Result<(), JournalError> {
        let end = self.progress.borrow().end;
        if from < first {
            return Err(JournalError::Released { asked: from, first });
        }
        if from > end {
            return Err(JournalError::Beyond { asked: from, end });
        }
        Ok(())
    }

    /// Moves a consumer's mark, and deletes the segments that lie below all marks, on the thread for that. The
    /// active one always stays.
    pub fn release(&self, consumer: u64, below: Position) {
        let mut kept = lock(&self.kept);
        if let Some(mark) = kept.marks.get_mut(&consumer) {
            *mark = below.max(*mark);
        }
        let Some(needed) = kept.marks.values().min().copied() else { return };
        let reclaim = lock(&self.reclaim);
        let Some(reclaim) = &*reclaim else { return };
        while kept.segments.get(1).is_some_and(|second| second.first <= needed.0) {
            if let Some(oldest) = kept.segments.pop_front() {
                // If the thread has failed, the file stays until the next start.
                let _ = reclaim.send(oldest.path);
            }
        }
    }

    /// For the writer, at its end: nothing more is deleted.
    pub fn stop_reclaiming(&self) {
        lock(&self.reclaim).take();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("dir", &self.dir).field("progress", &*self.progress.borrow()).finish()
    }
}

fn empty_frame() -> Vec<u8> {
    vec![0; FRAME_HEADER]
}

/// The state behind our locks is changed in single steps, so that a panic elsewhere leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
