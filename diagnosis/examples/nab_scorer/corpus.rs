//! The recorded series with their labels.

use std::collections::BTreeMap;
use std::error::Error;

use firmware_proto::DeviceTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// One recorded series.
pub struct Recording {
    /// Its folder's name.
    pub category: String,
    /// Its file's name.
    pub series: String,
    /// All readings in the file's order.
    pub readings: Vec<(DeviceTime, f64)>,
    /// First and last row of each labelled window.
    pub windows: Vec<(usize, usize)>,
}

fn time(text: &str) -> Result<DeviceTime, jiff::Error> {
    let zoned = text.parse::<DateTime>()?.to_zoned(TimeZone::UTC)?;
    Ok(DeviceTime(zoned.timestamp().as_millisecond()))
}

/// Reads the series of an archive, in the order of their names.
pub fn recordings(archive: &BTreeMap<String, String>) -> Result<Vec<Recording>, Box<dyn Error>> {
    let labels = archive.iter().find(|(path, _)| path.ends_with("combined_windows.json"));
    let (_, labels) = labels.ok_or("no combined_windows.json")?;
    let labels: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(labels)?;
    let mut recordings = Vec::new();
    for (path, text) in archive.iter().filter(|(path, _)| path.ends_with(".csv")) {
        let mut parts = path.rsplit('/');
        let series = parts.next().unwrap_or_default().to_owned();
        let category = parts.next().unwrap_or_default().to_owned();
        let mut readings = Vec::new();
        for line in text.lines().skip(1) {
            let (timestamp, value) = line.split_once(',').ok_or_else(|| format!("{path}: {line}"))?;
            readings.push((time(timestamp)?, value.parse()?));
        }
        let row = |timestamp: &str| -> Result<usize, Box<dyn Error>> {
            let labelled = time(timestamp)?;
            let row = readings.iter().position(|&(time, _)| time == labelled);
            row.ok_or_else(|| format!("{path}: no row of the label {timestamp}").into())
        };
        let windows = labels.get(&format!("{category}/{series}")).ok_or_else(|| format!("{path}: no labels"))?;
        let windows = windows.iter().map(|(first, last)| Ok((row(first)?, row(last)?)));
        let windows = windows.collect::<Result<_, Box<dyn Error>>>()?;
        recordings.push(Recording { category, series, readings, windows });
    }
    Ok(recordings)
}
