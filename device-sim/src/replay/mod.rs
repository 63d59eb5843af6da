//! Recorded data, published as an appliance.
//!
//! One file is one device, one data row one telemetry message: its `seq` is the row's
//! number (1 for the first row after the header), its time the file's. A [`Mapping`] says
//! how to read the file. A replay is over when the broker has acknowledged every row.

mod mapping;
mod player;
mod rows;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firmware_proto::{BootId, DeviceAddress, DeviceId, Encoding, IdError, TenantId};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use self::mapping::{Mapping, MappingError};
pub use self::rows::{BadRow, RecordingError};
use crate::replay::player::Player;

/// Recordings sent side by side unless the caller says otherwise.
pub const DEFAULT_CONNECTIONS: usize = 16;

/// One file and the device that it is published as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The CSV file.
    pub path: PathBuf,
    /// Whose device, and which.
    pub address: DeviceAddress,
    /// MQTT password of the device.
    pub token: String,
}

/// What a replay needs to start.
#[derive(Debug, Clone)]
pub struct ReplayConfig {
    /// Where the broker listens.
    pub broker: SocketAddr,
    /// How to read the files.
    pub mapping: Mapping,
    /// The files.
    pub recordings: Vec<Recording>,
    /// Recorded seconds per wall second; 0 for as fast as rows are acknowledged.
    pub speed: f64,
    /// Boot of the messages; the mapping's if none.
    pub boot_id: Option<BootId>,
    /// Mark the messages as backfill, which raises no live alarm.
    pub is_historical: bool,
    /// Leave bad rows out instead of refusing the file.
    pub skip_bad_rows: bool,
    /// How the messages are written.
    pub encoding: Encoding,
    /// Recordings sent side by side; see [`DEFAULT_CONNECTIONS`].
    pub connections: usize,
}

/// What became of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordingReport {
    /// The file.
    pub path: PathBuf,
    /// The device.
    pub device: DeviceId,
    /// Rows that the broker has acknowledged.
    pub rows_sent: u64,
    /// Rows left out, and why.
    pub rows_skipped: Vec<BadRow>,
    /// Rows that the gateway said it did not accept.
    pub rejections: u64,
    /// Why not every row was sent; none if all were.
    pub incomplete: Option<String>,
}

/// Why a replay did not begin or did not end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A row cannot be read, and bad rows are not to be skipped. Nothing was sent.
    #[error("{path}, {bad}; nothing was sent: mend the row, or skip bad rows")]
    BadRow {
        /// The recording.
        path: PathBuf,
        /// Which row, and why.
        bad: BadRow,
    },
    /// A file's name is no device id.
    #[error("{path}: {id:?} is no device id: name the device instead")]
    DeviceId {
        /// The recording.
        path: PathBuf,
        /// What its path gave.
        id: String,
        /// Why not.
        source: IdError,
    },
    /// Two files would be the same device.
    #[error("{first} and {second} would both be device {device}: take more levels of their paths into the id")]
    SameDevice {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Their common id.
        device: DeviceId,
    },
}

/// The device id that a file's path gives: its last `levels` levels, joined by `-`,
/// without the extension.
///
/// # Errors
/// The result is no device id.
pub fn device_id_of(path: &Path, levels: usize) -> Result<DeviceId, ReplayError> {
    let stem = path.with_extension("");
    let parts: Vec<_> = stem.iter().map(|part| part.to_string_lossy()).collect();
    let id = parts[parts.len().saturating_sub(levels.max(1))..].join("-");
    id.parse().map_err(|source| ReplayError::DeviceId { path: path.to_owned(), id, source })
}

/// Recordings whose devices are named after the files.
///
/// # Errors
/// A path gives no device id, or two give the same.
pub fn recordings(
    tenant: &TenantId,
    paths: &[PathBuf],
    levels: usize,
    token: impl Fn(&DeviceId) -> String,
) -> Result<Vec<Recording>, ReplayError> {
    let mut by_device: BTreeMap<DeviceId, &PathBuf> = BTreeMap::new();
    let mut recordings = Vec::with_capacity(paths.len());
    for path in paths {
        let device = device_id_of(path, levels)?;
        if let Some(first) = by_device.insert(device.clone(), path) {
            return Err(ReplayError::SameDevice { first: first.clone(), second: path.clone(), device });
        }
        let token = token(&device);
        recordings.push(Recording {
            path: path.clone(),
            address: DeviceAddress { tenant: tenant.clone(), device },
            token,
        });
    }
    Ok(recordings)
}

/// Reads a whole recording without sending it: good rows, and the bad ones.
///
/// # Errors
/// The file cannot be read, or its header does not fit the mapping.
pub fn check(path: &Path, mapping: &Mapping) -> Result<(u64, Vec<BadRow>), RecordingError> {
    let mut rows = rows::open(path, mapping)?;
    let (mut good, mut bad) = (0, Vec::new());
    while let Some(row) = rows.read() {
        match row.map_err(|source| RecordingError::Read { path: path.to_owned(), source })? {
            Ok(_) => good += 1,
            Err(row) => bad.push(row),
        }
    }
    Ok((good, bad))
}

/// Publishes the recordings and waits until the broker has acknowledged every row, or
/// until `stop` becomes true. Lost connections are taken up again where they broke.
///
/// Every file is read through first, so that a bad one is refused before anything is sent.
///
/// # Errors
/// A recording cannot be read, or has bad rows that are not to be skipped.
pub async fn run(config: ReplayConfig, stop: watch::Receiver<bool>) -> Result<Vec<RecordingReport>, ReplayError> {
    for recording in &config.recordings {
        let (_, bad) = check(&recording.path, &config.mapping)?;
        if let (Some(bad), false) = (bad.into_iter().next(), config.skip_bad_rows) {
            return Err(ReplayError::BadRow { path: recording.path.clone(), bad });
        }
    }
    let config = Arc::new(config);
    let places = Arc::new(Semaphore::new(config.connections.max(1)));
    let mut players = JoinSet::new();
    for (at, recording) in config.recordings.iter().cloned().enumerate() {
        let (config, places, stop) = (Arc::clone(&config), Arc::clone(&places), stop.clone());
        players.spawn(async move {
            let _place = places.acquire().await.expect("the semaphore is never closed");
            (at, Player::play(&config, recording, stop).await)
        });
    }
    let mut reports = BTreeMap::new();
    while let Some(ended) = players.join_next().await {
        let (at, report) = ended.expect("a player does not panic");
        reports.insert(at, report?);
    }
    Ok(reports.into_values().collect())
}

#[cfg(test)]
mod tests;
