//! Gradient-boosted regression trees on binned features (Friedman 2001; bins and leaf-wise growth
//! after Ke et al., "LightGBM", 2017), kept small: a node is a feature, a bin and a step.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// At most so many bins a feature: finer ones follow noise.
const BINS: usize = 64;
/// Marks a leaf.
const LEAF: u16 = u16::MAX;

/// How trees are grown. One setting for all equipment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    pub(super) trees: usize,
    pub(super) leaves: usize,
    /// The part of each tree's answer that is believed.
    pub(super) rate: f64,
    /// Fewest rows in a leaf.
    pub(super) least_rows: usize,
    /// Rows of no difference that each leaf is thought to hold besides its own.
    pub(super) shrink: f64,
    /// The part of rows and of features that each tree sees.
    pub(super) rows: f64,
    pub(super) features: f64,
}

/// The limits between a feature's bins, rising.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Bins(Vec<f32>);

impl Bins {
    /// Bins of about as many rows each.
    pub(super) fn of(values: impl Iterator<Item = f32>) -> Self {
        let mut sorted: Vec<f32> = values.collect();
        sorted.sort_by(f32::total_cmp);
        let mut limits: Vec<f32> = (1..BINS).map(|bin| sorted[bin * (sorted.len() - 1) / BINS]).collect();
        limits.dedup();
        Self(limits)
    }

    fn bin(&self, value: f32) -> u8 {
        self.0.partition_point(|&limit| limit < value) as u8
    }
}

/// Trees whose answers are added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Boosted {
    base: f64,
    trees: Vec<Tree>,
}

/// A tree, each node before its children, the left one first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Tree {
    /// The feature asked, or [`LEAF`].
    feature: Vec<u16>,
    /// Bins up to this one go left.
    bin: Vec<u8>,
    /// Where the right child is; for a leaf its place in `answers`.
    right: Vec<u16>,
    answers: Vec<f32>,
}

/// Rows of features, binned, column by column.
pub(super) struct Table {
    columns: Vec<Vec<u8>>,
    targets: Vec<f64>,
}

impl Table {
    /// Bins rows of features with their targets.
    pub(super) fn new(bins: &[Bins], rows: &[(Vec<f32>, f64)]) -> Self {
        let column = |(at, bins): (usize, &Bins)| rows.iter().map(|row| bins.bin(row.0[at])).collect();
        Self { columns: bins.iter().enumerate().map(column).collect(), targets: rows.iter().map(|row| row.1).collect() }
    }
}

impl Boosted {
    /// Grows trees on a table of one row or more.
    pub(super) fn fit(table: &Table, growth: &Growth, seed: u64) -> Self {
        let mut random = Random(seed);
        let base = table.targets.iter().sum::<f64>() / table.targets.len() as f64;
        let mut left: Vec<f64> = table.targets.iter().map(|target| target - base).collect();
        let mut trees = Vec::with_capacity(growth.trees);
        for _ in 0..growth.trees {
            let rows: Vec<u32> = (0..left.len() as u32).filter(|_| random.chance(growth.rows)).collect();
            let features: Vec<usize> = (0..table.columns.len()).filter(|_| random.chance(growth.features)).collect();
            let tree = Grower { table, left: &left, growth, features: &features }.tree(rows);
            for (row, left) in left.iter_mut().enumerate() {
                *left -= f64::from(tree.answer(|feature| table.columns[feature][row]));
            }
            trees.push(tree);
        }
        Self { base, trees }
    }

    /// The answer for features in bins.
    pub(super) fn answer(&self, bins: &[u8]) -> f64 {
        self.base + self.trees.iter().map(|tree| f64::from(tree.answer(|feature| bins[feature]))).sum::<f64>()
    }
}

/// Features in bins.
pub(super) fn binned(bins: &[Bins], features: &[f32]) -> Vec<u8> {
    bins.iter().zip(features).map(|(bins, &feature)| bins.bin(feature)).collect()
}

impl Tree {
    fn answer(&self, bin: impl Fn(usize) -> u8) -> f32 {
        let mut node = 0;
        while self.feature[node] != LEAF {
            let left = bin(usize::from(self.feature[node])) <= self.bin[node];
            node = if left { node + 1 } else { usize::from(self.right[node]) };
        }
        self.answers[usize::from(self.right[node])]
    }
}

