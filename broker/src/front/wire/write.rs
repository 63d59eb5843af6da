//! Packets to bytes.

use bytes::{BufMut, BytesMut};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::{QoS as QoS5, v5};

use super::{Code, Connect, Version};
use crate::downlink::DeviceMessage;

/// Property identifier of a reason string (MQTT 5, 2.2.2.2).
const REASON_STRING: u8 = 0x1f;

/// Longest reason that is sent. Enough for a topic and what is wrong with it.
const REASON_BYTES: usize = 400;

/// What stands before and behind topic and payload of a PUBLISH at most, without answer topic and correlation data:
/// fixed header, two lengths, packet id, property length and message expiry.
const PUBLISH_OVERHEAD: usize = 5 + 2 + 2 + 4 + 5;

/// Writes packets as one client understands them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::front) struct Writer {
    pub version: Version,
    /// Whether the client takes reasons as text.
    with_reasons: bool,
    packet_bytes: usize,
}

/// What a client is told when it is let in (MQTT 5; MQTT 3.1.1 hears of the session only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::front) struct Welcome {
    pub session_present: bool,
    /// If it is not what the client asked for.
    pub session_expiry_s: Option<u32>,
    pub receive_maximum: u16,
    pub packet_bytes: usize,
    pub topic_aliases: u16,
    /// Whether there are retained messages to be had.
    pub retained: bool,
    /// If the client left the choice to us.
    pub client_id: Option<String>,
    /// If the client's own keepalive is too long.
    pub keepalive_s: Option<u16>,
    /// Where answers go, if the client asked.
    pub response_information: Option<String>,
}

/// The answer to one filter of a SUBSCRIBE.
pub(in crate::front) type Granted = Result<QoS, Code>;

impl Writer {
    pub fn new(connect: &Connect) -> Self {
        let Connect { version, wants_reasons, packet_bytes, .. } = connect;
        Self { version: *version, with_reasons: *wants_reasons, packet_bytes: *packet_bytes }
    }

    pub fn welcome(&self, out: &mut BytesMut, welcome: Welcome) {
        if self.version == Version::V4 {
            return out.put_slice(&[0x20, 2, u8::from(welcome.session_present), 0]);
        }
        let properties = v5::ConnAckProperties {
            session_expiry_interval: welcome.session_expiry_s,
            receive_max: Some(welcome.receive_maximum),
            max_qos: Some(1),
            retain_available: Some(u8::from(welcome.retained)),
            max_packet_size: Some(u32::try_from(welcome.packet_bytes).unwrap_or(u32::MAX)),
            assigned_client_identifier: welcome.client_id,
            topic_alias_max: Some(welcome.topic_aliases),
            subscription_identifiers_available: Some(0),
            shared_subscription_available: Some(0),
            server_keep_alive: welcome.keepalive_s,
            response_information: welcome.response_information,
            reason_string: None,
            user_properties: Vec::new(),
            wildcard_subscription_available: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        };
        let connack = v5::ConnAck {
            session_present: welcome.session_present,
            code: v5::ConnectReturnCode::Success,
            properties: Some(properties),
        };
        connack.write(out).expect("a CONNACK is shorter than the longest packet");
    }

    /// A CONNACK that does not let the client in.
    pub fn refusal(&self, out: &mut BytesMut, code: Code, reason: &str) {
        match self.version {
            Version::V4 => out.put_slice(&[0x20, 2, 0, code.of_connack_v4()]),
            Version::V5 => self.with_reason(out, 0x20, &[0, code as u8], reason),
        }
    }

    /// Answers a PUBLISH. MQTT 3.1.1 has no way to say that it was refused.
    pub fn puback(&self, out: &mut BytesMut, packet_id: u16) {
        let [high, low] = packet_id.to_be_bytes();
        out.put_slice(&[0x40, 2, high, low]);
    }

    /// Answers a PUBLISH that was not accepted, of a client of MQTT 5.
    pub fn puback_refused(&self, out: &mut BytesMut, packet_id: u16, code: Code, reason: &str) {
        let [high, low] = packet_id.to_be_bytes();
        self.with_reason(out, 0x40, &[high, low, code as u8], reason);
    }

    pub fn suback(&self, out: &mut BytesMut, packet_id: u16, granted: &[Granted]) {
        let code = |granted: &Granted| match (granted, self.version) {
            (Ok(qos), _) => *qos as u8,
            (Err(_), Version::V4) => 0x80,
            (Err(code), Version::V5) => *code as u8,
        };
        self.answers(out, 0x90, packet_id, granted.iter().map(code));
    }

