//! How much of each part to keep, and where.

pub mod balance;
pub mod echelon;
pub mod end_of_life;
