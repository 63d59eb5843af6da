//! Remaining life of clogging air filters, every run foreseen by a model of all the others.
//!
//! `cargo run --release -p diagnosis --example filter_rul [FILE.csv.gz]`
//!
//! Data: 35 runs of an air filter to 600 Pa differential pressure at 10 Hz (Hagmeyer et al. 2021),
//! fed with dust at changing rates. Every sample of every run is asked how long the filter will
//! last; the model knows the other 34 runs. Baseline: the mean life of the others less the age.

mod recorded;

use std::collections::BTreeMap;
use std::time::Instant;

use diagnosis::prognosis::wear::{Sample, Wear, WearModel, WearPart};

const PART: WearPart = WearPart { failure_level: 600.0, block_ms: 1000, settle_ms: 5000, load_exponent: 0.85 };

fn main() {
    let file = std::env::args().nth(1);
    let text = recorded::text(file.as_deref().unwrap_or("filter-rul/run-to-failure-35.csv.gz"));
    let Some(text) = text.expect("the file can be read") else { return };
    let begin = Instant::now();
    let runs = runs(&text);
    let result = leave_runs_out(&runs);
    let samples = result.len() as f64;
    let mean = |of: &dyn Fn(&Asked) -> f64| result.iter().map(of).sum::<f64>() / samples;
    let within = |asked: &Asked| f64::from(u8::from(asked.p10 <= asked.truth && asked.truth <= asked.p90));
    println!("filter remaining life, leave one run out: {} runs, {samples} samples", runs.len());
    println!("baseline (mean life less age)   MAE {:5.2} s", mean(&|asked| (asked.baseline - asked.truth).abs()));
    println!("P50                             MAE {:5.2} s   bar 6.0", mean(&|asked| (asked.p50 - asked.truth).abs()));
    println!("P50 less truth                  mean {:5.2} s", mean(&|asked| asked.p50 - asked.truth));
    println!("P10 to P90 covers               {:5.1} %   bar 74 to 86", 100.0 * mean(&within));
    println!("mean width of P10 to P90        {:5.1} s", mean(&|asked| asked.p90 - asked.p10));
    println!("{:.1} s", begin.elapsed().as_secs_f64());
}

/// One sample's forecast and truth, s.
pub(crate) struct Asked {
    pub(crate) truth: f64,
    pub(crate) p10: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) baseline: f64,
}

/// Runs in the file's order. The headers of dust feed and remaining life are exchanged in it.
pub(crate) fn runs(text: &str) -> Vec<Vec<Sample>> {
    let mut runs: BTreeMap<u32, Vec<Sample>> = BTreeMap::new();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    for row in rows.records() {
        let row = row.expect("rows are alike");
        let number = |column: usize| row[column].parse::<f64>().expect("a number");
        let sample = Sample {
            time_ms: (number(3) * 1000.0).round() as i64,
            level: number(1),
            load: number(7),
            setting: number(2),
        };
        runs.entry(number(0) as u32).or_default().push(sample);
    }
    runs.into_values().collect()
}

pub(crate) fn leave_runs_out(runs: &[Vec<Sample>]) -> Vec<Asked> {
    let life = |run: &Vec<Sample>| run[run.len() - 1].time_ms as f64 / 1000.0;
    let mut result = Vec::new();
    for (left_out, run) in runs.iter().enumerate() {
        let others: Vec<&[Sample]> =
            runs.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, run)| run.as_slice()).collect();
        let model = WearModel::fit(PART, &others).expect("34 runs make a model");
        let mean_life = (runs.iter().map(life).sum::<f64>() - life(run)) / (runs.len() - 1) as f64;
        let mut wear = Wear::new(&model);
        for sample in &run[..run.len() - 1] {
            wear.take(&model, sample);
            let age = sample.time_ms as f64 / 1000.0;
            let Some(said) = wear.remaining(&model) else { continue };
            let baseline = (mean_life - age).max(0.0);
            result.push(Asked { truth: life(run) - age, p10: said.p10, p50: said.p50, p90: said.p90, baseline });
        }
    }
    result
}
