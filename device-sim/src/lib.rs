//! Simulated appliances, built to the manual in APPLIANCES.md.
//!
//! [`Device`] is one appliance: physics, firmware and the people who use it, stepped
//! by the caller, without any IO. [`Fleet`] connects devices to a broker and lets
//! simulated time pass. [`replay`] publishes recorded data as an appliance.
//!
//! A [`Fault`] changes the physics or the firmware; what is seen from outside follows
//! from that. What really happened is in [`Truth`], which never leaves by the wire.
//!
//! This crate knows nothing of diagnosis: it must not confirm what diagnosis believes.

mod device;
mod fault;
mod fleet;
mod kind;
mod link;
mod physics;
mod plan;
mod random;
pub mod replay;
mod spec;
mod truth;

pub use device::{Device, WrongKind};
pub use fault::{Cure, Fault, fault, faults};
pub use fleet::{Fleet, FleetConfig};
pub use kind::ApplianceKind;
pub use plan::{FaultPlan, PlannedFault};
pub use spec::{DeviceSpec, MANIFEST_TENANT, manifest};
pub use truth::{Cured, DeviceTruth, InjectedFault, RefusedCommand, Truth, UnsafeExecution};
