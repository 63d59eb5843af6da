//! The process that keeps a fleet of appliances in working order.
//!
//! The path of one message through the modules, in this order:
//!
//! - `broker` (its own crate) takes it in and writes it to the journal before it is acknowledged;
//! - [`ingest`] reads the journal and hands each record to its shard;
//! - [`shard`] checks it, remembers it in the device's room, lets `diagnosis` look at it and
//!   decides by [`repair`]; [`store`] gets what was decided, [`history`] the readings;
//! - [`models`] learns from history what detectors cannot know, and speaks up beside them;
//! - [`outbox`] sees to it that commands reach their device;
//! - [`work`] gives work orders a technician and, from the ledger in [`parts`], their parts;
//! - [`api`] shows it all, and carries what people ask through [`control`].
//!
//! Who may connect is decided by [`registry`]; [`certs`] makes certificates for it.
//!
//! [`app`] puts them together. What is not here: MQTT (crate `broker`), what a reading means
//! (crate `diagnosis`), who should go (crate `dispatch`). Only [`demo`] knows the simulator.

pub mod api;
pub mod app;
pub mod auth;
pub mod certs;
pub mod clock;
pub mod config;
pub mod control;
pub mod demo;
pub mod history;
pub mod ingest;
pub mod learning;
pub mod models;
pub mod outbox;
pub mod parts;
pub mod registry;
pub mod repair;
pub mod retained;
pub mod serve;
pub mod shard;
pub mod store;
pub mod work;
