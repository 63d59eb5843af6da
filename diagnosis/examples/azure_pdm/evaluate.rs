//! Leaving machines out.

use std::collections::BTreeMap;
use std::error::Error;
use std::thread;

use diagnosis::classifier::{Classifier, LabelledWindow, TrainOptions, UNKNOWN};

use super::data::{CLASSES, Hour, NONE, shape};
use super::score::Judged;

/// Parts that the machines are dealt into, in the order of their numbers.
pub const FOLDS: usize = 5;
/// A window for training every so many hours; neighbours are nearly copies.
const TRAIN_EVERY_H: i64 = 3;

type Machines = BTreeMap<u32, Vec<Hour>>;

/// Every hour of every machine, judged by a classifier that has not seen the machine. `held_out` is
/// a component whose failures are not trained on.
pub fn leave_machines_out(machines: &Machines, held_out: Option<usize>) -> Result<Vec<Judged>, Box<dyn Error>> {
    let folds = thread::scope(|scope| {
        let runs: Vec<_> = (0..FOLDS).map(|fold| scope.spawn(move || judge(machines, fold, held_out))).collect();
        runs.into_iter().map(|run| run.join().expect("no fold panics")).collect::<Result<Vec<_>, _>>()
    })?;
    let mut judged: Vec<Judged> = folds.into_iter().flatten().collect();
    judged.sort_by_key(|judged| (judged.machine, judged.hour));
    Ok(judged)
}

fn judge(machines: &Machines, fold: usize, held_out: Option<usize>) -> Result<Vec<Judged>, String> {
    let out = |number: usize| number % FOLDS == fold;
    let train: Vec<LabelledWindow> = machines
        .iter()
        .enumerate()
        .filter(|(number, _)| !out(*number))
        .flat_map(|(number, (machine, hours))| {
            // Not the same hours of the day for each machine: failures and errors have theirs.
            let thinned = hours.iter().filter(move |hour| (hour.hour + number as i64) % TRAIN_EVERY_H == 0);
            thinned.flat_map(|hour| windows(*machine, hour, held_out))
        })
        .collect();
    let classifier = Classifier::train(&shape().schema(), &train, &TrainOptions::default());
    let classifier = classifier.map_err(|error| error.to_string())?;
    let places: Vec<Option<usize>> = CLASSES
        .iter()
        .chain([&UNKNOWN])
        .map(|name| classifier.classes().iter().position(|class| class == name))
        .collect();
    let mut judged = Vec::new();
    for (_, (machine, hours)) in machines.iter().enumerate().filter(|(number, _)| out(*number)) {
        for hour in hours {
            let prediction = classifier.predict(&hour.row).map_err(|error| error.to_string())?;
            let place = |place: &Option<usize>| place.map_or(0.0, |place| prediction.probabilities[place]);
            let probabilities = places.iter().map(place).collect();
            judged.push(Judged { machine: *machine, hour: hour.hour, failing: hour.failing.clone(), probabilities });
        }
    }
    Ok(judged)
}

/// An hour as windows for training: one a failing component.
fn windows(machine: u32, hour: &Hour, held_out: Option<usize>) -> Vec<LabelledWindow> {
    let leave = held_out.is_some_and(|class| hour.failing.contains(&class));
    let labels: &[usize] = match &hour.failing[..] {
        _ if leave => &[],
        [] => &[NONE],
        failing => failing,
    };
    let window = |label: &usize| LabelledWindow {
        features: hour.row.clone(),
        label: CLASSES[*label].into(),
        group: machine.to_string(),
    };
    labels.iter().map(window).collect()
}
