//! The pump experiments of SKAB and the protocol by which flags are counted.

#![allow(dead_code, reason = "each program reads another part")]

use std::collections::BTreeMap;
use std::ops::Range;

use diagnosis::detection::recording::{Model, Monitor, Recording, Verdict};

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

/// The long run without a fault.
pub fn healthy_run(files: &BTreeMap<String, String>) -> Experiment {
    let (name, text) =
        files.iter().find(|(name, _)| name.ends_with("free.csv")).expect("the archive has a healthy run");
    read(name.clone(), text)
}

fn read(name: String, text: &str) -> Experiment {
    let mut lines = text.lines().map(|line| line.trim_end().split(';').collect::<Vec<_>>());
    let head = lines.next().expect("a file has a head");
    let label = head.iter().position(|name| *name == "anomaly").unwrap_or(head.len());
    let mut experiment = Experiment {
        name,
        channels: head[1..label].iter().map(|name| (*name).to_owned()).collect(),
        rows: vec![],
        anomaly: vec![],
    };
    for cells in lines {
        experiment.rows.extend(cells[1..label].iter().map(|cell| cell.parse::<f64>().expect("a reading is a number")));
        experiment.anomaly.push(cells.get(label).is_some_and(|cell| cell.starts_with('1')));
    }
    experiment
}

/// The flags of the rows after training.
pub fn detect(experiment: &Experiment) -> Vec<bool> {
    judge(experiment, 0..experiment.anomaly.len()).into_iter().map(|verdict| verdict.flag).collect()
}

/// The verdicts on a stretch of rows, whose first ones train.
fn judge(experiment: &Experiment, stretch: Range<usize>) -> Vec<Verdict> {
    let count = experiment.channels.len();
    let rows = &experiment.rows[stretch.start * count..stretch.end * count];
    let (train, judge) = rows.split_at(TRAIN_ROWS * count);
    let recording = Recording { times_ms: vec![], readings: train.to_vec() };
    let model = Model::train(&experiment.channels, &[recording]).expect("400 rows are enough");
    let mut monitor = Monitor::new(&model);
    judge.chunks_exact(count).map(|row| monitor.step(None, row)).collect()
}

fn p_values(experiment: &Experiment, stretch: Range<usize>) -> Vec<f64> {
    judge(experiment, stretch).into_iter().filter_map(|verdict| verdict.p_value).collect()
}

/// p-values of recorded healthy rows, by how they were split.
pub fn healthy_p_values(files: &BTreeMap<String, String>) -> Vec<(&'static str, Vec<f64>)> {
    let run = healthy_run(files);
    let last = run.anomaly.len();
    // Each stretch trains on its own first rows and is judged for so many rows, or to the end.
    let stretches = |judged: usize| {
        let starts = (0..last).step_by(500).take_while(|start| start + TRAIN_ROWS + judged / 2 <= last);
        starts.flat_map(|start| p_values(&run, start..last.min(start + TRAIN_ROWS + judged))).collect()
    };
    let before_faults = experiments(files.clone()).into_iter().flat_map(|experiment| {
        let first = experiment.anomaly.iter().position(|anomaly| *anomaly).expect("an experiment has a fault");
        if first > TRAIN_ROWS { p_values(&experiment, 0..first) } else { vec![] }
    });
    vec![
        ("pump, healthy run", p_values(&run, 0..last)),
        ("the same from each 500th row on, 1,000 judged", stretches(1_000)),
        ("the same from each 500th row on, 4,000 judged", stretches(4_000)),
        ("pumps before their faults, 13 files", before_faults.collect()),
    ]
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
