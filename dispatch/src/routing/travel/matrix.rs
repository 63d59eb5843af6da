//! What road routers answer, as a [`Matrix`].

use serde::Deserialize;

use crate::error::{InputError, Problem as Wrong};
use crate::place::Place;
use crate::routing::problem::Matrix;

/// Metres of a mile.
const MILE_M: f64 = 1609.344;

/// Rows of numbers; `null` where there is no way.
type Rows = Vec<Vec<Option<f64>>>;

#[derive(Deserialize)]
struct OsrmTable {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    durations: Rows,
    #[serde(default)]
    distances: Rows,
}

#[derive(Deserialize)]
struct ValhallaMatrix {
    sources_to_targets: ValhallaRows,
    #[serde(default)]
    units: String,
}

/// Valhalla answers cell by cell, or (with `verbose: false`) in two tables.
#[derive(Deserialize)]
#[serde(untagged)]
enum ValhallaRows {
    Cells(Vec<Vec<ValhallaCell>>),
    Tables {
        durations: Rows,
        #[serde(default)]
        distances: Rows,
    },
}

#[derive(Deserialize)]
struct ValhallaCell {
    time: Option<f64>,
    distance: Option<f64>,
}

/// The matrix of an answer of OSRM's `/table` service (durations in seconds, distances in metres),
/// asked for `places` in this order, as sources and as destinations.
///
/// # Errors
/// An answer that is no such JSON, an answer that is not "Ok", tables of another size than
/// `places`, a time that is negative or longer than a week.
pub fn osrm_table(answer: &str, places: &[Place]) -> Result<Matrix, InputError> {
    let table: OsrmTable = read(answer)?;
    if table.code != "Ok" {
        return Err(InputError::new("code", Wrong::Json(format!("{}: {}", table.code, table.message))));
    }
    checked(places, table.durations, table.distances)
}

/// The matrix of an answer of Valhalla's `/sources_to_targets` service (times in seconds, distances
/// in its `units`), asked for `places` in this order, as sources and as targets.
///
/// # Errors
/// As [`osrm_table`].
pub fn valhalla_matrix(answer: &str, places: &[Place]) -> Result<Matrix, InputError> {
    let answer: ValhallaMatrix = read(answer)?;
    let metres = if answer.units == "miles" { MILE_M } else { 1000.0 };
    let in_metres = |distance: Option<f64>| distance.map(|units| units * metres);
    let (durations, distances) = match answer.sources_to_targets {
        ValhallaRows::Cells(rows) => (
            rows.iter().map(|row| row.iter().map(|cell| cell.time).collect()).collect(),
            rows.iter().map(|row| row.iter().map(|cell| in_metres(cell.distance)).collect()).collect(),
        ),
        ValhallaRows::Tables { durations, distances } => {
            (durations, distances.into_iter().map(|row| row.into_iter().map(in_metres).collect()).collect())
        }
    };
    checked(places, durations, distances)
}

fn read<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, InputError> {
    serde_json::from_str(answer).map_err(|error| InputError::new("answer", Wrong::Json(error.to_string())))
}

fn checked(places: &[Place], durations_s: Rows, distances_m: Rows) -> Result<Matrix, InputError> {
    let matrix = Matrix { places: places.to_vec(), durations_s, distances_m };
    matrix.check()?;
    Ok(matrix)
}
