//! Nodes of a decision diagram, each stored once, and the results of one operation on them.

/// Why a diagram was not built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overrun {
    /// It has more nodes than allowed.
    Nodes,
    /// The stop condition said so.
    Stopped,
}

/// A node: its level and what lies below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub level: u32,
    pub first: u32,
    pub second: u32,
}

/// Level of the constants, below all others.
pub(crate) const BOTTOM: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Cached {
    left: u32,
    right: u32,
    result: u32,
}

const NOTHING_CACHED: Cached = Cached { left: u32::MAX, right: u32::MAX, result: 0 };

/// Nothing is freed while a diagram is built: a build that does not fit its budget is
/// given up and tried with another order.
pub(crate) struct Table<'s> {
    pub rows: Vec<Row>,
    constants: usize,
    /// Row numbers by hash, 0 where free; at least twice as many as rows.
    places: Vec<u32>,
    /// Lossy: a new result takes the place of the old one.
    results: Vec<Cached>,
    limit: usize,
    stop: &'s dyn Fn() -> bool,
}

/// The stop condition is asked once in so many new nodes.
const ASK_EVERY: usize = 1 << 14;

const SMALLEST: usize = 1 << 10;

/// Results kept, at most: 12 bytes each.
const MAX_RESULTS: usize = 1 << 24;

/// Rows are numbered so that a number and a flag fit 32 bits.
const MAX_ROWS: usize = 1 << 31;

impl<'s> Table<'s> {
    /// A table of at most `limit` nodes, the first of which are constants.
    pub fn new(constants: usize, limit: usize, stop: &'s dyn Fn() -> bool) -> Self {
        Self {
            rows: vec![Row { level: BOTTOM, first: 0, second: 0 }; constants],
            constants,
            places: vec![0; SMALLEST],
            results: vec![NOTHING_CACHED; SMALLEST],
            limit: limit.min(MAX_ROWS),
            stop,
        }
    }

    /// Allows more nodes from now on.
    pub fn allow(&mut self, limit: usize) {
        self.limit = limit.min(MAX_ROWS);
    }

    /// The number of this node.
    pub fn unique(&mut self, row: Row) -> Result<u32, Overrun> {
        let mask = self.places.len() - 1;
        let mut place = hash(row.level, row.first, row.second) & mask;
        while self.places[place] != 0 {
            let number = self.places[place];
            if self.rows[number as usize] == row {
                return Ok(number);
            }
            place = (place + 1) & mask;
        }
        let number = self.rows.len();
        if number >= self.limit {
            return Err(Overrun::Nodes);
        }
        if number.is_multiple_of(ASK_EVERY) && (self.stop)() {
            return Err(Overrun::Stopped);
        }
        self.rows.push(row);
        self.places[place] = number as u32;
        if self.rows.len() * 2 > self.places.len() {
            self.grow();
        }
        Ok(number as u32)
    }

    fn grow(&mut self) {
        let size = self.places.len() * 2;
        let mask = size - 1;
        self.places = vec![0; size];
        for (number, row) in self.rows.iter().enumerate().skip(self.constants) {
            let mut place = hash(row.level, row.first, row.second) & mask;
            while self.places[place] != 0 {
                place = (place + 1) & mask;
            }
            self.places[place] = number as u32;
        }
        if size <= MAX_RESULTS {
            let old = std::mem::replace(&mut self.results, vec![NOTHING_CACHED; size]);
            for entry in old.into_iter().filter(|entry| entry.left != u32::MAX) {
                self.results[hash(0, entry.left, entry.right) & mask] = entry;
            }
        }
    }

    pub fn known(&self, left: u32, right: u32) -> Option<u32> {
        let cached = self.results[hash(0, left, right) & (self.results.len() - 1)];
        (cached.left == left && cached.right == right).then_some(cached.result)
    }

    pub fn remember(&mut self, left: u32, right: u32, result: u32) {
        let place = hash(0, left, right) & (self.results.len() - 1);
        self.results[place] = Cached { left, right, result };
    }
}

fn hash(a: u32, b: u32, c: u32) -> usize {
    let mixed = (u64::from(b) << 32 | u64::from(c)) ^ u64::from(a).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((mixed ^ (mixed >> 32)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 20) as usize
}
