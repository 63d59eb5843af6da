//! The segment files of a journal: their names, creating one, and finding them again at the start.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::JournalError;
use super::disk::{Disk, DiskFile, read_full_at};
use super::frame::{SEGMENT_HEADER, SegmentHeader, Tail, scan};

/// A segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// Position of its first record.
    pub first: u64,
    pub path: PathBuf,
}

impl Segment {
    fn in_dir(dir: &Path, first: u64) -> Self {
        Self { first, path: dir.join(format!("{first:020}.seg")) }
    }

    fn from_name(dir: &Path, name: &str) -> Option<Self> {
        let digits = name.strip_suffix(".seg")?;
        let first = (digits.len() == 20).then(|| digits.parse().ok())??;
        Some(Self { first, path: dir.join(name) })
    }
}

/// The segment that is written to.
pub(super) struct ActiveSegment {
    pub path: PathBuf,
    pub file: Box<dyn DiskFile>,
    pub salt: u32,
    /// Bytes of whole frames and header; whatever is behind does not count.
    pub length: u64,
    /// Bytes of the file: behind the frames there may be zeros, laid ahead.
    pub laid: u64,
}

impl ActiveSegment {
    pub fn has_frames(&self) -> bool {
        self.length > SEGMENT_HEADER as u64
    }

    /// Cuts off what is behind the frames.
    pub fn trim(&mut self) -> Result<(), JournalError> {
        if self.laid > self.length {
            self.file.truncate(self.length).map_err(JournalError::io("truncate", &self.path))?;
            self.laid = self.length;
        }
        Ok(())
    }
}

/// A journal as it was found.
pub(super) struct Found {
    /// All segments, oldest first; the last is the active one.
    pub segments: VecDeque<Segment>,
    pub active: ActiveSegment,
    /// Position of the next record.
    pub end: u64,
}

/// Makes a directory and those above it, where missing. When this returns, its name is durable. Nothing is made in a
/// directory whose own name may not be: a process that ended early may have left it so.
pub(super) fn create_dirs(disk: &dyn Disk, dir: &Path) -> Result<(), JournalError> {
    let above = match dir.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => return Ok(()),
    };
    if disk.list(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        create_dirs(disk, above)?;
        disk.create_dir(dir).map_err(JournalError::io("create", dir))?;
    }
    disk.sync_dir(above).map_err(JournalError::io("sync", above))
}

/// Finds the journal in a directory, cuts off a torn tail, or begins a new one.
pub(super) fn find(disk: &dyn Disk, dir: &Path) -> Result<Found, JournalError> {
    let names = disk.list(dir).map_err(JournalError::io("list", dir))?;
    let mut segments: Vec<_> = names.iter().filter_map(|name| Segment::from_name(dir, name)).collect();
    segments.sort_by_key(|segment| segment.first);
    let mut segments = VecDeque::from(segments);
    let (active, end) = match segments.back() {
        None => {
            let (segment, active) = create(disk, dir, 0)?;
            segments.push_back(segment);
            (active, 0)
        }
        Some(last) => resume(disk, dir, last)?,
    };
    Ok(Found { segments, active, end })
}

/// Begins a segment; when this returns, its header and its name are durable.
pub(super) fn create(disk: &dyn Disk, dir: &Path, first: u64) -> Result<(Segment, ActiveSegment), JournalError> {
    let segment = Segment::in_dir(dir, first);
    let path = segment.path.clone();
    let header = SegmentHeader { first, salt: RandomState::new().hash_one(first) as u32 };
    let file = disk.create(&path).map_err(JournalError::io("create", &path))?;
    file.write_all_at(&header.encode(), 0).map_err(JournalError::io("write", &path))?;
    file.sync_data().map_err(JournalError::io("sync", &path))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    Ok((
        segment,
        ActiveSegment { path, file, salt: header.salt, length: SEGMENT_HEADER as u64, laid: SEGMENT_HEADER as u64 },
    ))
}

/// Opens the last segment for writing, without a torn tail.
fn resume(disk: &dyn Disk, dir: &Path, last: &Segment) -> Result<(ActiveSegment, u64), JournalError> {
    let path = &last.path;
    let file = disk.open(path).map_err(JournalError::io("open", path))?;
    let bytes = read_all(&*file, path)?;
    let header = SegmentHeader::decode(&bytes).filter(|header| header.first == last.first);
    let Some(header) = header else {
        if bytes.len() > SEGMENT_HEADER {
            return Err(JournalError::corrupt(path, 0, "its header is not that of this segment"));
        }
        // The process ended while it created this segment: nothing was in it yet.
        let (_, active) = create(disk, dir, last.first)?;
        return Ok((active, last.first));
    };
    let scan = scan(&bytes, header);
    let length = scan.length as u64;
    match scan.tail {
        Tail::Clean => {}
        Tail::Torn => {
            warn!(segment = %path.display(), offset = scan.length, bytes = bytes.len() - scan.length, "torn tail cut off");
        }
        Tail::Damaged => {
            return Err(JournalError::corrupt(path, length, "the checksum is wrong, but whole frames follow"));
        }
    }
    let (path, laid) = (path.clone(), bytes.len() as u64);
    let mut active = ActiveSegment { path, file, salt: header.salt, length, laid };
    active.trim()?;
    let ActiveSegment { file, path, .. } = &active;
    // The process before may have left its last write and the names of files in memory only, and after a failed sync
    // the kernel takes such a write for synced. What is taken as durable is written again and synced.
    file.write_all_at(&bytes[scan.last..scan.length], scan.last as u64).map_err(JournalError::io("write", path))?;
    file.sync_data().map_err(JournalError::io("sync", path))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    Ok((active, scan.end))
}

fn read_all(file: &dyn DiskFile, path: &Path) -> Result<Vec<u8>, JournalError> {
    let length = file.length().map_err(JournalError::io("read", path))?;
    let mut bytes = vec![0; length as usize];
    let read = read_full_at(file, &mut bytes, 0).map_err(JournalError::io("read", path))?;
    bytes.truncate(read);
    Ok(bytes)
}
