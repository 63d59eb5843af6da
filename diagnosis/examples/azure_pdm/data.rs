//! The machines of the Azure predictive-maintenance sample, as rows of features.

use std::collections::BTreeMap;
use std::io;

use diagnosis::classifier::{EventWindow, WindowShape};

use super::recorded;

/// Hours before a failure that count as its announcement.
pub const AHEAD_H: i64 = 24;
/// The class of hours without a failure ahead.
pub const NONE: usize = 0;
/// All classes, as they are numbered.
pub const CLASSES: [&str; 5] = ["none", "comp1", "comp2", "comp3", "comp4"];

const HOUR_MS: i64 = 3_600_000;

/// An hour of a machine.
pub struct Hour {
    pub hour: i64,
    /// What was known then: nothing that was recorded later.
    pub row: Vec<f64>,
    /// The components that fail within the next 24 h: after this hour, and at most 24 h later. None
    /// as a rule, sometimes two.
    pub failing: Vec<usize>,
}

/// What the rows are made of: four sensors, five error codes, four components.
pub fn shape() -> WindowShape {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
    WindowShape {
        channels: names(&["volt", "rotate", "pressure", "vibration"]),
        spans_h: vec![3, 12, 24, 48],
        codes: names(&["error1", "error2", "error3", "error4", "error5"]),
        memory_h: 168,
        parts: names(&CLASSES[1..]),
    }
}

/// The hours of every machine that has telemetry; None without the data.
pub fn machines() -> io::Result<Option<BTreeMap<u32, Vec<Hour>>>> {
    let Some(folder) = recorded::path("azure-pdm") else { return Ok(None) };
    let mut telemetry = BTreeMap::new();
    for file in std::fs::read_dir(folder)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if name.starts_with("PdM_telemetry") {
            telemetry.extend(records(&name)?);
        }
    }
    let (errors, failures) = (records("PdM_errors.csv.gz")?, records("PdM_failures.csv.gz")?);
    let replacements = records("PdM_maint.csv.gz")?;
    let none = Vec::new();
    let of = |file: &Records, machine: u32| file.get(&machine).unwrap_or(&none).clone();
    let machines = telemetry.into_iter().map(|(machine, readings)| {
        let events = [of(&errors, machine), of(&replacements, machine)];
        let hours = hours(&readings, &events, &of(&failures, machine));
        (machine, hours)
    });
    Ok(Some(machines.collect()))
}

/// Records of each machine: hour and the other columns.
type Records = BTreeMap<u32, Vec<(i64, Vec<String>)>>;

/// A table whose first columns are time and machine, in the order of time.
fn records(name: &str) -> io::Result<Records> {
    let text = recorded::text(&format!("azure-pdm/{name}"))?.unwrap_or_default();
    let mut records = Records::new();
    for line in text.lines().skip(1).map(|line| line.replace('"', "")) {
        let mut columns = line.split(',').map(str::to_string);
        let (Some(time), Some(machine)) = (columns.next(), columns.next()) else { continue };
        let hour = hour(&time).ok_or_else(|| io::Error::other(format!("{name}: {time:?} is no time")))?;
        let machine = machine.parse().map_err(io::Error::other)?;
        records.entry(machine).or_default().push((hour, columns.collect()));
    }
    records.values_mut().for_each(|records| records.sort_by_key(|(hour, _)| *hour));
    Ok(records)
}

/// Hours since 1970 of `2015-01-05 06:00:00`.
fn hour(time: &str) -> Option<i64> {
    let numbers: Vec<i64> = time.split([' ', '-', ':']).filter_map(|part| part.parse().ok()).collect();
    let [year, month, day, hour, ..] = numbers[..] else { return None };
    // Days from civil (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let year = year - i64::from(month <= 2);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    Some(days * 24 + hour)
}

fn hours(
    readings: &[(i64, Vec<String>)],
    events: &[Vec<(i64, Vec<String>)>; 2],
    failures: &[(i64, Vec<String>)],
) -> Vec<Hour> {
    let shape = shape();
    let index = |names: &[String], name: &str| names.iter().position(|known| known == name);
    let mut window = EventWindow::new(shape.clone()).expect("the shape is sound");
    let [mut errors, mut replacements] = [events[0].iter().peekable(), events[1].iter().peekable()];
    let mut hours = Vec::with_capacity(readings.len());
    for (hour, values) in readings {
        let now = hour * HOUR_MS;
        while let Some((at, what)) = errors.next_if(|(at, _)| at <= hour) {
            index(&shape.codes, &what[0]).into_iter().for_each(|code| window.event(at * HOUR_MS, code));
        }
        while let Some((at, what)) = replacements.next_if(|(at, _)| at <= hour) {
            index(&shape.parts, &what[0]).into_iter().for_each(|part| window.renewed(at * HOUR_MS, part));
        }
        for (channel, value) in values.iter().enumerate() {
            window.reading(now, channel, value.parse().unwrap_or(f64::NAN));
        }
        let mut row = Vec::new();
        window.features(now, &mut row);
        let ahead = failures.iter().filter(|(at, _)| *at > *hour && *at <= hour + AHEAD_H);
        let failing = ahead.filter_map(|(_, what)| CLASSES.iter().position(|class| *class == what[0])).collect();
        hours.push(Hour { hour: *hour, row, failing });
    }
    hours
}