    /// Answers an UNSUBSCRIBE: for each filter whether it was held.
    pub fn unsuback(&self, out: &mut BytesMut, packet_id: u16, held: &[bool]) {
        let code = |held: &bool| if *held { Code::Success } else { Code::NoSubscriptionExisted } as u8;
        match self.version {
            Version::V4 => self.answers(out, 0xb0, packet_id, std::iter::empty()),
            Version::V5 => self.answers(out, 0xb0, packet_id, held.iter().map(code)),
        }
    }

    fn answers(&self, out: &mut BytesMut, first: u8, packet_id: u16, codes: impl ExactSizeIterator<Item = u8>) {
        let no_properties: &[u8] = if self.version == Version::V5 { &[0] } else { &[] };
        out.put_u8(first);
        put_length(out, 2 + no_properties.len() + codes.len());
        out.put_u16(packet_id);
        out.put_slice(no_properties);
        out.extend(codes);
    }

    pub fn pong(&self, out: &mut BytesMut) {
        out.put_slice(&[0xd0, 0]);
    }

    /// Says why the connection ends, where the protocol has words for it.
    pub fn goodbye(&self, out: &mut BytesMut, code: Code, reason: &str) {
        if self.version == Version::V5 {
            self.with_reason(out, 0xe0, &[code as u8], reason);
        }
    }

    /// Writes a message; `packet_id` is ignored for QoS 0. The message must have passed [`fits`].
    pub fn publish(&self, out: &mut BytesMut, message: DeviceMessage, qos: QoS, packet_id: u16, flags: PublishFlags) {
        let written = match self.version {
            Version::V4 => {
                let mut publish = v4::Publish::from_bytes(message.topic, qos, message.payload);
                (publish.pkid, publish.dup, publish.retain) = (packet_id, flags.dup, flags.retain);
                publish.write(out).is_ok()
            }
            Version::V5 => {
                let properties = properties(&message);
                let qos = if qos == QoS::AtMostOnce { QoS5::AtMostOnce } else { QoS5::AtLeastOnce };
                let mut publish = v5::Publish::new(message.topic, qos, message.payload, properties);
                (publish.pkid, publish.dup, publish.retain) = (packet_id, flags.dup, flags.retain);
                publish.write(out).is_ok()
            }
        };
        debug_assert!(written, "its length was checked, and packet ids begin at 1");
    }

    /// A packet that ends in properties, with a reason among them if the client takes it.
    fn with_reason(&self, out: &mut BytesMut, first: u8, header: &[u8], reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(REASON_BYTES)];
        let with_reason = self.with_reasons && !reason.is_empty() && reason.len() + 16 <= self.packet_bytes;
        let mut properties = BytesMut::new();
        if with_reason {
            properties.put_u8(REASON_STRING);
            properties.put_u16(reason.len() as u16);
            properties.put_slice(reason.as_bytes());
        }
        let mut length = BytesMut::new();
        put_length(&mut length, properties.len());
        out.put_u8(first);
        put_length(out, header.len() + length.len() + properties.len());
        out.put_slice(header);
        out.put_slice(&length);
        out.put_slice(&properties);
    }
}

/// Flags of a PUBLISH to a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::front) struct PublishFlags {
    pub dup: bool,
    pub retain: bool,
}

/// A refusal to somebody whose version we do not speak (MQTT 3.1.1, 3.1.2.2; MQTT 5 for what is newer).
pub(in crate::front) fn write_connack_of_no_version(out: &mut BytesMut, level: u8) {
    match level {
        ..5 => out.put_slice(&[0x20, 2, 0, 1]),
        _ => out.put_slice(&[0x20, 3, 0, Code::Version as u8, 0]),
    }
}

/// Whether a message fits in a packet of this size.
pub(in crate::front) fn fits(message: &DeviceMessage, max_bytes: usize) -> bool {
    let answer = message.answer.as_ref().map_or(0, |(topic, data)| 3 + topic.len() + 3 + data.len());
    message.topic.len() <= usize::from(u16::MAX)
        && PUBLISH_OVERHEAD + answer + message.topic.len() + message.payload.len() <= max_bytes
}

fn properties(message: &DeviceMessage) -> Option<v5::PublishProperties> {
    if message.expires.is_none() && message.answer.is_none() {
        return None;
    }
    let left = message.expires.map(|at| at.saturating_duration_since(std::time::Instant::now()));
    let (response_topic, correlation_data) = message.answer.clone().unzip();
    Some(v5::PublishProperties {
        // Rounded up: 0 would mean that it is over.
        message_expiry_interval: left.map(|left| u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)),
        response_topic,
        correlation_data,
        ..v5::PublishProperties::default()
    })
}

/// A variable byte integer (MQTT 5, 1.5.5).
fn put_length(out: &mut BytesMut, mut length: usize) {
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        if length == 0 {
            return out.put_u8(byte);
        }
        out.put_u8(byte | 0x80);
    }
}
