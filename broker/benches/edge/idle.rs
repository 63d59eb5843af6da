//! Many connections over TLS 1.3 that are silent for most of the time.
//!
//! The clients run in several processes, since one processor's worth of handshakes takes longer than devices wait.
//! A share says over its standard output when all of its clients are connected, is told over its standard input
//! when they shall publish, and then says how long each waited for its PUBACK.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::TlsFiles;
use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Publish};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ACK_BYTES, CONNACK, Failure, PUBACK, milliseconds, quantile};

/// The name in the certificate.
const NAME: &str = "edge.test";

/// Before the memory is read: what the handshakes left has been given back, and the front is at rest.
const SETTLE: Duration = Duration::from_secs(2);

/// A client whose connection the system has dropped tries again after this. 1 s: as long as a SYN that was lost.
const RETRY: Duration = Duration::from_secs(1);

/// What a client does not get within this, it never gets.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the clients need besides their connections.
const OTHER_FILES: u64 = 100;

#[derive(clap::Args, Clone)]
pub struct Idle {
    /// Of the TLS listener.
    #[arg(long)]
    address: SocketAddr,
    /// The certificate that the listener shows.
    #[arg(long)]
    certificate: PathBuf,
    /// Process of the server, whose memory is read (VmRSS).
    #[arg(long)]
    server: u32,
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Processes that the clients are spread over.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    processes: u32,
    /// One line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Clone)]
pub struct Share {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    certificate: PathBuf,
    /// Number of the first client.
    #[arg(long)]
    from: u32,
    #[arg(long)]
    connections: u32,
}

/// A process with its share of the clients.
struct Clients {
    process: Child,
    tell: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Idle {
    pub fn run(self) -> Result<(), Failure> {
        self.check_open_files()?;
        let before = resident_kb(self.server)?;
        let began = Instant::now();
        let mut shares = self.start()?;
        let tries = shares.iter_mut().map(|share| share.number()).sum::<Result<u64, _>>()?;
        let connected = began.elapsed();
        std::thread::sleep(SETTLE);
        let idle = resident_kb(self.server)?;
        for share in &mut shares {
            share.tell.write_all(b"publish\n")?;
        }
        let mut latencies = Vec::new();
        for share in &mut shares {
            latencies.extend(share.latencies()?);
        }
        std::thread::sleep(SETTLE);
        let after = resident_kb(self.server)?;
        for share in shares {
            drop(share.tell);
            share.process.wait_with_output()?;
        }
        latencies.sort_unstable();
        let each = |now: u64| (now as f64 - before as f64) / f64::from(self.connections);
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|part| milliseconds(quantile(&latencies, part)));
        let (connections, seconds, retries) =
            (latencies.len(), connected.as_secs_f64(), tries.saturating_sub(self.connections.into()));
        let (idle_kb, after_kb) = (each(idle), each(after));
        if self.json {
            println!(
                r#"{{"connections":{connections},"connect_s":{seconds:.2},"retries":{retries},"idle_kb":{idle_kb:.1},"after_kb":{after_kb:.1},"p50_ms":{p50:.0},"p99_ms":{p99:.0},"max_ms":{max:.0}}}"#
            );
        } else {
            println!(
                "{connections} connected in {seconds:.1} s ({retries} tried again); {idle_kb:.1} KB each while idle, {after_kb:.1} KB after all had published; first PUBACK p50 {p50:.0} ms, p99 {p99:.0} ms, max {max:.0} ms"
            );
        }
        Ok(())
    }

    fn check_open_files(&self) -> Result<(), Failure> {
        let limits = std::fs::read_to_string("/proc/self/limits")?;
        let soft = limits.lines().find(|line| line.starts_with("Max open files"));
        let soft: u64 = soft.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(u64::MAX);
        let needed = u64::from(self.connections) + OTHER_FILES;
        if soft < needed {
            return Err(
                format!("the server needs {needed} open files, and {soft} are allowed: ulimit -n {needed}").into()
            );
        }
        Ok(())
    }

    fn start(&self) -> Result<Vec<Clients>, Failure> {
        let edges = (0..=self.processes).map(|part| {
            u32::try_from(u64::from(self.connections) * u64::from(part) / u64::from(self.processes)).unwrap_or(u32::MAX)
        });
        let edges: Vec<_> = edges.collect();
        edges.windows(2).map(|edge| self.start_share(edge[0], edge[1] - edge[0])).collect()
    }

    fn start_share(&self, from: u32, connections: u32) -> Result<Clients, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["idle-share", "--address", &self.address.to_string()])
            .args(["--from", &from.to_string(), "--connections", &connections.to_string(), "--certificate"])
            .arg(&self.certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let tell = process.stdin.take().ok_or("no standard input")?;
        let hear = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        Ok(Clients { process, tell, hear })
    }
}

