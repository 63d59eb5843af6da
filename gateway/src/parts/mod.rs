//! Parts: an append-only ledger over a tree of locations.

pub mod ledger;
