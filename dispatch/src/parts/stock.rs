//! How much to keep.

pub mod marginal;
