//! Rows of a recording, one after the other.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use firmware_proto::{DeviceTime, Reading};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;
use thiserror::Error;

use super::mapping::{Column, Empty, Mapping, Time};

/// A recording that cannot be read at all.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// The recording.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The first line does not fit the mapping.
    #[error("{path}, line 1: {reason}")]
    Header {
        /// The recording.
        path: PathBuf,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// A data row that says something.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// 1 for the first row after the header.
    pub number: u64,
    pub time: DeviceTime,
    pub readings: Vec<Reading>,
}

/// A data row that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[error("line {line} (row {row}): {reason}")]
pub struct BadRow {
    /// Line of the file, 1 for the header.
    pub line: u64,
    /// Data row, 1 for the first.
    pub row: u64,
    /// Which column, which value, and what would be right.
    pub reason: String,
}

/// Reads a recording row by row.
pub(super) struct Rows<R> {
    reader: csv::Reader<R>,
    record: csv::ByteRecord,
    layout: Layout,
    row: u64,
}

/// Where the columns of this file are.
struct Layout {
    width: usize,
    time: RowTime,
    columns: Vec<(usize, String, Column)>,
    decimal_comma: bool,
}

enum RowTime {
    Column { at: usize, name: String, formats: Vec<String>, zone: TimeZone, last_format: usize },
    Counted { start_ms: i64, interval_ms: i64 },
}

/// Opens a recording.
pub(super) fn open(path: &Path, mapping: &Mapping) -> Result<Rows<BufReader<File>>, RecordingError> {
    let file = File::open(path).map_err(|source| RecordingError::Read { path: path.to_owned(), source })?;
    Rows::new(BufReader::new(file), mapping).map_err(|error| match error {
        HeaderError::Read(source) => RecordingError::Read { path: path.to_owned(), source },
        HeaderError::Unfit(reason) => RecordingError::Header { path: path.to_owned(), reason },
    })
}

/// Why a header cannot be used.
#[derive(Debug, Error)]
pub(super) enum HeaderError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("{0}")]
    Unfit(String),
}

/// Longest header line: a file without line ends must not fill the memory.
const MAX_HEADER_BYTES: usize = 64 * 1024;

impl<R: Read> Rows<R> {
    /// Reads the header and finds the columns.
    pub fn new(mut input: R, mapping: &Mapping) -> Result<Self, HeaderError> {
        let header = first_line(&mut input)?;
        let separator = separator(&header, mapping)?;
        let layout = Layout::of(&header, separator, mapping)?;
        let reader =
            csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(input);
        Ok(Self { reader, record: csv::ByteRecord::new(), layout, row: 0 })
    }

    /// The next row; none at the end.
    pub fn read(&mut self) -> Option<io::Result<Result<Row, BadRow>>> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                self.row += 1;
                // The header line is not the csv reader's.
                let line = self.record.position().map_or(0, csv::Position::line) + 1;
                let row = self.row;
                Some(Ok(self.layout.row(&self.record, row).map_err(|reason| BadRow { line, row, reason })))
            }
            Err(error) => Some(Err(io::Error::other(error))),
        }
    }
}

/// The first line without byte order mark and line end.
fn first_line(input: &mut impl Read) -> Result<String, HeaderError> {
    let mut line = Vec::new();
    let mut byte = [0];
    while input.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
        if line.len() > MAX_HEADER_BYTES {
            return Err(HeaderError::Unfit(format!(
                "longer than {MAX_HEADER_BYTES} bytes: a header names the columns"
            )));
        }
    }
    let line = String::from_utf8(line).map_err(|_| HeaderError::Unfit("not UTF-8".into()))?;
    let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
    if line.trim().is_empty() {
        return Err(HeaderError::Unfit("empty: a header names the columns".into()));
    }
    Ok(line.to_owned())
}

/// The first of the mapping's separators that occurs in the header.
fn separator(header: &str, mapping: &Mapping) -> Result<u8, HeaderError> {
    let occurs = |separator: &&u8| header.as_bytes().contains(separator);
    let lone_column = || (mapping.columns.len() == 1).then(|| &mapping.separators[0]);
    mapping.separators.iter().find(occurs).or_else(lone_column).copied().ok_or_else(|| {
        let known: Vec<_> = mapping.separators.iter().map(|byte| char::from(*byte)).collect();
        HeaderError::Unfit(format!("{header:?} has none of the separators {known:?}"))
    })
}

