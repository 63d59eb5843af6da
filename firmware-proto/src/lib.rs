//! What appliance and gateway say to each other.
//!
//! An appliance publishes [`Uplink`] messages below its own [`topic`] prefix and
//! receives [`Command`]s and [`Rejection`]s there. A payload that starts with `{`
//! is JSON, anything else is protobuf (`proto/fettle/v1/device.proto`); both carry
//! the same fields and decode to the same types.
//!
//! The smallest useful message, sent to `ag/v1/{tenant}/{device}/tlm`:
//!
//! ```
//! use firmware_proto::{Uplink, UplinkKind, decode};
//!
//! let uplink = decode(&UplinkKind::Telemetry, br#"{"readings": {"power_w": 12.5}}"#).unwrap();
//! let Uplink::Telemetry(telemetry) = uplink else { unreachable!() };
//! assert_eq!(telemetry.readings[0].value.as_f64(), Some(12.5));
//! ```
//!
//! This crate knows no list of datapoints, no appliance type and no transport.

mod codec;
mod id;
mod message;
mod time;
pub mod topic;
mod value;

pub use codec::{DecodeError, Downlink, Encoding, decode, decode_command, encode};
pub use id::{BootId, CommandId, DeviceId, Fence, IdError, MessageOrder, Seq, TenantId};
pub use message::{
    Birth, Command, CommandResult, Event, Outcome, Phase, Reading, ReadingKey, Rejection, Severity, Stamp, State,
    Telemetry, Uplink, body_hash,
};
pub use time::{DeviceTime, ScaledTime, ServerTime};
pub use topic::{DeviceAddress, Topic, TopicError, UplinkKind};
pub use value::{Value, ValueMap};

/// The generated protobuf types; everything outside the codec uses the types above.
#[allow(missing_docs, clippy::all)]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/fettle.v1.rs"));
}
