//! Random forests by `smartcore`, taken over.

use serde::Deserialize;
use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::{Forest, ForestError, Tree, TreeNode};

/// How a forest is grown.
#[derive(Debug, Clone, PartialEq)]
pub struct GrowOptions {
    /// How many trees are averaged.
    pub trees: u16,
    /// Splits from root to leaf, at most.
    pub depth: u16,
    /// Rows on each side of a split, at least.
    pub min_leaf: usize,
    /// Features that compete for each split; None: the square root of their number.
    pub features_per_split: Option<usize>,
    /// Which of the possible forests.
    pub seed: u64,
}

impl Default for GrowOptions {
    fn default() -> Self {
        GrowOptions { trees: 50, depth: 10, min_leaf: 1, features_per_split: None, seed: 1 }
    }
}

/// Rows that no forest can be grown from.
#[derive(Debug, thiserror::Error)]
pub enum GrowError {
    /// Rows of different widths, or not as many labels as rows.
    #[error("row {row}: {what}")]
    Row {
        /// Which row, from 0.
        row: usize,
        /// What is wrong, and what would be right.
        what: &'static str,
    },
    /// What the trainer says, for one thing when there is only one class.
    #[error("smartcore: {0}")]
    Trainer(String),
    /// What the trainer grew is not as expected.
    #[error("what smartcore 0.7 grew cannot be read")]
    Format(#[from] serde_json::Error),
    /// What it grew cannot be served.
    #[error(transparent)]
    Forest(#[from] ForestError),
}

/// Grows a random forest whose sums are class probabilities: the share of each class among the
/// training rows of the leaf, averaged over the trees.
///
/// `labels` are classes from 0 to `classes - 1`. A missing value (NaN) is the column's median for
/// the trainer, and goes with the majority afterwards.
///
/// # Errors
///
/// Rows of different widths, labels out of range, fewer than two classes, or a forest too large.
pub fn grow(rows: &[&[f64]], labels: &[usize], classes: usize, options: &GrowOptions) -> Result<Forest, GrowError> {
    let features = check(rows, labels, classes)?;
    let rows: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().map(|value| f64::from(*value as f32)).collect()).collect();
    let x =
        DenseMatrix::from_2d_vec(&filled(&rows, features)).map_err(|error| GrowError::Trainer(error.to_string()))?;
    let y: Vec<u32> = labels.iter().map(|label| *label as u32).collect();
    let parameters = RandomForestClassifierParameters {
        max_depth: Some(options.depth.saturating_add(1)),
        min_samples_leaf: options.min_leaf,
        n_trees: options.trees,
        m: options.features_per_split.map(|m| m.clamp(1, features)),
        seed: options.seed,
        ..Default::default()
    };
    let grown =
        RandomForestClassifier::fit(&x, &y, parameters).map_err(|error| GrowError::Trainer(error.to_string()))?;
    let grown: Grown = serde_json::from_value(serde_json::to_value(&grown)?)?;
    let share = 1.0 / grown.trees.len() as f32;
    let trees: Vec<Tree> =
        grown.trees.iter().map(|tree| take_over(&tree.nodes, &rows, labels, classes, share)).collect();
    Ok(Forest::new(features, classes, &trees)?)
}

/// What of the trainer's forest is of use.
#[derive(Deserialize)]
struct Grown {
    trees: Vec<GrownTree>,
}

#[derive(Deserialize)]
struct GrownTree {
    nodes: Vec<GrownNode>,
}

#[derive(Deserialize)]
struct GrownNode {
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

fn check(rows: &[&[f64]], labels: &[usize], classes: usize) -> Result<usize, GrowError> {
    let features = rows.first().map_or(0, |row| row.len());
    if let Some(row) = rows.iter().position(|row| row.len() != features) {
        return Err(GrowError::Row { row, what: "has another width than the first one" });
    }
    if labels.len() != rows.len() {
        return Err(GrowError::Row { row: labels.len().min(rows.len()), what: "rows and labels go in pairs" });
    }
    if let Some(row) = labels.iter().position(|label| *label >= classes) {
        return Err(GrowError::Row { row, what: "its label is not below the number of classes" });
    }
    Ok(features)
}

/// Rows with medians where values are missing: the trainer would place NaN without a word.
fn filled(rows: &[Vec<f64>], features: usize) -> Vec<Vec<f64>> {
    let mut filled = rows.to_vec();
    for feature in 0..features {
        let mut present: Vec<f64> = rows.iter().map(|row| row[feature]).filter(|value| !value.is_nan()).collect();
        let median = crate::robust::quantile(&mut present, 0.5).unwrap_or(0.0);
        filled.iter_mut().filter(|row| row[feature].is_nan()).for_each(|row| row[feature] = median);
    }
    filled
}

/// A tree with the class shares of the training rows in its leaves, and missing values sent where
/// most of the others go.
fn take_over(nodes: &[GrownNode], rows: &[Vec<f64>], labels: &[usize], classes: usize, share: f32) -> Tree {
    let mut tree: Vec<TreeNode> = nodes.iter().map(|_| TreeNode::Leaf(vec![0.0; classes])).collect();
    let mut open = vec![(0, (0..rows.len()).collect::<Vec<usize>>())];
    while let Some((index, here)) = open.pop() {
        let node = &nodes[index];
        let (Some(threshold), Some(left), Some(right)) = (node.split_value, node.true_child, node.false_child) else {
            tree[index] = TreeNode::Leaf(shares(&here, labels, classes, share));
            continue;
        };
        let feature = node.split_feature;
        let value = |row: &usize| rows[*row][feature];
        let (missing, present): (Vec<usize>, Vec<usize>) = here.into_iter().partition(|row| value(row).is_nan());
        let (mut low, mut high): (Vec<usize>, Vec<usize>) =
            present.into_iter().partition(|row| value(row) <= threshold);
        let missing_right = high.len() > low.len();
        if missing_right {
            high.extend(missing)
        } else {
            low.extend(missing)
        }
        tree[index] = TreeNode::Split { feature, threshold, missing_right, left, right };
        open.extend([(left, low), (right, high)]);
    }
    Tree(tree)
}

/// The part of each class among some rows, times `share`; even if there are none.
fn shares(here: &[usize], labels: &[usize], classes: usize, share: f32) -> Vec<f32> {
    if here.is_empty() {
        return vec![share / classes as f32; classes];
    }
    let mut counts = vec![0.0; classes];
    here.iter().for_each(|row| counts[labels[*row]] += 1.0);
    counts.into_iter().map(|count: f32| share * count / here.len() as f32).collect()
}
