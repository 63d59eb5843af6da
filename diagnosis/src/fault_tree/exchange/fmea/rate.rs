//! Failure rates as people write them.

const HOURS_A_YEAR: f64 = 8760.0;

/// Units, by how they end a number or a heading, and how many of them make one a year.
const UNITS: [(&str, f64); 11] = [
    ("fit", HOURS_A_YEAR * 1e-9),
    ("per hour", HOURS_A_YEAR),
    ("/h", HOURS_A_YEAR),
    ("/小时", HOURS_A_YEAR),
    ("per year", 1.0),
    ("/year", 1.0),
    ("/yr", 1.0),
    ("/a", 1.0),
    ("/y", 1.0),
    ("/年", 1.0),
    ("每年", 1.0),
];

/// Failures a year. The cell's unit counts, else that of the heading, else it is a year.
///
/// # Errors
/// What is wrong with it and what would be right.
pub(super) fn per_year(written: &str, heading: &str) -> Result<f64, String> {
    let lower = written.to_lowercase();
    let (number, unit) = match UNITS.iter().find(|(unit, _)| lower.ends_with(unit)) {
        Some((unit, years)) => (lower[..lower.len() - unit.len()].trim(), *years),
        None => (lower.as_str(), unit_of(heading)),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number * unit),
        _ => Err(format!("{written:?} is no failure rate: write a number a year such as 0.05, or 5e-6/h, or 500 FIT")),
    }
}

fn unit_of(heading: &str) -> f64 {
    let heading = heading.to_lowercase();
    let found = UNITS.iter().find(|(unit, _)| heading.trim_end_matches([')', '）', ']']).ends_with(unit));
    found.map_or(1.0, |(_, years)| *years)
}
