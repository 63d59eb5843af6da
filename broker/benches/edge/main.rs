//! The MQTT edge under load, each side in a process of its own: `benches/run` starts them and compares with a peer.
//!
//! - `serve`: our front with its journal, as the gateway runs it; until SIGTERM.
//! - `load`: clients of any broker, QoS 1 over MQTT 3.1.1, on one thread. Says how many messages a second were
//!   acknowledged, and how long after they were sent.
//! - `idle`: clients of our front over TLS 1.3, in processes of their own, that connect, are silent, and then all
//!   publish at once. Says what one costs our memory, and how long the last one waited.
//! - `disk`: how long an fdatasync takes in a directory, since everything depends on it.

use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use broker::{
    Credentials, Denied, Fanout, Front, FrontConfig, FrontParts, Identity, Journal, JournalConfig, JournalError,
    Listener, Policy, SessionEvent, Transport,
};
use bytes::{Buf, BytesMut};
use clap::{Parser, Subcommand};
use firmware_proto::{DeviceAddress, ServerTime};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

mod idle;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of a CONNACK and of a PUBACK.
const ACK_BYTES: usize = 4;

/// First bytes of these.
const CONNACK: u8 = 0x20;
const PUBACK: u8 = 0x40;

/// A message that is sent later than this after it was due was held up by the broker, not by the timer: 1 ms is the
/// timer's grain, the rest is for the thread that all clients share.
const LATE: Duration = Duration::from_millis(5);

/// For the broker to acknowledge what is under way when the time is up.
const LAST_ACKS: Duration = Duration::from_secs(30);

/// Appends that `disk` measures.
const SYNCS: usize = 200;

#[derive(Parser)]
#[command(about = "The MQTT edge under load")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What cargo bench adds.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Runs our front until SIGTERM; prints its address, and at the end its records and processor seconds.
    Serve {
        /// Of the journal, on a real disk.
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Serves TLS too, on a free port, with a certificate of its own that it writes to this directory.
        #[arg(long)]
        tls: Option<PathBuf>,
    },
    /// Many silent connections over TLS.
    Idle(idle::Idle),
    /// A share of these.
    #[command(hide = true)]
    IdleShare(idle::Share),
    /// Publishes to a broker.
    Load(Load),
    /// Measures fdatasync after appends of 4 KiB, in milliseconds.
    Disk {
        #[arg(long)]
        dir: PathBuf,
    },
}

#[derive(clap::Args, Clone)]
struct Load {
    /// Of the broker.
    #[arg(long)]
    address: SocketAddr,
    /// Device d0 uses the first, and so on.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Unacknowledged messages of one connection.
    #[arg(long, default_value_t = 20)]
    window: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 200)]
    payload: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Messages a second of all connections together; as fast as they can without it.
    #[arg(long)]
    rate: Option<f64>,
    /// One line of JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::Serve { dir, listen, tls } => {
            tokio::runtime::Runtime::new()?.block_on(serve(&dir, listen, tls.as_deref()))
        }
        Command::Idle(idle) => idle.run(),
        Command::IdleShare(share) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(share.run())
        }
        Command::Load(load) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(generate(load))
        }
        Command::Disk { dir } => measure_disk(&dir),
    }
}

struct Anybody;

impl Policy for Anybody {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Identity, Denied> {
        let name = credentials.username.unwrap_or_default();
        let device = name.parse().map_err(|_| Denied::UnknownDevice(name.to_owned()))?;
        let tenant = "home".parse().map_err(|_| Denied::UnknownDevice(name.to_owned()))?;
        Ok(Identity::Device(DeviceAddress { tenant, device }))
    }
}