impl Layout {
    fn of(header: &str, separator: u8, mapping: &Mapping) -> Result<Self, HeaderError> {
        let names: Vec<&str> = header.split(char::from(separator)).map(|name| name.trim().trim_matches('"')).collect();
        let position = |wanted: &str| {
            names.iter().position(|name| *name == wanted).ok_or_else(|| {
                HeaderError::Unfit(format!("no column {wanted:?}, which the mapping names; there are {names:?}"))
            })
        };
        let time = match &mapping.time {
            Time::Column { name, formats, zone } => RowTime::Column {
                at: position(name)?,
                name: name.clone(),
                formats: formats.clone(),
                zone: zone.clone(),
                last_format: 0,
            },
            Time::Counted { start, interval_ms } => {
                RowTime::Counted { start_ms: start.as_millisecond(), interval_ms: *interval_ms }
            }
        };
        let mut columns = Vec::new();
        for (name, column) in &mapping.columns {
            columns.push((position(name)?, name.clone(), column.clone()));
        }
        let known = |at: usize, name: &str| {
            columns.iter().any(|(mapped, _, _)| *mapped == at)
                || matches!(&time, RowTime::Column { at: time_at, .. } if *time_at == at)
                || mapping.ignore.iter().any(|ignored| ignored == name)
        };
        if let Some((_, name)) = names.iter().enumerate().find(|(at, name)| !known(*at, name)) {
            return Err(HeaderError::Unfit(format!(
                "column {name:?} is neither mapped nor in the mapping's ignore list"
            )));
        }
        Ok(Self { width: names.len(), time, columns, decimal_comma: mapping.decimal_comma })
    }

    fn row(&mut self, record: &csv::ByteRecord, number: u64) -> Result<Row, String> {
        if record.len() != self.width {
            return Err(format!("{} fields, the header has {}", record.len(), self.width));
        }
        let time = self.time.of(record, number)?;
        let mut readings = Vec::with_capacity(self.columns.len());
        for (at, name, column) in &self.columns {
            let text = field(record, *at, name)?;
            if text.is_empty() && column.empty == Empty::Omit {
                continue;
            }
            let value = number_of(text, self.decimal_comma).ok_or_else(|| format!("{name}: {text:?} is no number"))?;
            readings.push(Reading::named(column.datapoint.clone(), value * column.scale));
        }
        Ok(Row { number, time, readings })
    }
}

fn field<'a>(record: &'a csv::ByteRecord, at: usize, name: &str) -> Result<&'a str, String> {
    let bytes = record.get(at).ok_or_else(|| format!("{name}: missing"))?;
    std::str::from_utf8(bytes).map(str::trim).map_err(|_| format!("{name}: not UTF-8"))
}

/// A finite number.
fn number_of(text: &str, decimal_comma: bool) -> Option<f64> {
    let number: f64 = if decimal_comma { text.replace(',', ".").parse() } else { text.parse() }.ok()?;
    number.is_finite().then_some(number)
}

impl RowTime {
    fn of(&mut self, record: &csv::ByteRecord, number: u64) -> Result<DeviceTime, String> {
        match self {
            Self::Counted { start_ms, interval_ms } => {
                let index = i64::try_from(number - 1).unwrap_or(i64::MAX);
                Ok(DeviceTime(start_ms.saturating_add(interval_ms.saturating_mul(index))))
            }
            Self::Column { at, name, formats, zone, last_format } => {
                let text = field(record, *at, name)?;
                // Files keep to one format: the last that fitted comes first.
                let order = std::iter::once(*last_format).chain(0..formats.len());
                for index in order {
                    if let Ok(time) = DateTime::strptime(&formats[index], text) {
                        *last_format = index;
                        let time = time.to_zoned(zone.clone()).map_err(|error| format!("{name}: {text:?}: {error}"))?;
                        return Ok(DeviceTime(time.timestamp().as_millisecond()));
                    }
                }
                Err(format!("{name}: {text:?} has none of the formats {formats:?}"))
            }
        }
    }
}
