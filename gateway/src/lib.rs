//! The process that keeps a fleet of appliances in working order.

pub mod api;
pub mod auth;
pub mod clock;
pub mod control;
pub mod store;
