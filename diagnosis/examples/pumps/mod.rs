//! The pump experiments of SKAB and the protocol by which flags are counted.

#![allow(dead_code, reason = "each program reads another part")]

use std::collections::BTreeMap;

use diagnosis::detection::recording::{Model, Monitor, Recording};

/// Rows of each file that train.
pub const TRAIN_ROWS: usize = 400;

/// Judged rows by flag and label.
#[derive(Default, Clone, Copy)]
pub struct Count {
    hits: usize,
    false_alarms: usize,
    missed: usize,
    quiet: usize,
}

/// One file.
pub struct Experiment {
    pub name: String,
    pub channels: Vec<String>,
    /// Row by row.
    pub rows: Vec<f64>,
    pub anomaly: Vec<bool>,
}

/// The labelled files of an archive, by number.
pub fn experiments(files: BTreeMap<String, String>) -> Vec<Experiment> {
    let labelled = |text: &str| text.lines().next().is_some_and(|head| head.contains("anomaly"));
    let files = files.into_iter().filter(|(name, text)| name.ends_with(".csv") && labelled(text));
    let mut experiments: Vec<Experiment> = files.map(|(name, text)| read(name, &text)).collect();
    experiments.sort_by_key(|experiment| (experiment.name.len(), experiment.name.clone()));
    experiments
}

fn read(name: String, text: &str) -> Experiment {
    let mut lines = text.lines().map(|line| line.trim_end().split(';').collect::<Vec<_>>());
    let head = lines.next().expect("a file has a head");
    let label = head.iter().position(|name| *name == "anomaly").expect("an experiment is labelled");
    let mut experiment = Experiment {
        name,
        channels: head[1..label].iter().map(|name| (*name).to_owned()).collect(),
        rows: vec![],
        anomaly: vec![],
    };
    for cells in lines {
        experiment.rows.extend(cells[1..label].iter().map(|cell| cell.parse::<f64>().expect("a reading is a number")));
        experiment.anomaly.push(cells[label].starts_with('1'));
    }
    experiment
}

/// The flags of the rows after training.
pub fn detect(experiment: &Experiment) -> Vec<bool> {
    let count = experiment.channels.len();
    let (train, judge) = experiment.rows.split_at(TRAIN_ROWS * count);
    let recording = Recording { times_ms: vec![], readings: train.to_vec() };
    let model = Model::train(&experiment.channels, &[recording]).expect("400 rows are enough");
    let mut monitor = Monitor::new(&model);
    judge.chunks_exact(count).map(|row| monitor.step(None, row).flag).collect()
}

impl Count {
    pub fn add(&mut self, flag: bool, anomaly: bool) {
        match (flag, anomaly) {
            (true, true) => self.hits += 1,
            (true, false) => self.false_alarms += 1,
            (false, true) => self.missed += 1,
            (false, false) => self.quiet += 1,
        }
    }

    /// F1, FAR and MAR, 0 to 1.
    pub fn figures(&self) -> (f64, f64, f64) {
        let share = |part: usize, other: usize| part as f64 / (part + other).max(1) as f64;
        (
            share(2 * self.hits, self.false_alarms + self.missed),
            share(self.false_alarms, self.quiet),
            share(self.missed, self.hits),
        )
    }

    pub fn line(&self, name: &str) -> String {
        let (f1, far, mar) = self.figures();
        format!("{name:28} {f1:6.3} {:6.1} {:6.1}", 100.0 * far, 100.0 * mar)
    }
}
