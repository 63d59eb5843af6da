//! Which technician, when, by which road, and with which parts; pure.
//!
//! Two flows meet in a visit:
//!
//! - [`routing`]: work orders and technicians, hard rules, travel -> a search -> a plan with times
//!   and reasons; during the day a [`Board`](routing::Board) that takes new orders and events.
//! - [`parts`]: from the beliefs over faults the kit worth carrying ([`choose_kit`]), where it is
//!   picked up ([`source_parts`]), what vans and stations keep, what will be asked for, and policies
//!   of stock against each other in simulation.
//!
//! ```
//! use dispatch::{Cents, FaultBelief, KitPolicy, PartNeed, choose_kit};
//!
//! let beliefs = [FaultBelief::new("igniter_dead", 0.8), FaultBelief::new("fan_motor_worn", 0.1)];
//! let parts_of_fault = [
//!     ("igniter_dead".into(), vec![PartNeed::new("igniter", 1)]),
//!     ("fan_motor_worn".into(), vec![PartNeed::new("fan_motor", 1)]),
//! ];
//! let prices = [("igniter".into(), Cents(2_500)), ("fan_motor".into(), Cents(60_000))];
//!
//! let kit = choose_kit(&beliefs, &parts_of_fault.into(), &prices.into(), &KitPolicy::default())?;
//! assert_eq!(kit.parts, [PartNeed::new("igniter", 1)]);
//! # Ok::<(), dispatch::InputError>(())
//! ```
//!
//! Same input, same output: no clock (`now` is a parameter, a deadline a stop condition), only
//! seeded randomness, no IO. Bad input is an [`InputError`] that names the field; nothing here
//! panics on it.
//!
//! What this crate does not do: keep work orders or stock (the gateway does), or know appliance
//! types (faults are keys with probabilities).

mod error;
mod id;
mod order;
pub mod parts;
mod place;
mod random;
pub mod routing;
mod time;

pub use error::{InputError, Problem};
pub use id::{FaultId, LocationId, OrderId, PartId, TechnicianId};
pub use order::{FaultBelief, PartNeed, Priority};
pub use parts::{
    Cents, Kit, KitPolicy, KitSupply, Location, LocationKind, LocationTree, Pick, SourcePlan, StockLevel, Substitute,
    Substitution, choose_kit, choose_kit_from, source_parts,
};
pub use place::{Leg, Place, TravelModel, distance_km};
pub use time::{DailyShift, TimeWindow};
