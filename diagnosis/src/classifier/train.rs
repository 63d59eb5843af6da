//! Learning from labelled windows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Calibration, Classifier, LeftOut, Novelty, Parts, UNKNOWN, expected_calibration_error, folds};
use crate::forest::{Forest, GrowError, GrowOptions, grow};
use crate::robust;

/// A row of features with what it turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledWindow {
    /// One value a feature; NaN if it is missing.
    pub features: Vec<f64>,
    /// The confirmed cause, or that there was none. A window with two causes is given twice.
    pub label: String,
    /// The appliance: what is left out together.
    pub group: String,
}

/// How to learn.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Forests to choose from, by log loss on appliances left out.
    pub forests: Vec<GrowOptions>,
    /// Parts that the appliances are dealt into.
    pub folds: usize,
    /// Appliances that must show a label for it to be learnt; at least 2, since with one left out
    /// another must remain to learn from. Rarer labels become `unknown`.
    pub min_groups: usize,
    /// Part of the windows expected to belong to a class never seen; 0 to 1, both excluded. Windows
    /// with a label too rare to be learnt count on top of it.
    pub unknown: f64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions { forests: vec![GrowOptions::default()], folds: 4, min_groups: 2, unknown: 0.01 }
    }
}

/// A label of the training set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// As it was given.
    pub label: String,
    /// Windows with it.
    pub windows: usize,
    /// Appliances with it.
    pub groups: usize,
    /// Whether it is a class of its own; otherwise it is part of `unknown`.
    pub learnt: bool,
}

/// Windows that nothing can be learnt from.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A window that does not fit the others.
    #[error("window {window}: {what}")]
    Window {
        /// Which window, from 0.
        window: usize,
        /// What is wrong, and what would be right.
        what: &'static str,
    },
    /// Options that cannot be followed.
    #[error("{0}")]
    Options(&'static str),
    /// Not two classes that enough appliances show.
    #[error("fewer than two labels are seen at {needed} appliances or more: {}", list(.labels))]
    TooFew {
        /// Appliances that a label needs.
        needed: usize,
        /// What there is.
        labels: Vec<ClassCount>,
    },
    /// No forest grew.
    #[error(transparent)]
    Forest(#[from] GrowError),
}

fn list(labels: &[ClassCount]) -> String {
    let one = |count: &ClassCount| format!("{} at {} ({} windows)", count.label, count.groups, count.windows);
    if labels.is_empty() { "none".into() } else { labels.iter().map(one).collect::<Vec<_>>().join(", ") }
}

impl Classifier {
    /// Learns to tell labels apart. `schema` names the features.
    ///
    /// Takes `forests × (folds + 1)` growings; time and memory are linear in the windows.
    ///
    /// # Errors
    ///
    /// Windows that do not fit the schema, or fewer than two labels seen at enough appliances.
    pub fn train(
        schema: &[String],
        windows: &[LabelledWindow],
        options: &TrainOptions,
    ) -> Result<Classifier, TrainError> {
        check(schema, windows, options)?;
        let labels = count(windows, options.min_groups);
        let set = TrainingSet::new(windows, &labels, options)?;
        let mut best: Option<(f64, &GrowOptions, Vec<Vec<f32>>)> = None;
        for forest in &options.forests {
            let shares = set.left_out(forest)?;
            let calibration = Calibration::fit(&shares, &set.labels, set.learnt.len());
            let loss = calibration.log_loss(&shares, &set.labels);
            if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                best = Some((loss, forest, shares));
            }
        }
        let (log_loss, forest, shares) = best.expect("there is at least one forest to choose from");
        let calibration = Calibration::fit(&shares, &set.labels, set.learnt.len());
        let calibration_error = set.calibration_error(&calibration, &shares);
        let mut classes: Vec<String> = set.learnt.iter().filter(|class| *class != UNKNOWN).cloned().collect();
        classes.push(UNKNOWN.into());
        Ok(Classifier(Parts {
            schema: schema.to_vec(),
            classes,
            forest: grow(&set.rows, &set.labels, set.learnt.len(), forest)?,
            calibration,
            novelty: Novelty::fit(&set.rows, &set.labels, &set.folds),
            prior: prior(windows, &labels, options.unknown),
            typical: (0..schema.len()).map(|feature| set.typical(feature)).collect(),
            learnt: set.learnt,
            left_out: LeftOut { log_loss, calibration_error, labels },
        }))
    }
}

fn check(schema: &[String], windows: &[LabelledWindow], options: &TrainOptions) -> Result<(), TrainError> {
    if schema.is_empty() || options.forests.is_empty() || options.folds < 2 || options.min_groups < 2 {
        return Err(TrainError::Options("there is at least one feature, one forest, two folds and two appliances"));
    }
    if !(options.unknown > 0.0 && options.unknown < 1.0) {
        return Err(TrainError::Options("the part of windows expected to be unknown is between 0 and 1"));
    }
    for (window, LabelledWindow { features, label, .. }) in windows.iter().enumerate() {
        if features.len() != schema.len() {
            return Err(TrainError::Window { window, what: "it has not one value a feature" });
        }
        if label.is_empty() {
            return Err(TrainError::Window { window, what: "its label is empty" });
        }
    }
    Ok(())
}

