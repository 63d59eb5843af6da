//! Bytes to packets and back, by the codec of rumqttc, for both versions of the protocol. The rest of the front sees
//! the types here and asks for the version only where the versions differ.

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;

mod code;
#[cfg(test)]
mod fuzz;
mod read;
mod write;

pub(super) use code::Code;
pub(super) use read::{filters_of, read, read_connect};
pub(super) use write::{Granted, PublishFlags, Welcome, Writer, fits, write_connack_of_no_version};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.1.1.
    V4,
    /// 5.0.
    V5,
}

/// A CONNECT. What MQTT 3.1.1 cannot say has the value that means the same there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connect {
    pub version: Version,
    /// Empty if the client leaves the choice to us.
    pub client_id: String,
    /// No earlier session is wanted.
    pub clean_start: bool,
    pub keepalive_s: u16,
    /// How long the session may outlive the connection; `u32::MAX` for ever.
    pub session_expiry_s: u32,
    /// QoS 1 messages that the client takes before it acknowledges the first.
    pub receive_maximum: u16,
    /// Largest packet that the client takes.
    pub packet_bytes: usize,
    /// Whether reasons may be given as text.
    pub wants_reasons: bool,
    /// Whether it asks where answers go.
    pub wants_response_information: bool,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Of extended authentication, which we do not have.
    pub authentication_method: Option<String>,
}

/// What to publish for a client that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Will {
    pub topic: String,
    pub payload: Bytes,
    pub qos: QoS,
    pub retain: bool,
    pub delay_s: u32,
}

/// A PUBLISH by a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    /// Empty if the alias stands for it.
    pub topic: String,
    pub alias: Option<u16>,
    pub qos: QoS,
    pub retain: bool,
    /// 0 for QoS 0.
    pub packet_id: u16,
    pub content_type: Option<String>,
    pub payload: Bytes,
}

/// A SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscribe {
    pub packet_id: u16,
    pub filters: Vec<Wanted>,
    pub has_identifier: bool,
}

/// One subscription that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub filter: String,
    pub qos: QoS,
    pub retained: Retained,
}

/// When retained messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retained {
    Always,
    IfNew,
    Never,
}

/// What a client may send after its CONNECT.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    Publish(Publish),
    PubAck(u16),
    Subscribe(Subscribe),
    Unsubscribe {
        packet_id: u16,
        filters: Vec<String>,
    },
    Ping,
    Disconnect {
        /// The will is to be published all the same.
        with_will: bool,
        /// A new session expiry.
        session_expiry_s: Option<u32>,
    },
    /// A packet that has no place here.
    Unexpected(&'static str),
}

/// Why bytes are no packet we take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WireError {
    TooLarge(usize),
    Malformed(String),
    /// More filters than one packet may have; holds their number.
    Filters(usize),
    /// A CONNECT of another version; holds its level.
    Version(u8),
}
