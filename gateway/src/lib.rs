//! The process that keeps a fleet of appliances in working order.

pub mod api;
pub mod auth;
pub mod clock;
pub mod config;
pub mod control;
pub mod history;
pub mod ingest;
pub mod parts;
pub mod registry;
pub mod repair;
pub mod shard;
pub mod store;
pub mod work;
