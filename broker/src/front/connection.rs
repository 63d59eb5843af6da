//! One connection, from accept to close.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use firmware_proto::DeviceAddress;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::admission::{Admitted, Refusal, admit, read_connect};
use super::device::DeviceSession;
use super::downlink::DeviceLink;
use super::policy::Identity;
use super::refusal::Reason;
use super::service::ServiceSession;
use super::socket::{End, Socket};
use super::wire::{self, ConnectCode};
use super::{Gate, shut_down};

/// Who a connection claims to be, for the log.
type Who = String;

/// Serves a byte stream until it ends. Works over anything that carries bytes.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, peer: SocketAddr, gate: Arc<Gate>) {
    let _counted = gate.meters.connection();
    let deadline = Instant::now() + gate.limits.handshake;
    let mut socket = Socket::new(stream, peer, &gate.limits);
    let mut shutdown = gate.shutdown.subscribe();
    let introduced = tokio::select! {
        introduced = timeout_at(deadline, introduce(&mut socket, &gate)) => introduced.unwrap_or_else(|_| late()),
        () = shut_down(&mut shutdown) => (String::new(), Err(End::Shutdown)),
    };
    let (who, end) = match introduced {
        (who, Ok(admitted)) => (who, serve_admitted(socket, admitted, deadline, &gate).await),
        (who, Err(end)) => {
            socket.close().await;
            (who, end)
        }
    };
    report(&gate, peer, &who, &end);
}

/// Reads the CONNECT and decides; a refusal has been answered.
async fn introduce<S>(socket: &mut Socket<S>, gate: &Gate) -> (Who, Result<Admitted, End>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connect = match read_connect(socket, gate.limits.packet_bytes).await {
        Ok(connect) => connect,
        Err(end) => return (Who::new(), Err(end)),
    };
    match admit(connect, socket.peer, Arc::clone(&gate.policy)).await {
        Ok(admitted) => (admitted.client_id.clone(), Ok(admitted)),
        Err(Refusal { code, reason, who, detail }) => {
            wire::write_connack(&mut socket.output, code);
            let end = socket.flush().await.err().unwrap_or(End::Refused(reason, detail));
            (who, Err(end))
        }
    }
}

async fn serve_admitted<S>(mut socket: Socket<S>, admitted: Admitted, deadline: Instant, gate: &Arc<Gate>) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Admitted { client_id, identity, keepalive_s, will } = admitted;
    socket.set_keepalive(keepalive_s, gate.limits.idle);
    match identity {
        Identity::Device(address) => serve_device(socket, address, will, deadline, gate).await,
        Identity::Service { name, filters } => serve_service(socket, client_id, name, filters, deadline, gate).await,
    }
}

async fn serve_device<S>(
    mut socket: Socket<S>,
    address: DeviceAddress,
    will: Option<Bytes>,
    deadline: Instant,
    gate: &Arc<Gate>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (link, commands) = DeviceLink::new(gate.limits.commands_queued, Arc::clone(&gate.online));
    let claim = gate.devices.claim(address.device.clone(), Arc::clone(&link));
    let Ok(claim) = timeout_at(deadline, claim).await else {
        return turn_away(socket).await;
    };
    wire::write_connack(&mut socket.output, ConnectCode::Accepted);
    let mut session = DeviceSession::new(Arc::clone(gate), socket, address, link, commands);
    let end = tokio::select! {
        end = session.run() => end,
        () = claim.wanted_elsewhere() => End::TakenOver,
    };
    session.leave(&end, will).await;
    // Only now may a newer connection of the device begin.
    drop(claim);
    end
}

async fn serve_service<S>(
    mut socket: Socket<S>,
    client_id: String,
    name: String,
    filters: Vec<String>,
    deadline: Instant,
    gate: &Arc<Gate>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(claim) = timeout_at(deadline, gate.services.claim((name.clone(), client_id), Arc::new(()))).await else {
        return turn_away(socket).await;
    };
    wire::write_connack(&mut socket.output, ConnectCode::Accepted);
    let mut session = ServiceSession::new(Arc::clone(gate), socket, name, filters);
    let end = tokio::select! {
        end = session.run() => end,
        () = claim.wanted_elsewhere() => End::TakenOver,
    };
    session.leave().await;
    drop(claim);
    end
}

/// The client's older connection does not end in time.
async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(mut socket: Socket<S>) -> End {
    wire::write_connack(&mut socket.output, ConnectCode::Unavailable);
    let end = match socket.flush().await {
        Ok(()) => End::refused(Reason::Handshake, "an older connection of this client did not end in time"),
        Err(end) => end,
    };
    socket.close().await;
    end
}

fn late() -> (Who, Result<Admitted, End>) {
    (Who::new(), Err(End::refused(Reason::Handshake, "no whole CONNECT in time")))
}

fn report(gate: &Gate, peer: SocketAddr, who: &str, end: &End) {
    match end {
        End::Refused(reason, detail) => gate.refusals.note(*reason, peer, who, detail),
        other => debug!(%peer, client = who, end = ?other, "connection ended"),
    }
}
