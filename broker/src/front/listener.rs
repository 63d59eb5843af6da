//! Accepting connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::error;

use super::refusal::Reason;
use super::{Gate, connection, shut_down};

/// After a failed accept, as a rule for want of file descriptors. 100 ms: time for some to be closed.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts until shutdown, then waits for the connections to end. Dropping it ends them.
pub(super) async fn accept(listener: TcpListener, gate: Arc<Gate>) {
    let places = Arc::new(Semaphore::new(gate.limits.connections));
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
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    gate.refusals.note(Reason::Connections, peer, "", &format!("{} are open", gate.limits.connections));
                    continue;
                };
                // Without it a PUBACK may wait for the client's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                let gate = Arc::clone(&gate);
                connections.spawn(async move {
                    connection::serve(stream, peer, gate).await;
                    drop(place);
                });
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

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        error!(error = %failure, "a connection's task panicked; the others are not affected");
    }
}
