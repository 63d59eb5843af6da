//! Clients and a running front.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use broker::{
    Credentials, Denied, Downlinks, Fanout, FanoutMessage, Front, FrontConfig, FrontParts, Identity, Journal,
    JournalConfig, Limits, Listener, Policy, Retained, SessionEvent, TlsFiles, Transport,
};
use bytes::BytesMut;
use firmware_proto::{DeviceAddress, ServerTime};
use rumqttc::mqttbytes::v4::{Packet, Publish};
use rumqttc::{AsyncClient, ConnectReturnCode, ConnectionError, Event, LastWill, MqttOptions, QoS};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::address;
use super::disk::TestDisk;

/// For what must happen soon; only a failing test waits so long.
pub const SOON: Duration = Duration::from_secs(30);

/// For what must not happen.
pub const A_WHILE: Duration = Duration::from_millis(100);

/// Devices with any name have the password `secret`; `svc` may hear what is below `ag/v1/home/`; `slow-*` is denied.
struct TestPolicy;

impl Policy for TestPolicy {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Identity, Denied> {
        let name = credentials.username.unwrap_or_default().to_owned();
        if let Some(certificate) = credentials.certificate {
            let device = certificate.names.iter().find_map(|name| name.parse().ok());
            let device = device.ok_or(Denied::UnknownDevice(name))?;
            return Ok(Identity::Device(DeviceAddress { tenant: "home".parse().unwrap(), device }));
        }
        match (name.as_str(), credentials.password) {
            ("svc", Some("secret")) => {
                Ok(Identity::Service { name, filters: vec!["ag/v1/home/#".into(), "fettle/findings/+".into()] })
            }
            ("alias", Some("secret")) => Ok(Identity::Device(address("ac-1"))),
            ("stranger", _) => Err(Denied::UnknownDevice(name)),
            (_, Some("secret")) => Ok(Identity::Device(address(&name))),
            _ => Err(Denied::BadCredentials(name)),
        }
    }
}

/// Two devices have said something once.
struct TestRetained;

impl Retained for TestRetained {
    fn matching(&self, _filters: Vec<String>) -> mpsc::Receiver<FanoutMessage> {
        let (sender, receiver) = mpsc::channel(10);
        for device in ["ac-1", "ac-2"] {
            let topic = format!("ag/v1/home/{device}/birth");
            sender.try_send(FanoutMessage { topic, payload: device.into() }).unwrap();
        }
        receiver
    }
}

pub struct Running {
    pub dir: TempDir,
    pub disk: Arc<TestDisk>,
    pub journal: Journal,
    pub fanout: Fanout,
    pub front: Front,
    pub downlinks: Downlinks,
    pub events: mpsc::Receiver<SessionEvent>,
}

/// Only to see whether it starts.
pub async fn start_front(config: FrontConfig) -> Result<Front, broker::FrontError> {
    let dir = tempfile::tempdir().unwrap();
    let parts = FrontParts {
        policy: Arc::new(TestPolicy),
        journal: Journal::open(JournalConfig::new(dir.path())).unwrap(),
        clock: Arc::new(|| ServerTime(42)),
        fanout: Fanout::start().unwrap(),
        retained: None,
        sessions: mpsc::channel(1).0,
    };
    Front::start(config, parts).await
}

impl Running {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Limits)) -> Self {
        Self::over(&[Transport::Tcp], None, change).await
    }

    /// With listeners for these transports.
    pub async fn over(transports: &[Transport], tls: Option<TlsFiles>, change: impl FnOnce(&mut Limits)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(TestDisk::default());
        let journal = Journal::open_on(JournalConfig::new(dir.path()), Arc::clone(&disk) as _).unwrap();
        let fanout = Fanout::start().unwrap();
        let (sessions, events) = mpsc::channel(1_000);
        let mut limits = Limits::default();
        change(&mut limits);
        let address = "127.0.0.1:0".parse().unwrap();
        let listeners = transports.iter().map(|transport| Listener { transport: *transport, address }).collect();
        let config = FrontConfig { listeners, tls, limits };
        let parts = FrontParts {
            policy: Arc::new(TestPolicy),
            journal: journal.clone(),
            clock: Arc::new(|| ServerTime(42)),
            fanout: fanout.clone(),
            retained: Some(Arc::new(TestRetained)),
            sessions,
        };
        let front = Front::start(config, parts).await.unwrap();
        let downlinks = front.downlink();
        Self { dir, disk, journal, fanout, front, downlinks, events }
    }

    pub fn addr(&self) -> SocketAddr {
        self.front.address(Transport::Tcp).unwrap()
    }

    pub async fn device(&self, name: &str) -> Client {
        let mut client = Client::open(self.options(name));
        client.connected().await;
        client
    }

    pub fn options(&self, name: &str) -> MqttOptions {
        let mut options = MqttOptions::new(name, "127.0.0.1", self.addr().port());
        options.set_credentials(name, "secret").set_keep_alive(Duration::from_secs(60));
        options
    }

    pub async fn event(&mut self) -> SessionEvent {
        timeout(SOON, self.events.recv()).await.expect("a session event").unwrap()
    }

    /// Waits until the journal holds so many records.
    pub async fn journalled(&self, records: u64) {
        timeout(SOON, self.journal.durable(broker::Position(records - 1))).await.expect("a record").unwrap();
    }

    /// A device of its own can still publish.
    pub async fn still_serves(&self) {
        let mut client = self.device("witness").await;
        client.publish("witness", QoS::AtLeastOnce, "alive").await;
        client.acknowledged().await;
        client.client.disconnect().await.unwrap();
    }
}

