//! Segment headers and frames.
//!
//! A segment is `magic · first position u64 · salt u32 · crc32c u32`, then frames
//! `length u32 · crc32c u32 · first position u64 · batch`, little endian. The checksum of a frame covers its first
//! position and batch, and starts from the segment's random salt, so that no payload can imitate a frame.

use std::ops::Range;

use super::record;

/// First bytes of a segment; the digit is the format's version.
const MAGIC: &[u8; 8] = b"FETTLEJ1";

/// Bytes of a segment header.
pub(super) const SEGMENT_HEADER: usize = 24;

/// Bytes of a frame header.
pub(super) const FRAME_HEADER: usize = 16;

/// Largest batch. Above any pending limit worth setting; a larger length in a header is damage.
pub(super) const MAX_BATCH: usize = 256 << 20;

/// What a segment header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub first: u64,
    pub salt: u32,
}

impl SegmentHeader {
    pub fn encode(self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..20]);
        bytes[20..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the start of these bytes, if it is whole.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..SEGMENT_HEADER)?;
        let whole = &bytes[..8] == MAGIC && crc32c::crc32c(&bytes[..20]) == u32_at(bytes, 20);
        whole.then(|| Self { first: u64_at(bytes, 8), salt: u32_at(bytes, 16) })
    }
}

/// What a frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub length: usize,
    crc: u32,
    pub first: u64,
}

impl FrameHeader {
    /// The header in these bytes, unchecked.
    pub fn decode(bytes: &[u8; FRAME_HEADER]) -> Self {
        Self { length: u32_at(bytes, 0) as usize, crc: u32_at(bytes, 4), first: u64_at(bytes, 8) }
    }

    /// Whether the batch is the one that was written with this header.
    pub fn fits(&self, salt: u32, batch: &[u8]) -> bool {
        self.crc == checksum(salt, self.first, batch)
    }
}

/// Fills in the header of a frame whose batch begins after [`FRAME_HEADER`] reserved bytes.
pub(super) fn seal(frame: &mut [u8], salt: u32, first: u64) {
    let (header, batch) = frame.split_at_mut(FRAME_HEADER);
    header[..4].copy_from_slice(&(batch.len() as u32).to_le_bytes());
    header[4..8].copy_from_slice(&checksum(salt, first, batch).to_le_bytes());
    header[8..].copy_from_slice(&first.to_le_bytes());
}

/// The frames of one segment, as far as they are whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Where the last whole frame begins; 0, for the header, if there is none.
    pub last: usize,
    /// Byte after the last whole frame.
    pub length: usize,
    /// Position after its last record.
    pub end: u64,
    /// What follows there.
    pub tail: Tail,
}

/// What follows the whole frames of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing, or only zeros that were laid ahead.
    Clean,
    /// A frame whose write was cut short; nothing whole comes after it.
    Torn,
    /// A damaged frame with whole ones after it.
    Damaged,
}

/// Reads the frames of a segment from its bytes.
pub(super) fn scan(segment: &[u8], header: SegmentHeader) -> Scan {
    let (mut last, mut length) = (0, SEGMENT_HEADER);
    let mut end = header.first;
    while let Some((batch, records)) = whole_frame(segment, length, header.salt, end..end + 1) {
        (last, length) = (length, batch.end);
        end += records;
    }
    let tail = if segment[length..].iter().all(|byte| *byte == 0) {
        Tail::Clean
    } else if frame_follows(segment, length, header.salt, end) {
        Tail::Damaged
    } else {
        Tail::Torn
    };
    Scan { last, length, end, tail }
}

/// Whether a whole frame of this segment stands anywhere behind `from`.
fn frame_follows(segment: &[u8], from: usize, salt: u32, next: u64) -> bool {
    // A record has at least one byte, which bounds the positions that can follow.
    let positions = next..next.saturating_add((segment.len() - from) as u64);
    (from + 1..segment.len()).any(|offset| whole_frame(segment, offset, salt, positions.clone()).is_some())
}

/// Where the batch of the frame at `offset` lies and how many records it has, if it is whole.
fn whole_frame(segment: &[u8], offset: usize, salt: u32, firsts: Range<u64>) -> Option<(Range<usize>, u64)> {
    let start = offset + FRAME_HEADER;
    let header = FrameHeader::decode(segment.get(offset..start)?.try_into().ok()?);
    if header.length == 0 || !firsts.contains(&header.first) {
        return None;
    }
    let batch = segment.get(start..start.checked_add(header.length)?)?;
    if !header.fits(salt, batch) {
        return None;
    }
    Some((start..start + header.length, record::count(batch).ok()?))
}

fn checksum(salt: u32, first: u64, batch: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(salt, &first.to_le_bytes()), batch)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}
