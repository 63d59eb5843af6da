//! The MQTT edge: who may connect, publish and subscribe, and the durable record of what was acknowledged.
//!
//! The way of a message:
//!
//! 1. [`front`]: our own listener reads it, checks that its topic belongs to the connected device, and
//!    hands it to the journal. Its PUBACK waits.
//! 2. [`journal`]: a writer thread gathers what came in during the last `fdatasync`, writes it as one
//!    batch and syncs that; then the front acknowledges, and readers see it.
//! 3. [`fanout`]: what the gateway made of it goes to service subscribers through rumqttd, in process.
//!
//! Commands take the other way: [`Downlinks`] writes to the socket of a device, which the front owns.
//!
//! Where devices are connected to an MQTT cluster already, [`external`] stands in for the front.
//!
//! Not here: what a message means (that is ingest, in the gateway), which command is due (the gateway's
//! outbox), who owns which device (a [`front::Policy`] that the gateway supplies).

mod downlink;
mod edge;
pub mod external;
pub mod fanout;
mod filter;
pub mod front;
pub mod journal;
mod log_window;

pub use downlink::{DeviceMessage, Downlinks, SendError};
pub use edge::{Edge, EdgeWatch};
pub use external::{External, ExternalConfig, ExternalError, ExternalHealth, ExternalLimits, Login};
pub use fanout::{Fanout, FanoutError, FanoutHealth, FanoutMessage, FanoutSubscription};
pub use filter::check_filter;
pub use front::{
    ClientCertificate, Credentials, Denied, Front, FrontConfig, FrontError, FrontParts, Identity, Limits, Listener,
    Policy, Retained, SessionEvent, TlsError, TlsFiles, Transport,
};
pub use journal::{Consumer, Entry, Journal, JournalConfig, JournalError, JournalReader, Position, Record};
