//! One tree as a trainer knows it.

/// A decision tree: nodes that refer to each other by index, the first is the root.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree(pub Vec<TreeNode>);

/// A node of a [`Tree`].
#[derive(Debug, Clone, PartialEq)]
pub enum TreeNode {
    /// Asks for one feature.
    Split {
        /// Which feature.
        feature: usize,
        /// Rows with at most this value go left, in the feature's unit.
        threshold: f64,
        /// Whether rows without a value go right.
        missing_right: bool,
        /// Index of the left child.
        left: usize,
        /// Index of the right child.
        right: usize,
    },
    /// What the tree adds to the sum, one value an output.
    Leaf(Vec<f32>),
}

/// The largest `f32` that is not above a value, so that for every `f32` x, `x <= value` exactly
/// if `x <= below(value)`.
pub(super) fn below(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) > value { near.next_down() } else { near }
}
