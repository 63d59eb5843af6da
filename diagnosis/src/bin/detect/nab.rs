//! `detect nab`: scores the series of the Numenta Anomaly Benchmark.

mod corpus;
mod series;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use diagnosis::detection::univariate::{ALARM, Detector};
use serde_json::{Value, json};

use corpus::{Corpus, Entry};
use series::Series;

/// The detector's name in the layout of results.
const DETECTOR: &str = "fettle";

/// Score the series of a folder in the layout of the Numenta Anomaly Benchmark
///
/// Reads each <FOLDER>/<category>/<series>.csv (or the same in <FOLDER>/data, or the CSV files in
/// FOLDER itself) with the columns timestamp and value, one after the other as they came. Writes
/// <OUT>/fettle/<category>/fettle_<series>.csv with the columns timestamp, value, anomaly_score in
/// [0, 1] (an alarm from 0.5) and label. The label is 1 within the windows of combined_windows.json,
/// which is looked for in the folder, its labels folder and the same of the two folders above it,
/// and 0 without. A value that is empty or NaN is no reading and scores 0.
#[derive(clap::Args)]
pub struct Args {
    /// The folder that holds the data
    folder: PathBuf,
    /// Where the results go
    #[arg(long, value_name = "OUT", default_value = "results")]
    out: PathBuf,
    /// Machine-readable summary
    #[arg(long)]
    json: bool,
}

/// What became of one series.
struct Scored {
    name: String,
    rows: usize,
    missing: usize,
    alarms: usize,
    result: PathBuf,
}

pub fn run(args: Args) -> Result<()> {
    let corpus = Corpus::find(&args.folder)?;
    let mut scored = Vec::new();
    for (at, entry) in corpus.entries.iter().enumerate() {
        let one = score(entry, &corpus, &args.out)?;
        eprintln!("[{}/{}] {}: {} rows, {} alarms", at + 1, corpus.entries.len(), one.name, one.rows, one.alarms);
        scored.push(one);
    }
    if args.json {
        println!("{}", as_json(&scored, &corpus));
    } else {
        println!("{}", as_text(&scored, &corpus, &args.out));
    }
    Ok(())
}

/// Reads a series, scores it and writes the result, which is whole or not there.
fn score(entry: &Entry, corpus: &Corpus, out: &Path) -> Result<Scored> {
    let name = entry.name();
    let series = Series::read(&entry.file)?;
    let labels = series.labels(corpus.windows.get(&name).map_or(&[], Vec::as_slice));
    let mut detector = Detector::new();
    let scores: Vec<f64> = series.rows.iter().map(|row| detector.step(row.time, row.value).score).collect();

    let folder = out.join(DETECTOR).join(&entry.category);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let result = folder.join(format!("{DETECTOR}_{}", entry.series));
    fs::write(&result, series.result(&scores, &labels)).with_context(|| result.display().to_string())?;
    Ok(Scored {
        name,
        rows: scores.len(),
        missing: series.rows.iter().filter(|row| !row.value.is_finite()).count(),
        alarms: scores.iter().filter(|&&score| score >= ALARM).count(),
        result,
    })
}

fn as_text(scored: &[Scored], corpus: &Corpus, out: &Path) -> String {
    let total = |count: fn(&Scored) -> usize| scored.iter().map(count).sum::<usize>();
    let labels = match &corpus.labels {
        Some(file) => format!("labels from {}", file.display()),
        None => "no combined_windows.json found, so each label is 0".to_owned(),
    };
    format!(
        "{} series, {} rows ({} without a reading), {} alarms (score >= {ALARM}); {labels}\nresults: {}",
        scored.len(),
        total(|one| one.rows),
        total(|one| one.missing),
        total(|one| one.alarms),
        out.join(DETECTOR).display()
    )
}

fn as_json(scored: &[Scored], corpus: &Corpus) -> Value {
    let series = scored.iter().map(|one| {
        json!({
            "series": one.name, "rows": one.rows, "missing": one.missing, "alarms": one.alarms,
            "result": one.result.display().to_string(),
        })
    });
    json!({
        "detector": DETECTOR,
        "alarm_from": ALARM,
        "labels": corpus.labels.as_ref().map(|file| file.display().to_string()),
        "series": series.collect::<Vec<_>>(),
    })
}