/// Grows one tree, the leaf that gains most first.
struct Grower<'a> {
    table: &'a Table,
    left: &'a [f64],
    growth: &'a Growth,
    features: &'a [usize],
}

/// A part of the tree under growth.
enum Branch {
    Leaf(f64),
    Split { feature: usize, bin: u8, children: (usize, usize) },
}

/// A leaf that might be split: its rows and the best way.
struct Open {
    branch: usize,
    rows: Vec<u32>,
    gain: f64,
    feature: usize,
    bin: u8,
}

impl Grower<'_> {
    fn tree(&self, rows: Vec<u32>) -> Tree {
        let mut branches = vec![Branch::Leaf(self.leaf(&rows))];
        let mut open: Vec<Open> = self.open(0, rows).into_iter().collect();
        for _ in 1..self.growth.leaves {
            let best = (0..open.len()).max_by(|&a, &b| open[a].gain.total_cmp(&open[b].gain));
            let Some(Open { branch, rows, feature, bin, .. }) = best.map(|best| open.swap_remove(best)) else { break };
            let column = &self.table.columns[feature];
            let (low, high): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| column[row as usize] <= bin);
            let children = (branches.len(), branches.len() + 1);
            branches[branch] = Branch::Split { feature, bin, children };
            branches.push(Branch::Leaf(self.leaf(&low)));
            branches.push(Branch::Leaf(self.leaf(&high)));
            open.extend(self.open(children.0, low));
            open.extend(self.open(children.1, high));
        }
        flat(&branches)
    }

    fn leaf(&self, rows: &[u32]) -> f64 {
        let sum: f64 = rows.iter().map(|&row| self.left[row as usize]).sum();
        self.growth.rate * sum / (rows.len() as f64 + self.growth.shrink)
    }

    /// The best split of rows, by the fall of the sum of squares; None if none is allowed.
    fn open(&self, branch: usize, rows: Vec<u32>) -> Option<Open> {
        if rows.len() < 2 * self.growth.least_rows {
            return None;
        }
        let total: f64 = rows.iter().map(|&row| self.left[row as usize]).sum();
        let worth = |sum: f64, count: f64| sum * sum / (count + self.growth.shrink);
        let whole = worth(total, rows.len() as f64);
        let (mut gain, mut feature, mut bin) = (1e-9, None, 0);
        for &candidate in self.features {
            let column = &self.table.columns[candidate];
            let mut bins = [(0.0, 0_u32); 256];
            for &row in &rows {
                let bin = &mut bins[usize::from(column[row as usize])];
                bin.0 += self.left[row as usize];
                bin.1 += 1;
            }
            let (mut sum, mut count) = (0.0, 0_usize);
            for (at, &(of_bin, rows_of_bin)) in bins.iter().enumerate().take(BINS) {
                sum += of_bin;
                count += rows_of_bin as usize;
                let others = rows.len() - count;
                if others < self.growth.least_rows {
                    break;
                }
                let gained = worth(sum, count as f64) + worth(total - sum, others as f64) - whole;
                if count >= self.growth.least_rows && gained > gain {
                    (gain, feature, bin) = (gained, Some(candidate), at as u8);
                }
            }
        }
        feature.map(|feature| Open { branch, rows, gain, feature, bin })
    }
}

fn flat(branches: &[Branch]) -> Tree {
    let mut tree = Tree::default();
    // (branch, the split whose right child it is)
    let mut stack = vec![(0, None)];
    while let Some((branch, parent)) = stack.pop() {
        let node = tree.feature.len() as u16;
        if let Some(parent) = parent {
            tree.right[usize::from(parent)] = node;
        }
        match branches[branch] {
            Branch::Leaf(answer) => {
                tree.feature.push(LEAF);
                tree.bin.push(0);
                tree.right.push(tree.answers.len() as u16);
                // Thousandths of a cycle: finer answers only make the file longer.
                tree.answers.push(((answer * 1000.0).round() / 1000.0) as f32);
            }
            Branch::Split { feature, bin, children } => {
                tree.feature.push(feature as u16);
                tree.bin.push(bin);
                tree.right.push(0);
                stack.push((children.1, Some(node)));
                stack.push((children.0, None));
            }
        }
    }
    tree
}
