//! Fault trees in files: what is read and written, and the places things came from.
//!
//! A reader takes texts and returns a [`Written`] tree. It resolves names and numbers and
//! reports what it cannot; whether the tree makes sense is for `check`.

#[cfg(feature = "cli")]
pub mod mef;
#[cfg(feature = "cli")]
mod xml;

use super::model::FaultTree;
use super::problem::{Problem, ProblemKind};

/// A text and the name of its file.
#[derive(Debug, Clone, Copy)]
pub struct Source<'t> {
    /// As errors shall name it.
    pub file: &'t str,
    /// What is in it.
    pub text: &'t str,
}

/// What a reader has to be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The top event's gate, where the files leave a choice.
    pub top: Option<String>,
    /// Mission time for files that refer to it without saying how long it is.
    pub mission_time: f64,
}

impl Default for Options {
    /// A year of hours, as SCRAM has it.
    fn default() -> Self {
        Self { top: None, mission_time: 8760.0 }
    }
}

/// A tree as it was read, and where each part of it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// The tree; not checked.
    pub tree: FaultTree,
    /// Where its parts stand.
    pub places: Places,
}

/// Where the parts of a tree stand. Anything not listed stands nowhere: line 0 of the first file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places {
    /// Names of the files.
    pub files: Vec<String>,
    /// For each event.
    pub events: Vec<Place>,
    /// For each gate.
    pub gates: Vec<Place>,
    /// For each common-cause group.
    pub common_causes: Vec<Place>,
}

/// A line of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Index into the files.
    pub file: usize,
    /// From 1; 0 means none.
    pub line: usize,
}

impl Places {
    /// A problem at a place.
    pub(crate) fn problem(&self, place: Place, kind: ProblemKind, field: &str, reason: String) -> Problem {
        let file = self.files.get(place.file).cloned().unwrap_or_default();
        Problem { kind, file, line: place.line, field: field.to_owned(), reason }
    }
}

/// Longest text that is read. The largest trees in use are below 10 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// Refuses a text that is too long to be read.
fn check_size(source: Source<'_>) -> Result<(), Problem> {
    if source.text.len() <= MAX_BYTES {
        return Ok(());
    }
    let reason = format!("is {} bytes long, at most {MAX_BYTES} are read: split the model", source.text.len());
    Err(Problem { kind: ProblemKind::TooBig, file: source.file.to_owned(), line: 0, field: "file".to_owned(), reason })
}
