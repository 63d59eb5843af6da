//! How the detector for one channel fares on the Numenta Anomaly Benchmark.
//!
//! Data: the part of the benchmark that is beside the project (`../shared/data/nab`); the first 15 %
//! of each series are not scored. The detector sees time and value alone, one reading after the
//! other, with one set of constants for all series.

mod nab_scorer;
mod recorded;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::Instant;

use diagnosis::detection::univariate::{ALARM, Detector};
use nab_scorer::corpus::{Recording, recordings};
use nab_scorer::{LOW_FALSE_ALARMS, LOW_MISSES, Profile, STANDARD, Series, at, baselines, best, normalised};

const ARCHIVE: &str = "nab/nab-dev.tar.gz";

/// What must be reached with the standard profile.
const BAR: f64 = 60.0;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(archive) = recorded::archive(ARCHIVE)? else { return Ok(()) };
    let recordings = recordings(&archive)?;
    let rows: usize = recordings.iter().map(|recording| recording.readings.len()).sum();
    let windows: usize = recordings.iter().map(|recording| recording.windows.len()).sum();
    println!("data: {ARCHIVE}, {} series, {rows} rows, {windows} windows; one threshold for all", recordings.len());
    println!("scores: 0 = silence, 100 = one alarm at the start of each window\n");

    let began = Instant::now();
    let corpus = scored(&recordings, detector);
    let per_reading = began.elapsed().as_nanos() as f64 / rows as f64;
    profiles(&recordings, &corpus);
    thresholds(&recordings, &corpus);
    categories(&recordings, &corpus);
    let reached = score(&corpus, best(&corpus, STANDARD).raw);
    println!("\nstandard profile {reached:.1}; bar {BAR}: {}", if reached >= BAR { "held" } else { "NOT held" });
    println!("{per_reading:.0} ns a reading, {} bytes a channel", size_of::<Detector>());
    Ok(())
}

fn detector(recording: &Recording) -> Vec<f64> {
    let mut detector = Detector::new();
    recording.readings.iter().map(|&(time, value)| detector.step(time, value).score).collect()
}

fn scored(recordings: &[Recording], detector: impl Fn(&Recording) -> Vec<f64>) -> Vec<Series> {
    let series = |recording: &Recording| Series { windows: recording.windows.clone(), scores: detector(recording) };
    recordings.iter().map(series).collect()
}

fn score(corpus: &[Series], raw: f64) -> f64 {
    normalised(raw, corpus, STANDARD).unwrap_or(f64::NAN)
}

/// Each detector with the threshold that suits it best, as the benchmark does it.
fn profiles(recordings: &[Recording], corpus: &[Series]) {
    let values = |recording: &Recording| recording.readings.iter().map(|&(_, value)| value).collect::<Vec<_>>();
    let detectors = [
        ("fettle", corpus.to_vec()),
        ("windowed Gaussian", scored(recordings, |recording| baselines::windowed_gaussian(&values(recording)))),
        ("random", scored(recordings, |recording| baselines::random(&values(recording), 1))),
        ("null", scored(recordings, |recording| baselines::null(&values(recording)))),
    ];
    let of = |corpus: &[Series], profile: Profile| {
        let best = best(corpus, profile);
        format!("{:.2}", normalised(best.raw, corpus, profile).unwrap_or(f64::NAN))
    };
    println!(
        "{:<20}{:>10}{:>22}{:>22}  threshold (standard)",
        "detector", STANDARD.name, LOW_FALSE_ALARMS.name, LOW_MISSES.name
    );
    for (name, corpus) in detectors {
        let [standard, low_false_alarms, low_misses] =
            [STANDARD, LOW_FALSE_ALARMS, LOW_MISSES].map(|profile| of(&corpus, profile));
        let threshold = best(&corpus, STANDARD).threshold;
        println!("{name:<20}{standard:>10}{low_false_alarms:>22}{low_misses:>22}  {threshold:.4}");
    }
}

/// The standard profile where the threshold was not chosen on what it is judged by.
fn thresholds(recordings: &[Recording], corpus: &[Series]) {
    println!(
        "\nstandard profile, threshold as documented ({ALARM}): {:.2}",
        score(corpus, at(corpus, STANDARD, ALARM).raw)
    );
    let folders = recordings.iter().map(|recording| recording.category.clone()).collect();
    let series = recordings.iter().map(|recording| recording.series.clone()).collect();
    let by_folder = left_out(recordings, corpus, &folders, |recording| &recording.category);
    let by_series = left_out(recordings, corpus, &series, |recording| &recording.series);
    println!(
        "standard profile, threshold from the other folders: {by_folder:.2}, from the other series: {by_series:.2}"
    );
}

/// The score if each group is judged by the threshold that suits the others best.
fn left_out(
    recordings: &[Recording],
    corpus: &[Series],
    groups: &BTreeSet<String>,
    group: fn(&Recording) -> &String,
) -> f64 {
    let raw = groups.iter().map(|left_out| {
        let (within, others): (Vec<_>, Vec<_>) =
            recordings.iter().zip(corpus).partition(|(recording, _)| group(recording) == left_out);
        let series =
            |part: Vec<(&Recording, &Series)>| part.into_iter().map(|(_, series)| series.clone()).collect::<Vec<_>>();
        at(&series(within), STANDARD, best(&series(others), STANDARD).threshold).raw
    });
    score(corpus, raw.sum())
}

/// What each folder adds to the score at the threshold that suits all best.
fn categories(recordings: &[Recording], corpus: &[Series]) {
    let threshold = best(corpus, STANDARD).threshold;
    let mut folders: BTreeMap<&str, Vec<Series>> = BTreeMap::new();
    for (recording, series) in recordings.iter().zip(corpus) {
        folders.entry(&recording.category).or_default().push(series.clone());
    }
    let all: usize = corpus.iter().map(|series| series.windows.len()).sum();
    println!(
        "\n{:<24}{:>7}{:>9}{:>8}{:>14}{:>16}",
        "folder", "series", "windows", "alarms", "own score", "points of score"
    );
    for (folder, series) in folders {
        let raw = at(&series, STANDARD, threshold).raw;
        let windows: usize = series.iter().map(|series| series.windows.len()).sum();
        let alarms = series.iter().map(|series| nab_scorer::alarms(series, threshold)).sum::<usize>();
        let own = normalised(raw, &series, STANDARD).map_or("-".to_owned(), |own| format!("{own:.1}"));
        let points = 100.0 * (raw + windows as f64) / (2.0 * all as f64);
        println!("{folder:<24}{:>7}{windows:>9}{alarms:>8}{own:>14}{points:>16.1}", series.len());
    }
}
