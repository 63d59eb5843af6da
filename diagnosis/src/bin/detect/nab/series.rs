//! One series as it was recorded.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use csv::StringRecord;
use firmware_proto::DeviceTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::corpus::Window;

/// One reading, with its fields as they were written.
pub struct Row {
    pub time: DeviceTime,
    /// Not a number if there was no reading.
    pub value: f64,
    written: (String, String),
}

/// All readings, in the file's order.
pub struct Series {
    pub rows: Vec<Row>,
}

/// A time as NAB writes it, such as `2014-02-14 14:27:00`, taken as UTC.
pub fn time(text: &str) -> Result<DeviceTime> {
    let parsed = text.trim().parse::<DateTime>().ok().and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    let Some(parsed) = parsed else {
        bail!("{text:?} is no time; it is written as 2014-02-14 14:27:00");
    };
    Ok(DeviceTime(parsed.timestamp().as_millisecond()))
}

impl Series {
    /// Reads a CSV file with the columns timestamp and value, whatever else it has.
    ///
    /// # Errors
    /// The file cannot be read, lacks a column, or a field is not what it should be; the message
    /// names file, line and column.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let file = File::open(path).with_context(|| name.to_string())?;
        let mut reader = csv::Reader::from_reader(file);
        let header = reader.headers().with_context(|| name.to_string())?.clone();
        let column = |wanted: &str| {
            let found = header.iter().position(|column| column.trim_start_matches('\u{feff}').trim() == wanted);
            found.with_context(|| {
                let found: Vec<&str> = header.iter().collect();
                format!("{name}: line 1: no column {wanted:?} among {found:?}; NAB's are timestamp,value")
            })
        };
        let (timestamp, value) = (column("timestamp")?, column("value")?);
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.with_context(|| name.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push(row(&record, timestamp, value).with_context(|| format!("{name}: line {line}"))?);
        }
        Ok(Self { rows })
    }

    /// 1 for each row within a window, else 0.
    pub fn labels(&self, windows: &[Window]) -> Vec<u8> {
        let within = |row: &Row| windows.iter().any(|&(first, last)| first <= row.time && row.time <= last);
        self.rows.iter().map(|row| u8::from(within(row))).collect()
    }

    /// The CSV file of results.
    pub fn result(&self, scores: &[f64], labels: &[u8]) -> String {
        let mut text = String::from("timestamp,value,anomaly_score,label\n");
        for ((row, score), label) in self.rows.iter().zip(scores).zip(labels) {
            let (timestamp, value) = &row.written;
            text += &format!("{timestamp},{value},{score},{label}\n");
        }
        text
    }
}

fn row(record: &StringRecord, timestamp: usize, value: usize) -> Result<Row> {
    let written = (record[timestamp].to_owned(), record[value].to_owned());
    let time = time(&written.0).context("column timestamp")?;
    let value = match written.1.trim() {
        "" => f64::NAN,
        number => number.parse().ok().with_context(|| {
            format!(
                "column value: {number:?} is no number; it is written as 0.25 or 1e6, and left empty without a reading"
            )
        })?,
    };
    Ok(Row { time, value, written })
}
