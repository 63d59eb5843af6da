//! A client of MQTT 5 by hand.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Connect, ConnectProperties, Disconnect, DisconnectProperties, DisconnectReasonCode, Filter, LastWill,
    LastWillProperties, Login, Packet, PubAck, Publish, PublishProperties, Subscribe, Unsubscribe,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::mqtt::{A_WHILE, SOON};

pub trait Bytestream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Bytestream for S {}

pub struct Raw5 {
    pub stream: Box<dyn Bytestream>,
    input: BytesMut,
}

/// What a CONNECT says.
pub struct Hello {
    pub client_id: String,
    pub clean_start: bool,
    pub keep_alive: u16,
    pub properties: ConnectProperties,
    pub will: Option<LastWill>,
    pub login: Option<Login>,
}

impl Hello {
    pub fn device(name: &str) -> Self {
        Self {
            client_id: name.to_owned(),
            clean_start: true,
            keep_alive: 60,
            properties: ConnectProperties::new(),
            will: None,
            login: Some(Login::new(name, "secret")),
        }
    }

    /// Wants its session kept, and found again.
    pub fn with_session(mut self, seconds: u32) -> Self {
        self.clean_start = false;
        self.properties.session_expiry_interval = Some(seconds);
        self
    }

    pub fn with_will(mut self, delay_s: u32, payload: &str) -> Self {
        let name = self.client_id.clone();
        let properties = LastWillProperties {
            delay_interval: Some(delay_s),
            payload_format_indicator: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        let topic = format!("ag/v1/home/{name}/death");
        self.will = Some(LastWill::new(topic, payload, QoS::AtLeastOnce, false, Some(properties)));
        self
    }
}

impl Raw5 {
    pub async fn tcp(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap())
    }

    pub fn over(stream: impl Bytestream + 'static) -> Self {
        Self { stream: Box::new(stream), input: BytesMut::new() }
    }

    /// Connects and returns the CONNACK, whatever it says.
    pub async fn hello(&mut self, hello: Hello) -> ConnAck {
        let Hello { client_id, clean_start, keep_alive, properties, will, login } = hello;
        let connect = Connect { keep_alive, client_id, clean_start, properties: Some(properties) };
        self.send(Packet::Connect(connect, will, login)).await;
        match self.packet().await {
            Some(Packet::ConnAck(ack)) => ack,
            other => panic!("{other:?}"),
        }
    }

    pub async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next packet; `None` if the connection was closed.
    pub async fn packet(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.input, None) {
                Ok(packet) => return Some(packet),
                Err(rumqttc::v5::mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error}"),
            }
            match timeout(SOON, self.stream.read_buf(&mut self.input)).await.expect("bytes or the end") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub async fn publish(&mut self, topic: &str, packet_id: u16, payload: &str, properties: PublishProperties) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, Bytes::from(payload.to_owned()), Some(properties));
        publish.pkid = packet_id;
        self.send(Packet::Publish(publish)).await;
    }

    pub async fn puback(&mut self) -> PubAck {
        match self.packet().await {
            Some(Packet::PubAck(ack)) => ack,
            other => panic!("{other:?}"),
        }
    }

    pub async fn message(&mut self) -> Publish {
        match self.packet().await {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("{other:?}"),
        }
    }

    pub async fn acknowledge(&mut self, packet_id: u16) {
        self.send(Packet::PubAck(PubAck::new(packet_id, None))).await;
    }

    /// The reason codes of the SUBACK.
    pub async fn subscribe(&mut self, filters: &[&str]) -> Vec<rumqttc::v5::mqttbytes::v5::SubscribeReasonCode> {
        let filters = filters.iter().map(|filter| Filter::new(*filter, QoS::AtLeastOnce));
        let mut subscribe = Subscribe::new_many(filters, None);
        subscribe.pkid = 7;
        self.send(Packet::Subscribe(subscribe)).await;
        match self.packet().await {
            Some(Packet::SubAck(ack)) => ack.return_codes,
            other => panic!("{other:?}"),
        }
    }

    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Vec<rumqttc::v5::mqttbytes::v5::UnsubAckReason> {
        let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
        self.send(Packet::Unsubscribe(Unsubscribe { pkid: 8, filters, properties: None })).await;
        match self.packet().await {
            Some(Packet::UnsubAck(ack)) => ack.reasons,
            other => panic!("{other:?}"),
        }
    }

    pub async fn disconnect(&mut self, reason_code: DisconnectReasonCode, expiry: Option<u32>) {
        let properties = expiry.map(|seconds| DisconnectProperties {
            session_expiry_interval: Some(seconds),
            reason_string: None,
            user_properties: Vec::new(),
            server_reference: None,
        });
        match properties {
            Some(_) => self.send(Packet::Disconnect(Disconnect { reason_code, properties })).await,
            // The codec miscounts without properties.
            None => self.send_bytes(&[0xe0, 1, reason_code as u8]).await,
        }
        self.is_closed().await;
    }

    /// The reason of the DISCONNECT that ends the connection, and its text.
    pub async fn sent_away(&mut self) -> (DisconnectReasonCode, String) {
        loop {
            match self.packet().await {
                Some(Packet::Disconnect(packet)) => {
                    let text = packet.properties.and_then(|properties| properties.reason_string);
                    self.is_closed().await;
                    return (packet.reason_code, text.unwrap_or_default());
                }
                Some(Packet::PubAck(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn is_closed(&mut self) {
        let packet = self.packet().await;
        assert!(packet.is_none(), "{packet:?}");
    }

    pub async fn hears_nothing(&mut self) {
        assert!(timeout(A_WHILE, self.stream.read_buf(&mut self.input)).await.is_err());
    }
}