/// A rumqttc client; it does not reconnect.
pub struct Client {
    pub client: AsyncClient,
    events: mpsc::UnboundedReceiver<Result<Event, ConnectionError>>,
}

impl Client {
    pub fn open(options: MqttOptions) -> Self {
        let (client, mut event_loop) = AsyncClient::new(options, 1_000);
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let event = event_loop.poll().await;
                let last = event.is_err();
                if sender.send(event).is_err() || last {
                    return;
                }
            }
        });
        Self { client, events }
    }

    pub async fn next(&mut self) -> Result<Event, ConnectionError> {
        timeout(SOON, self.events.recv()).await.expect("an event of the client").expect("the client runs")
    }

    /// The next packet from the broker.
    pub async fn packet(&mut self) -> rumqttc::Packet {
        loop {
            if let Event::Incoming(packet) = self.next().await.expect("the connection lives") {
                return packet;
            }
        }
    }

    pub async fn connected(&mut self) {
        assert!(matches!(self.packet().await, rumqttc::Packet::ConnAck(_)));
    }

    pub async fn refused(&mut self) -> ConnectReturnCode {
        match self.next().await {
            Err(ConnectionError::ConnectionRefused(code)) => code,
            other => panic!("{other:?}"),
        }
    }

    /// Publishes telemetry of a device.
    pub async fn publish(&self, device: &str, qos: QoS, payload: &str) {
        self.client.publish(format!("ag/v1/home/{device}/tlm"), qos, false, payload).await.unwrap();
    }

    pub async fn acknowledged(&mut self) {
        let packet = self.packet().await;
        assert!(matches!(packet, rumqttc::Packet::PubAck(_)), "{packet:?}");
    }

    pub async fn subscribe(&mut self, filter: &str) -> bool {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        match self.packet().await {
            rumqttc::Packet::SubAck(ack) => {
                ack.return_codes.iter().all(|code| *code != rumqttc::SubscribeReasonCode::Failure)
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn message(&mut self) -> rumqttc::Publish {
        loop {
            if let rumqttc::Packet::Publish(publish) = self.packet().await {
                return publish;
            }
        }
    }

    /// Waits until the broker has closed the connection.
    pub async fn closed(&mut self) {
        while self.next().await.is_ok() {}
    }

    /// As [`Client::closed`], however long it takes.
    pub async fn ends(&mut self) {
        while let Some(Ok(_)) = self.events.recv().await {}
    }

    /// Nothing comes for a while.
    pub async fn hears_nothing(&mut self) {
        while let Ok(event) = timeout(A_WHILE, self.events.recv()).await {
            let event = event.unwrap();
            assert!(matches!(event, Ok(Event::Outgoing(_))), "{event:?}");
        }
    }
}

/// A client by hand, for what no decent client does.
pub struct Raw {
    pub stream: TcpStream,
    input: BytesMut,
}

impl Raw {
    pub async fn open(addr: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(addr).await.unwrap(), input: BytesMut::new() }
    }

    /// Connected as a device.
    pub async fn device(addr: SocketAddr, name: &str, will: Option<LastWill>) -> Self {
        let mut raw = Self::open(addr).await;
        raw.send(&connect(name, will)).await;
        assert!(matches!(raw.packet().await, Some(Packet::ConnAck(_))));
        raw
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub async fn publish(&mut self, topic: &str, qos: QoS, packet_id: u16, payload: &str) {
        self.send(&publish(topic, qos, false, packet_id, payload)).await;
    }

    /// The next packet; `None` if the connection was closed.
    pub async fn packet(&mut self) -> Option<Packet> {
        loop {
            if let Ok(packet) = Packet::read(&mut self.input, 1 << 20) {
                return Some(packet);
            }
            match timeout(SOON, self.stream.read_buf(&mut self.input)).await.expect("bytes or the end") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub async fn is_closed(&mut self) {
        let packet = self.packet().await;
        assert!(packet.is_none(), "{packet:?}");
    }
}

pub fn connect(name: &str, will: Option<LastWill>) -> Vec<u8> {
    let mut connect = rumqttc::mqttbytes::v4::Connect::new(name);
    connect.set_login(name, "secret");
    connect.last_will = will;
    let mut bytes = BytesMut::new();
    connect.write(&mut bytes).unwrap();
    bytes.to_vec()
}

pub fn publish(topic: &str, qos: QoS, retain: bool, packet_id: u16, payload: &str) -> Vec<u8> {
    let mut publish = Publish::new(topic, qos, payload);
    publish.pkid = packet_id;
    publish.retain = retain;
    let mut bytes = BytesMut::new();
    publish.write(&mut bytes).unwrap();
    bytes.to_vec()
}
