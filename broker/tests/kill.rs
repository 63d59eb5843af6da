//! kill -9 of a server at random moments under load: what was acknowledged is in its journal, in order.
//!
//! `FETTLE_KILLS=200 cargo nextest run -p broker --no-capture -E 'binary(kill)'` kills more often than CI does.
//! The server is this same test in a process of its own, told by its environment to be one.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{
    Credentials, Denied, Fanout, Front, FrontConfig, FrontParts, Identity, Journal, JournalConfig, Policy, Position,
    Transport,
};
use bytes::BytesMut;
use firmware_proto::{DeviceAddress, ServerTime, UplinkKind};
use rand::rngs::Xoshiro256PlusPlus as Rng;
use rand::{RngExt, SeedableRng};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Kills in CI: some ten seconds.
const KILLS: usize = 20;

const DEVICES: usize = 40;

/// Unacknowledged messages of a device.
const WINDOW: u64 = 20;

const PAYLOAD_BYTES: usize = 200;

/// From the start of the process to a CONNACK.
const RECOVERY: Duration = Duration::from_secs(3);

/// For what must happen soon; only a failing test waits so long.
const SOON: Duration = Duration::from_secs(30);

/// Tells the program that it is the server, and where its journal is.
const SERVER_DIR: &str = "FETTLE_KILL_SERVER_DIR";

/// Tells the server below which position nobody needs its records.
const SERVER_RELEASED: &str = "FETTLE_KILL_SERVER_RELEASED";

const TEST: &str = "what_was_acknowledged_survives_kill_9";

const LISTENING: &str = "listening on ";

async fn serve(dir: String) {
    let released = Position(std::env::var(SERVER_RELEASED).unwrap().parse().unwrap());
    let journal = Journal::open(JournalConfig::new(dir)).unwrap();
    let consumer = journal.register("checker", journal.first()).unwrap();
    consumer.release(released);
    let front = start_front(journal.clone()).await;
    println!("{LISTENING}{}", front.address(Transport::Tcp).unwrap());
    // Until the test lets go of it, or has ended itself.
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await.unwrap().unwrap();
    front.shutdown().await;
    journal.close().await;
}

async fn start_front(journal: Journal) -> Front {
    let (sessions, mut events) = mpsc::channel(1_000);
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let parts = FrontParts {
        policy: Arc::new(Anybody),
        journal,
        clock: Arc::new(|| ServerTime(0)),
        fanout: Fanout::start().unwrap(),
        retained: None,
        sessions,
    };
    Front::start(FrontConfig::plain("127.0.0.1:0".parse().unwrap()), parts).await.unwrap()
}

struct Anybody;

impl Policy for Anybody {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Identity, Denied> {
        Ok(Identity::Device(address(credentials.username.unwrap_or_default())))
    }
}

fn address(device: &str) -> DeviceAddress {
    DeviceAddress { tenant: "home".parse().unwrap(), device: device.parse().unwrap() }
}

/// The server's process. Dropping it kills it.
struct Server {
    process: Child,
    started: Instant,
}

impl Server {
    fn start(dir: &Path, released: Position) -> Self {
        let started = Instant::now();
        let process = Command::new(std::env::current_exe().unwrap())
            .args([TEST, "--exact", "--nocapture"])
            .env(SERVER_DIR, dir)
            .env(SERVER_RELEASED, released.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process, started }
    }

