//! Which fault a window of events and readings looks like.
//!
//! The flow: [`EventWindow`] turns what an appliance sent into a row of features; a technician's
//! confirmed cause labels it; [`Classifier::train`] learns from such rows, grouped by appliance;
//! [`Classifier::predict`] gives a probability to each class and to `unknown`.
//!
//! 1. Labels seen at too few appliances are not learnt: they become `unknown` ([`TrainOptions`]).
//! 2. Appliances are dealt into folds. The options of the forest with the least log loss on
//!    appliances left out are taken, and those predictions calibrate it.
//! 3. How far a row may lie from its like is measured on appliances left out, too. What lies
//!    farther is `unknown`, whatever the forest says: a forest votes on anything.
//!
//! Consecutive windows of an appliance are nearly copies: only whole appliances are ever left out.

mod calibration;
mod folds;
mod novelty;
mod reasons;
#[cfg(test)]
mod tests;
mod train;
mod window;

use serde::{Deserialize, Serialize};

pub use calibration::{Calibration, expected_calibration_error};
pub use novelty::Novelty;
pub use reasons::Reason;
pub use train::{ClassCount, LabelledWindow, TrainError, TrainOptions};
pub use window::{EventWindow, WindowError, WindowShape};

use crate::forest::{Forest, RowError};

/// The class of what is like nothing that was learnt.
pub const UNKNOWN: &str = "unknown";

/// A trained classifier. As a file it is checked when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Classifier(Parts);

/// What a classifier consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    /// Names of the features, in the order of a row.
    schema: Vec<String>,
    /// The forest's classes; `unknown` is among them if rare labels could be learnt together.
    learnt: Vec<String>,
    /// All classes, `unknown` last.
    classes: Vec<String>,
    forest: Forest,
    calibration: Calibration,
    novelty: Novelty,
    /// Part of the windows expected to belong to a class that is not learnt.
    prior: f64,
    /// Median of each feature, to tell what moved a prediction.
    typical: Vec<f64>,
    left_out: LeftOut,
}

/// How good it was on appliances left out of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Mean of `-ln` of the probability given to the true class, `unknown` aside.
    pub log_loss: f64,
    /// Mean distance between probability and frequency, see [`expected_calibration_error`], of
    /// the probability of each class, averaged over classes.
    pub calibration_error: f64,
    /// Labels and what became of them.
    pub labels: Vec<ClassCount>,
}

/// What a row looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// One probability a class, in the order of [`Classifier::classes`]; they sum to 1.
    pub probabilities: Vec<f64>,
    /// How often a row of an appliance left out lies as far from the rows learnt; 0 to 1, and 1 for
    /// nine in ten of them.
    pub familiarity: f64,
}

/// A model file that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("classifier: {0}")]
pub struct FileError(&'static str);

impl TryFrom<Parts> for Classifier {
    type Error = FileError;

    fn try_from(parts: Parts) -> Result<Self, FileError> {
        let features = parts.schema.len();
        let unknown = parts.classes.iter().position(|class| class == UNKNOWN);
        let learnt = parts.learnt.iter().all(|class| parts.classes.contains(class));
        let finite = parts.typical.iter().all(|value| value.is_finite());
        let checks = [
            (parts.forest.features() == features, "the forest has another number of features than the schema"),
            (parts.forest.outputs() == parts.learnt.len(), "the forest has another number of classes"),
            (parts.calibration.classes() == parts.learnt.len(), "the calibration has another number of classes"),
            (parts.novelty.features() == features, "the rows learnt have another number of features"),
            (parts.novelty.classes() == parts.learnt.len(), "the rows learnt have another number of classes"),
            (parts.typical.len() == features && finite, "there is one finite typical value a feature"),
            (unknown == Some(parts.classes.len() - 1), "the last class is not `unknown`"),
            (learnt, "a class of the forest is not among the classes"),
            (parts.prior > 0.0 && parts.prior < 1.0, "the prior of `unknown` is not between 0 and 1"),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(FileError(what)),
            None => Ok(Classifier(parts)),
        }
    }
}

impl From<Classifier> for Parts {
    fn from(classifier: Classifier) -> Self {
        classifier.0
    }
}

impl Classifier {
    /// Names of the features, in the order of a row.
    pub fn schema(&self) -> &[String] {
        &self.0.schema
    }

    /// The classes of a prediction; [`UNKNOWN`] is the last one.
    pub fn classes(&self) -> &[String] {
        &self.0.classes
    }

    /// How good it was on appliances left out of training, and what became of the labels.
    pub fn left_out(&self) -> &LeftOut {
        &self.0.left_out
    }

    /// What a row looks like. A missing feature is NaN; of a row that lacks more than half of its
    /// features nothing is said but `unknown`.
    ///
    /// # Errors
    ///
    /// A row that is not as wide as the schema.
    pub fn predict(&self, row: &[f64]) -> Result<Prediction, RowError> {
        let mut sums = Vec::new();
        self.0.forest.sums(row, &mut sums)?;
        let known = self.0.calibration.apply(&sums);
        let familiarity = self.0.novelty.familiarity(row, &known);
        let unknown = novelty::unknown(familiarity, self.0.prior);
        let mut probabilities = vec![0.0; self.0.classes.len()];
        for (class, probability) in self.0.learnt.iter().zip(known) {
            let at = self.0.classes.iter().position(|name| name == class).expect("checked when it was made");
            probabilities[at] = (1.0 - unknown) * probability;
        }
        probabilities[self.0.classes.len() - 1] += unknown;
        Ok(Prediction { probabilities, familiarity })
    }
}