async fn serve(dir: &Path, listen: SocketAddr, tls: Option<&Path>) -> Result<(), Failure> {
    let journal = Journal::open(JournalConfig::new(dir))?;
    let follower = tokio::spawn(follow(journal.clone()));
    let front = start_front(listen, tls, journal.clone()).await?;
    if let Some(address) = front.address(Transport::Tls) {
        println!("TLS on {address}");
    }
    println!("listening on {}", front.address(Transport::Tcp).ok_or("no listener")?);
    signal(SignalKind::terminate())?.recv().await;
    front.shutdown().await;
    journal.close().await;
    match follower.await? {
        JournalError::Closed => {}
        other => return Err(other.into()),
    }
    println!("{} records, {:.2} processor seconds", journal.end(), processor_seconds()?);
    Ok(())
}

async fn start_front(listen: SocketAddr, tls: Option<&Path>, journal: Journal) -> Result<Front, Failure> {
    let (sessions, mut events) = mpsc::channel::<SessionEvent>(1_000);
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let parts = FrontParts {
        policy: Arc::new(Anybody),
        journal,
        clock: Arc::new(|| ServerTime(0)),
        fanout: Fanout::start()?,
        retained: None,
        sessions,
    };
    let mut config = FrontConfig::plain(listen);
    if let Some(dir) = tls {
        config.listeners.push(Listener { transport: Transport::Tls, address: (listen.ip(), 0).into() });
        config.tls = Some(idle::make_certificate(dir)?);
    }
    Ok(Front::start(config, parts).await?)
}

/// As the gateway does: somebody reads, and lets go of what was read. Why it ended.
async fn follow(journal: Journal) -> JournalError {
    let started = || {
        let from = journal.first();
        Ok((journal.register("follower", from)?, journal.reader(from)?))
    };
    let (consumer, mut reader) = match started() {
        Ok(started) => started,
        Err(error) => return error,
    };
    loop {
        match reader.next_batch(4_096).await {
            Ok(_) => consumer.release(reader.position()),
            Err(error) => return error,
        }
    }
}

/// Processor time of this process, user and system.
fn processor_seconds() -> Result<f64, Failure> {
    // Fields 14 and 15 of proc(5), in ticks of 10 ms; the second is the command, which may hold blanks.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has no command")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}

/// Connects all clients, has them publish, and prints how it went.
async fn generate(load: Load) -> Result<(), Failure> {
    let mut clients = Vec::new();
    for number in 0..load.connections {
        clients.push(Client::connect(&load, number).await?);
    }
    let began = Instant::now();
    let until = began + Duration::from_secs(load.seconds);
    let running: Vec<_> = clients.into_iter().map(|client| tokio::spawn(client.publish(began, until))).collect();
    let mut latencies = Vec::new();
    for client in running {
        latencies.extend(client.await??);
    }
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    report(&latencies, elapsed, load.json)
}

fn report(latencies: &[Duration], elapsed: Duration, json: bool) -> Result<(), Failure> {
    if latencies.is_empty() {
        return Err("nothing was acknowledged".into());
    }
    let (messages, seconds) = (latencies.len(), elapsed.as_secs_f64());
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| milliseconds(quantile(latencies, share)));
    let rate = messages as f64 / seconds;
    if json {
        println!(
            r#"{{"messages":{messages},"seconds":{seconds:.3},"per_second":{rate:.0},"p50_ms":{p50:.3},"p99_ms":{p99:.3},"max_ms":{max:.3}}}"#
        );
    } else {
        println!(
            "{messages} messages in {seconds:.1} s, {rate:.0}/s acknowledged; p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms"
        );
    }
    Ok(())
}

/// Of sorted values.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

struct Client {
    stream: TcpStream,
    input: BytesMut,
    /// A whole PUBLISH; only its packet id changes.
    packet: Vec<u8>,
    packet_id_at: usize,
    packet_id: u16,
    window: usize,
    /// Between two messages, if not as fast as it goes, and before the first, so that clients take turns.
    pace: Option<(Duration, Duration)>,
    sent: VecDeque<Instant>,
    latencies: Vec<Duration>,
}