/// Labels in alphabetical order.
fn count(windows: &[LabelledWindow], min_groups: usize) -> Vec<ClassCount> {
    let mut labels: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for window in windows {
        let (count, groups) = labels.entry(&window.label).or_default();
        *count += 1;
        groups.insert(&window.group);
    }
    labels
        .into_iter()
        .map(|(label, (windows, groups))| {
            let learnt = groups.len() >= min_groups && label != UNKNOWN;
            ClassCount { label: label.into(), windows, groups: groups.len(), learnt }
        })
        .collect()
}

/// The part of the windows expected to belong to no class that is learnt.
fn prior(windows: &[LabelledWindow], labels: &[ClassCount], unknown: f64) -> f64 {
    let rare = windows.iter().filter(|window| !is_learnt(labels, &window.label)).count();
    unknown + (1.0 - unknown) * rare as f64 / (windows.len() as f64 + 1.0)
}

fn is_learnt(labels: &[ClassCount], label: &str) -> bool {
    labels.iter().any(|count| count.label == label && count.learnt)
}

/// Windows whose labels are classes.
struct TrainingSet<'a> {
    learnt: Vec<String>,
    rows: Vec<&'a [f64]>,
    labels: Vec<usize>,
    folds: Vec<usize>,
}

impl<'a> TrainingSet<'a> {
    fn new(windows: &'a [LabelledWindow], labels: &[ClassCount], options: &TrainOptions) -> Result<Self, TrainError> {
        let mut learnt: Vec<String> =
            labels.iter().filter(|count| count.learnt).map(|count| count.label.clone()).collect();
        if learnt.len() < 2 {
            return Err(TrainError::TooFew { needed: options.min_groups, labels: labels.to_vec() });
        }
        // Rare labels are learnt together if together they are not rare.
        let rare = windows.iter().filter(|window| !is_learnt(labels, &window.label));
        if rare.map(|window| &window.group).collect::<BTreeSet<_>>().len() >= options.min_groups {
            learnt.push(UNKNOWN.into());
        }
        let class = |window: &LabelledWindow| {
            let name = if is_learnt(labels, &window.label) { window.label.as_str() } else { UNKNOWN };
            learnt.iter().position(|class| class == name)
        };
        let used: Vec<(&LabelledWindow, usize)> =
            windows.iter().filter_map(|window| Some((window, class(window)?))).collect();
        let rows = used.iter().map(|(window, _)| window.features.as_slice()).collect();
        let groups: Vec<&str> = used.iter().map(|(window, _)| window.group.as_str()).collect();
        let labels: Vec<usize> = used.iter().map(|(_, label)| *label).collect();
        let folds = folds::deal(&groups, &labels, learnt.len(), options.folds);
        Ok(TrainingSet { learnt, rows, labels, folds })
    }

    /// What forests say of the appliances that they have not seen.
    fn left_out(&self, options: &GrowOptions) -> Result<Vec<Vec<f32>>, TrainError> {
        let mut shares = vec![Vec::new(); self.rows.len()];
        for fold in 0..=self.folds.iter().copied().max().unwrap_or(0) {
            let forest = self.without(fold, options)?;
            for row in (0..self.rows.len()).filter(|row| self.folds[*row] == fold) {
                forest.sums(self.rows[row], &mut shares[row]).expect("all windows have been checked for their width");
            }
        }
        Ok(shares)
    }

    fn without(&self, fold: usize, options: &GrowOptions) -> Result<Forest, TrainError> {
        let rest = (0..self.rows.len()).filter(|row| self.folds[*row] != fold);
        let (rows, labels): (Vec<&[f64]>, Vec<usize>) = rest.map(|row| (self.rows[row], self.labels[row])).unzip();
        Ok(grow(&rows, &labels, self.learnt.len(), options)?)
    }

    fn calibration_error(&self, calibration: &Calibration, shares: &[Vec<f32>]) -> f64 {
        let predictions: Vec<Vec<f64>> = shares.iter().map(|shares| calibration.apply(shares)).collect();
        let error = |class: usize| {
            let pairs = predictions.iter().zip(&self.labels).map(|(p, label)| (p[class], *label == class));
            expected_calibration_error(&pairs.collect::<Vec<_>>())
        };
        (0..self.learnt.len()).map(error).sum::<f64>() / self.learnt.len() as f64
    }

    fn typical(&self, feature: usize) -> f64 {
        let mut values: Vec<f64> = self.rows.iter().map(|row| row[feature]).filter(|value| value.is_finite()).collect();
        robust::quantile(&mut values, 0.5).unwrap_or(0.0)
    }
}
