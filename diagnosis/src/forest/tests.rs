use proptest::prelude::*;
use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::*;

fn leaf(value: f32) -> TreeNode {
    TreeNode::Leaf(vec![value])
}

fn split(feature: usize, threshold: f64, missing_right: bool, left: usize, right: usize) -> TreeNode {
    TreeNode::Split { feature, threshold, missing_right, left, right }
}

/// 1 up to 2.5 in feature 0, else by feature 1: 10 up to -1, 100 above.
fn small(missing_right: bool) -> Tree {
    Tree(vec![split(0, 2.5, missing_right, 1, 2), leaf(1.0), split(1, -1.0, false, 4, 3), leaf(100.0), leaf(10.0)])
}

fn sum(forest: &Forest, row: &[f64]) -> f32 {
    let mut sums = Vec::new();
    forest.sums(row, &mut sums).unwrap();
    sums[0]
}

#[test]
fn trees_are_summed() {
    let bias = Tree(vec![leaf(0.5)]);
    let forest = Forest::new(2, 1, &[small(false), bias, small(true)]).unwrap();
    assert_eq!(sum(&forest, &[2.5, 0.0]), 2.5);
    assert_eq!(sum(&forest, &[2.6, -1.0]), 20.5);
    assert_eq!(sum(&forest, &[f64::INFINITY, f64::INFINITY]), 200.5);
    assert_eq!(sum(&forest, &[f64::NEG_INFINITY, 0.0]), 2.5);
    assert_eq!(sum(&forest, &[1e300, -0.0]), 200.5);
}

#[test]
fn missing_values_go_their_learnt_way() {
    assert_eq!(sum(&Forest::new(2, 1, &[small(false)]).unwrap(), &[f64::NAN, 0.0]), 1.0);
    assert_eq!(sum(&Forest::new(2, 1, &[small(true)]).unwrap(), &[f64::NAN, 0.0]), 100.0);
    assert_eq!(sum(&Forest::new(2, 1, &[small(true)]).unwrap(), &[f64::NAN, f64::NAN]), 10.0);
}

#[test]
fn a_row_of_another_width_is_an_error() {
    let forest = Forest::new(2, 1, &[small(false)]).unwrap();
    let error = forest.sums(&[1.0], &mut Vec::new()).unwrap_err();
    assert_eq!(error, RowError { expected: 2, found: 1 });
}

#[test]
fn wide_rows_are_served() {
    for width in [31, 32, 127, 128, MAX_FEATURES] {
        let tree = Tree(vec![split(width - 1, 0.0, false, 1, 2), leaf(1.0), leaf(2.0)]);
        let forest = Forest::new(width, 1, &[tree]).unwrap();
        let mut row = vec![-1.0; width];
        assert_eq!(sum(&forest, &row), 1.0);
        row[width - 1] = 1.0;
        assert_eq!(sum(&forest, &row), 2.0);
    }
}

#[test]
fn trees_that_are_none_are_refused() {
    let node = |nodes| Forest::new(2, 1, &[Tree(nodes)]).unwrap_err().to_string();
    assert!(Forest::new(2, 1, &[]).is_err());
    assert!(Forest::new(2, 1, &[Tree(vec![])]).is_err());
    assert!(node(vec![split(0, 0.0, false, 0, 1), leaf(1.0)]).contains("twice"));
    assert!(node(vec![split(0, 0.0, false, 1, 2), leaf(1.0)]).contains("does not exist"));
    assert!(node(vec![split(2, 0.0, false, 1, 2), leaf(1.0), leaf(1.0)]).contains("feature"));
    assert!(node(vec![split(0, f64::NAN, false, 1, 2), leaf(1.0), leaf(1.0)]).contains("finite"));
    assert!(node(vec![leaf(f32::NAN)]).contains("finite"));
}

/// Rows on a coarse grid, so that values meet thresholds' neighbours, and noisy classes.
fn rows(seed: u64) -> (Vec<Vec<f64>>, Vec<usize>) {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let rows: Vec<Vec<f64>> = (0..300).map(|_| (0..5).map(|_| (next() % 50) as f64 / 7.0).collect()).collect();
    let labels = rows.iter().map(|row| (row[0] > 3.0) as usize + (row[1] + (next() % 3) as f64 > 4.0) as usize);
    let labels = labels.collect();
    (rows, labels)
}