    /// Where it listens, as soon as it does.
    fn address(&mut self) -> SocketAddr {
        let mut output = BufReader::new(self.process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(LISTENING) {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the server starts");
        }
        // It must stay open for what the server still says.
        self.process.stdout = Some(output.into_inner());
        line.split(LISTENING).nth(1).unwrap().trim().parse().unwrap()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Lets it end in order.
    fn stop(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connected device.
struct Client {
    stream: TcpStream,
    input: BytesMut,
}

impl Client {
    async fn connect(server: SocketAddr, device: &str) -> Self {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connect = BytesMut::new();
        Connect::new(device).set_login(device, "x").write(&mut connect).unwrap();
        stream.write_all(&connect).await.unwrap();
        let mut client = Self { stream, input: BytesMut::new() };
        let answer = timeout(SOON, client.packet()).await.unwrap();
        assert!(matches!(answer, Some(Packet::ConnAck(_))), "{answer:?}");
        client
    }

    /// The next packet; `None` when the connection is gone.
    async fn packet(&mut self) -> Option<Packet> {
        loop {
            if let Ok(packet) = Packet::read(&mut self.input, 1 << 20) {
                return Some(packet);
            }
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Publishes messages from this number on until the connection is gone; how far they were acknowledged then.
    async fn publish(mut self, device: String, mut acknowledged: u64) -> u64 {
        let topic = format!("ag/v1/home/{device}/tlm");
        let mut next = acknowledged;
        let mut out = BytesMut::new();
        loop {
            while next < acknowledged + WINDOW {
                let mut publish =
                    Publish::new(&topic, QoS::AtLeastOnce, format!("{next:0width$}", width = PAYLOAD_BYTES));
                publish.pkid = packet_id(next);
                publish.write(&mut out).unwrap();
                next += 1;
            }
            if self.stream.write_all_buf(&mut out).await.is_err() {
                // Acknowledgements may still be there to read.
                next = u64::MAX;
            }
            match self.packet().await {
                Some(Packet::PubAck(ack)) => assert_eq!(ack.pkid, packet_id(acknowledged), "in order"),
                Some(other) => panic!("{other:?}"),
                None => return acknowledged,
            }
            acknowledged += 1;
        }
    }
}

fn packet_id(message: u64) -> u16 {
    (message % 60_000) as u16 + 1
}

/// What the devices know, and how far the journal has been compared with it.
#[derive(Default)]
struct Ledger {
    /// How many messages of each device were acknowledged.
    acknowledged: BTreeMap<String, u64>,
    checked: Position,
}

impl Ledger {
    fn of(&self, device: &str) -> u64 {
        self.acknowledged.get(device).copied().unwrap_or(0)
    }

    /// Compares what one server wrote with what its clients know: each device sent its messages one after the other
    /// from the first that was not acknowledged before, so they must stand in the journal like that, at least as far
    /// as they were acknowledged now.
    async fn check(&mut self, dir: &Path, acknowledged: BTreeMap<String, u64>) {
        let copy = copy_of(dir, self.checked);
        let journal = Journal::open(JournalConfig::new(copy.path())).unwrap();
        let mut found = self.acknowledged.clone();
        let mut reader = journal.reader(self.checked).unwrap();
        while reader.position() < journal.end() {
            for record in reader.next_batch(4_096).await.unwrap() {
                let next = found.entry(record.address.device.to_string()).or_default();
                let number: u64 = std::str::from_utf8(&record.payload).unwrap().parse().unwrap();
                assert_eq!((record.kind, number), (UplinkKind::Telemetry, *next), "of {}", record.address.device);
                *next += 1;
            }
        }
        for (device, acknowledged) in &acknowledged {
            let found = found.get(device).copied().unwrap_or(0);
            assert!(found >= *acknowledged, "{device}: {acknowledged} were acknowledged, {found} are there");
        }
        self.checked = journal.end();
        self.acknowledged.extend(acknowledged);
        journal.close().await;
    }
}

/// The segments that hold records from this position on, so that looking at them leaves the next server a journal
/// as the kill left it.
fn copy_of(dir: &Path, from: Position) -> tempfile::TempDir {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    let first = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let needed = segments.partition_point(|path| first(path) <= from.0).saturating_sub(1);
    let copy = tempfile::tempdir().unwrap();
    for path in &segments[needed..] {
        std::fs::copy(path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

/// All devices publish until the server is killed; what was acknowledged to each.
async fn publish_until_killed(mut server: Server, ledger: &Ledger, rng: &mut Rng) -> (Duration, BTreeMap<String, u64>) {
    let address = server.address();
    Client::connect(address, "first").await;
    let recovery = server.started.elapsed();
    let mut devices = JoinSet::new();
    for number in 0..DEVICES {
        let device = format!("d{number}");
        let client = Client::connect(address, &device).await;
        let from = ledger.of(&device);
        devices.spawn(async move { (device.clone(), client.publish(device, from).await) });
    }
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
    let early = devices.try_join_next();
    assert!(early.is_none(), "a connection ended while the server lived: {early:?}");
    server.kill();
    (recovery, timeout(SOON, devices.join_all()).await.unwrap().into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    if let Ok(dir) = std::env::var(SERVER_DIR) {
        return serve(dir).await;
    }
    let from_environment = |name| std::env::var(name).ok().map(|value: String| value.parse::<u64>().unwrap());
    let kills = from_environment("FETTLE_KILLS").map_or(KILLS, |kills| kills as usize);
    let seed = from_environment("FETTLE_SEED").unwrap_or_else(rand::random);
    println!("FETTLE_SEED={seed}, {kills} kills");
    let mut rng = Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let mut recoveries = Vec::new();
    for kill in 0..kills {
        let server = Server::start(dir.path(), ledger.checked);
        let mut acknowledged = BTreeMap::new();
        // Some are killed while they start; the first is not, so that there is a journal.
        if kill > 0 && rng.random_bool(0.15) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..30))).await;
            server.kill();
        } else {
            let (recovery, now) = publish_until_killed(server, &ledger, &mut rng).await;
            recoveries.push(recovery);
            acknowledged = now;
        }
        ledger.check(dir.path(), acknowledged).await;
    }
    let mut server = Server::start(dir.path(), ledger.checked);
    Client::connect(server.address(), "last").await;
    server.stop();
    ledger.check(dir.path(), BTreeMap::new()).await;

    recoveries.sort();
    let (median, slowest) = (recoveries[recoveries.len() / 2], recoveries[recoveries.len() - 1]);
    let messages: u64 = ledger.acknowledged.values().sum();
    println!(
        "{kills} kills: {messages} messages acknowledged, none missing; recovery {median:?} median, {slowest:?} at worst"
    );
    assert!(slowest < RECOVERY, "{slowest:?}");
}