impl Clients {
    /// A line with a number.
    fn number(&mut self) -> Result<u64, Failure> {
        let mut line = String::new();
        self.hear.read_line(&mut line)?;
        Ok(line.trim().parse().map_err(|_| "a process of clients has ended early")?)
    }

    /// So many microseconds for each client.
    fn latencies(&mut self) -> Result<Vec<Duration>, Failure> {
        let mut line = String::new();
        self.hear.read_line(&mut line)?;
        if line.is_empty() {
            return Err("a process of clients has ended early".into());
        }
        line.split_whitespace().map(|micros| Ok(Duration::from_micros(micros.parse()?))).collect()
    }
}

impl Share {
    /// Connects all clients at once, waits to be told, and has each publish one message.
    pub async fn run(self) -> Result<(), Failure> {
        let connector = connector(&self.certificate)?;
        let (go, told) = watch::channel(None);
        let (connected, mut connections) = tokio::sync::mpsc::channel(self.connections.max(1) as usize);
        let mut clients = JoinSet::new();
        for number in self.from..self.from + self.connections {
            let (connector, told, connected, address) =
                (connector.clone(), told.clone(), connected.clone(), self.address);
            clients.spawn(async move {
                let (mut stream, tries) = connect(&connector, address, number).await?;
                connected.send(tries).await?;
                let latency = publish(&mut stream, number, told).await?;
                Ok::<_, Failure>((stream, latency))
            });
        }
        drop(connected);
        let mut tries = 0;
        for _ in 0..self.connections {
            match connections.recv().await {
                Some(more) => tries += more,
                None => break,
            }
            // An early end means that something went wrong.
            if let Some(ended) = clients.try_join_next() {
                ended??;
            }
        }
        println!("{tries}");
        tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await??;
        go.send_replace(Some(Instant::now()));
        let (mut streams, mut line) = (Vec::new(), String::new());
        while let Some(ended) = clients.join_next().await {
            let (stream, latency) = ended??;
            streams.push(stream);
            line += &format!("{} ", latency.as_micros());
        }
        println!("{line}");
        // Connected until nobody looks any more.
        tokio::task::spawn_blocking(|| std::io::stdin().lock().read_to_end(&mut Vec::new())).await??;
        Ok(())
    }
}

/// Connects, again if the system drops the connection before the front has it; the number of tries.
async fn connect(
    connector: &TlsConnector,
    address: SocketAddr,
    number: u32,
) -> Result<(TlsStream<TcpStream>, u64), Failure> {
    let began = Instant::now();
    let mut tries = 1;
    loop {
        match login(connector, address, number).await {
            Ok(stream) => return Ok((stream, tries)),
            Err(failure) if began.elapsed() > PATIENCE => return Err(failure),
            Err(_) => tokio::time::sleep(RETRY).await,
        }
        tries += 1;
    }
}

async fn login(connector: &TlsConnector, address: SocketAddr, number: u32) -> Result<TlsStream<TcpStream>, Failure> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let mut stream = connector.connect(ServerName::try_from(NAME)?, tcp).await?;
    let (name, mut connect) = (format!("d{number}"), BytesMut::new());
    Connect::new(&name).set_login(&name, "x").write(&mut connect)?;
    stream.write_all_buf(&mut connect).await?;
    stream.flush().await?;
    let mut answer = [0; ACK_BYTES];
    stream.read_exact(&mut answer).await?;
    if answer[0] != CONNACK || answer[3] != 0 {
        return Err(format!("the broker answered {name} with {answer:?}").into());
    }
    Ok(stream)
}

/// Publishes when told; how long after that the PUBACK came.
async fn publish(
    stream: &mut TlsStream<TcpStream>,
    number: u32,
    mut told: watch::Receiver<Option<Instant>>,
) -> Result<Duration, Failure> {
    let mut publish = Publish::new(format!("ag/v1/home/d{number}/tlm"), QoS::AtLeastOnce, vec![b'x'; 200]);
    publish.pkid = 1;
    let mut packet = BytesMut::new();
    publish.write(&mut packet)?;
    let began = told.wait_for(Option::is_some).await?.ok_or("told nothing")?;
    let mut answer = [0; ACK_BYTES];
    let acknowledged = async {
        stream.write_all_buf(&mut packet).await?;
        stream.flush().await?;
        stream.read_exact(&mut answer).await
    };
    tokio::time::timeout(PATIENCE, acknowledged).await??;
    if answer[0] != PUBACK {
        return Err(format!("{answer:?} is not an acknowledgement").into());
    }
    Ok(began.elapsed())
}

fn connector(certificate: &Path) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Writes a certificate that stands for itself, and its key.
pub fn make_certificate(dir: &Path) -> Result<TlsFiles, Failure> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let (certificate, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    Ok(TlsFiles { certificate, key, client_ca: None, crl: None, client_certificate_required: false })
}

/// Memory of a process that is in RAM (VmRSS of proc(5)), in KiB.
fn resident_kb(process: u32) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
