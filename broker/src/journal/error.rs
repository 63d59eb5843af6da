//! What can be wrong with a journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::Position;

/// Why the journal does not do what was asked.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Closed in order.
    #[error("the journal is closed")]
    Closed,
    /// A write or sync failed earlier: nothing can be promised any more. The process should stop and start again,
    /// so that the disk is read anew.
    #[error("the journal failed and takes nothing more: {0}")]
    Failed(Arc<str>),
    /// Another process, or another handle in this one, has it open.
    #[error("journal {0:?} is open elsewhere: one directory serves one process")]
    Locked(PathBuf),
    /// The disk refused.
    #[error("cannot {action} {path:?}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// A segment holds bytes that were never written by a journal, or that changed since.
    #[error(
        "segment {segment:?} is damaged at byte {offset}: {reason}; restore the file, or move it and all later ones \
         away and lose what they hold"
    )]
    Corrupt {
        /// Which file.
        segment: PathBuf,
        /// Where its damaged frame begins.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The position has been released, its records may be deleted.
    #[error("position {asked} has been released: the oldest record still here is {first}")]
    Released {
        /// What was asked for.
        asked: Position,
        /// The oldest that can be had.
        first: Position,
    },
    /// The position lies in the future.
    #[error("position {asked} is beyond the end {end} of the journal: is this the journal it came from?")]
    Beyond {
        /// What was asked for.
        asked: Position,
        /// Where the journal ends.
        end: Position,
    },
    /// One message is larger than a frame may be.
    #[error("a message of {0} bytes is larger than the journal takes")]
    TooLarge(usize),
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source: Arc::new(source) }
    }

    pub(super) fn corrupt(segment: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { segment: segment.to_owned(), offset, reason: reason.into() }
    }
}
