//! Connections that hold to nothing: bytes in, bytes out, over TCP and WebSocket.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::mqtt::SOON;
use super::packets::framed;

/// The level of MQTT 3.1.1 and 5.
pub const LEVELS: [u8; 2] = [4, 5];

/// A CONNECT with the password that all have, and 60 s of keepalive.
pub fn connect(level: u8, name: &str) -> Vec<u8> {
    connect_as(level, name.as_bytes(), name, 60)
}

/// A CONNECT with any client id.
pub fn connect_as(level: u8, client_id: &[u8], name: &str, keepalive_s: u16) -> Vec<u8> {
    let mut body = b"\0\x04MQTT".to_vec();
    body.extend([level, 0xc2]);
    body.extend(keepalive_s.to_be_bytes());
    body.extend((level == 5).then_some(0));
    for text in [client_id, name.as_bytes(), b"secret"] {
        body.extend(text_bytes(text));
    }
    framed(0x10, &body)
}

/// A PUBLISH of QoS 0 or 1.
pub fn publish(level: u8, topic: &[u8], packet_id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = text_bytes(topic);
    body.extend(packet_id.into_iter().flat_map(u16::to_be_bytes));
    body.extend((level == 5).then_some(0));
    body.extend(payload);
    framed(if packet_id.is_some() { 0x32 } else { 0x30 }, &body)
}

/// A SUBSCRIBE with packet id 1 for QoS 1.
pub fn subscribe(level: u8, filters: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend((level == 5).then_some(0));
    for filter in filters {
        body.extend(text_bytes(filter));
        body.push(1);
    }
    framed(0x82, &body)
}

/// An UNSUBSCRIBE with packet id 1.
pub fn unsubscribe(level: u8, filters: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend((level == 5).then_some(0));
    body.extend(filters.iter().flat_map(|filter| text_bytes(filter)));
    framed(0xa2, &body)
}

pub const DISCONNECT: [u8; 2] = [0xe0, 0];

fn text_bytes(text: &[u8]) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend(text);
    bytes
}

pub async fn open(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Connected as a device, its CONNACK read.
pub async fn device(address: SocketAddr, level: u8, name: &str) -> TcpStream {
    let mut stream = open(address).await;
    stream.write_all(&connect(level, name)).await.unwrap();
    let ack = packet(&mut stream).await.expect("a CONNACK");
    assert_eq!((ack[0], ack[3]), (0x20, 0), "{ack:?}");
    stream
}

/// The next packet; `None` if there is none any more. All that the front sends in these tests has a length of one or
/// two bytes.
pub async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let read = async {
        let mut packet = vec![stream.read_u8().await.ok()?, stream.read_u8().await.ok()?];
        let mut length = usize::from(packet[1] & 0x7f);
        if packet[1] & 0x80 != 0 {
            packet.push(stream.read_u8().await.ok()?);
            length |= usize::from(packet[2]) << 7;
        }
        let header = packet.len();
        packet.resize(header + length, 0);
        stream.read_exact(&mut packet[header..]).await.ok()?;
        Some(packet)
    };
    timeout(SOON, read).await.expect("bytes or the end")
}

/// All that comes until the front closes the connection.
pub async fn until_closed(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut heard = Vec::new();
    // A reset is an end as well.
    let _ = timeout(SOON, stream.read_to_end(&mut heard)).await.expect("the front closes the connection");
    heard
}

/// Ends a connection with a RST.
pub fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

/// The request that opens a WebSocket.
pub const UPGRADE: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// An open WebSocket.
pub async fn websocket(address: SocketAddr) -> TcpStream {
    let mut stream = open(address).await;
    stream.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(SOON, stream.read_u8()).await.expect("an answer").unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A WebSocket frame with a mask of zeros; its first byte is that of RFC 6455, 5.2.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// The next frame's first byte and payload, which is short.
pub async fn next_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let read = async {
        let (first, length) = (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap());
        let mut payload = vec![0; usize::from(length)];
        stream.read_exact(&mut payload).await.unwrap();
        (first, payload)
    };
    timeout(SOON, read).await.expect("a frame")
}
