//! How the columns of a recording become datapoints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firmware_proto::BootId;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use thiserror::Error;

/// A mapping that cannot be used: which file, where, and what would be right.
#[derive(Debug, Error)]
pub enum MappingError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// The mapping file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type. The source names line and column.
    #[error("{name}: not a mapping")]
    Syntax {
        /// The mapping's name.
        name: String,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A value that makes no sense.
    #[error("{name}: {field}: {reason}")]
    Value {
        /// The mapping's name.
        name: String,
        /// Which key.
        field: String,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// How to read a family of recordings. Written as TOML:
///
/// ```toml
/// ignore = ["label", ""]             # "" stands for columns without a name
///
/// [time]
/// column = "ctime"
/// formats = ["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M"]   # tried in this order
///
/// [columns.activePower]
/// datapoint = "power_w"
/// ```
///
/// A recording without a time column gives `[time]` a `start` and an `interval_s`.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub(super) time: Time,
    pub(super) columns: BTreeMap<String, Column>,
    pub(super) ignore: Vec<String>,
    pub(super) separators: Vec<u8>,
    pub(super) decimal_comma: bool,
    /// Boot that the recorded messages belong to.
    pub boot_id: BootId,
}

/// Where a row's time comes from.
#[derive(Debug, Clone)]
pub(super) enum Time {
    Column { name: String, formats: Vec<String>, zone: TimeZone },
    Counted { start: Timestamp, interval_ms: i64 },
}

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub datapoint: String,
    #[serde(default = "one")]
    pub scale: f64,
    #[serde(default)]
    pub empty: Empty,
}

/// What an empty field means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Empty {
    /// The row is bad.
    #[default]
    Reject,
    /// Nothing was measured: the row is sent without this reading.
    Omit,
}

fn one() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingText {
    time: TimeText,
    columns: BTreeMap<String, Column>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default = "both_separators")]
    separators: Vec<String>,
    #[serde(default)]
    decimal_comma: bool,
    #[serde(default = "first_boot")]
    boot_id: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeText {
    column: Option<String>,
    #[serde(default)]
    formats: Vec<String>,
    zone: Option<String>,
    start: Option<String>,
    interval_s: Option<f64>,
}

fn both_separators() -> Vec<String> {
    vec![",".into(), ";".into()]
}

fn first_boot() -> u64 {
    1
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Names file, place and what would be right.
    pub fn read(path: &Path) -> Result<Self, MappingError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| MappingError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads a mapping from its text; `name` is for error messages.
    ///
    /// # Errors
    /// Names place and what would be right.
    pub fn parse(name: &str, text: &str) -> Result<Self, MappingError> {
        let written: MappingText = toml::from_str(text)
            .map_err(|source| MappingError::Syntax { name: name.to_owned(), source: Box::new(source) })?;
        let wrong = |field: &str, reason: String| MappingError::Value {
            name: name.to_owned(),
            field: field.to_owned(),
            reason,
        };
        let time = time(written.time).map_err(|(field, reason)| wrong(field, reason))?;
        let separators = written.separators.iter().map(|text| separator(text)).collect::<Result<Vec<_>, _>>();
        let separators = separators.map_err(|reason| wrong("separators", reason))?;
        if separators.is_empty() {
            return Err(wrong("separators", "is empty: give one or leave it out".into()));
        }
        if written.columns.is_empty() {
            return Err(wrong("columns", "is empty: map at least one column to a datapoint".into()));
        }
        for (column, mapped) in &written.columns {
            if !mapped.scale.is_finite() {
                return Err(wrong(&format!("columns.{column}.scale"), format!("{} is no finite number", mapped.scale)));
            }
        }
        Ok(Self {
            time,
            columns: written.columns,
            ignore: written.ignore,
            separators,
            decimal_comma: written.decimal_comma,
            boot_id: BootId(written.boot_id),
        })
    }
}

fn time(written: TimeText) -> Result<Time, (&'static str, String)> {
    match written {
        TimeText { column: Some(name), formats, zone, start: None, interval_s: None } => {
            if formats.is_empty() {
                return Err(("time.formats", "is empty: give at least one, as in strptime".into()));
            }
            for format in &formats {
                check_format(format).map_err(|reason| ("time.formats", reason))?;
            }
            let zone = zone.unwrap_or_else(|| "UTC".into());
            let zone = TimeZone::get(&zone).map_err(|error| ("time.zone", format!("{zone:?}: {error}")))?;
            Ok(Time::Column { name, formats, zone })
        }
        TimeText { column: None, formats, zone: None, start: Some(start), interval_s: Some(interval_s) }
            if formats.is_empty() =>
        {
            let start: Timestamp =
                start.parse().map_err(|error| ("time.start", format!("{start:?} is no RFC 3339 time: {error}")))?;
            if !(interval_s > 0.0 && interval_s < 1e9) {
                return Err(("time.interval_s", format!("{interval_s} must be a positive number of seconds")));
            }
            Ok(Time::Counted { start, interval_ms: (interval_s * 1000.0).round() as i64 })
        }
        _ => Err(("time", "give either column and formats (and zone), or start and interval_s".into())),
    }
}

/// A format that cannot write a date cannot read one.
fn check_format(format: &str) -> Result<(), String> {
    let sample = DateTime::constant(2020, 12, 31, 23, 59, 58, 0);
    let written = jiff::fmt::strtime::format(format, sample).map_err(|error| format!("{format:?}: {error}"))?;
    DateTime::strptime(format, &written)
        .map(|_| ())
        .map_err(|error| format!("{format:?} gives no date and time: {error}"))
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && *byte != b'"' => Ok(*byte),
        _ => Err(format!("{text:?} is not one ASCII character")),
    }
}
