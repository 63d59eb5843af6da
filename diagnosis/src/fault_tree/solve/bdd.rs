//! Functions as binary decision diagrams with complement edges (Bryant 1986; Brace, Rudell
//! & Bryant 1990).

use super::table::{Overrun, Row, Table};

/// A function: number of a node, and whether it is negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Edge(u32);

impl Edge {
    pub const TRUE: Self = Self(0);
    pub const FALSE: Self = Self(1);

    pub fn new(node: usize, negated: bool) -> Self {
        Self((node as u32) << 1 | u32::from(negated))
    }

    pub fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub fn negated(self) -> bool {
        self.0 & 1 == 1
    }

    pub fn not(self) -> Self {
        Self(self.0 ^ 1)
    }

    pub fn negate_if(self, negate: bool) -> Self {
        Self(self.0 ^ u32::from(negate))
    }
}

/// If the variable of `level` then `high`, else `low`. `high` is never negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BddNode {
    pub level: u32,
    pub high: Edge,
    pub low: Edge,
}

/// Functions under construction.
pub(crate) struct Bdd<'s> {
    table: Table<'s>,
}

impl<'s> Bdd<'s> {
    /// A diagram of at most `limit` nodes.
    pub fn new(limit: usize, stop: &'s dyn Fn() -> bool) -> Self {
        Self { table: Table::new(1, limit, stop) }
    }

    /// Allows more nodes from now on. What was interrupted can be asked again and goes on
    /// from what it had found.
    pub fn allow(&mut self, limit: usize) {
        self.table.allow(limit);
    }

    /// How many nodes there are, the constant's included.
    pub fn len(&self) -> usize {
        self.table.rows.len()
    }

    pub fn node(&self, number: usize) -> BddNode {
        let Row { level, first, second } = self.table.rows[number];
        BddNode { level, high: Edge(first), low: Edge(second) }
    }

    pub fn level(&self, edge: Edge) -> u32 {
        self.table.rows[edge.node()].level
    }

    /// The two functions below an edge: with its variable true, and false.
    fn below(&self, edge: Edge) -> (Edge, Edge) {
        let node = self.node(edge.node());
        (node.high.negate_if(edge.negated()), node.low.negate_if(edge.negated()))
    }

    pub fn variable(&mut self, level: u32) -> Result<Edge, Overrun> {
        self.make(level, Edge::TRUE, Edge::FALSE)
    }

    fn make(&mut self, level: u32, high: Edge, low: Edge) -> Result<Edge, Overrun> {
        if high == low {
            return Ok(high);
        }
        let negate = high.negated();
        let row = Row { level, first: high.negate_if(negate).0, second: low.negate_if(negate).0 };
        Ok(Edge::new(self.table.unique(row)? as usize, negate))
    }

    pub fn and(&mut self, left: Edge, right: Edge) -> Result<Edge, Overrun> {
        if left == right || right == Edge::TRUE {
            return Ok(left);
        }
        if left == Edge::TRUE {
            return Ok(right);
        }
        if left == right.not() || left == Edge::FALSE || right == Edge::FALSE {
            return Ok(Edge::FALSE);
        }
        let (left, right) = if left < right { (left, right) } else { (right, left) };
        if let Some(result) = self.table.known(left.0, right.0) {
            return Ok(Edge(result));
        }
        let (left_level, right_level) = (self.level(left), self.level(right));
        let level = left_level.min(right_level);
        let (left_high, left_low) = if left_level == level { self.below(left) } else { (left, left) };
        let (right_high, right_low) = if right_level == level { self.below(right) } else { (right, right) };
        let high = self.and(left_high, right_high)?;
        let low = self.and(left_low, right_low)?;
        let result = self.make(level, high, low)?;
        self.table.remember(left.0, right.0, result.0);
        Ok(result)
    }

    pub fn or(&mut self, left: Edge, right: Edge) -> Result<Edge, Overrun> {
        Ok(self.and(left.not(), right.not())?.not())
    }

    pub fn xor(&mut self, left: Edge, right: Edge) -> Result<Edge, Overrun> {
        let only_left = self.and(left, right.not())?;
        let only_right = self.and(left.not(), right)?;
        self.or(only_left, only_right)
    }

    /// At least `least` of the functions.
    pub fn at_least(&mut self, least: usize, inputs: &[Edge]) -> Result<Edge, Overrun> {
        // Of the inputs from the last on: row[j] is "at least j of them".
        let mut row = vec![Edge::FALSE; least + 1];
        row[0] = Edge::TRUE;
        for (seen, input) in inputs.iter().rev().enumerate() {
            let left = inputs.len() - seen - 1;
            // What lies below `least - left` is not read any more.
            for j in (least.saturating_sub(left).max(1)..=least.min(seen + 1)).rev() {
                row[j] = self.choose(*input, row[j - 1], row[j])?;
            }
        }
        Ok(row[least])
    }

    /// `input and more, or less`, where `less` implies `more`.
    pub fn choose(&mut self, input: Edge, more: Edge, less: Edge) -> Result<Edge, Overrun> {
        let level = self.level(input);
        if self.below(input) == (Edge::TRUE, Edge::FALSE) && level < self.level(more).min(self.level(less)) {
            return self.make(level, more, less);
        }
        let with = self.and(input, more)?;
        self.or(with, less)
    }
}
