//! Where catalogue files come from: built in, or a directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::CatalogueError;

static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalog");

/// The files of one appliance type.
pub(super) const FILES: [&str; 5] = ["profile.toml", "detectors.toml", "faults.toml", "repairs.toml", "parts.toml"];

/// What a type may also have; without it, nothing can be asked or looked at.
pub(super) const STEPS: &str = "steps.toml";

/// Largest catalogue file, in bytes: ten times what a large type needs.
const MAX_FILE_LEN: u64 = 1 << 20;

/// The text of each file of one appliance type.
#[derive(Debug)]
pub(super) struct Source {
    /// What messages call the folder.
    folder: String,
    texts: BTreeMap<&'static str, String>,
}

impl Source {
    /// A type made up for a test.
    #[cfg(test)]
    pub fn of(folder: &str, texts: [&str; 5]) -> Self {
        let texts = FILES.into_iter().zip(texts.map(str::to_owned)).collect();
        Self { folder: folder.to_owned(), texts }
    }

    /// What messages call a file.
    pub fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    /// Whether every file is there; those that are not have been reported.
    pub fn is_whole(&self) -> bool {
        FILES.iter().all(|file| self.texts.contains_key(file))
    }

    /// The text of a file; empty if it is missing, which has been reported where it must be there.
    pub fn text(&self, file: &str) -> &str {
        self.texts.get(file).map_or("", String::as_str)
    }
}

fn error(file: String, reason: impl Into<String>) -> CatalogueError {
    CatalogueError { file, line: 0, field: "file".to_owned(), reason: reason.into() }
}

/// The types that are built into this program.
pub(super) fn builtin(errors: &mut Vec<CatalogueError>) -> BTreeMap<String, Source> {
    let read = |dir: &Dir<'_>, errors: &mut Vec<CatalogueError>| {
        let folder = dir.path().display().to_string();
        let mut texts = BTreeMap::new();
        for file in FILES {
            match dir.get_file(dir.path().join(file)).and_then(|f| f.contents_utf8()) {
                Some(text) => _ = texts.insert(file, text.to_owned()),
                None => errors.push(error(format!("{folder}/{file}"), "is missing")),
            }
        }
        if let Some(text) = dir.get_file(dir.path().join(STEPS)).and_then(|f| f.contents_utf8()) {
            texts.insert(STEPS, text.to_owned());
        }
        (folder.clone(), Source { folder, texts })
    };
    BUILTIN.dirs().map(|dir| read(dir, errors)).collect()
}

/// The types in a directory, one folder each.
pub(super) fn directory(dir: &Path, errors: &mut Vec<CatalogueError>) -> BTreeMap<String, Source> {
    let mut types = BTreeMap::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(cause) => {
            errors.push(error(dir.display().to_string(), format!("cannot be read: {cause}")));
            return types;
        }
    };
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    for path in folders {
        types.extend(key(&path).map(|key| (key.to_owned(), folder(&path, errors))));
    }
    types
}

/// The type a folder holds by its name; none for a hidden folder.
pub(super) fn key(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'))
}

/// One type, from its folder.
pub(super) fn folder(path: &Path, errors: &mut Vec<CatalogueError>) -> Source {
    let folder = path.display().to_string();
    let mut texts = BTreeMap::new();
    let steps = path.join(STEPS).exists().then_some(STEPS);
    for file in FILES.into_iter().chain(steps) {
        match read_file(&path.join(file)) {
            Ok(text) => _ = texts.insert(file, text),
            Err(reason) => errors.push(error(format!("{folder}/{file}"), reason)),
        }
    }
    Source { folder, texts }
}

fn read_file(path: &Path) -> Result<String, String> {
    let len = fs::metadata(path).map_err(|cause| format!("cannot be read: {cause}"))?.len();
    if len > MAX_FILE_LEN {
        return Err(format!("has {len} bytes, at most {MAX_FILE_LEN} are read"));
    }
    fs::read_to_string(path).map_err(|cause| format!("cannot be read: {cause}"))
}
