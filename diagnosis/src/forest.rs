//! Ensembles of decision trees, flat, to be asked often and answer within a microsecond.
//!
//! A [`Forest`] is a sum of trees: each tree adds the values of the leaf a row falls into. It is
//! the average class distribution of a random forest when the leaves are divided by the number
//! of trees, and the prediction of boosted trees as it is. [`grow`] trains a random forest with
//! `smartcore` and takes its trees over; other trainers hand [`Tree`]s to [`Forest::new`].
//!
//! Why it is fast: a node is 8 bytes, and all nodes lie in one array, each tree breadth first with
//! brothers side by side. The descent has no branch to mispredict: the comparison is added to the
//! index of the left child, and a leaf leads to itself. Several trees go down together, so that
//! their loads overlap (cf. Asadi, Lin & de Vries, "Runtime Optimizations for Tree-Based Machine
//! Learning Models", 2014).
//!
//! Values are rounded to `f32` once, when a row comes in. A missing value (NaN) goes the way most
//! training rows went at that node. Infinities are just very large.

mod grow;
mod layout;
mod model;
#[cfg(test)]
mod tests;
mod tree;

pub use grow::{GrowError, GrowOptions, grow};
pub use layout::{Forest, MAX_FEATURES, RowError};
pub use model::ForestError;
pub use tree::{Tree, TreeNode};
