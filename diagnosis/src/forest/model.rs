//! A forest as a file, and its checks.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::layout::{Forest, MAX_FEATURES, NOWHERE, Node, float, key};
use super::tree::{Tree, TreeNode, below};

/// Row numbers of leaf values are kept as `f32`, which is exact up to here.
const MAX_VALUES: usize = 1 << 24;

/// A forest that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ForestError {
    /// No tree, feature or output.
    #[error("a forest has at least one tree, one feature and one output")]
    Empty,
    /// More than it can serve.
    #[error("{what}: {found}, at most {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
    /// A node that is wrong.
    #[error("tree {tree}, node {node}: {what}")]
    Node {
        /// Which tree, from 0.
        tree: usize,
        /// Which of its nodes, from 0.
        node: usize,
        /// What is wrong, and what would be right.
        what: &'static str,
    },
    /// Arrays of a file that do not fit each other.
    #[error("{0}")]
    Arrays(&'static str),
}

/// The serialised form: columns of the nodes of all trees, one tree after the other.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    /// Features of a row.
    features: usize,
    /// Values of a leaf.
    outputs: usize,
    /// Index of each tree's root; children lie behind their parent.
    trees: Vec<u32>,
    /// `1 + 2 feature`, one more if rows without a value go right; 0 is a leaf.
    slot: Vec<u16>,
    /// Rows go right above it; of a leaf, the row of `values`.
    threshold: Vec<f32>,
    /// From a node to its left child, the right one follows it; 0 at a leaf.
    step: Vec<u16>,
    /// Leaf values, `outputs` a row.
    values: Vec<f32>,
}

impl From<Forest> for Columns {
    fn from(forest: Forest) -> Self {
        let nodes = &forest.nodes[..forest.nodes.len() - 1];
        Columns {
            features: forest.features,
            outputs: forest.outputs,
            trees: forest.starts(),
            slot: nodes.iter().map(|node| node.slot).collect(),
            threshold: nodes.iter().map(Node::threshold).collect(),
            step: nodes.iter().map(|node| node.step).collect(),
            values: forest.rows(),
        }
    }
}

impl TryFrom<Columns> for Forest {
    type Error = ForestError;

    fn try_from(file: Columns) -> Result<Self, ForestError> {
        size(file.features, file.outputs, file.trees.len())?;
        let count = file.slot.len();
        if file.threshold.len() != count || file.step.len() != count {
            return Err(ForestError::Arrays("slot, threshold and step have one entry a node, so are equally long"));
        }
        if !file.values.len().is_multiple_of(file.outputs) || file.values.iter().any(|value| !value.is_finite()) {
            return Err(ForestError::Arrays("values are finite, and `outputs` of them make a row"));
        }
        within("rows of leaf values", file.values.len() / file.outputs, MAX_VALUES)?;
        let ends = file.trees.iter().skip(1).copied().chain([count as u32]);
        if file.trees[0] != 0 || !file.trees.iter().zip(ends.clone()).all(|(start, end)| *start < end) {
            return Err(ForestError::Arrays("trees begin at 0 and rise, and none is empty"));
        }
        let columns = file.slot.iter().zip(&file.threshold).zip(&file.step);
        let nodes: Vec<Node> = columns.map(|((slot, threshold), step)| Node::new(*slot, *threshold, *step)).collect();
        let mut roots = Vec::with_capacity(file.trees.len());
        for (tree, (start, end)) in file.trees.iter().zip(ends).enumerate() {
            let nodes = &nodes[*start as usize..end as usize];
            let depth = depth(nodes, file.features, file.values.len() / file.outputs)
                .map_err(|(node, what)| ForestError::Node { tree, node, what })?;
            roots.push((*start, depth));
        }
        Ok(Forest::arrange((file.features, file.outputs), nodes, &roots, &file.values))
    }
}

impl Forest {
    /// Lays trees out.
    ///
    /// # Errors
    ///
    /// No tree, too many features, or a node that refers to nothing, is met twice, has a threshold
    /// that is not finite, or a leaf of another length than `outputs`.
    pub fn new(features: usize, outputs: usize, trees: &[Tree]) -> Result<Self, ForestError> {
        size(features, outputs, trees.len())?;
        let mut writer = Writer { features, outputs, ..Writer::default() };
        let mut roots = Vec::with_capacity(trees.len());
        for (number, tree) in trees.iter().enumerate() {
            let start = writer.nodes.len();
            writer.write(tree).map_err(|(node, what)| ForestError::Node { tree: number, node, what })?;
            let rows = writer.values.len() / outputs;
            within("rows of leaf values", rows, MAX_VALUES)?;
            within("nodes", writer.nodes.len(), u32::MAX as usize / 2)?;
            let depth = depth(&writer.nodes[start..], features, rows).map_err(|(node, what)| ForestError::Node {
                tree: number,
                node,
                what,
            })?;
            roots.push((start as u32, depth));
        }
        Ok(Forest::arrange((features, outputs), writer.nodes, &roots, &writer.values))
    }
}

