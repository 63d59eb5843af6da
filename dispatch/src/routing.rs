//! Visits of many vehicles planned together: a [`model`] of integers and tables, and the
//! [`engine`] that searches it.

pub mod engine;
pub mod model;
