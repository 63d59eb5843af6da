//! How the detector of recordings does on the pump experiments of SKAB (Skoltech Anomaly Benchmark
//! 0.9): `cargo run --release -p diagnosis --example skab -- [--files]`.
//!
//! Protocol: the first 400 rows of each file are for training, its other rows are judged one by one
//! from no later rows, and the rows of all files are counted together. One configuration for all
//! files. F1 of the rows labelled anomalous, FAR the share of normal rows that are flagged, MAR the
//! share of anomalous rows that are not.

#[path = "pumps/mod.rs"]
mod pumps;
mod recorded;

use std::time::Instant;

use nalgebra::{DMatrix, DVector};
use pumps::{Count, Experiment, TRAIN_ROWS, detect, experiments};

/// 99 % quantile of χ² with 8 degrees of freedom.
const T2_LIMIT: f64 = 20.09;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(files) = recorded::archive("skab/skab-dev.tar.gz")? else { return Ok(()) };
    let by_file = std::env::args().any(|argument| argument == "--files");
    let experiments = experiments(files);
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

fn report(name: &str, experiments: &[Experiment], by_file: bool, flags: impl Fn(&Experiment) -> Vec<bool>) -> Count {
    let start = Instant::now();
    let mut total = Count::default();
    let mut lines = Vec::new();
    for experiment in experiments {
        let mut count = Count::default();
        for (flag, anomaly) in flags(experiment).into_iter().zip(&experiment.anomaly[TRAIN_ROWS..]) {
            count.add(flag, *anomaly);
            total.add(flag, *anomaly);
        }
        lines.push(count.line(&format!("  {}", experiment.name)));
    }
    println!("{} {:8.2}", total.line(name), start.elapsed().as_secs_f64());
    for line in lines.iter().filter(|_| by_file) {
        println!("{line}");
    }
    total
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
