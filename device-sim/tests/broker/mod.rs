//! A small MQTT 3.1.1 broker for tests: acknowledges, remembers, can hang up, and sends
//! what a test wants sent.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode};
use rumqttc::mqttbytes::{Error, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

const MAX_PACKET: usize = 1 << 20;
/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// One publish that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    /// Whether it was acknowledged.
    pub acknowledged: bool,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub heard: Vec<Heard>,
    pub users: Vec<(String, String, String)>,
    pub wills: Vec<String>,
    pub subscriptions: Vec<String>,
    pub connections: usize,
    pub goodbyes: usize,
    outgoing: HashMap<String, mpsc::UnboundedSender<Publish>>,
}

pub struct Broker {
    pub address: SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    changed: watch::Sender<u64>,
}

impl Broker {
    /// `hang_up(n)` says after how many publishes the n-th connection (from 0) breaks,
    /// the last of them unacknowledged; none for never.
    pub async fn start(hang_up: fn(usize) -> Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let changed = watch::Sender::new(0);
        let broker = Self { address, ledger: Arc::clone(&ledger), changed: changed.clone() };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let number = ledger.lock().unwrap().connections;
                ledger.lock().unwrap().connections += 1;
                let (ledger, changed) = (Arc::clone(&ledger), changed.clone());
                tokio::spawn(async move {
                    serve(socket, &ledger, &changed, hang_up(number)).await;
                });
            }
        });
        broker
    }

    pub fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.lock().unwrap())
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, test: impl Fn(&Ledger) -> bool) {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            while !self.look(&test) {
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
    }

    /// Sends to the connection of this client.
    pub fn send(&self, client: &str, topic: String, payload: Vec<u8>) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = 1;
        self.look(|ledger| ledger.outgoing[client].send(publish).unwrap());
    }
}

async fn serve(mut socket: TcpStream, ledger: &Mutex<Ledger>, changed: &watch::Sender<u64>, hang_up: Option<usize>) {
    let mut bytes = BytesMut::new();
    let (sender, mut outgoing) = mpsc::unbounded_channel();
    let mut publishes = 0;
    loop {
        let packet = match Packet::read(&mut bytes, MAX_PACKET) {
            Ok(packet) => packet,
            Err(Error::InsufficientBytes(_)) => {
                tokio::select! {
                    read = socket.read_buf(&mut bytes) => match read {
                        Ok(count) if count > 0 => continue,
                        _ => return,
                    },
                    Some(publish) = outgoing.recv() => {
                        answer(&mut socket, Packet::Publish(publish)).await;
                        continue;
                    }
                }
            }
            Err(error) => panic!("the client sent what is no MQTT: {error}"),
        };
        match packet {
            Packet::Connect(connect) => {
                {
                    let mut ledger = ledger.lock().unwrap();
                    let login = connect.login.unwrap();
                    ledger.users.push((connect.client_id.clone(), login.username, login.password));
                    ledger.wills.push(connect.last_will.unwrap().topic);
                    ledger.outgoing.insert(connect.client_id, sender.clone());
                }
                answer(&mut socket, Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))).await;
            }
            Packet::Subscribe(subscribe) => {
                let codes = subscribe.filters.iter().map(|_| SubscribeReasonCode::Success(QoS::AtLeastOnce)).collect();
                let filters = subscribe.filters.into_iter().map(|filter| filter.path);
                ledger.lock().unwrap().subscriptions.extend(filters);
                answer(&mut socket, Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
            }
            Packet::Publish(publish) => {
                publishes += 1;
                let breaks = hang_up == Some(publishes);
                let heard = Heard { topic: publish.topic, payload: publish.payload.to_vec(), acknowledged: !breaks };
                ledger.lock().unwrap().heard.push(heard);
                changed.send_modify(|count| *count += 1);
                if breaks {
                    return;
                }
                answer(&mut socket, Packet::PubAck(PubAck::new(publish.pkid))).await;
            }
            Packet::PingReq => answer(&mut socket, Packet::PingResp).await,
            Packet::Disconnect => {
                ledger.lock().unwrap().goodbyes += 1;
                changed.send_modify(|count| *count += 1);
                return;
            }
            _ => {}
        }
        changed.send_modify(|count| *count += 1);
    }
}

async fn answer(socket: &mut TcpStream, packet: Packet) {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, MAX_PACKET).unwrap();
    // The client may have gone; its next read shows it.
    let _ = socket.write_all(&bytes).await;
}
