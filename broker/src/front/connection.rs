//! One connection, from accept to close.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use firmware_proto::{CommandId, DeviceAddress, Topic, UplinkKind};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::admission::{Admitted, Refusal, admit, read_connect};
use super::device::{DeviceSession, Remains, Terms};
use super::downlink::DeviceLink;
use super::listener::Place;
use super::parked::Parked;
use super::policy::Identity;
use super::refusal::Reason;
use super::registry::Eviction;
use super::service::ServiceSession;
use super::socket::{End, Socket};
use super::stream::Stream;
use super::tls;
use super::websocket::WebSocket;
use super::wire::{Code, Connect, Welcome, Writer};
use super::{Gate, Transport, shut_down};

/// Why a client that was let in is turned away all the same.
const OLDER_STAYS: &str = "an older connection of this client did not end in time";
const NEWER_CAME: &str = "a newer connection of this client came meanwhile";
const POLICY_CHANGED: &str = "who is let in changed during the login; try again";

/// Who a connection claims to be, for the log.
type Who = String;

/// A stream on which MQTT is spoken, and what its client proved to own.
struct Opened {
    stream: Stream,
    certificates: Vec<CertificateDer<'static>>,
}

/// What is left of a connection.
struct Ended {
    end: End,
    /// Still open for our last words.
    socket: Option<Box<Socket>>,
    parked: Option<Box<Parked>>,
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        Self { end, socket: None, parked: None }
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve(stream: TcpStream, transport: Transport, peer: SocketAddr, gate: Arc<Gate>, place: Place) {
    let counted = gate.meters.connection();
    let deadline = Instant::now() + gate.limits.handshake;
    let mut shutdown = gate.shutdown.subscribe();
    let introduced = tokio::select! {
        // Boxed, as is all that ends before a connection is idle, or that few connections have: the task has its size
        // for as long as it lives.
        introduced = timeout_at(deadline, Box::pin(introduce(stream, transport, peer, &gate))) => {
            introduced.unwrap_or_else(|_| Err((Who::new(), late().into())))
        }
        () = shut_down(&mut shutdown) => Err((Who::new(), End::Shutdown.into())),
    };
    let (who, ended) = match introduced {
        Ok((socket, admitted, certificates)) => {
            let who = admitted.connect.client_id.clone();
            (who, serve_admitted(socket, admitted, certificates, deadline, &gate).await)
        }
        Err(ended) => ended,
    };
    let Ended { end, socket, parked } = ended;
    report(&gate, peer, &who, &end);
    // A session that waits has no connection.
    if let Some(parked) = parked {
        let waiting = parked.wait(Arc::clone(&gate));
        gate.parked.spawn(waiting);
    }
    if let (End::Refused(..), Some(socket)) = (&end, socket) {
        Box::pin(socket.linger()).await;
    }
    drop((counted, place));
}

/// Tells a client for whom there is no place.
pub(super) async fn turn_away(stream: TcpStream, transport: Transport, peer: SocketAddr, gate: Arc<Gate>) {
    let deadline = Instant::now() + gate.limits.handshake;
    let answered = async {
        let opened = open(stream, transport, &gate).await.ok()?;
        let mut socket = Socket::new(opened.stream, peer, &gate.limits);
        let connect = read_connect(&mut socket, gate.limits.packet_bytes).await.ok()?;
        Writer::new(&connect).refusal(&mut socket.output, Code::Busy, "all places are taken");
        socket.flush().await.ok()?;
        Box::pin(socket.linger()).await;
        Some(())
    };
    // Whatever goes wrong, the client is away.
    let _ = timeout_at(deadline, answered).await;
}

/// Opens the stream, reads the CONNECT and decides; a refusal has been answered.
async fn introduce(
    stream: TcpStream,
    transport: Transport,
    peer: SocketAddr,
    gate: &Gate,
) -> Result<(Socket, Admitted, Vec<CertificateDer<'static>>), (Who, Ended)> {
    let nobody = |end: End| (Who::new(), end.into());
    let Opened { stream, certificates } = open(stream, transport, gate).await.map_err(nobody)?;
    let mut socket = Socket::new(stream, peer, &gate.limits);
    let connect = read_connect(&mut socket, gate.limits.packet_bytes).await.map_err(nobody)?;
    let (who, writer) = (connect.client_id.clone(), Writer::new(&connect));
    let certificate = certificates.first().and_then(tls::describe);
    match admit(connect, certificate, peer, gate).await {
        Ok(admitted) => Ok((socket, admitted, certificates)),
        Err(Refusal { code, reason, detail, secret }) => {
            writer.refusal(&mut socket.output, code, if secret { "" } else { &detail });
            let end = socket.flush().await.err().unwrap_or(End::Refused(reason, detail));
            Err((who, Ended { end, socket: Some(Box::new(socket)), parked: None }))
        }
    }
}

/// The handshakes before MQTT.
async fn open(stream: TcpStream, transport: Transport, gate: &Gate) -> Result<Opened, End> {
    let packet_bytes = gate.limits.packet_bytes;
    Ok(match transport {
        Transport::Tcp => Opened { stream: Stream::Tcp(stream), certificates: Vec::new() },
        Transport::Tls => {
            let (stream, certificates) = secure(stream, gate).await?;
            Opened { stream: Stream::Tls(Box::new(stream)), certificates }
        }
        Transport::WebSocket => {
            let socket = WebSocket::accept(stream, packet_bytes).await.map_err(|error| failed("WebSocket", error))?;
            Opened { stream: Stream::WebSocket(Box::new(socket)), certificates: Vec::new() }
        }
        Transport::SecureWebSocket => {
            let (stream, certificates) = secure(stream, gate).await?;
            let socket = WebSocket::accept(stream, packet_bytes).await.map_err(|error| failed("WebSocket", error))?;
            Opened { stream: Stream::SecureWebSocket(Box::new(socket)), certificates }
        }
    })
}

/// The TLS handshake, and the certificates that the client showed.
async fn secure(stream: TcpStream, gate: &Gate) -> Result<(TlsStream<TcpStream>, Vec<CertificateDer<'static>>), End> {
    let tls = gate.tls.as_ref().ok_or_else(|| failed("TLS", "no certificate is loaded"))?;
    let stream = tls.acceptor().accept(stream).await.map_err(|error| failed("TLS", error))?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    Ok((stream, certificates))
}

fn failed(what: &str, why: impl std::fmt::Display) -> End {
    End::refused(Reason::Handshake, format!("{what}: {why}"))
}

async fn serve_admitted(
    mut socket: Socket,
    admitted: Admitted,
    certificates: Vec<CertificateDer<'static>>,
    deadline: Instant,
    gate: &Arc<Gate>,
) -> Ended {
    let Admitted { connect, identity, assigned, revision } = admitted;
    let (silence, keepalive_s) = gate.limits.silence_for(connect.keepalive_s);
    socket.allow_silence(silence);
    let welcome = Welcome {
        session_present: false,
        session_expiry_s: None,
        receive_maximum: u16::try_from(gate.limits.inflight_per_device).unwrap_or(u16::MAX),
        packet_bytes: gate.limits.packet_bytes,
        topic_aliases: gate.limits.topic_aliases,
        retained: false,
        client_id: assigned,
        keepalive_s,
        response_information: None,
    };
    match identity {
        Identity::Device(address) => {
            let login = Login { connect, welcome, revision, deadline };
            Box::pin(serve_device(socket, login, address, certificates, gate)).await
        }
        Identity::Service { name, filters } => {
            let login = Login { connect, welcome, revision, deadline };
            Box::pin(serve_service(socket, login, name, filters, gate)).await
        }
    }
}

/// A client that was let in, but has no place yet.
struct Login {
    connect: Connect,
    welcome: Welcome,
    /// The policy's revision when it decided.
    revision: u64,
    deadline: Instant,
}

async fn serve_device(
    mut socket: Socket,
    login: Login,
    address: DeviceAddress,
    certificates: Vec<CertificateDer<'static>>,
    gate: &Arc<Gate>,
) -> Ended {
    let Login { connect, mut welcome, revision, deadline } = login;
    let limits = &gate.limits;
    let writer = Writer::new(&connect);
    let expiry = limits.session_for(connect.session_expiry_s);
    let packet_bytes = limits.packet_bytes.min(connect.packet_bytes);
    let keeps = !expiry.is_zero();
    let (link, commands) =
        DeviceLink::new(limits.commands_queued, packet_bytes, keeps, certificates, Arc::clone(&gate.online));
    let why = if connect.clean_start { Eviction::Replaced } else { Eviction::TakenOver };
    let claim = gate.devices.claim(address.device.clone(), Arc::clone(&link), why);
    let (claim, earlier) = match timeout_at(deadline, claim).await {
        Ok(Some(claimed)) => claimed,
        Ok(None) => return turn_away_admitted(socket, writer, NEWER_CAME).await,
        Err(_) => return turn_away_admitted(socket, writer, OLDER_STAYS).await,
    };
    // From here on it would be disconnected.
    if gate.policy.revision() != revision {
        return turn_away_admitted(socket, writer, POLICY_CHANGED).await;
    }
    welcome.session_present = earlier.is_some_and(|earlier| !connect.clean_start && link.resume(&earlier));
    let granted = u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX);
    welcome.session_expiry_s = (granted != connect.session_expiry_s).then_some(granted);
    welcome.response_information = connect.wants_response_information.then(|| answers_of(&address));
    writer.welcome(&mut socket.output, welcome);
    let terms =
        Terms { writer, commands_inflight: limits.commands_inflight.min(usize::from(connect.receive_maximum)), expiry };
    let mut session = DeviceSession::new(Arc::clone(gate), socket, terms, address.clone(), link, commands);
    let end = tokio::select! {
        end = session.run() => end,
        why = claim.evicted() => End::Evicted(why),
    };
    let will = connect.will.map(|will| (will.payload, Duration::from_secs(will.delay_s.into())));
    let Remains { socket, will, expiry } = Box::pin(session.leave(&end, will)).await;
    let goes_on = !expiry.is_zero() && !matches!(end, End::Evicted(_) | End::Shutdown | End::JournalStopped);
    // Otherwise the claim ends here, and only now may a newer connection of the device begin.
    let parked = goes_on.then(|| Box::new(Parked { address, will, expiry, claim }));
    Ended { end, socket: Some(Box::new(socket)), parked }
}

