//! Demand and prices from CSV.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use dispatch::Cents;
use flate2::read::MultiGzDecoder;

/// Bytes read at most, unpacked: 10 million cells.
const MAX_BYTES: u64 = 64 << 20;

/// First bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Greatest price, in currency units.
const MAX_PRICE: f64 = 1e9;

/// One series a part.
pub fn series(path: &Path) -> Result<Vec<Vec<f64>>> {
    let text = text(path)?;
    let rows = rows(&text).with_context(|| path.display().to_string())?;
    let header = rows.first().is_some_and(|row| is_header(row));
    let data = &rows[usize::from(header)..];
    ensure!(!data.is_empty(), "{}: holds no part; give a line for each", path.display());
    // A column of names, if every part has one.
    let named = data.iter().all(|row| number(&row[0]).is_none());
    let part = |(index, row): (usize, &Vec<String>)| {
        let months = row.iter().enumerate().skip(usize::from(named));
        months
            .map(|(column, cell)| {
                let place =
                    || format!("{}: line {}, column {}", path.display(), index + 1 + usize::from(header), column + 1);
                number(cell).with_context(|| format!("{}: {cell:?} is no number; give pieces, or nothing", place()))
            })
            .collect()
    };
    data.iter().enumerate().map(part).collect()
}

/// One price a line.
pub fn prices(path: &Path) -> Result<Vec<Cents>> {
    let text = text(path)?;
    let mut prices = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match line.trim().parse::<f64>() {
            Ok(price) if (0.0..=MAX_PRICE).contains(&price) => prices.push(Cents((price * 100.0).round() as i64)),
            Err(_) if index == 0 => {} // a header
            _ => {
                bail!("{}: line {}: {line:?} is no price; give one number, 0 to {MAX_PRICE}", path.display(), index + 1)
            }
        }
    }
    Ok(prices)
}

fn text(path: &Path) -> Result<String> {
    let read = || -> Result<String> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.starts_with(&GZIP) {
            let mut plain = Vec::new();
            MultiGzDecoder::new(&bytes[..]).take(MAX_BYTES + 1).read_to_end(&mut plain)?;
            bytes = plain;
        }
        ensure!(bytes.len() as u64 <= MAX_BYTES, "is longer than {} MiB", MAX_BYTES >> 20);
        Ok(String::from_utf8(bytes)?)
    };
    read().with_context(|| path.display().to_string())
}

fn rows(text: &str) -> Result<Vec<Vec<String>>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| Ok(record?.iter().map(|cell| cell.trim().to_owned()).collect())).collect()
}

/// Names, or the numbers of the columns from 0 or 1.
fn is_header(row: &[String]) -> bool {
    let numbered = |first: usize| {
        row.len() > 2 && row.iter().enumerate().all(|(index, cell)| *cell == (index + first).to_string())
    };
    row.iter().skip(1).any(|cell| number(cell).is_none()) || numbered(0) || numbered(1)
}

/// Pieces, NaN for nothing; none for anything else.
fn number(cell: &str) -> Option<f64> {
    match cell {
        "" | "NA" | "null" => Some(f64::NAN),
        _ => cell.parse().ok(),
    }
}
