//! A model as a file: written once, named by its own hash, checked whenever it is read.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use firmware_proto::ServerTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Evaluation, Learnt, ModelError, ModelName, TrainingSet};
use crate::auth::hex;

/// The layout of model files that this gateway writes and reads.
const FORMAT: u32 = 1;

/// Hexadecimal digits of a version: 48 bits of the file's SHA-256.
const VERSION_DIGITS: usize = 12;

/// Larger files are not read: a model of 100 firmware versions is below 4 MB.
const MAX_BYTES: u64 = 64 << 20;

/// Everything about a learnt model.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Layout of this file.
    format: u32,
    /// Which appliance type it is for.
    pub r#type: String,
    /// Which model of the type: a key of `[models]` in its `detectors.toml`.
    pub name: String,
    /// Epoch milliseconds.
    pub trained_ms: i64,
    /// What it was trained on.
    pub training_set: TrainingSet,
    /// How it did on devices that it was not trained on.
    pub evaluation: Evaluation,
    /// What it learnt.
    pub learnt: Learnt,
}

impl ModelFile {
    /// A file to be written.
    pub fn new(
        of: &ModelName,
        trained: ServerTime,
        training_set: TrainingSet,
        evaluation: Evaluation,
        learnt: Learnt,
    ) -> Self {
        let (r#type, name) = (of.r#type.clone(), of.name.clone());
        Self { format: FORMAT, r#type, name, trained_ms: trained.ms(), training_set, evaluation, learnt }
    }

    /// Writes the file unless it is there already, and returns its version.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, folder: &Path) -> Result<String, ModelError> {
        let bytes = self.bytes();
        let version = version_of(&bytes);
        let path = path(folder, &version);
        let attempt = || {
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(&path) {
                Err(error) if error.error.kind() != ErrorKind::AlreadyExists => return Err(error.error),
                _ => {}
            }
            std::fs::File::open(folder)?.sync_all()
        };
        attempt().map_err(|source| ModelError::File { path: path.clone(), action: "written", source })?;
        Ok(version)
    }

    /// Reads a version.
    ///
    /// # Errors
    /// It is not there, or not what was written.
    pub fn read(folder: &Path, version: &str) -> Result<Self, ModelError> {
        let path = path(folder, version);
        let failed = |source| ModelError::File { path: path.clone(), action: "read", source };
        let size = std::fs::metadata(&path).map_err(failed)?.len();
        if size > MAX_BYTES {
            return Err(ModelError::Damaged { path, reason: format!("{size} bytes are more than {MAX_BYTES}") });
        }
        let bytes = std::fs::read(&path).map_err(failed)?;
        if version_of(&bytes) != version {
            return Err(ModelError::Damaged { path, reason: "its hash is not its name".to_owned() });
        }
        let file: Self = serde_json::from_slice(&bytes)
            .map_err(|error| ModelError::Damaged { path: path.clone(), reason: error.to_string() })?;
        if file.format != FORMAT {
            let reason = format!("its format is {}, this gateway reads {FORMAT}: train it anew", file.format);
            return Err(ModelError::Damaged { path, reason });
        }
        Ok(file)
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a model has text keys and finite numbers only, so JSON can hold it")
    }
}

fn version_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))[..VERSION_DIGITS].to_owned()
}

fn path(folder: &Path, version: &str) -> PathBuf {
    folder.join(format!("{version}.json"))
}
