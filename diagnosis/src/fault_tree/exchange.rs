//! Fault trees in files: what is read and written, and the places things came from.
//!
//! A reader takes texts and returns a [`Written`] tree. It resolves names and numbers and
//! reports what it cannot; whether the tree makes sense is for `check`.

#[cfg(all(test, feature = "cli"))]
pub(super) mod arbitrary;
#[cfg(feature = "cli")]
pub mod fmea;
#[cfg(feature = "cli")]
pub mod galileo;
#[cfg(feature = "cli")]
pub mod mef;
pub mod toml;
#[cfg(feature = "cli")]
mod xml;

use std::collections::BTreeMap;

use super::model::FaultTree;
use super::problem::{Problem, ProblemKind};
#[cfg(feature = "cli")]
use super::{Limits, check_exactly, more_problems, problem::Problems};

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
    /// What the files say of an event beyond its probability, by the event.
    pub service: BTreeMap<usize, Service>,
}

/// What a technician does about an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// What the technician must be able to do.
    pub skill: String,
    /// Steps on site, one a line.
    pub sop: String,
    /// What has no place in a fault tree: error codes, effects, parts and their cost.
    pub remarks: Vec<String>,
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

/// What a reader has found wrong so far, and where things stand.
#[cfg(feature = "cli")]
struct Report {
    places: Places,
    problems: Problems,
}

#[cfg(feature = "cli")]
impl Report {
    fn problem(&mut self, place: Place, kind: ProblemKind, field: &str, reason: impl Into<String>) {
        self.problems.push(self.places.problem(place, kind, field, reason.into()));
    }
}

/// Longest text that is read. The largest trees in use are below 10 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// What is said of a text that is longer.
pub fn too_big(file: &str) -> Problem {
    let reason = format!("is longer than {MAX_BYTES} bytes: split the model");
    Problem { kind: ProblemKind::TooBig, file: file.to_owned(), line: 0, field: "file".to_owned(), reason }
}

/// Formats of fault trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(feature = "cli")]
pub enum Format {
    /// The catalogue's own.
    Toml,
    /// Open-PSA model exchange format.
    Mef,
    /// Galileo, with the dynamic gates this program knows.
    Galileo,
    /// Failure modes and effects, as a table.
    Fmea,
}

#[cfg(feature = "cli")]
impl Format {
    /// What a file's extension tells.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "xml" | "opsa" | "mef" => Some(Self::Mef),
            "dft" | "gal" | "galileo" => Some(Self::Galileo),
            "csv" => Some(Self::Fmea),
            _ => None,
        }
    }
}

/// Reads one tree from its files.
///
/// # Errors
/// Everything that is wrong in the files; what the tree means is for `check`.
#[cfg(feature = "cli")]
pub fn read(format: Format, sources: &[Source<'_>], options: &Options) -> Result<Written, Problems> {
    let (written, problems) = read_parts(format, sources, options);
    problems.unless_fatal(written)
}

/// Everything that is wrong with a tree: in its files, and by what it means.
#[cfg(feature = "cli")]
pub fn inspect(format: Format, sources: &[Source<'_>], options: &Options, limits: &Limits<'_>) -> Problems {
    let (written, mut problems) = read_parts(format, sources, options);
    if problems.is_fatal() {
        let more = more_problems(&problems.0, &written);
        more.into_iter().for_each(|problem| problems.push(problem));
        problems.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        problems
    } else {
        check_exactly(&written, limits)
    }
}

#[cfg(feature = "cli")]
fn read_parts(format: Format, sources: &[Source<'_>], options: &Options) -> (Written, Problems) {
    if let Some(source) = sources.iter().find(|source| source.text.len() > MAX_BYTES) {
        return (Written::default(), too_big(source.file).into());
    }
    match format {
        Format::Mef => mef::read_files(sources, options),
        Format::Toml => toml::read(sources, options),
        Format::Galileo => galileo::read(sources, options),
        Format::Fmea => fmea::read(sources, options),
    }
}
