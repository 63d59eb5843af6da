//! Learnt models: trained from history and confirmed work orders, watched as shadow, promoted, rolled back.
//!
//! ```text
//! history, findings, work orders ── data ─ train ─ evaluate ── file ── shelf ──┬─ shadow ─── watched
//!                                                                              └─ speaking ─ evidence for the fault tree
//! ```
//!
//! A model file never changes and is named by its hash; which file speaks for a model of the
//! catalogue is a row in the state database, so that promotion is one transaction and rolling back is exact.
//! Not here: what a model computes (`diagnosis::detection`, `diagnosis::classifier`).

pub mod command;
mod data;
mod file;
mod live;
mod shelf;
mod train;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::history::HistoryError;
use crate::store::StoreError;

pub use file::ModelFile;
pub use live::{Models, Voices, Watches};
pub use shelf::{ModelName, Shelf, Shelved, Stage};
pub use train::{Caught, Evaluation, FalseAlarms, Learnt};

/// Why a model could not be trained, read or let speak.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A model file cannot be read or written.
    #[error("model file {path} cannot be {action}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A model file is not what was written.
    #[error("model file {path} is damaged: {reason}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A version that nobody trained here.
    #[error("there is no model version {version:?}; there are: {}", if known.is_empty() { "none, train one with `gateway models train`".to_owned() } else { known.join(", ") })]
    NoVersion {
        /// As given.
        version: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A promotion that would change nothing.
    #[error("{version} speaks for {of} already")]
    SpeaksAlready {
        /// Of which model.
        of: ModelName,
        /// Which version.
        version: String,
    },
    /// Nothing to roll back.
    #[error("no version speaks for {of}: there is nothing to roll back")]
    NothingSpeaks {
        /// Of which model.
        of: ModelName,
    },
    /// History could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// State could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("state database: {0}")]
    Database(#[from] sqlx::Error),
}

/// What a model was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSet {
    /// SHA-256 over the devices, days and row counts, so that equal data has an equal name.
    pub id: String,
    /// Devices.
    pub devices: usize,
    /// Days of devices.
    pub device_days: usize,
    /// Samples.
    pub rows: usize,
    /// Earliest receive time, epoch milliseconds.
    pub from_ms: i64,
    /// Latest.
    pub to_ms: i64,
    /// Days of which rows were left out since the device was in trouble.
    pub left_out_days: usize,
    /// There were more devices than fit into memory.
    pub truncated: bool,
}
