//! How many durable QoS 1 messages a second the front takes.
//!
//! ```text
//! cargo run --release -p broker --example ingest -- [DIR] [SECONDS] [CONNECTIONS] [WINDOW] [RATE]
//! ```
//!
//! Clients publish 200 B messages, each with at most WINDOW unacknowledged, as fast as they can or RATE a second
//! together. DIR must be on a real disk: its `fdatasync` latency is printed, since everything depends on it. The
//! clients run in this process on one thread of their own, so they take their share of the processor.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{
    Credentials, Denied, Fanout, Front, FrontConfig, Identity, Journal, JournalConfig, Limits, Policy, Position,
    SessionEvent,
};
use bytes::{Buf, BytesMut};
use firmware_proto::{DeviceAddress, ServerTime};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PAYLOAD_BYTES: usize = 200;

#[derive(Clone, Copy)]
struct Load {
    connections: usize,
    window: usize,
    /// Messages a second of one connection; `None` for as fast as it goes.
    rate: Option<f64>,
    until: Instant,
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

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).cloned().unwrap_or_else(|| default.to_owned());
    let dir = std::path::PathBuf::from(argument(0, "target/ingest"));
    let seconds: u64 = argument(1, "10").parse()?;
    let connections: usize = argument(2, "200").parse()?;
    let window = argument(3, "20").parse()?;
    let rate = arguments.get(4).map(|rate| rate.parse::<f64>()).transpose()?;

    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    println!("fdatasync of 4 KiB appended: {}", sync_latency(&dir)?);
    let runtime = tokio::runtime::Runtime::new()?;
    let (front, journal) = runtime.block_on(serve(&dir))?;
    let addr = front.local_addr();
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let rate = rate.map(|rate| rate / connections as f64);
    let load = Load { connections, window, rate, until };
    let clients = std::thread::spawn(move || generate(addr, load));
    let mut latencies = clients.join().map_err(|_| "the clients panicked")??;
    let elapsed = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{connections} connections, window {window}, {PAYLOAD_BYTES} B: {:.0} msg/s acknowledged; \
         publish to PUBACK p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        latencies.len() as f64 / elapsed,
        at(0.5),
        at(0.99),
        at(1.0),
    );
    runtime.block_on(async {
        front.shutdown().await;
        journal.close().await;
    });
    assert_eq!(journal.end(), Position(latencies.len() as u64), "each acknowledged message is in the journal, once");
    println!("processor seconds per million messages, clients included: {}", cpu_per_million(latencies.len()));
    Ok(())
}

async fn serve(dir: &Path) -> Result<(Front, Journal), Failure> {
    let journal = Journal::open(JournalConfig::new(dir))?;
    let config = FrontConfig { listen: "127.0.0.1:0".parse()?, limits: Limits::default() };
    let clock = Arc::new(|| ServerTime(0));
    let (sessions, mut events) = mpsc::channel::<SessionEvent>(1_000);
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let front = Front::start(config, Arc::new(Anybody), journal.clone(), clock, Fanout::start()?, sessions).await?;
    let mut reader = journal.reader(Position(0))?;
    let consumer = journal.register("follower", Position(0))?;
    // As the gateway does: somebody reads, and lets go of what was read.
    tokio::spawn(async move {
        while let Ok(batch) = reader.next_batch(4_096).await {
            if let Some(last) = batch.last() {
                consumer.release(last.position);
            }
        }
    });
    Ok((front, journal))
}

/// The latency of each message.
fn generate(addr: SocketAddr, load: Load) -> Result<Vec<Duration>, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let clients: Vec<_> =
            (0..load.connections).map(|number| tokio::spawn(client(addr, format!("d{number}"), load))).collect();
        let mut latencies = Vec::new();
        for client in clients {
            latencies.extend(client.await??);
        }
        Ok(latencies)
    })
}

async fn client(addr: SocketAddr, name: String, load: Load) -> Result<Vec<Duration>, Failure> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut out = BytesMut::new();
    Connect::new(&name).set_login(&name, "x").write(&mut out)?;
    stream.write_all_buf(&mut out).await?;
    let mut input = BytesMut::new();
    while input.len() < 4 {
        stream.read_buf(&mut input).await?;
    }
    input.advance(4);
    let mut publish = Publish::new(format!("ag/v1/home/{name}/tlm"), QoS::AtLeastOnce, vec![b'x'; PAYLOAD_BYTES]);
    let began = Instant::now();
    let mut sent = std::collections::VecDeque::new();
    let mut latencies = Vec::new();
    let mut total = 0_u64;
    loop {
        let due = load.rate.map_or(u64::MAX, |rate| (began.elapsed().as_secs_f64() * rate) as u64);
        while sent.len() < load.window && total < due && Instant::now() < load.until {
            publish.pkid = publish.pkid.checked_add(1).unwrap_or(1);
            publish.write(&mut out)?;
            sent.push_back(Instant::now());
            total += 1;
        }
        stream.write_all_buf(&mut out).await?;
        if sent.is_empty() && Instant::now() >= load.until {
            return Ok(latencies);
        }
        if sent.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Err("the front closed the connection".into());
        }
        while input.len() >= 4 {
            input.advance(4);
            latencies.extend(sent.pop_front().map(|at: Instant| at.elapsed()));
        }
    }
}

fn sync_latency(dir: &Path) -> Result<String, Failure> {
    let path = dir.join("sync-latency");
    let mut file = std::fs::File::create(&path)?;
    let mut latencies = Vec::new();
    for _ in 0..200 {
        file.write_all(&[0; 4096])?;
        let began = Instant::now();
        file.sync_data()?;
        latencies.push(began.elapsed());
    }
    std::fs::remove_file(path)?;
    latencies.sort_unstable();
    Ok(format!("median {:?}, p99 {:?}", latencies[100], latencies[197]))
}

fn cpu_per_million(messages: usize) -> String {
    // utime and stime, in ticks of 10 ms (proc(5)).
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return "unknown".to_owned() };
    let fields: Vec<i64> =
        stat.rsplit(')').next().unwrap_or("").split(' ').filter_map(|field| field.parse().ok()).collect();
    match (fields.get(10), fields.get(11)) {
        (Some(user), Some(system)) => format!("{:.1}", (user + system) as f64 / 100.0 / (messages as f64 / 1e6)),
        _ => "unknown".to_owned(),
    }
}
