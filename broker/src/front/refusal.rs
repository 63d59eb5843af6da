//! Why clients are refused: counted always, logged once per window.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, counter};
use tokio::sync::mpsc;
use tracing::warn;

use super::SessionEvent;
use super::wire::Code;
use crate::log_window::LogWindow;

/// What a client did that we do not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Too many connections.
    Connections,
    /// Too many from one network address.
    Addresses,
    /// Connections of one network address that come too fast.
    ConnectRate,
    /// No whole CONNECT in time.
    Handshake,
    /// Not MQTT.
    Malformed,
    /// MQTT, but not in its place.
    Protocol,
    /// A packet above the limit.
    TooLarge,
    /// Another protocol version than 3.1.1 and 5.
    Version,
    /// A client id that is not printable, or not the device's own.
    ClientId,
    /// Not admitted by the policy.
    Credentials,
    /// A will other than one for the device's own death topic.
    Will,
    /// A topic that is not the device's own, or that devices do not publish to.
    Topic,
    /// QoS 2.
    Qos2,
    /// A retained message.
    Retain,
    /// A filter that the client may not have.
    Filter,
    /// More filters in one packet than anybody needs.
    FilterCount,
    /// An acknowledgement of nothing, or out of order.
    Acknowledgement,
    /// A service account that publishes.
    ServicePublish,
    /// Silent beyond its keepalive.
    Keepalive,
    /// Does not take what is sent to it.
    WriteTimeout,
    /// More unacknowledged messages than the device was told it may have.
    ReceiveMaximum,
    /// A topic alias that was not offered.
    Alias,
    /// A payload that is not what its content type says.
    Payload,
    /// A subscription that others would share.
    Shared,
    /// A subscription identifier.
    SubscriptionId,
    /// No longer let in: blocked, or its certificate was revoked.
    Revoked,
}

impl Reason {
    const ALL: [Self; 26] = [
        Self::Connections,
        Self::Addresses,
        Self::ConnectRate,
        Self::Handshake,
        Self::Malformed,
        Self::Protocol,
        Self::TooLarge,
        Self::Version,
        Self::ClientId,
        Self::Credentials,
        Self::Will,
        Self::Topic,
        Self::Qos2,
        Self::Retain,
        Self::Filter,
        Self::FilterCount,
        Self::Acknowledgement,
        Self::ServicePublish,
        Self::Keepalive,
        Self::WriteTimeout,
        Self::ReceiveMaximum,
        Self::Alias,
        Self::Payload,
        Self::Shared,
        Self::SubscriptionId,
        Self::Revoked,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Addresses => "connections_per_address",
            Self::ConnectRate => "connect_rate",
            Self::Handshake => "handshake",
            Self::Malformed => "malformed",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Version => "version",
            Self::ClientId => "client_id",
            Self::Credentials => "credentials",
            Self::Will => "will",
            Self::Topic => "topic",
            Self::Qos2 => "qos2",
            Self::Retain => "retain",
            Self::Filter => "filter",
            Self::FilterCount => "filter_count",
            Self::Acknowledgement => "acknowledgement",
            Self::ServicePublish => "service_publish",
            Self::Keepalive => "keepalive",
            Self::WriteTimeout => "write_timeout",
            Self::ReceiveMaximum => "receive_maximum",
            Self::Alias => "topic_alias",
            Self::Payload => "payload_format",
            Self::Shared => "shared_subscription",
            Self::SubscriptionId => "subscription_id",
            Self::Revoked => "revoked",
        }
    }

    /// What a client of MQTT 5 is told.
    pub fn code(self) -> Code {
        match self {
            Self::Connections | Self::Addresses => Code::Busy,
            Self::ConnectRate => Code::ConnectionRate,
            Self::Handshake => Code::Unavailable,
            Self::Malformed => Code::Malformed,
            Self::TooLarge => Code::TooLarge,
            Self::Version => Code::Version,
            Self::ClientId => Code::ClientId,
            Self::Credentials => Code::Credentials,
            Self::Will | Self::Topic | Self::Filter | Self::ServicePublish => Code::NotAuthorised,
            Self::Qos2 => Code::QosNotSupported,
            Self::Retain => Code::RetainNotSupported,
            Self::Protocol | Self::Acknowledgement => Code::Protocol,
            Self::Keepalive => Code::KeepaliveTimeout,
            Self::WriteTimeout => Code::Unspecified,
            Self::FilterCount => Code::Quota,
            Self::ReceiveMaximum => Code::ReceiveMaximum,
            Self::Alias => Code::TopicAliasInvalid,
            Self::Payload => Code::PayloadFormat,
            Self::Shared => Code::SharedNotSupported,
            Self::SubscriptionId => Code::SubscriptionIdNotSupported,
            Self::Revoked => Code::Administrative,
        }
    }
}

/// Counters and log windows, one for each reason.
pub(super) struct Refusals {
    entries: Vec<(Reason, Counter, Mutex<LogWindow>)>,
    record: mpsc::Sender<SessionEvent>,
}

impl Refusals {
    pub fn new(record: mpsc::Sender<SessionEvent>) -> Self {
        let entry =
            |reason: Reason| (reason, counter!("mqtt_refused_total", "reason" => reason.label()), Mutex::default());
        Self { entries: Reason::ALL.into_iter().map(entry).collect(), record }
    }

    /// Counts a refusal and passes it on for the record; logs it if its reason has not been logged lately.
    pub fn note(&self, reason: Reason, peer: SocketAddr, who: &str, detail: &str) {
        let Some((_, counter, window)) = self.entries.iter().find(|entry| entry.0 == reason) else { return };
        counter.increment(1);
        // Devices that come and go must not wait behind a flood of refusals.
        if self.record.capacity() > self.record.max_capacity() / 2 {
            let event =
                SessionEvent::Refused { who: who.to_owned(), reason: reason.label(), detail: detail.to_owned() };
            let _ = self.record.try_send(event);
        }
        let opened = window.lock().unwrap_or_else(PoisonError::into_inner).open();
        let Some(unlogged) = opened else { return };
        warn!(reason = reason.label(), %peer, client = who, detail, unlogged_before = unlogged, "client refused");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter() {
        let refusals = Refusals::new(mpsc::channel(1).0);
        let labels: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
        assert_eq!(labels.len(), refusals.entries.len());
    }
}
