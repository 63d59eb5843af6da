//! Which technician, when, and with which parts; pure.
//!
//! The flow for one work order:
//!
//! 1. [`choose_kit`]: from the beliefs over faults, the parts worth carrying.
//! 2. [`rank`]: hard rules first (skill, area, capacity, shift, window), then weighted
//!    terms; every candidate and every exclusion is explained.
//! 3. [`source_parts`]: for the chosen technician, where each part is picked up: the van,
//!    then stations, the regional store, the central store.
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
//! Same input, same output: no clock (`now` is a parameter), no randomness, no IO, and
//! the order of a list never changes a result. Bad input is an [`InputError`] that
//! names the field; nothing here panics on it.
//!
//! Many orders together are planned by [`routing`]: a day or two weeks of a region, as JSON or as
//! types, with reasons for what is left over, and a board for what happens in between.
//!
//! What this crate does not do: keep work orders or stock (the gateway does), or know
//! appliance types (faults are keys with probabilities).

mod error;
mod id;
mod order;
mod parts;
mod place;
mod rank;
pub mod routing;
mod technician;
mod time;

pub use error::{InputError, Problem};
pub use id::{FaultId, LocationId, OrderId, PartId, TechnicianId};
pub use order::{FaultBelief, Order, PartNeed, Priority};
pub use parts::{
    Cents, Kit, KitPolicy, Location, LocationKind, LocationTree, Pick, SourcePlan, StockLevel, choose_kit, source_parts,
};
pub use place::{Leg, Place, TravelModel, distance_km};
pub use rank::{Candidate, Exclusion, ExclusionReason, Ranking, Term, TermName, Weights, rank};
pub use technician::Technician;
pub use time::{DailyShift, TimeWindow};
