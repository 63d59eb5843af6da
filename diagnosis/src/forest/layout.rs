//! The layout that answers fast.

use serde::{Deserialize, Serialize};

use super::model::Columns;

/// Most features of a row: what the largest buffer of a descent holds.
pub const MAX_FEATURES: usize = 1_000;

/// Trees that go down together; more hide more of the memory's latency, fewer stay in registers.
const LANES: usize = 8;

/// Leaf values are added this many at a time.
const BLOCK: usize = 4;

/// Slot of a row's buffer that holds 0, which is above nothing: a leaf compares it and stays.
pub(super) const NOWHERE: u16 = 0;

/// An ensemble of decision trees whose leaf values are summed.
///
/// As a file it is a handful of arrays (see the fields of the serialised form), checked when it is
/// read: whatever a file says, no forest that exists can panic, loop or read beside its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct Forest {
    pub(super) features: usize,
    pub(super) outputs: usize,
    pub(super) trees: usize,
    pub(super) nodes: Vec<Node>,
    groups: Vec<Group>,
    /// Leaf values, `blocks` blocks a row; the last row is zero.
    values: Vec<[f32; BLOCK]>,
    blocks: usize,
}

/// A node in 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// Left if the value's [`key`] is not above it. A leaf's row of values.
    pub key: u32,
    /// Where the row's buffer has the value: `1 + 2 feature`, one more if missing values go right.
    pub slot: u16,
    /// From here to the left child, the right one follows it; 0 at a leaf.
    pub step: u16,
}

/// Numbers in the order of the floats they stand for (not NaN): integers compare sooner, and
/// the processor adds the outcome as a carry. -0 and 0 are one.
pub(super) fn key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    bits ^ (((bits as i32 >> 31) as u32) | 0x8000_0000)
}

/// The float of a [`key`].
pub(super) fn float(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key ^ 0x8000_0000 } else { !key })
}

/// Trees that go down together.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    roots: [u32; LANES],
    depth: u32,
}

/// A row that a forest cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the row has {found} features, the model was trained on {expected}")]
pub struct RowError {
    /// Features of the model.
    pub expected: usize,
    /// Features of the row.
    pub found: usize,
}

impl Forest {
    /// Arranges nodes for the descent. `roots` with the depth of each tree; `values` has `outputs`
    /// values a row. All has been checked.
    pub(super) fn arrange(
        (features, outputs): (usize, usize),
        mut nodes: Vec<Node>,
        roots: &[(u32, u32)],
        values: &[f32],
    ) -> Self {
        let blocks = outputs.div_ceil(BLOCK);
        let mut padded = Vec::with_capacity((values.len() / outputs + 1) * blocks);
        for row in values.chunks_exact(outputs) {
            padded.extend(row.chunks(BLOCK).map(|part| {
                let mut block = [0.0; BLOCK];
                block[..part.len()].copy_from_slice(part);
                block
            }));
        }
        // The last group may lack trees: those lanes rest on a leaf that adds nothing.
        let nothing = nodes.len() as u32;
        nodes.push(Node { key: (values.len() / outputs) as u32, slot: NOWHERE, step: 0 });
        padded.resize(padded.len() + blocks, [0.0; BLOCK]);
        let groups = roots
            .chunks(LANES)
            .map(|group| {
                let mut roots = [nothing; LANES];
                roots.iter_mut().zip(group).for_each(|(to, (root, _))| *to = *root);
                Group { roots, depth: group.iter().map(|(_, depth)| *depth).max().unwrap_or(0) }
            })
            .collect();
        Forest { features, outputs, trees: roots.len(), nodes, groups, values: padded, blocks }
    }

    /// How many features a row has.
    pub fn features(&self) -> usize {
        self.features
    }

    /// How many sums a row gets: classes, or 1 for a regression.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many nodes its trees have.
    pub fn nodes(&self) -> usize {
        self.nodes.len() - 1
    }

    /// How many trees are summed.
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// The sums of a row, into `sums`, whose length becomes [`Forest::outputs`].
    ///
    /// # Errors
    ///
    /// A row that is not as wide as the rows of training.
    pub fn sums(&self, row: &[f64], sums: &mut Vec<f32>) -> Result<(), RowError> {
        if row.len() != self.features {
            return Err(RowError { expected: self.features, found: row.len() });
        }
        sums.clear();
        sums.resize(self.blocks * BLOCK, 0.0);
        // A constant power of two makes each access to the buffer provably inside of it.
        match 2 * self.features {
            0..64 => self.descend::<64>(row, sums),
            64..256 => self.descend::<256>(row, sums),
            _ => self.descend::<2048>(row, sums),
        }
        sums.truncate(self.outputs);
        Ok(())
    }

    fn descend<const SLOTS: usize>(&self, row: &[f64], sums: &mut [f32]) {
        let mut slots = [0; SLOTS];
        for (pair, value) in slots[1..].chunks_exact_mut(2).zip(row) {
            let (key, missing) = (key(*value as f32), value.is_nan());
            pair[0] = if missing { 0 } else { key };
            pair[1] = if missing { u32::MAX } else { key };
        }
        for group in &self.groups {
            let mut at = group.roots;
            for _ in 0..group.depth {
                for at in &mut at {
                    let node = self.nodes[*at as usize];
                    let right = node.key < slots[node.slot as usize & (SLOTS - 1)];
                    *at += u32::from(node.step) + u32::from(right);
                }
            }
            for at in at {
                let first = self.nodes[at as usize].key as usize * self.blocks;
                let leaf = &self.values[first..first + self.blocks];
                for (sums, block) in sums.chunks_exact_mut(BLOCK).zip(leaf) {
                    sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += value);
                }
            }
        }
    }

    /// The rows of leaf values, without the one that adds nothing.
    pub(super) fn rows(&self) -> Vec<f32> {
        let rows = self.values.len() / self.blocks - 1;
        let padded = self.values[..rows * self.blocks].as_flattened();
        padded.chunks_exact(self.blocks * BLOCK).flat_map(|row| &row[..self.outputs]).copied().collect()
    }

    /// Index of each tree's first node.
    pub(super) fn starts(&self) -> Vec<u32> {
        self.groups.iter().flat_map(|group| group.roots).take(self.trees).collect()
    }
}
