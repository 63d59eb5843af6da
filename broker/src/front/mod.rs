//! The MQTT 3.1.1 listener.
//!
//! Each connection is one task: it admits (`admission`) the client under a deadline, then serves a `device` or a
//! `service` until the connection ends.
//!
//! A device publishes to its own topics with QoS 0 or 1 and subscribes to its own commands and errors; its PUBACK
//! goes out when the message is in the journal, in order. What is not offered, and refused: QoS 2, retained messages,
//! wildcards beyond `cmd/req/+` and `cmd/req/#`, shared subscriptions, wills on other topics than the device's own
//! `death`, sessions that outlive their connection (`session present` is never set; commands come from the gateway's
//! outbox instead). A refused publish or an unexpected packet closes the connection, since MQTT 3.1.1 has no other
//! answer; a refused filter gets the failure code in its SUBACK. The reason is counted in
//! `mqtt_refused_total{reason}` and logged once a minute.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use firmware_proto::{DeviceAddress, DeviceId, ServerTime};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::downlink::Downlinks;
use crate::fanout::Fanout;
use crate::journal::Journal;

mod admission;
mod connection;
mod device;
mod downlink;
mod limits;
mod listener;
mod meters;
mod policy;
mod refusal;
mod registry;
mod service;
mod socket;
mod wire;

pub use limits::Limits;
pub use policy::{ClientCertificate, Credentials, Denied, Identity, Policy};

use downlink::{Connected, DeviceLink};
use meters::Meters;
use refusal::Refusals;
use registry::Registry;

/// Where to listen, and how much to take.
#[derive(Debug, Clone)]
pub struct FrontConfig {
    /// Address to bind; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The limits.
    pub limits: Limits,
}

/// A device came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// It has subscribed to all its commands: they can be sent.
    Online(DeviceAddress),
    /// Its connection is fully gone. Always preceded by `Online`.
    Offline(DeviceAddress),
    /// Somebody was refused; for the record. Left out while the channel is more than half full.
    Refused {
        /// Who it claimed to be; empty if it said nothing.
        who: String,
        /// The label of `mqtt_refused_total`.
        reason: &'static str,
        /// What was wrong.
        detail: String,
    },
}

/// Why the front did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrontError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}; choose a free port, or 0")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The running listener.
#[derive(Debug)]
pub struct Front {
    local_addr: SocketAddr,
    gate: Arc<Gate>,
    listener: JoinHandle<()>,
}

/// What all connections share.
struct Gate {
    limits: Limits,
    policy: Arc<dyn Policy>,
    journal: Journal,
    clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
    fanout: Fanout,
    sessions: mpsc::Sender<SessionEvent>,
    devices: Arc<Registry<DeviceId, DeviceLink>>,
    /// By account and client id.
    services: Arc<Registry<(String, String), ()>>,
    online: Arc<AtomicUsize>,
    refusals: Refusals,
    meters: Meters,
    shutdown: watch::Sender<bool>,
}

impl Front {
    /// Binds and starts to accept. `sessions` must be drained: a full channel holds up the devices that come and go.
    /// Metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(
        config: FrontConfig,
        policy: Arc<dyn Policy>,
        journal: Journal,
        clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
        fanout: Fanout,
        sessions: mpsc::Sender<SessionEvent>,
    ) -> Result<Self, FrontError> {
        let address = config.listen;
        let bind = |source| FrontError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let local_addr = listener.local_addr().map_err(bind)?;
        let gate = Arc::new(Gate {
            limits: config.limits.sane(),
            policy,
            journal,
            clock,
            fanout,
            refusals: Refusals::new(sessions.clone()),
            sessions,
            devices: Registry::new(),
            services: Registry::new(),
            online: Arc::default(),
            meters: Meters::new(),
            shutdown: watch::Sender::new(false),
        });
        let listener = tokio::spawn(listener::accept(listener, Arc::clone(&gate)));
        Ok(Self { local_addr, gate, listener })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The way to the devices.
    pub fn downlink(&self) -> Downlinks {
        Downlinks::new(Connected {
            devices: Arc::clone(&self.gate.devices),
            online: Arc::clone(&self.gate.online),
            packet_bytes: self.gate.limits.packet_bytes,
        })
    }

    /// Stops accepting and reading, acknowledges what is in flight within [`Limits::shutdown`], closes. Close the
    /// journal afterwards. Wills are not published: the devices are well, it is the gateway that goes.
    pub async fn shutdown(mut self) {
        self.gate.shutdown.send_replace(true);
        if timeout(self.gate.limits.shutdown, &mut self.listener).await.is_err() {
            // Drops the connections that are left.
            self.listener.abort();
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Waits until the front shuts down.
async fn shut_down(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the front is gone, which is the same.
    let _ = shutdown.wait_for(|shutdown| *shutdown).await;
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("limits", &self.limits).finish_non_exhaustive()
    }
}
