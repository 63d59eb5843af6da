//! What a quantification may cost, and how it can fail.

use thiserror::Error;

/// What a quantification may cost.
#[derive(Clone, Copy)]
pub struct Limits<'s> {
    /// Nodes of one diagram under construction, 24 to 40 bytes each with its tables.
    pub nodes: usize,
    /// Asked from time to time; `true` ends the work.
    pub stop: &'s dyn Fn() -> bool,
}

impl Default for Limits<'_> {
    /// 100 million nodes, some 4 GB at worst; no end of time.
    fn default() -> Self {
        Self { nodes: 100_000_000, stop: &|| false }
    }
}

impl Limits<'_> {
    /// What is said when so many orders did not fit.
    pub(super) fn overrun(&self, orders: usize) -> QuantifyError {
        QuantifyError::Budget { nodes: self.nodes, orders }
    }
}

impl std::fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// Why a tree was not quantified.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantifyError {
    /// It has more nodes than can be numbered.
    #[error("the tree has {nodes} events and gates, at most {limit} are offered")]
    TooLarge {
        /// How many.
        nodes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A gate depends on itself; `check` tells which.
    #[error("a gate depends on itself: break the circle")]
    Circle,
    /// A dynamic gate was not expanded.
    #[error("gate {gate:?} is dynamic: expand the tree first")]
    Dynamic {
        /// Which.
        gate: String,
    },
    /// No order of events gave a diagram that fits.
    #[error("no diagram of at most {nodes} nodes with any of {orders} orders of the events: allow more nodes")]
    Budget {
        /// The budget of nodes.
        nodes: usize,
        /// How many orders were tried.
        orders: usize,
    },
    /// The stop condition ended it.
    #[error("stopped before the answer was there")]
    Stopped,
    /// A count does not fit 128 bits.
    #[error("more than 2^128 - 1 minimal cut sets")]
    TooManyCutSets,
    /// A listing grew beyond its bound.
    #[error("too many cut sets were listed: ask for fewer, or for their number")]
    ListTooLong,
}
