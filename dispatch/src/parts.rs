//! Which parts: the kit of an order, where it is picked up, what each place keeps.

pub mod forecast;
mod kit;
mod location;
pub mod simulate;
mod source;
pub mod stock;
pub mod van_kit;

pub use kit::{Cents, Kit, KitPolicy, KitSupply, Substitute, Substitution, choose_kit, choose_kit_from};
pub use location::{Location, LocationKind, LocationTree};
pub use source::{Pick, SourcePlan, StockLevel, source_parts};