#[test]
fn a_forest_of_pure_leaves_votes_like_smartcore() {
    let (rows, labels) = rows(3);
    let rows: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().map(|value| f64::from(*value as f32)).collect()).collect();
    let slices: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    let options = GrowOptions { trees: 15, depth: 60, ..GrowOptions::default() };
    let forest = grow(&slices, &labels, 3, &options).unwrap();
    let x = DenseMatrix::from_2d_vec(&rows).unwrap();
    let y: Vec<u32> = labels.iter().map(|label| *label as u32).collect();
    let parameters =
        RandomForestClassifierParameters { n_trees: 15, max_depth: Some(61), seed: 1, ..Default::default() };
    let peer = RandomForestClassifier::fit(&x, &y, parameters).unwrap().predict(&x).unwrap();
    let agree = rows.iter().zip(peer).filter(|(row, class)| {
        let mut sums = Vec::new();
        forest.sums(row, &mut sums).unwrap();
        assert!((sums.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        (0..3).max_by(|a, b| sums[*a].total_cmp(&sums[*b])) == Some(*class as usize)
    });
    // Ties and rows outside a tree's own sample may differ: our leaves know all training rows.
    assert!(agree.count() >= 290);
}

#[test]
fn files_give_the_same_forest_back() {
    let (rows, labels) = rows(5);
    let slices: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    let forest = grow(&slices, &labels, 3, &GrowOptions { trees: 11, ..GrowOptions::default() }).unwrap();
    let json = serde_json::to_string(&forest).unwrap();
    assert_eq!(serde_json::from_str::<Forest>(&json).unwrap(), forest);
}

#[test]
fn rows_without_labels_are_refused() {
    assert!(matches!(grow(&[&[1.0], &[1.0, 2.0]], &[0, 1], 2, &GrowOptions::default()), Err(GrowError::Row { .. })));
    assert!(matches!(grow(&[&[1.0], &[2.0]], &[0], 2, &GrowOptions::default()), Err(GrowError::Row { .. })));
    assert!(matches!(grow(&[&[1.0], &[2.0]], &[0, 2], 2, &GrowOptions::default()), Err(GrowError::Row { .. })));
    assert!(matches!(grow(&[&[1.0], &[2.0]], &[0, 0], 1, &GrowOptions::default()), Err(GrowError::Trainer(_))));
}

/// What a tree says, by the book.
fn by_the_book(tree: &Tree, row: &[f64]) -> f32 {
    let mut at = 0;
    loop {
        match &tree.0[at] {
            TreeNode::Leaf(values) => return values[0],
            TreeNode::Split { feature, threshold, missing_right, left, right } => {
                let value = row[*feature];
                let goes_right = if value.is_nan() { *missing_right } else { f64::from(value as f32) > *threshold };
                at = if goes_right { *right } else { *left };
            }
        }
    }
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let parts = prop::collection::vec((any::<prop::sample::Index>(), 0..3usize, -2.0..2.0, any::<bool>()), 0..40);
    parts.prop_map(|splits| {
        let mut nodes = vec![leaf(1.0)];
        for (number, (at, feature, threshold, missing_right)) in splits.into_iter().enumerate() {
            let leaves: Vec<usize> = (0..nodes.len()).filter(|at| matches!(nodes[*at], TreeNode::Leaf(_))).collect();
            let (at, size) = (leaves[at.index(leaves.len())], nodes.len());
            nodes[at] = split(feature, threshold, missing_right, size + 1, size);
            nodes.extend([leaf(number as f32), leaf(-(number as f32))]);
        }
        Tree(nodes)
    })
}

proptest! {
    #[test]
    fn any_trees_are_served_by_the_book(
        trees in prop::collection::vec(any_tree(), 1..20),
        rows in prop::collection::vec(prop::collection::vec(prop_oneof![9 => -3.0..3.0, 1 => Just(f64::NAN)], 3), 20),
    ) {
        let forest = Forest::new(3, 1, &trees).unwrap();
        let again: Forest = serde_json::from_str(&serde_json::to_string(&forest).unwrap()).unwrap();
        for row in rows {
            let expected: f32 = trees.iter().map(|tree| by_the_book(tree, &row)).sum();
            prop_assert!((sum(&forest, &row) - expected).abs() < 1e-3);
            prop_assert_eq!(sum(&again, &row), sum(&forest, &row));
        }
    }

    #[test]
    fn a_corrupt_file_is_an_error_or_a_forest(
        column in 0..4usize, at in any::<prop::sample::Index>(), value in prop_oneof![-3i64..70_000, any::<i64>()],
    ) {
        let forest = Forest::new(2, 1, &[small(false), small(true)]).unwrap();
        let mut file = serde_json::to_value(&forest).unwrap();
        let column = ["slot", "step", "threshold", "trees"][column];
        let cells = file[column].as_array_mut().unwrap();
        let at = at.index(cells.len());
        cells[at] = value.into();
        if let Ok(forest) = serde_json::from_value::<Forest>(file) {
            sum(&forest, &[1.0, 2.0]);
        }
    }
}
