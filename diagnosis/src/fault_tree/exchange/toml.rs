//! The catalogue's own format: a fault tree in TOML, made for people and for `diff`.
//!
//! ```toml
//! top = "warm"
//!
//! [gates]
//! warm = { name = "Food gets warm", any = ["no_cold", "door_open"] }
//! no_cold = { name = "No cold is made", inhibit = ["relay_stuck"], condition = "summer" }
//!
//! [causes.relay_stuck]
//! rate_per_year = 0.02
//! ...
//! ```
//!
//! Gates: `any`, `all`, `none`, `xor`, `at_least` with `of`, `inhibit` with `condition`,
//! `priority`, `spare` with `dormancy`; an input `"not x"` counts when x is absent. Events stand
//! in `causes`, `undeveloped`, `conditions` and `houses`; groups in `common_causes`; a gate in
//! `transfers` is another file's top event. Files share one space of names.

mod build;
mod file;
#[cfg(feature = "cli")]
mod write;

use std::path::PathBuf;

use crate::catalogue::document::Document;
use crate::fault_tree::problem::Problems;

use super::{Options, Source, Written};
pub(crate) use build::{Built, Names, Part, build};
pub(crate) use file::EventFile;
#[cfg(feature = "cli")]
pub(crate) use file::{DAYS_A_YEAR, EXPOSURE_DAYS};
#[cfg(feature = "cli")]
pub use write::write;

/// Reads the tree of the first file; the others are there for transfers. Returns what could be
/// read, and everything that is wrong in the files.
pub fn read(sources: &[Source<'_>], options: &Options) -> (Written, Problems) {
    let mut parts: Vec<Part<'_>> = sources.iter().map(|source| Part::read(document(*source), &[LINKS])).collect();
    let Built { written, .. } = build(&mut parts, options.top.as_deref());
    let broken = parts.iter().any(|part| part.document.broken);
    let problems = parts.into_iter().flat_map(|part| part.document.finish(broken)).take(Problems::MOST);
    (written, Problems(problems.collect()))
}

/// What a tree says of detectors is for the catalogue.
pub(crate) const LINKS: &str = "links";

/// Files that a file takes gates from, none if it is no TOML.
pub fn transfers(source: Source<'_>) -> Vec<PathBuf> {
    let part = Part::read(document(source), &[LINKS]);
    part.transfers.into_iter().map(|entry| build::beside(source.file, entry.value.get_ref())).collect()
}

fn document(source: Source<'_>) -> Document<'_> {
    Document::parse(source.file.to_owned(), source.text)
}

#[cfg(all(test, feature = "cli"))]
mod tests;
