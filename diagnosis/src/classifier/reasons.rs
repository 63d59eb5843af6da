//! Why a row was taken for what it was taken for.

use super::{Classifier, UNKNOWN};
use crate::forest::RowError;

/// A feature that spoke for a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Name of the feature.
    pub feature: String,
    /// Its value in the row; NaN if it is missing.
    pub value: f64,
    /// The median of the rows learnt.
    pub typical: f64,
    /// How much it moved the probability of the class, -1 to 1; for `unknown`, its part in the
    /// distance from all that is known, 0 to 1.
    pub weight: f64,
}

impl Classifier {
    /// What spoke for the likeliest class, the strongest first, at most `most`.
    ///
    /// The weight of a feature is the mean of two changes of the class's probability: when it alone
    /// turns from the typical value to the row's, and when it alone turns back. That is its Shapley
    /// value where at most two features act together (Shapley 1953), for two predictions a feature.
    ///
    /// # Errors
    ///
    /// A row that is not as wide as the schema.
    pub fn reasons(&self, row: &[f64], most: usize) -> Result<Vec<Reason>, RowError> {
        let probabilities = self.predict(row)?.probabilities;
        let likeliest = (0..probabilities.len()).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
        let class = likeliest.expect("`unknown` is always a class");
        let weights =
            if self.0.classes[class] == UNKNOWN { self.0.novelty.parts(row) } else { self.shifts(row, class)? };
        let features = self.0.schema.iter().zip(row.iter().zip(&self.0.typical));
        let mut reasons: Vec<Reason> = features
            .zip(weights)
            .map(|((feature, (value, typical)), weight)| Reason {
                feature: feature.clone(),
                value: *value,
                typical: *typical,
                weight,
            })
            .filter(|reason| reason.weight != 0.0)
            .collect();
        reasons.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        reasons.truncate(most);
        Ok(reasons)
    }

    fn shifts(&self, row: &[f64], class: usize) -> Result<Vec<f64>, RowError> {
        let at = |row: &[f64]| self.predict(row).map(|prediction| prediction.probabilities[class]);
        let mut here = row.to_vec();
        let mut typical = self.0.typical.clone();
        let (full, none) = (at(&here)?, at(&typical)?);
        let mut shifts = Vec::with_capacity(row.len());
        for feature in 0..row.len() {
            std::mem::swap(&mut here[feature], &mut typical[feature]);
            shifts.push((full - at(&here)? + at(&typical)? - none) / 2.0);
            std::mem::swap(&mut here[feature], &mut typical[feature]);
        }
        Ok(shifts)
    }
}
