//! Families of sets as zero-suppressed decision diagrams (Minato 1993), made for minimal
//! cut sets.

use super::bdd::{BddNode, Edge};
use super::table::{Overrun, Row, Table};

/// A family of sets: index of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Family(u32);

impl Family {
    /// No set.
    pub const EMPTY: Self = Self(0);
    /// The empty set alone.
    pub const UNIT: Self = Self(1);

    pub fn node(self) -> usize {
        self.0 as usize
    }
}

/// The sets of `with`, each with the leaf of `level` added, and those of `without`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ZbddNode {
    pub level: u32,
    pub with: Family,
    pub without: Family,
}

/// Not yet known.
const UNKNOWN: u32 = u32::MAX;

/// Minimal solutions under construction.
pub(crate) struct Zbdd<'s> {
    table: Table<'s>,
}

impl<'s> Zbdd<'s> {
    /// A diagram of at most `limit` nodes.
    pub fn new(limit: usize, stop: &'s dyn Fn() -> bool) -> Self {
        Self { table: Table::new(2, limit, stop) }
    }

    /// How many nodes there are, the two constants included.
    pub fn len(&self) -> usize {
        self.table.rows.len()
    }

    pub fn node(&self, number: usize) -> ZbddNode {
        let Row { level, first, second } = self.table.rows[number];
        ZbddNode { level, with: Family(first), without: Family(second) }
    }

    /// The nodes below a family, children first, and the family among them.
    pub fn reachable(&self, root: Family) -> (Vec<ZbddNode>, Family) {
        let mut wanted = vec![false; self.len()];
        wanted[root.node()] = true;
        for index in (2..self.len()).rev() {
            if wanted[index] {
                let node = self.node(index);
                wanted[node.with.node()] = true;
                wanted[node.without.node()] = true;
            }
        }
        let mut places = vec![Family::EMPTY; self.len()];
        places[1] = Family::UNIT;
        let mut nodes = vec![self.node(0), self.node(1)];
        for index in (2..self.len()).filter(|index| wanted[*index]) {
            let ZbddNode { level, with, without } = self.node(index);
            places[index] = Family(nodes.len() as u32);
            nodes.push(ZbddNode { level, with: places[with.node()], without: places[without.node()] });
        }
        (nodes, places[root.node()])
    }

    /// The minimal sets of leaves whose presence, all others being absent, makes a function
    /// true, or a part of them for a function that is not monotone: the minimal positive
    /// parts of its solutions (Rauzy 1993). `inverted` leaves count where they are absent.
    pub fn minimal_solutions(&mut self, nodes: &[BddNode], root: Edge, inverted: &[bool]) -> Result<Family, Overrun> {
        let mut known = vec![UNKNOWN; nodes.len() * 2];
        known[0] = Family::UNIT.0;
        known[1] = Family::EMPTY.0;
        let place = |edge: Edge| edge.node() * 2 + usize::from(edge.negated());
        // Children come before parents, but only what is reached is worth the work.
        let mut path = vec![root];
        while let Some(edge) = path.last().copied() {
            if known[place(edge)] != UNKNOWN {
                path.pop();
                continue;
            }
            let node = nodes[edge.node()];
            let (high, low) = (node.high.negate_if(edge.negated()), node.low.negate_if(edge.negated()));
            let (high, low) = if inverted[node.level as usize] { (low, high) } else { (high, low) };
            let (with, without) = (known[place(high)], known[place(low)]);
            if with == UNKNOWN || without == UNKNOWN {
                path.extend(
                    [(high, with), (low, without)].iter().filter(|(_, known)| *known == UNKNOWN).map(|(e, _)| *e),
                );
                continue;
            }
            let with = self.without(Family(with), Family(without))?;
            known[place(edge)] = self.make(node.level, with, Family(without))?.0;
            path.pop();
        }
        Ok(Family(known[place(root)]))
    }

    /// The sets of `left` that contain no set of `right`. Both hold minimal sets only.
    fn without(&mut self, left: Family, right: Family) -> Result<Family, Overrun> {
        if left == right || right == Family::UNIT {
            return Ok(Family::EMPTY);
        }
        if left.0 < 2 || right == Family::EMPTY {
            return Ok(left);
        }
        if let Some(result) = self.table.known(left.0, right.0) {
            return Ok(Family(result));
        }
        let (of_left, of_right) = (self.node(left.node()), self.node(right.node()));
        let result = if of_left.level > of_right.level {
            self.without(left, of_right.without)?
        } else if of_left.level < of_right.level {
            let with = self.without(of_left.with, right)?;
            let without = self.without(of_left.without, right)?;
            self.make(of_left.level, with, without)?
        } else {
            let with = self.without(of_left.with, of_right.with)?;
            let with = self.without(with, of_right.without)?;
            let without = self.without(of_left.without, of_right.without)?;
            self.make(of_left.level, with, without)?
        };
        self.table.remember(left.0, right.0, result.0);
        Ok(result)
    }

    fn make(&mut self, level: u32, with: Family, without: Family) -> Result<Family, Overrun> {
        if with == Family::EMPTY {
            return Ok(without);
        }
        Ok(Family(self.table.unique(Row { level, first: with.0, second: without.0 })?))
    }
}
