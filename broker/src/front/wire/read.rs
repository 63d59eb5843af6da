//! Bytes to packets.

use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes::{self as codec4, QoS, v4};
use rumqttc::v5::mqttbytes::{self as codec5, v5};

use super::{Connect, Incoming, Publish, Retained, Subscribe, Version, Wanted, Will, WireError};

/// DISCONNECT with will message (MQTT 5, 3.14.2.1).
const WITH_WILL: v5::DisconnectReasonCode = v5::DisconnectReasonCode::DisconnectWithWillMessage;

/// Filters of one SUBSCRIBE or UNSUBSCRIBE. 256: more than any client may hold; a packet of 64 KiB has room for 16,000,
/// each of which costs as much as a message.
const MAX_FILTERS: usize = 256;

/// Takes the next packet off the buffer, if it is whole.
pub(in crate::front) fn read(
    version: Version,
    buffer: &mut BytesMut,
    max_bytes: usize,
) -> Result<Option<Incoming>, WireError> {
    let Some(&first) = buffer.first() else { return Ok(None) };
    check_flags(first)?;
    let Some(length) = frame(buffer, max_bytes)?.filter(|length| buffer.len() >= *length) else { return Ok(None) };
    let packet = match version {
        Version::V4 => from_v4(read_v4(buffer)?),
        Version::V5 => read_v5(first, length, buffer)?,
    };
    match packet {
        Incoming::Subscribe(Subscribe { packet_id: 0, .. }) | Incoming::Unsubscribe { packet_id: 0, .. } => {
            Err(WireError::Malformed("packet id 0".to_owned()))
        }
        packet => match filters_of(&packet) {
            ..=MAX_FILTERS => Ok(Some(packet)),
            more => Err(WireError::Filters(more)),
        },
    }
}

/// How many filters a packet has.
pub(in crate::front) fn filters_of(packet: &Incoming) -> usize {
    match packet {
        Incoming::Subscribe(subscribe) => subscribe.filters.len(),
        Incoming::Unsubscribe { filters, .. } => filters.len(),
        _ => 0,
    }
}

/// Whether a whole packet is there; its length. Checked here, so that the codec never asks for more bytes: it does so
/// for some packets that are whole but too short inside, and has taken them off the buffer by then.
fn frame(buffer: &[u8], max_bytes: usize) -> Result<Option<usize>, WireError> {
    let mut remaining = 0;
    for (at, byte) in buffer.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let length = 2 + at + remaining;
            return if length > max_bytes { Err(WireError::TooLarge(length)) } else { Ok(Some(length)) };
        }
    }
    if buffer.len() > 4 {
        return Err(WireError::Malformed("a length of more than four bytes".to_owned()));
    }
    Ok(None)
}

/// Flags of the fixed header that may have one value only (MQTT 3.1.1 and 5, 2.1.3).
fn check_flags(first: u8) -> Result<(), WireError> {
    let required = match first >> 4 {
        3 => return Ok(()),
        6 | 8 | 10 => 2,
        _ => 0,
    };
    if first & 0xf == required {
        return Ok(());
    }
    Err(WireError::Malformed(format!("a packet of type {} with flags {:#x}", first >> 4, first & 0xf)))
}

fn read_v4(buffer: &mut BytesMut) -> Result<v4::Packet, WireError> {
    v4::Packet::read(buffer, usize::MAX).map_err(|error| match error {
        codec4::Error::InsufficientBytes(_) => WireError::Malformed("a packet that ends too early".to_owned()),
        error => WireError::Malformed(error.to_string()),
    })
}

fn from_v4(packet: v4::Packet) -> Incoming {
    match packet {
        v4::Packet::Publish(publish) => Incoming::Publish(Publish {
            topic: publish.topic,
            alias: None,
            qos: publish.qos,
            retain: publish.retain,
            packet_id: publish.pkid,
            content_type: None,
            payload: publish.payload,
        }),
        v4::Packet::PubAck(ack) => Incoming::PubAck(ack.pkid),
        v4::Packet::Subscribe(subscribe) => Incoming::Subscribe(Subscribe {
            packet_id: subscribe.pkid,
            filters: subscribe
                .filters
                .into_iter()
                .map(|wanted| Wanted { filter: wanted.path, qos: wanted.qos, retained: Retained::Always })
                .collect(),
            has_identifier: false,
        }),
        v4::Packet::Unsubscribe(packet) => Incoming::Unsubscribe { packet_id: packet.pkid, filters: packet.topics },
        v4::Packet::PingReq => Incoming::Ping,
        v4::Packet::Disconnect => Incoming::Disconnect { with_will: false, session_expiry_s: None },
        v4::Packet::Connect(_) => Incoming::Unexpected("a second CONNECT"),
        v4::Packet::PubRec(_) | v4::Packet::PubRel(_) | v4::Packet::PubComp(_) => {
            Incoming::Unexpected("a packet of QoS 2")
        }
        v4::Packet::ConnAck(_) | v4::Packet::SubAck(_) | v4::Packet::UnsubAck(_) | v4::Packet::PingResp => {
            Incoming::Unexpected("a packet that only servers send")
        }
    }
}

