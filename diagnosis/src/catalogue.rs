//! The catalogue: every appliance type that is known.
//!
//! `detectors.toml` of a type holds what is watched: `[detectors.x]` are rules over the
//! datapoints (their words are those of ISA-18.2, see the module `detector`), `[drifts.x]` watch a
//! number against this device's own baselines, one fixed and, with `follow`, one that follows
//! slowly, and `[models.x]` name what a trained model looks at. All are linked to causes and gates
//! in `faults.toml` in the same way.

mod build;
mod detectors;
pub(crate) mod document;
mod faults;
mod files;
mod repairs;
mod source;
mod steps;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use crate::appliance::ApplianceType;
use crate::fault_tree::Problem;

/// Every appliance type that is known.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    types: BTreeMap<String, Arc<ApplianceType>>,
}

/// One thing that is wrong in a catalogue file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {field}: {reason}")]
pub struct CatalogueError {
    /// The file, as `<type>/detectors.toml` or as a path of the overlay.
    pub file: String,
    /// Line, from 1; 0 if it is about the whole file.
    pub line: usize,
    /// The field at fault, for example `detectors.coil_warm.violated`.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl From<Problem> for CatalogueError {
    fn from(Problem { file, line, field, reason, .. }: Problem) -> Self {
        Self { file, line, field, reason }
    }
}

/// Everything that is wrong in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct CatalogueErrors(pub Vec<CatalogueError>);

impl fmt::Display for CatalogueErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the catalogue has {} error(s)", self.0.len())?;
        self.0.iter().try_for_each(|error| writeln!(f, "  {error}"))
    }
}

impl Catalogue {
    /// The catalogue that is built into this program.
    ///
    /// # Errors
    /// Every error in every file.
    pub fn builtin() -> Result<Self, CatalogueErrors> {
        let mut errors = Vec::new();
        let sources = source::builtin(&mut errors);
        Self::build(sources, errors)
    }

    /// The built-in catalogue with the types found in `dir` added; a type that is in both is
    /// taken from `dir`. Each folder in `dir` is a type.
    ///
    /// # Errors
    /// Every error in every file, and a directory that cannot be read.
    pub fn with_overlay(dir: &Path) -> Result<Self, CatalogueErrors> {
        let mut errors = Vec::new();
        let mut sources = source::builtin(&mut errors);
        sources.extend(source::directory(dir, &mut errors));
        Self::build(sources, errors)
    }

    /// One appliance type alone, from its folder, whose name is its key.
    ///
    /// # Errors
    /// Every error in every file, and a folder that cannot be read or has no name.
    pub fn type_in(folder: &Path) -> Result<Arc<ApplianceType>, CatalogueErrors> {
        let mut errors = Vec::new();
        let key = source::key(folder).unwrap_or_default().to_owned();
        let source = source::folder(folder, &mut errors);
        let mut types = Self::build(BTreeMap::from([(key.clone(), source)]), errors)?.types;
        let nameless = || CatalogueError {
            file: folder.display().to_string(),
            line: 0,
            field: "file".to_owned(),
            reason: "has no name that could be a type's key".to_owned(),
        };
        types.remove(&key).ok_or_else(|| CatalogueErrors(vec![nameless()]))
    }

    fn build(
        sources: BTreeMap<String, source::Source>,
        mut errors: Vec<CatalogueError>,
    ) -> Result<Self, CatalogueErrors> {
        let mut types: BTreeMap<String, Arc<ApplianceType>> = BTreeMap::new();
        for (key, source) in sources.iter().filter(|(_, source)| source.is_whole()) {
            let ty = build::appliance_type(key, source, &mut errors);
            for model in &ty.models {
                if let Some(other) = types.values().find(|other| other.models.contains(model)) {
                    let reason = format!("model {model:?} belongs to type {} already", other.key);
                    errors.push(CatalogueError {
                        file: source.name("profile.toml"),
                        line: 0,
                        field: "models".to_owned(),
                        reason,
                    });
                }
            }
            types.insert(key.clone(), Arc::new(ty));
        }
        if errors.is_empty() { Ok(Self { types }) } else { Err(CatalogueErrors(errors)) }
    }

    /// A type by its key.
    pub fn get(&self, key: &str) -> Option<&Arc<ApplianceType>> {
        self.types.get(key)
    }

    /// All types, by key.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ApplianceType>> {
        self.types.values()
    }

    /// The type that lists a model name.
    pub fn of_model(&self, model: &str) -> Option<&Arc<ApplianceType>> {
        self.iter().find(|ty| ty.models.iter().any(|m| m == model))
    }
}

/// A type made up for a test, from the texts of its files in the order of [`source::FILES`].
#[cfg(test)]
pub(crate) fn type_of(key: &str, texts: [&str; 5]) -> Result<ApplianceType, CatalogueErrors> {
    let mut errors = Vec::new();
    let ty = build::appliance_type(key, &source::Source::of(key, texts), &mut errors);
    if errors.is_empty() { Ok(ty) } else { Err(CatalogueErrors(errors)) }
}
