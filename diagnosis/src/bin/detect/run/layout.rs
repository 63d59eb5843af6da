//! Which column of a file is what.

use anyhow::{Result, bail};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::source::{Row, Source};

/// Rows from which the kind of a column is told.
pub const LOOK_AHEAD: usize = 100;
/// What a time column is called, in lower case.
const TIME_NAMES: [&str; 8] = ["time", "timestamp", "datetime", "date", "date_time", "ts", "time_ms", "date time"];
/// What a column is called that only counts rows.
const COUNTER_NAMES: [&str; 6] = ["", "index", "row", "id", "no", "unnamed: 0"];
const MISSING: [&str; 6] = ["", "na", "n/a", "nan", "null", "none"];

/// The columns of a file.
pub struct Layout {
    time: Option<usize>,
    /// Column and name of each channel.
    pub channels: Vec<(usize, String)>,
    /// What a reader should know of columns that were left out.
    pub notes: Vec<String>,
}

impl Layout {
    /// From the header and the first rows.
    pub fn find(source: &Source, ahead: &[Row], ignore: &[String]) -> Result<Self> {
        let ahead = &ahead[..ahead.len().min(LOOK_AHEAD)];
        if ahead.is_empty() {
            bail!("{}: has no rows below its header", source.name());
        }
        let header = &source.header;
        for (column, name) in header.iter().enumerate() {
            if header[..column].contains(name) {
                bail!("{}: two columns are called `{name}`; each needs a name of its own", source.name());
            }
        }
        let missing = ignore.iter().filter(|name| !header.contains(name));
        let missing = missing.map(|name| format!("no column `{name}` to ignore; there are {}", list(header)));
        let notes = missing.collect();
        let used = || (0..header.len()).filter(|column| !ignore.contains(&header[*column]));
        let time = used().find(|column| is_time(&header[*column], ahead, *column));
        let mut layout = Self { time, channels: Vec::new(), notes };
        for column in used().filter(|column| Some(*column) != time) {
            let name = &header[column];
            if COUNTER_NAMES.contains(&name.to_lowercase().as_str()) && counts(ahead, column) {
                layout.notes.push(format!("column `{name}` only counts rows: left out"));
            } else if is_text(ahead, column) {
                layout.notes.push(format!("column `{name}` holds no numbers: left out"));
            } else {
                layout.channels.push((column, name.clone()));
            }
        }
        if layout.channels.is_empty() {
            bail!("{}: no column with numbers is left; there are {}", source.name(), list(header));
        }
        Ok(layout)
    }

    /// The channels' names.
    pub fn names(&self) -> Vec<String> {
        self.channels.iter().map(|(_, name)| name.clone()).collect()
    }

    /// Reads a row: its time in ms if there is one, and the readings.
    pub fn read(&self, source: &Source, row: &Row, readings: &mut [f64]) -> Result<Option<i64>> {
        for ((column, _), reading) in self.channels.iter().zip(readings) {
            *reading = match number(row.cell(*column)) {
                Some(value) => value,
                None => return Err(source.wrong_cell(row, *column, NUMBER)),
            };
        }
        let Some(column) = self.time else { return Ok(None) };
        match time_ms(row.cell(column)) {
            Some(time) => Ok(Some(time)),
            None => Err(source.wrong_cell(row, column, TIME)),
        }
    }
}

const NUMBER: &str =
    "number; expected such as 12.5 (with a point), an empty cell where there is none, or --ignore the column";
const TIME: &str = "time; expected such as 2026-05-01 12:00:00, 2026-05-01T12:00:00Z or seconds or ms since 1970";

pub fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    if names.len() > 20 { format!("{}, …", quoted.join(", ")) } else { quoted.join(", ") }
}

/// A cell's number, NaN if it is missing; None if it is something else.
fn number(cell: &str) -> Option<f64> {
    if MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing)) {
        return Some(f64::NAN);
    }
    cell.parse().ok()
}

/// A cell's time in ms: a date with or without time and offset (UTC if it has none), or a number of
/// seconds or, if too large for this millennium, ms since 1970.
fn time_ms(cell: &str) -> Option<i64> {
    if let Ok(number) = cell.parse::<f64>() {
        let seconds = number.abs() < 1e11;
        return number.is_finite().then_some((number * if seconds { 1e3 } else { 1.0 }) as i64);
    }
    if let Ok(time) = cell.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let time = cell.parse::<DateTime>().or_else(|_| cell.parse::<Date>().map(|date| date.at(0, 0, 0, 0))).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Whether a column has times: dates under any name, or numbers that go forward under a name that
/// says so. One in ten may be wrong: a wrong time is an error of its row, not of its column.
fn is_time(name: &str, ahead: &[Row], column: usize) -> bool {
    let cells = ahead.iter().map(|row| row.cell(column));
    let no_number = cells.clone().filter(|cell| number(cell).is_none());
    if no_number.clone().next().is_some() {
        return no_number.clone().filter(|cell| time_ms(cell).is_some()).count() * 10 >= ahead.len() * 9;
    }
    let times: Option<Vec<i64>> = cells.map(time_ms).collect();
    let Some(times) = times.filter(|_| TIME_NAMES.contains(&name.to_lowercase().as_str())) else { return false };
    let forward = times.windows(2).filter(|pair| pair[1] >= pair[0]).count();
    times.len() < 2 || forward * 10 >= (times.len() - 1) * 9
}

fn counts(ahead: &[Row], column: usize) -> bool {
    let numbers: Vec<f64> = ahead.iter().map(|row| number(row.cell(column)).unwrap_or(f64::NAN)).collect();
    numbers.windows(2).all(|pair| pair[1] - pair[0] == 1.0)
}

fn is_text(ahead: &[Row], column: usize) -> bool {
    let mut cells = ahead.iter().map(|row| row.cell(column));
    cells.clone().any(|cell| number(cell).is_none()) && cells.all(|cell| number(cell).is_none_or(f64::is_nan))
}