fn read_v5(first: u8, length: usize, buffer: &mut BytesMut) -> Result<Incoming, WireError> {
    if first == 0xf0 {
        // The codec does not know it.
        buffer.advance(length);
        return Ok(Incoming::Unexpected("AUTH, but no authentication method was agreed on"));
    }
    // A DISCONNECT may leave out its properties, and its reason if that is 0 (MQTT 5, 3.14.2.1); the codec wants both.
    let shortened = match &buffer[..] {
        [0xe0, 0, ..] => Some((2, [0xe0, 2, 0, 0])),
        [0xe0, 1, reason, ..] => Some((3, [0xe0, 2, *reason, 0])),
        _ => None,
    };
    if let Some((length, whole)) = shortened {
        buffer.advance(length);
        return from_v5(packet_v5(&mut BytesMut::from(&whole[..]))?);
    }
    from_v5(packet_v5(buffer)?)
}

fn packet_v5(buffer: &mut BytesMut) -> Result<v5::Packet, WireError> {
    v5::Packet::read(buffer, None).map_err(|error| match error {
        codec5::Error::InsufficientBytes(_) => WireError::Malformed("a packet that ends too early".to_owned()),
        error => WireError::Malformed(error.to_string()),
    })
}

fn from_v5(packet: v5::Packet) -> Result<Incoming, WireError> {
    Ok(match packet {
        v5::Packet::Publish(publish) => Incoming::Publish(publish_v5(publish)?),
        v5::Packet::PubAck(ack) => Incoming::PubAck(ack.pkid),
        v5::Packet::Subscribe(subscribe) => Incoming::Subscribe(Subscribe {
            packet_id: subscribe.pkid,
            has_identifier: subscribe.properties.is_some_and(|properties| properties.id.is_some()),
            filters: subscribe.filters.into_iter().map(wanted_v5).collect(),
        }),
        v5::Packet::Unsubscribe(packet) => Incoming::Unsubscribe { packet_id: packet.pkid, filters: packet.filters },
        v5::Packet::PingReq(_) => Incoming::Ping,
        v5::Packet::Disconnect(packet) => Incoming::Disconnect {
            with_will: packet.reason_code == WITH_WILL,
            session_expiry_s: packet.properties.and_then(|properties| properties.session_expiry_interval),
        },
        v5::Packet::Connect(..) => Incoming::Unexpected("a second CONNECT"),
        v5::Packet::PubRec(_) | v5::Packet::PubRel(_) | v5::Packet::PubComp(_) => {
            Incoming::Unexpected("a packet of QoS 2")
        }
        v5::Packet::Auth(_) => Incoming::Unexpected("AUTH, but no authentication method was agreed on"),
        v5::Packet::ConnAck(_) | v5::Packet::SubAck(_) | v5::Packet::UnsubAck(_) | v5::Packet::PingResp(_) => {
            Incoming::Unexpected("a packet that only servers send")
        }
    })
}

fn publish_v5(publish: v5::Publish) -> Result<Publish, WireError> {
    let properties = publish.properties.unwrap_or_default();
    Ok(Publish {
        topic: text(publish.topic.to_vec(), "topic")?,
        alias: properties.topic_alias,
        qos: qos_v5(publish.qos),
        retain: publish.retain,
        packet_id: publish.pkid,
        content_type: properties.content_type,
        payload: publish.payload,
    })
}

fn wanted_v5(filter: v5::Filter) -> Wanted {
    Wanted {
        filter: filter.path,
        qos: qos_v5(filter.qos),
        retained: match filter.retain_forward_rule {
            v5::RetainForwardRule::OnEverySubscribe => Retained::Always,
            v5::RetainForwardRule::OnNewSubscribe => Retained::IfNew,
            v5::RetainForwardRule::Never => Retained::Never,
        },
    }
}