/// Where the answers to commands go; the command's id follows.
fn answers_of(address: &DeviceAddress) -> String {
    let answer = address.topic(&Topic::Up(UplinkKind::Result(CommandId(uuid::Uuid::nil()))));
    answer[..=answer.rfind('/').unwrap_or(0)].to_owned()
}

async fn serve_service(
    mut socket: Socket,
    login: Login,
    name: String,
    filters: Vec<String>,
    gate: &Arc<Gate>,
) -> Ended {
    let Login { connect, mut welcome, revision, deadline } = login;
    let writer = Writer::new(&connect);
    let key = (name.clone(), connect.client_id);
    let claim = gate.services.claim(key, Arc::new(()), Eviction::Replaced);
    let (claim, _) = match timeout_at(deadline, claim).await {
        Ok(Some(claimed)) => claimed,
        Ok(None) => return turn_away_admitted(socket, writer, NEWER_CAME).await,
        Err(_) => return turn_away_admitted(socket, writer, OLDER_STAYS).await,
    };
    if gate.policy.revision() != revision {
        return turn_away_admitted(socket, writer, POLICY_CHANGED).await;
    }
    welcome.retained = gate.retained.is_some();
    welcome.session_expiry_s = (connect.session_expiry_s > 0).then_some(0);
    writer.welcome(&mut socket.output, welcome);
    let packet_bytes = gate.limits.packet_bytes.min(connect.packet_bytes);
    let mut session = ServiceSession::new(Arc::clone(gate), socket, writer, packet_bytes, name, filters);
    let end = tokio::select! {
        end = session.run() => end,
        why = claim.evicted() => End::Evicted(why),
    };
    let socket = session.leave(&end).await;
    drop(claim);
    Ended { end, socket: Some(Box::new(socket)), parked: None }
}

/// The client may try again.
async fn turn_away_admitted(mut socket: Socket, writer: Writer, reason: &'static str) -> Ended {
    writer.refusal(&mut socket.output, Code::Unavailable, reason);
    let end = socket.flush().await.err().unwrap_or_else(|| End::refused(Reason::Handshake, reason));
    Ended { end, socket: Some(Box::new(socket)), parked: None }
}

fn late() -> End {
    End::refused(Reason::Handshake, "no whole CONNECT in time")
}

fn report(gate: &Gate, peer: SocketAddr, who: &str, end: &End) {
    match end {
        End::Refused(reason, detail) => gate.refusals.note(*reason, peer, who, detail),
        End::Evicted(Eviction::Revoked) => gate.refusals.note(Reason::Revoked, peer, who, "no longer let in"),
        other => debug!(%peer, client = who, end = ?other, "connection ended"),
    }
}
