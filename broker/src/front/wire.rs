//! Bytes to packets and back, by the codec of rumqttc. The rest of the front sees the types here, so that MQTT 5
//! becomes a second pair of functions.

use bytes::{BufMut, BytesMut};
use rumqttc::mqttbytes::v4::{self, Packet};
use rumqttc::mqttbytes::{self as codec, QoS};

/// CONNACK return codes (MQTT 3.1.1, 3.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ConnectCode {
    Accepted = 0,
    Version = 1,
    ClientId = 2,
    Unavailable = 3,
    Credentials = 4,
    NotAuthorised = 5,
}

/// What a client may send after its CONNECT.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    Publish(v4::Publish),
    PubAck(u16),
    Subscribe(v4::Subscribe),
    Unsubscribe(v4::Unsubscribe),
    Ping,
    Disconnect,
    /// A packet that has no place here.
    Unexpected(&'static str),
}

/// Why bytes are no packet we take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WireError {
    TooLarge(usize),
    Malformed(String),
    /// A CONNECT of another version; holds its level.
    Version(u8),
}

/// Takes the next packet off the buffer, if it is whole.
pub(super) fn read(buffer: &mut BytesMut, max_bytes: usize) -> Result<Option<Incoming>, WireError> {
    let packet = match Packet::read(buffer, max_bytes) {
        Ok(packet) => packet,
        Err(codec::Error::InsufficientBytes(_)) => return Ok(None),
        Err(error) => return Err(wire_error(error)),
    };
    Ok(Some(match packet {
        Packet::Publish(publish) => Incoming::Publish(publish),
        Packet::PubAck(ack) => Incoming::PubAck(ack.pkid),
        Packet::Subscribe(subscribe) => Incoming::Subscribe(subscribe),
        Packet::Unsubscribe(unsubscribe) => Incoming::Unsubscribe(unsubscribe),
        Packet::PingReq => Incoming::Ping,
        Packet::Disconnect => Incoming::Disconnect,
        Packet::Connect(_) => Incoming::Unexpected("a second CONNECT"),
        Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => Incoming::Unexpected("a packet of QoS 2"),
        Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
            Incoming::Unexpected("a packet that only servers send")
        }
    }))
}

/// Takes a CONNECT off the buffer, if it is whole. Anything else is refused at its first byte.
pub(super) fn read_connect(buffer: &mut BytesMut, max_bytes: usize) -> Result<Option<v4::Connect>, WireError> {
    match buffer.first() {
        None => return Ok(None),
        Some(0x10) => {}
        Some(_) => return Err(WireError::Malformed("the first packet is no CONNECT".to_owned())),
    }
    if let Some(level) = connect_level(buffer)
        && level != 4
    {
        return Err(WireError::Version(level));
    }
    match Packet::read(buffer, max_bytes) {
        Ok(Packet::Connect(connect)) => Ok(Some(connect)),
        Ok(_) => Err(WireError::Malformed("the first packet is no CONNECT".to_owned())),
        Err(codec::Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(wire_error(error)),
    }
}

/// The protocol level of a CONNECT that may still be coming in; the names are `MQTT`, and `MQIsdp` before 3.1.1.
fn connect_level(buffer: &[u8]) -> Option<u8> {
    let length_bytes = 1 + buffer.get(1..5.min(buffer.len()))?.iter().position(|byte| byte & 0x80 == 0)?;
    let name_at = 1 + length_bytes;
    let name_length = usize::from(u16::from_be_bytes(buffer.get(name_at..name_at + 2)?.try_into().ok()?));
    match name_length {
        4 | 6 => buffer.get(name_at + 2 + name_length).copied(),
        _ => None,
    }
}

fn wire_error(error: codec::Error) -> WireError {
    match error {
        codec::Error::PayloadSizeLimitExceeded(size) => WireError::TooLarge(size),
        other => WireError::Malformed(other.to_string()),
    }
}

/// Answers a CONNECT. We keep no session, so none is ever present.
pub(super) fn write_connack(out: &mut BytesMut, code: ConnectCode) {
    out.put_slice(&[0x20, 2, 0, code as u8]);
}

/// Tells a client of MQTT 5 in its own language that its version is not spoken (reason code 0x84).
pub(super) fn write_connack_v5_unsupported(out: &mut BytesMut) {
    out.put_slice(&[0x20, 3, 0, 0x84, 0]);
}

pub(super) fn write_puback(out: &mut BytesMut, packet_id: u16) {
    let [high, low] = packet_id.to_be_bytes();
    out.put_slice(&[0x40, 2, high, low]);
}

pub(super) fn write_pong(out: &mut BytesMut) {
    out.put_slice(&[0xd0, 0]);
}

/// Answers a SUBSCRIBE: for each filter the granted QoS, or `None` for a refusal.
pub(super) fn write_suback(out: &mut BytesMut, packet_id: u16, granted: &[Option<QoS>]) {
    let code = |granted: &Option<QoS>| match granted {
        Some(qos) => v4::SubscribeReasonCode::Success(*qos),
        None => v4::SubscribeReasonCode::Failure,
    };
    let packet = v4::SubAck::new(packet_id, granted.iter().map(code).collect());
    packet.write(out).expect("a SUBACK is as long as the SUBSCRIBE it answers, which was not too long");
}

pub(super) fn write_unsuback(out: &mut BytesMut, packet_id: u16) {
    let [high, low] = packet_id.to_be_bytes();
    out.put_slice(&[0xb0, 2, high, low]);
}

/// Writes a message; `packet_id` is ignored for QoS 0. Topic and payload must have passed [`fits`].
pub(super) fn write_publish(out: &mut BytesMut, topic: String, payload: bytes::Bytes, qos: QoS, packet_id: u16) {
    let mut publish = v4::Publish::from_bytes(topic, qos, payload);
    publish.pkid = packet_id;
    publish.write(out).expect("its length was checked, and packet ids begin at 1");
}

/// Whether a message fits in a packet of this size.
pub(super) fn fits(topic: &str, payload: &[u8], max_bytes: usize) -> bool {
    topic.len() <= usize::from(u16::MAX) && 2 + topic.len() + 2 + payload.len() <= max_bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn connect_bytes(level: u8) -> BytesMut {
        let mut bytes = BytesMut::new();
        v4::Connect::new("a").write(&mut bytes).unwrap();
        bytes[8] = level;
        bytes
    }

    #[test]
    fn other_versions_are_recognised() {
        assert!(matches!(read_connect(&mut connect_bytes(4), 100), Ok(Some(_))));
        assert_eq!(read_connect(&mut connect_bytes(5), 100), Err(WireError::Version(5)));
        let mut old = BytesMut::from(&b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01a"[..]);
        assert_eq!(read_connect(&mut old, 100), Err(WireError::Version(3)));
    }

    #[test]
    fn a_large_packet_is_refused_by_its_header() {
        let mut header = BytesMut::from(&[0x30, 0xff, 0xff, 0x7f][..]);
        assert!(matches!(read(&mut header, 1000), Err(WireError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = read(&mut buffer, 1000) {}
            let _ = read_connect(&mut BytesMut::from(&bytes[..]), 1000);
        }

        #[test]
        fn no_bytes_after_a_header_make_it_panic(kind in 1_u8..15, flags in 0_u8..16, body in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut buffer = BytesMut::from(&[kind << 4 | flags, body.len() as u8][..]);
            buffer.put_slice(&body);
            let _ = read_connect(&mut buffer.clone(), 1000);
            let _ = read(&mut buffer, 1000);
        }
    }
}
