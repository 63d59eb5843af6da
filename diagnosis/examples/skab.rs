//! How the detector of recordings does on the pump experiments of SKAB (Skoltech Anomaly Benchmark
//! 0.9): `cargo run --release -p diagnosis --example skab -- [--files]`.
//!
//! Protocol: the first 400 rows of each file are for training, its other rows are judged one by one
//! from no later rows, and the rows of all files are counted together. One configuration for all
//! files. F1 of the rows labelled anomalous, FAR the share of normal rows that are flagged, MAR the
//! share of anomalous rows that are not.

mod recorded;

use std::time::Instant;

use diagnosis::detection::recording::{Model, Monitor, Recording};
use nalgebra::{DMatrix, DVector};

const TRAIN_ROWS: usize = 400;
/// 99 % quantile of χ² with 8 degrees of freedom.
const T2_LIMIT: f64 = 20.09;

#[derive(Default, Clone, Copy)]
struct Count {
    hits: usize,
    false_alarms: usize,
    missed: usize,
    quiet: usize,
}

struct Experiment {
    channels: Vec<String>,
    rows: Vec<f64>,
    anomaly: Vec<bool>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(files) = recorded::archive("skab/skab-dev.tar.gz")? else { return Ok(()) };
    let by_file = std::env::args().any(|argument| argument == "--files");
    let mut experiments: Vec<(String, Experiment)> = files
        .into_iter()
        .filter(|(name, text)| name.ends_with(".csv") && text.lines().next().is_some_and(|head| head.contains("anomaly")))
        .map(|(name, text)| (name, read(&text)))
        .collect();
    experiments.sort_by_key(|(name, _)| (name.len(), name.clone()));
    println!("SKAB, {} files, first {TRAIN_ROWS} rows of each train, the others are judged", experiments.len());
    println!("{:28} {:>6} {:>6} {:>6} {:>8}", "", "F1", "FAR %", "MAR %", "seconds");
    report("always on (baseline)", &experiments, by_file, |experiment| {
        vec![true; experiment.anomaly.len() - TRAIN_ROWS]
    });
    report("T2 at 99 % (baseline)", &experiments, by_file, hotelling);
    let total = report("detection::recording", &experiments, by_file, detect);
    let (f1, far, mar) = total.figures();
    let holds = f1 >= 0.83 && far <= 0.20 && mar <= 0.17;
    println!("bar: F1 >= 0.83, FAR <= 20 %, MAR <= 17 %: {}", if holds { "holds" } else { "FAILS" });
    Ok(())
}

fn report(
    name: &str,
    experiments: &[(String, Experiment)],
    by_file: bool,
    flags: impl Fn(&Experiment) -> Vec<bool>,
) -> Count {
    let start = Instant::now();
    let mut total = Count::default();
    let mut lines = Vec::new();
    for (file, experiment) in experiments {
        let mut count = Count::default();
        for (flag, anomaly) in flags(experiment).into_iter().zip(&experiment.anomaly[TRAIN_ROWS..]) {
            count.add(flag, *anomaly);
            total.add(flag, *anomaly);
        }
        lines.push(count.line(&format!("  {file}")));
    }
    println!("{} {:8.2}", total.line(name), start.elapsed().as_secs_f64());
    for line in lines.iter().filter(|_| by_file) {
        println!("{line}");
    }
    total
}

impl Count {
    fn add(&mut self, flag: bool, anomaly: bool) {
        match (flag, anomaly) {
            (true, true) => self.hits += 1,
            (true, false) => self.false_alarms += 1,
            (false, true) => self.missed += 1,
            (false, false) => self.quiet += 1,
        }
    }

    fn figures(&self) -> (f64, f64, f64) {
        let share = |part: usize, other: usize| part as f64 / (part + other).max(1) as f64;
        (
            share(2 * self.hits, self.false_alarms + self.missed),
            share(self.false_alarms, self.quiet),
            share(self.missed, self.hits),
        )
    }

    fn line(&self, name: &str) -> String {
        let (f1, far, mar) = self.figures();
        format!("{name:28} {f1:6.3} {:6.1} {:6.1}", 100.0 * far, 100.0 * mar)
    }
}

fn read(text: &str) -> Experiment {
    let mut lines = text.lines().map(|line| line.trim_end().split(';').collect::<Vec<_>>());
    let head = lines.next().expect("a file has a head");
    let label = head.iter().position(|name| *name == "anomaly").expect("an experiment is labelled");
    let mut experiment =
        Experiment { channels: head[1..label].iter().map(|name| (*name).to_owned()).collect(), rows: vec![], anomaly: vec![] };
    for cells in lines {
        experiment.rows.extend(cells[1..label].iter().map(|cell| cell.parse::<f64>().expect("a reading is a number")));
        experiment.anomaly.push(cells[label].starts_with('1'));
    }
    experiment
}

fn detect(experiment: &Experiment) -> Vec<bool> {
    let count = experiment.channels.len();
    let (train, judge) = experiment.rows.split_at(TRAIN_ROWS * count);
    let recording = Recording { times_ms: vec![], readings: train.to_vec() };
    let model = Model::train(&experiment.channels, &[recording]).expect("400 rows are enough");
    let mut monitor = Monitor::new(&model);
    judge.chunks_exact(count).map(|row| monitor.step(None, row).flag).collect()
}

/// Hotelling's T² of single rows.
fn hotelling(experiment: &Experiment) -> Vec<bool> {
    let count = experiment.channels.len();
    let (train, judge) = experiment.rows.split_at(TRAIN_ROWS * count);
    let train = DMatrix::from_row_slice(TRAIN_ROWS, count, train);
    let mean = train.row_mean();
    let centred = DMatrix::from_fn(TRAIN_ROWS, count, |row, column| train[(row, column)] - mean[column]);
    let covariance = centred.tr_mul(&centred) / (TRAIN_ROWS - 1) as f64;
    let inverse = covariance.try_inverse().expect("eight moving channels");
    let distance = |row: &[f64]| {
        let apart = DVector::from_row_slice(row) - mean.transpose();
        apart.dot(&(&inverse * &apart))
    };
    judge.chunks_exact(count).map(|row| distance(row) > T2_LIMIT).collect()
}
