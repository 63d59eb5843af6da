//! Which parts: the kit of an order, where it is picked up, what each place keeps.

pub mod forecast;
mod kit;
mod location;
pub mod simulate;
mod source;
pub mod stock;

pub use kit::{Cents, Kit, KitPolicy, choose_kit};
pub use location::{Location, LocationKind, LocationTree};
pub use source::{Pick, SourcePlan, StockLevel, source_parts};
