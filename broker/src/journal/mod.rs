//! The durable record of accepted messages.
//!
//! [`Journal::append`] resolves when the message is on disk. Messages gather into a batch while the last one is
//! being synced; a thread writes each batch as one frame of the active segment file and syncs it. Readers follow by
//! position and see durable records only. A segment is deleted when every registered [`Consumer`] has passed it.
//!
//! A failed sync is fatal: every later append fails, and the process should stop. A full disk is not: nothing is
//! acknowledged until there is space.

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::task::Poll;

use bytes::Bytes;
use firmware_proto::{DeviceAddress, ServerTime, UplinkKind};
use tokio::sync::watch;

mod consumer;
mod disk;
mod error;
mod frame;
mod reader;
mod record;
mod segments;
mod shared;
mod waiter;
mod writer;

pub use consumer::Consumer;
pub use disk::{Disk, DiskFile, OsDisk};
pub use error::JournalError;
pub use reader::JournalReader;
pub(crate) use shared::{Offer, Progress};
pub(crate) use waiter::Waiter;

use shared::Shared;
use writer::Writer;

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

/// The journal. Cheap to clone; when the last clone goes, it is flushed and closed in the background.
#[derive(Debug, Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop_taking(JournalError::Closed);
    }
}

impl Journal {
    /// Opens or creates it. A frame that was being written when the process ended is cut off; older segments are
    /// checked when they are read. Reads the last segment: tens of milliseconds.
    ///
    /// # Errors
    /// If it is open elsewhere, if its last segment is damaged before its end, or if the disk refuses.
    pub fn open(config: JournalConfig) -> Result<Self, JournalError> {
        Self::open_on(config, Arc::new(OsDisk))
    }

    /// Opens it on another disk, for tests of crashes and failures.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_on(config: JournalConfig, disk: Arc<dyn Disk>) -> Result<Self, JournalError> {
        let JournalConfig { dir, segment_bytes, pending_bytes } = config;
        segments::create_dirs(&*disk, &dir)?;
        let lock = disk.lock(&dir.join("lock")).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => JournalError::Locked(dir.clone()),
            _ => JournalError::io("lock", &dir)(error),
        })?;
        let found = segments::find(&*disk, &dir)?;
        let (reclaim, released) = mpsc::channel();
        let reclaimer = {
            let (disk, dir) = (Arc::clone(&disk), dir.clone());
            spawn("journal-reclaim", move || writer::reclaim(&*disk, &dir, &released))?
        };
        let shared = Arc::new(Shared::new(disk, dir, pending_bytes, found.segments, found.end, reclaim));
        let writer = Writer::new(Arc::clone(&shared), found.active, segment_bytes, reclaimer, lock);
        let handle = Arc::new(Handle { shared });
        spawn("journal", move || writer.run())?;
        Ok(Self { handle })
    }

    /// Writes a message; resolves when it is on disk. Dropping the future does not take the message back.
    ///
    /// # Errors
    /// If the journal is closed or has failed: the message must not be acknowledged.
    pub async fn append(&self, entry: Entry) -> Result<Position, JournalError> {
        let position = self.enqueue(&entry).await?;
        self.durable(position).await?;
        Ok(position)
    }

    /// Takes a message without waiting for the disk. Messages are written in the order in which they are taken.
    ///
    /// # Errors
    /// If the journal is closed or has failed.
    pub async fn enqueue(&self, entry: &Entry) -> Result<Position, JournalError> {
        loop {
            match self.offer(entry, None)? {
                Offer::Accepted(position) => return Ok(position),
                Offer::Full => self.room().await,
            }
        }
    }

    /// Waits until a record is on disk.
    ///
    /// # Errors
    /// If it never will be.
    pub async fn durable(&self, position: Position) -> Result<(), JournalError> {
        let mut progress = self.progress();
        let settled = progress.wait_for(|progress| progress.covers(position).is_some()).await;
        settled.ok().and_then(|progress| progress.covers(position)).unwrap_or(Err(JournalError::Closed))
    }

    /// Position of the next record that will be durable; everything below is on disk.
    pub fn end(&self) -> Position {
        self.handle.shared.progress.borrow().end
    }

    /// Position of the oldest record that can still be read; equal to `end` in a new journal.
    pub fn first(&self) -> Position {
        self.handle.shared.first()
    }

    /// Follows the journal from `from` on.
    ///
    /// # Errors
    /// If `from` has been released already or lies beyond the end.
    pub fn reader(&self, from: Position) -> Result<JournalReader, JournalError> {
        self.handle.shared.check_within(from, self.first())?;
        Ok(JournalReader::new(Arc::clone(&self.handle.shared), from))
    }

    /// Registers a consumer that needs every record from `from` on; it says how far it is with
    /// [`Consumer::release`]. The name is for people. Whoever must miss nothing registers before anybody releases:
    /// only what is registered holds records back.
    ///
    /// # Errors
    /// If `from` has been released already or lies beyond the end.
    pub fn register(&self, name: &str, from: Position) -> Result<Consumer, JournalError> {
        let id = self.handle.shared.register(from)?;
        Ok(Consumer::new(Arc::clone(&self.handle.shared), id, name))
    }

    /// Flushes what was accepted and stops the writer. Later appends fail with [`JournalError::Closed`].
    pub async fn close(&self) {
        self.handle.shared.stop_taking(JournalError::Closed);
        let mut progress = self.progress();
        // An error would mean that the sender is gone, but we hold it.
        let _ = progress.wait_for(|progress| progress.stopped.is_some()).await;
    }

    /// Takes a message if there is room. The waiter, if any, is woken when the message is durable or never will be.
    pub(crate) fn offer(&self, entry: &Entry, waiter: Option<&Arc<Waiter>>) -> Result<Offer, JournalError> {
        self.handle.shared.offer(entry, waiter)
    }

    /// Whether a record is durable, or why it never will be.
    pub(crate) fn covers(&self, position: Position) -> Option<Result<(), JournalError>> {
        self.handle.shared.progress.borrow().covers(position)
    }

    /// Wakes the waiters of each batch, for as long as the journal goes on. A task does so and not the writer, because
    /// a runtime hands tasks that one of its own threads wakes to its threads in one go; for each that is woken from
    /// outside it may have to rouse one of them.
    pub(crate) async fn wake_waiters(&self) {
        let mut progress = self.progress();
        loop {
            let stopped = progress.borrow_and_update().stopped.is_some();
            self.handle.shared.wake_settled();
            if stopped || progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until a record that was offered with this waiter is durable, or never will be, while
    /// [`Journal::wake_waiters`] runs. One task at a time.
    pub(crate) async fn settled(&self, waiter: &Waiter, position: Position) {
        poll_fn(|cx| {
            // Registered first, so that nothing is missed between the look and the wait.
            waiter.register(cx.waker());
            if self.covers(position).is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    pub(crate) async fn room(&self) {
        self.handle.shared.room().await;
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.handle.shared.progress.subscribe()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, JournalError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|source| JournalError::Io {
        action: "start the thread of",
        path: name.into(),
        source: Arc::new(source),
    })
}