fn qos_v5(qos: codec5::QoS) -> QoS {
    match qos {
        codec5::QoS::AtMostOnce => QoS::AtMostOnce,
        codec5::QoS::AtLeastOnce => QoS::AtLeastOnce,
        codec5::QoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}

fn text(bytes: Vec<u8>, what: &str) -> Result<String, WireError> {
    String::from_utf8(bytes).map_err(|_| WireError::Malformed(format!("a {what} that is not UTF-8")))
}

/// Takes a CONNECT off the buffer, if it is whole. Anything else is refused at its first byte.
pub(in crate::front) fn read_connect(buffer: &mut BytesMut, max_bytes: usize) -> Result<Option<Connect>, WireError> {
    match buffer.first() {
        None => return Ok(None),
        Some(0x10) => {}
        Some(_) => return Err(WireError::Malformed("the first packet is no CONNECT".to_owned())),
    }
    let whole = frame(buffer, max_bytes)?.is_some_and(|length| buffer.len() >= length);
    let Some((level, flags)) = level_and_flags(buffer) else {
        // Too short to tell, or no CONNECT at all, which the codec finds out.
        return if whole { read_v4(buffer).map(connect_v4) } else { Ok(None) };
    };
    match level {
        4 if flags & 0xc0 == 0x40 => Err(WireError::Malformed("a password without a user name".to_owned())),
        4 | 5 if flags & 1 != 0 => Err(WireError::Malformed("the reserved flag of CONNECT is set".to_owned())),
        4 | 5 if !whole => Ok(None),
        4 => read_v4(buffer).map(connect_v4),
        5 => match packet_v5(buffer)? {
            v5::Packet::Connect(connect, will, login) => connect_v5(connect, will, login, flags).map(Some),
            _ => Ok(None),
        },
        other => Err(WireError::Version(other)),
    }
}

/// The protocol level and flags of a CONNECT that may still be coming in; the names are `MQTT`, and `MQIsdp` before
/// 3.1.1.
fn level_and_flags(buffer: &[u8]) -> Option<(u8, u8)> {
    let length_bytes = 1 + buffer.get(1..5.min(buffer.len()))?.iter().position(|byte| byte & 0x80 == 0)?;
    let name_at = 1 + length_bytes;
    let name_length = usize::from(u16::from_be_bytes(buffer.get(name_at..name_at + 2)?.try_into().ok()?));
    let level_at = name_at + 2 + name_length;
    match name_length {
        4 | 6 => Some((*buffer.get(level_at)?, *buffer.get(level_at + 1)?)),
        _ => None,
    }
}

fn connect_v4(packet: v4::Packet) -> Option<Connect> {
    let v4::Packet::Connect(connect) = packet else { return None };
    // An absent user name or password arrives as an empty one.
    let (username, password) = connect.login.map_or((None, None), |login| (Some(login.username), Some(login.password)));
    Some(Connect {
        version: Version::V4,
        client_id: connect.client_id,
        clean_start: connect.clean_session,
        keepalive_s: connect.keep_alive,
        session_expiry_s: if connect.clean_session { 0 } else { u32::MAX },
        receive_maximum: u16::MAX,
        packet_bytes: usize::MAX,
        wants_reasons: false,
        wants_response_information: false,
        will: connect.last_will.map(|will| Will {
            topic: will.topic,
            payload: will.message,
            qos: will.qos,
            retain: will.retain,
            delay_s: 0,
        }),
        username,
        password,
        authentication_method: None,
    })
}

fn connect_v5(
    connect: v5::Connect,
    will: Option<v5::LastWill>,
    login: Option<v5::Login>,
    flags: u8,
) -> Result<Connect, WireError> {
    let properties = connect.properties.unwrap_or_default();
    if properties.receive_maximum == Some(0) || properties.max_packet_size == Some(0) {
        return Err(WireError::Malformed("a receive maximum or maximum packet size of 0".to_owned()));
    }
    let (username, password) = login.map_or((None, None), |login| (Some(login.username), Some(login.password)));
    Ok(Connect {
        version: Version::V5,
        client_id: connect.client_id,
        clean_start: connect.clean_start,
        keepalive_s: connect.keep_alive,
        session_expiry_s: properties.session_expiry_interval.unwrap_or(0),
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_bytes: properties.max_packet_size.map_or(usize::MAX, |bytes| bytes as usize),
        wants_reasons: properties.request_problem_info != Some(0),
        wants_response_information: properties.request_response_info == Some(1),
        will: will.map(will_v5).transpose()?,
        username: username.filter(|_| flags & 0x80 != 0),
        password: password.filter(|_| flags & 0x40 != 0),
        authentication_method: properties.authentication_method,
    })
}

fn will_v5(will: v5::LastWill) -> Result<Will, WireError> {
    Ok(Will {
        topic: text(will.topic.to_vec(), "will topic")?,
        payload: will.message,
        qos: qos_v5(will.qos),
        retain: will.retain,
        delay_s: will.properties.and_then(|properties| properties.delay_interval).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use proptest::prelude::*;

    use super::*;

    fn connect_bytes(level: u8) -> BytesMut {
        let mut bytes = BytesMut::new();
        v4::Connect::new("a").write(&mut bytes).unwrap();
        bytes[8] = level;
        bytes
    }

    #[test]
    fn versions_are_told_apart() {
        assert!(matches!(read_connect(&mut connect_bytes(4), 100), Ok(Some(Connect { version: Version::V4, .. }))));
        let mut five = BytesMut::new();
        let connect = v5::Connect { keep_alive: 7, client_id: "a".to_owned(), clean_start: true, properties: None };
        connect.write(&None, &None, &mut five).unwrap();
        assert!(matches!(read_connect(&mut five, 100), Ok(Some(Connect { version: Version::V5, .. }))));
        assert_eq!(read_connect(&mut connect_bytes(6), 100), Err(WireError::Version(6)));
        let mut old = BytesMut::from(&b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01a"[..]);
        assert_eq!(read_connect(&mut old, 100), Err(WireError::Version(3)));
    }

    #[test]
    fn reserved_flags_are_malformed() {
        let mut connect = connect_bytes(4);
        connect[9] |= 1;
        assert!(matches!(read_connect(&mut connect, 100), Err(WireError::Malformed(_))));
        for first in [0x80, 0xa0, 0xc1, 0xe1, 0x41] {
            let mut bytes = BytesMut::from(&[first, 2, 0, 1][..]);
            assert!(matches!(read(Version::V4, &mut bytes, 100), Err(WireError::Malformed(_))), "{first:#x}");
        }
    }

    #[test]
    fn short_goodbyes_of_mqtt_5_are_understood() {
        for (bytes, with_will) in [(&[0xe0, 0][..], false), (&[0xe0, 1, 4], true), (&[0xe0, 2, 4, 0], true)] {
            let mut bytes = BytesMut::from(bytes);
            let goodbye = Incoming::Disconnect { with_will, session_expiry_s: None };
            assert_eq!(read(Version::V5, &mut bytes, 100), Ok(Some(goodbye)));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn a_whole_packet_that_ends_too_early_is_malformed() {
        // A SUBSCRIBE without property length, a PUBLISH with its topic cut off.
        for bytes in [&[0x82, 2, 0, 1][..], &[0x30, 3, 0, 9, b'a']] {
            for version in [Version::V4, Version::V5] {
                let read = read(version, &mut BytesMut::from(bytes), 100);
                assert!(matches!(read, Err(WireError::Malformed(_))), "{read:?}");
            }
        }
    }

    #[test]
    fn a_packet_has_only_so_many_filters() {
        for (version, head) in [(Version::V4, &[0, 1][..]), (Version::V5, &[0, 1, 0])] {
            for (first, filter) in [(0x82, &b"\0\x01a\x01"[..]), (0xa2, b"\0\x01a")] {
                for number in [MAX_FILTERS, MAX_FILTERS + 1] {
                    let body = [head, &filter.repeat(number)].concat();
                    let length = [body.len() as u8 | 0x80, (body.len() >> 7) as u8];
                    let mut packet = BytesMut::from(&[&[first][..], &length, &body].concat()[..]);
                    let refused = read(version, &mut packet, 10_000).err();
                    assert_eq!(refused, (number > MAX_FILTERS).then_some(WireError::Filters(number)));
                }
            }
        }
    }

    #[test]
    fn a_large_packet_is_refused_by_its_header() {
        for version in [Version::V4, Version::V5] {
            let mut header = BytesMut::from(&[0x30, 0xff, 0xff, 0x7f][..]);
            assert!(matches!(read(version, &mut header, 1000), Err(WireError::TooLarge(_))));
            assert_eq!(read(version, &mut BytesMut::from(&[0x30, 98][..]), 100), Ok(None));
            assert!(matches!(read(version, &mut BytesMut::from(&[0x30, 99][..]), 100), Err(WireError::TooLarge(101))));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for version in [Version::V4, Version::V5] {
                let mut buffer = BytesMut::from(&bytes[..]);
                while let Ok(Some(_)) = read(version, &mut buffer, 1000) {}
            }
            let _ = read_connect(&mut BytesMut::from(&bytes[..]), 1000);
        }

        #[test]
        fn no_bytes_after_a_header_make_it_panic(
            kind in 1_u8..16,
            flags in 0_u8..16,
            body in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut buffer = BytesMut::from(&[kind << 4 | flags, body.len() as u8][..]);
            buffer.put_slice(&body);
            let _ = read_connect(&mut buffer.clone(), 1000);
            let _ = read(Version::V5, &mut buffer.clone(), 1000);
            let _ = read(Version::V4, &mut buffer, 1000);
        }
    }
}
