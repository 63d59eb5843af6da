//! Accepting connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::error;

use super::addresses::AddressPlace;
use super::refusal::Reason;
use super::{Gate, Transport, connection, shut_down};

/// After a failed accept, as a rule for want of file descriptors. 100 ms: time for some to be closed.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Connections that wait to be accepted. 4,096: more than come while the task that accepts is not running.
const BACKLOG: u32 = 4_096;

/// Clients at a time that are told that all places are taken; further ones are closed at once.
pub(super) const TURNED_AWAY: usize = 64;

/// A connection's place among all, and among those of its address.
pub(super) struct Place {
    _total: OwnedSemaphorePermit,
    _address: AddressPlace,
}

/// Binds an address.
pub(super) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until shutdown, then waits for the connections to end. Dropping it ends them.
pub(super) async fn accept(listener: TcpListener, transport: Transport, gate: Arc<Gate>) {
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
    let mut shutdown = gate.shutdown.subscribe();
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = connections.join_next() => {
                report_panic(ended);
                continue;
            }
            () = shut_down(&mut shutdown) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                take(stream, peer, transport, &gate, &turned_away, &mut connections);
            }
            Err(reason) => {
                if !failing {
                    error!(error = %reason, "cannot accept connections");
                    failing = true;
                }
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        report_panic(ended);
    }
}

/// Gives a connection a task, if there is a place for it.
fn take(
    stream: TcpStream,
    peer: SocketAddr,
    transport: Transport,
    gate: &Arc<Gate>,
    turned_away: &Arc<Semaphore>,
    connections: &mut JoinSet<()>,
) {
    let address = match gate.addresses.admit(peer.ip(), Instant::now()) {
        Ok(address) => address,
        Err(reason) => return gate.refusals.note(reason, peer, "", "closed at once"),
    };
    // Without it a PUBACK may wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let gate = Arc::clone(gate);
    if let Ok(total) = Arc::clone(&gate.places).try_acquire_owned() {
        let place = Place { _total: total, _address: address };
        connections.spawn(connection::serve(stream, transport, peer, gate, place));
        return;
    }
    gate.refusals.note(Reason::Connections, peer, "", &format!("{} are open", gate.limits.connections));
    if let Ok(permit) = Arc::clone(turned_away).try_acquire_owned() {
        connections.spawn(async move {
            connection::turn_away(stream, transport, peer, gate).await;
            drop((permit, address));
        });
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        error!(error = %failure, "a connection's task panicked; the others are not affected");
    }
}