impl Node {
    fn new(slot: u16, threshold: f32, step: u16) -> Self {
        // As a leaf's row, what is no number becomes one that no forest has.
        let row = if threshold >= 0.0 && threshold.fract() == 0.0 { threshold as u32 } else { u32::MAX };
        Node { key: if slot == NOWHERE { row } else { key(threshold) }, slot, step }
    }

    fn threshold(&self) -> f32 {
        if self.slot == NOWHERE { self.key as f32 } else { float(self.key) }
    }
}

/// Writes trees breadth first.
#[derive(Default)]
struct Writer {
    features: usize,
    outputs: usize,
    nodes: Vec<Node>,
    values: Vec<f32>,
    /// Equal leaves share a row: most of a deep forest's are pure.
    known: HashMap<Vec<u32>, usize>,
}

impl Writer {
    fn write(&mut self, tree: &Tree) -> Result<(), (usize, &'static str)> {
        let start = self.nodes.len();
        let mut open = VecDeque::from([0]);
        let mut written = 0;
        while let Some(index) = open.pop_front() {
            if written + open.len() > tree.0.len() {
                return Err((index, "is reached twice; a tree has one way to each node"));
            }
            let here = self.nodes.len() - start;
            written += 1;
            let node = match tree.0.get(index) {
                None => return Err((index, "does not exist")),
                Some(TreeNode::Leaf(values)) => self.leaf(values).map_err(|what| (index, what))?,
                Some(TreeNode::Split { feature, threshold, missing_right, left, right }) => {
                    if *feature >= self.features {
                        return Err((index, "splits by a feature that rows do not have"));
                    }
                    open.extend([*left, *right]);
                    let step = u16::try_from(written + open.len() - 2 - here);
                    let slot = (1 + 2 * feature + usize::from(*missing_right)) as u16;
                    let step = step.map_err(|_| (index, "is too far from its children: at most 65,535 nodes"))?;
                    Node { key: key(below(*threshold)), slot, step }
                }
            };
            self.nodes.push(node);
        }
        Ok(())
    }

    fn leaf(&mut self, values: &[f32]) -> Result<Node, &'static str> {
        if values.len() != self.outputs || values.iter().any(|value| !value.is_finite()) {
            return Err("a leaf has one finite value an output");
        }
        let rows = self.values.len() / self.outputs;
        let row = *self.known.entry(values.iter().map(|value| value.to_bits()).collect()).or_insert(rows);
        if row == rows {
            self.values.extend(values);
        }
        Ok(Node { key: row as u32, slot: NOWHERE, step: 0 })
    }
}

fn size(features: usize, outputs: usize, trees: usize) -> Result<(), ForestError> {
    if features == 0 || outputs == 0 || trees == 0 {
        return Err(ForestError::Empty);
    }
    within("features", features, MAX_FEATURES)?;
    within("outputs", outputs, MAX_FEATURES)
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), ForestError> {
    if found > most { Err(ForestError::TooLarge { what, found, most }) } else { Ok(()) }
}

/// Steps from the root to the deepest leaf of a tree, whose nodes are checked on the way.
fn depth(nodes: &[Node], features: usize, rows: usize) -> Result<u32, (usize, &'static str)> {
    let mut levels = vec![0u32; nodes.len()];
    let mut deepest = 0;
    for (index, node) in nodes.iter().enumerate() {
        if node.slot == NOWHERE {
            if node.key as usize >= rows || node.step != 0 {
                return Err((index, "a leaf names a row of the values, and its step is 0"));
            }
            deepest = deepest.max(levels[index]);
        } else {
            let left = index + usize::from(node.step);
            if node.step == 0 || left + 1 >= nodes.len() {
                return Err((index, "children lie behind their parent and inside the tree"));
            }
            if usize::from(node.slot) > 2 * features || !float(node.key).is_finite() {
                return Err((index, "a split has a feature of the row and a finite threshold"));
            }
            for child in [left, left + 1] {
                levels[child] = levels[child].max(levels[index] + 1);
            }
        }
    }
    Ok(deepest)
}
