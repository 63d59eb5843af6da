//! How much of each part to keep, and where.

pub mod echelon;
