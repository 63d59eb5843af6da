//! The recorded days, and what of them a model may see.

use std::collections::{BTreeMap, BTreeSet};

/// So many minutes of every file are looked at: the faults were made by inserting minutes, so that
/// a file with a fault is longer. What lies beyond would tell a fault by its length.
pub const MINUTES: usize = 1_440;

/// One day of one device.
pub struct Day {
    /// Power of each minute in whole watts: the inserted minutes have fractions, recorded ones hardly
    /// ever. At most [`MINUTES`]; a minute without a reading is NaN.
    pub watts: Vec<f64>,
    /// Rows of the file; only to show how much they would give away.
    pub rows: usize,
    /// When it begins, minutes since some day. Only to tell which days are recordings of the same
    /// hours: files of one device overlap, and each fault was put into a copy of a healthy day.
    begins: i64,
}

impl Day {
    pub fn overlaps(&self, other: &Day) -> bool {
        (self.begins - other.begins).abs() < MINUTES as i64 - 5
    }
}

/// One device's days.
pub struct Device {
    /// Kind of appliance.
    pub kind: String,
    pub name: String,
    pub healthy: Vec<Day>,
    /// By kind of fault.
    pub faulty: BTreeMap<String, Vec<Day>>,
}

/// Sorts files `kind/device/fault kind/day.csv` by device. The name of the file is not read.
pub fn devices(files: &BTreeMap<String, String>) -> Vec<Device> {
    let mut devices: BTreeMap<String, Device> = BTreeMap::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".csv")) {
        let folders: Vec<&str> = path.rsplit('/').skip(1).take(3).collect();
        let [fault, name, kind] = folders[..] else { panic!("{path}: must be kind/device/fault/day.csv") };
        let day = day(text).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
        let device = devices.entry(name.to_owned()).or_insert_with(|| Device {
            kind: kind.to_owned(),
            name: name.to_owned(),
            healthy: Vec::new(),
            faulty: BTreeMap::new(),
        });
        if fault == "Normal" {
            device.healthy.push(day);
        } else {
            device.faulty.entry(fault.to_owned()).or_default().push(day);
        }
    }
    devices.into_values().collect()
}

impl Device {
    /// The number of the healthy day that this is, or that a fault was put into.
    pub fn source(&self, day: &Day) -> usize {
        self.healthy.iter().position(|healthy| (healthy.begins - day.begins).abs() < 5).unwrap_or(usize::MAX)
    }

    /// The healthy days in the order of time that a judgement of `day` may rest on: none that shares
    /// an hour with it.
    pub fn baseline(&self, day: &Day) -> Vec<&Day> {
        let mut days: Vec<&Day> = self.healthy.iter().filter(|healthy| !healthy.overlaps(day)).collect();
        days.sort_by_key(|day| day.begins);
        // One recording of the same hours is enough.
        let mut begun = BTreeSet::new();
        days.retain(|day| begun.insert(day.begins));
        days
    }

    /// The first `count` healthy days: an installation baseline.
    pub fn first_days(&self, count: usize) -> Vec<&Day> {
        let mut days: Vec<&Day> = self.healthy.iter().collect();
        days.sort_by_key(|day| day.begins);
        days.truncate(count);
        days
    }
}

fn day(text: &str) -> Result<Day, String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).ok_or(format!("no column {name}"));
    let (time, power) = (column("ctime")?, column("activePower")?);
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let field = |row: usize, column: usize| rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or_default();
    let watts =
        (0..rows.len().min(MINUTES)).map(|row| field(row, power).parse().map_or(f64::NAN, f64::round)).collect();
    Ok(Day { watts, rows: rows.len(), begins: minutes(field(0, time))? })
}

/// Minutes since 1970 of `2020-03-19 16:00:00` or `3/19/2020 16:00`.
fn minutes(text: &str) -> Result<i64, String> {
    let numbers: Vec<i64> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    let (year, month, day, hour, minute) = match numbers[..] {
        [y, mo, d, h, mi, ..] if y > 31 => (y, mo, d, h, mi),
        [mo, d, y, h, mi, ..] => (y, mo, d, h, mi),
        _ => return Err(format!("{text:?} is no time")),
    };
    // Days from civil (Hinnant).
    let y = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = (y % 400) * 365 + (y % 400) / 4 - (y % 400) / 100 + of_year;
    Ok(((y / 400) * 146_097 + of_era) * 1_440 + hour * 60 + minute)
}