impl Client {
    async fn connect(load: &Load, number: u32) -> Result<Self, Failure> {
        let name = format!("d{number}");
        let mut stream = TcpStream::connect(load.address).await?;
        stream.set_nodelay(true)?;
        let mut connect = BytesMut::new();
        Connect::new(&name).set_login(&name, "x").write(&mut connect)?;
        stream.write_all_buf(&mut connect).await?;
        let mut input = BytesMut::new();
        while input.len() < ACK_BYTES {
            read(&mut stream, &mut input).await?;
        }
        let answer = input.split_to(ACK_BYTES);
        if answer[0] != CONNACK || answer[3] != 0 {
            return Err(format!("the broker answered {name} with {answer:?}").into());
        }
        let mut packet = BytesMut::new();
        let topic = format!("ag/v1/home/{name}/tlm");
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, vec![b'x'; load.payload]);
        publish.pkid = 1;
        publish.write(&mut packet)?;
        let pace = load.rate.map(|rate| {
            let between = Duration::from_secs_f64(f64::from(load.connections) / rate);
            (between, between * number / load.connections)
        });
        Ok(Self {
            stream,
            input,
            packet_id_at: packet.len() - load.payload - 2,
            packet: packet.to_vec(),
            packet_id: 0,
            window: load.window,
            pace,
            sent: VecDeque::with_capacity(load.window),
            latencies: Vec::new(),
        })
    }

    /// Publishes until the time is up and all is acknowledged; how long each message took.
    async fn publish(mut self, began: Instant, until: Instant) -> Result<Vec<Duration>, Failure> {
        let mut out = BytesMut::new();
        let mut due = began + self.pace.map_or(Duration::ZERO, |(_, first)| first);
        loop {
            let now = Instant::now();
            while self.sent.len() < self.window && due <= now && now < until {
                self.put(&mut out, if now - due > LATE && self.pace.is_some() { due } else { now });
                due = self.pace.map_or(now, |(between, _)| due + between);
            }
            self.stream.write_all_buf(&mut out).await?;
            if now >= until && self.sent.is_empty() {
                return Ok(self.latencies);
            }
            // The next thing to do without an answer: send, if there is room in the window, or give up.
            let wake = match now < until {
                true if self.sent.len() < self.window => due.min(until),
                true => until,
                false => until + LAST_ACKS,
            };
            tokio::select! {
                arrived = read(&mut self.stream, &mut self.input) => {
                    arrived?;
                    self.take_acks()?;
                }
                () = tokio::time::sleep_until(wake) => if now >= until {
                    return Err(format!("{} messages were not acknowledged within {LAST_ACKS:?}", self.sent.len()).into());
                }
            }
        }
    }

    fn put(&mut self, out: &mut BytesMut, counts_from: Instant) {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet[self.packet_id_at..self.packet_id_at + 2].copy_from_slice(&self.packet_id.to_be_bytes());
        out.extend_from_slice(&self.packet);
        self.sent.push_back(counts_from);
    }

    fn take_acks(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        while self.input.len() >= ACK_BYTES {
            let sent = self.sent.pop_front().filter(|_| self.input[0] == PUBACK);
            let sent = sent.ok_or_else(|| format!("{:?} is not an acknowledgement", &self.input[..ACK_BYTES]))?;
            self.latencies.push(now - sent);
            self.input.advance(ACK_BYTES);
        }
        Ok(())
    }
}

/// Reads what is there; it is an error if nothing will come.
async fn read(stream: &mut TcpStream, input: &mut BytesMut) -> Result<(), Failure> {
    match stream.read_buf(input).await? {
        0 => Err("the broker closed the connection".into()),
        _ => Ok(()),
    }
}

fn measure_disk(dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join("sync-latency");
    let mut file = std::fs::File::create(&path)?;
    let mut latencies = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = std::time::Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        latencies.push(began.elapsed());
    }
    std::fs::remove_file(path)?;
    latencies.sort_unstable();
    let [median, p99] = [0.5, 0.99].map(|share| milliseconds(quantile(&latencies, share)));
    println!("median {median:.2} ms, p99 {p99:.2} ms");
    Ok(())
}
