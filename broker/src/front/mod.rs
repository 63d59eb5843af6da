//! The MQTT listeners: MQTT 3.1.1 and 5.0 over TCP, TLS and WebSocket.
//!
//! Each connection is one task: it opens the stream and admits (`admission`) the client under one deadline, then
//! serves a `device` or a `service` until the connection ends. What a device may find again when it comes back is
//! `parked`.
//!
//! A device publishes to its own topics with QoS 0 or 1 and subscribes to its own commands and errors; its PUBACK
//! goes out when the message is in the journal, in order. What is not offered is refused, never ignored: QoS 2,
//! retained messages by devices, wildcards beyond `cmd/req/+` and `cmd/req/#`, shared subscriptions, subscription
//! identifiers, extended authentication, wills on other topics than the device's own `death`. A client of MQTT 5 gets
//! the reason code and a text: in the PUBACK or SUBACK where only that message is meant, else in a DISCONNECT. MQTT
//! 3.1.1 has a failure code for filters, and closing the connection for the rest. The reason is counted in
//! `mqtt_refused_total{reason}` and logged once a minute.
//!
//! Sessions live in memory: a restart of the gateway ends them, and the device is told by `session present`. No command
//! is lost by that, since commands come from the gateway's outbox.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use firmware_proto::{DeviceAddress, DeviceId, ServerTime};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use crate::downlink::Downlinks;
use crate::fanout::{Fanout, FanoutMessage};
use crate::journal::Journal;

mod addresses;
mod admission;
mod connection;
mod device;
mod downlink;
mod limits;
mod listener;
mod meters;
mod pace;
mod parked;
mod policy;
mod refusal;
mod registry;
mod service;
mod socket;
mod stream;
mod tls;
mod uplink;
mod websocket;
mod wire;

pub use limits::Limits;
pub use policy::{ClientCertificate, Credentials, Denied, Identity, Policy};
pub use tls::{TlsError, TlsFiles};

use addresses::Addresses;
use downlink::{Connected, DeviceLink};
use meters::Meters;
use refusal::Refusals;
use registry::{Eviction, Registry};
use tls::Tls;

/// Where to listen, and how much to take.
#[derive(Debug, Clone)]
pub struct FrontConfig {
    /// At least one.
    pub listeners: Vec<Listener>,
    /// Certificates, for the listeners with TLS.
    pub tls: Option<TlsFiles>,
    /// The limits.
    pub limits: Limits,
}

impl FrontConfig {
    /// One listener over plain TCP, with the default limits.
    pub fn plain(address: SocketAddr) -> Self {
        let listener = Listener { transport: Transport::Tcp, address };
        Self { listeners: vec![listener], tls: None, limits: Limits::default() }
    }
}

/// Where to listen for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken below MQTT.
    pub transport: Transport,
    /// Address to bind; port 0 takes a free one.
    pub address: SocketAddr,
}

/// What MQTT is spoken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Plain TCP.
    Tcp,
    /// TLS 1.2 or 1.3.
    Tls,
    /// WebSocket with the subprotocol `mqtt`, over TCP; on any path.
    WebSocket,
    /// The same over TLS.
    SecureWebSocket,
}

/// What the front works with.
pub struct FrontParts {
    /// Who may in.
    pub policy: Arc<dyn Policy>,
    /// Where messages are kept.
    pub journal: Journal,
    /// What time it is.
    pub clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
    /// What service accounts hear.
    pub fanout: Fanout,
    /// What service accounts hear at once when they subscribe.
    pub retained: Option<Arc<dyn Retained>>,
    /// Who comes and goes. Must be drained: a full channel holds up the devices that come and go.
    pub sessions: mpsc::Sender<SessionEvent>,
}

/// The last message of topics that have one: what a service account gets at once when it subscribes.
pub trait Retained: Send + Sync + 'static {
    /// At least what the filters match, one after the other; the receiver may be dropped at any time.
    fn matching(&self, filters: Vec<String>) -> mpsc::Receiver<FanoutMessage>;
}

/// A device came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// It has subscribed to all its commands: they can be sent.
    Online(DeviceAddress),
    /// Its connection is fully gone, or it has unsubscribed from its commands. Always preceded by `Online`.
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
    /// The certificates cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// A listener with TLS, but no certificates.
    #[error("the listener {0} needs a certificate and a key")]
    NoCertificate(SocketAddr),
}

/// The running listeners.
#[derive(Debug)]
pub struct Front {
    bound: Vec<Listener>,
    gate: Arc<Gate>,
    tasks: Vec<JoinHandle<()>>,
    /// Wakes connections whose messages are on disk, until the last one has ended.
    wakes: JoinHandle<()>,
    reload: Option<JoinHandle<()>>,
    tls_problem: watch::Receiver<Option<String>>,
}

/// What all connections share.
struct Gate {
    limits: Limits,
    policy: Arc<dyn Policy>,
    journal: Journal,
    clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
    fanout: Fanout,
    retained: Option<Arc<dyn Retained>>,
    tls: Option<Tls>,
    sessions: mpsc::Sender<SessionEvent>,
    devices: Arc<Registry<DeviceId, DeviceLink>>,
    /// By account and client id.
    services: Arc<Registry<(String, String), ()>>,
    /// Sessions without a connection.
    parked: TaskTracker,
    online: Arc<AtomicUsize>,
    /// Connections in total.
    places: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    logins: Semaphore,
    refusals: Refusals,
    meters: Meters,
    shutdown: watch::Sender<bool>,
}

impl Front {
    /// Binds and starts to accept. Metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// If an address cannot be bound, or the certificates cannot be used.
    pub async fn start(config: FrontConfig, parts: FrontParts) -> Result<Self, FrontError> {
        let tls = config.tls.map(Tls::load).transpose()?;
        let mut sockets = Vec::new();
        let mut bound = Vec::new();
        for Listener { transport, address } in config.listeners {
            if matches!(transport, Transport::Tls | Transport::SecureWebSocket) && tls.is_none() {
                return Err(FrontError::NoCertificate(address));
            }
            let failed = |source| FrontError::Bind { address, source };
            let socket = listener::bind(address).map_err(failed)?;
            bound.push(Listener { transport, address: socket.local_addr().map_err(failed)? });
            sockets.push((socket, transport));
        }
        let gate = Arc::new(Gate::new(config.limits.sane(), tls, parts));
        let tasks = sockets
            .into_iter()
            .map(|(socket, transport)| tokio::spawn(listener::accept(socket, transport, Arc::clone(&gate))))
            .collect();
        let (problem, tls_problem) = watch::channel(None);
        let reload = gate.tls.is_some().then(|| tokio::spawn(follow_certificates(Arc::clone(&gate), problem)));
        let journal = gate.journal.clone();
        let wakes = tokio::spawn(async move { journal.wake_waiters().await });
        Ok(Self { bound, gate, tasks, wakes, reload, tls_problem })
    }

    /// The addresses it listens on.
    pub fn listeners(&self) -> &[Listener] {
        &self.bound
    }

    /// The first address for a transport.
    pub fn address(&self, transport: Transport) -> Option<SocketAddr> {
        self.bound.iter().find(|listener| listener.transport == transport).map(|listener| listener.address)
    }

    /// The way to the devices.
    pub fn downlink(&self) -> Downlinks {
        Downlinks::new(Connected {
            devices: Arc::clone(&self.gate.devices),
            services: Arc::clone(&self.gate.services),
            online: Arc::clone(&self.gate.online),
        })
    }

    /// What is wrong with the certificate files since they changed, if anything; the earlier ones are used until
    /// that is mended.
    pub fn tls_problem(&self) -> watch::Receiver<Option<String>> {
        self.tls_problem.clone()
    }

    /// Stops accepting and reading, acknowledges what is in flight within [`Limits::shutdown`], closes. Close the
    /// journal afterwards. Wills of connected devices are not published: the devices are well, it is the gateway that
    /// goes. Wills that wait for their delay are.
    pub async fn shutdown(mut self) {
        self.gate.shutdown.send_replace(true);
        let tasks = std::mem::take(&mut self.tasks);
        let ended = async {
            for task in tasks {
                // A panic has been reported.
                let _ = task.await;
            }
            self.gate.parked.close();
            self.gate.parked.wait().await;
        };
        // When it takes longer, dropping the front ends the connections that are left.
        let _ = timeout(self.gate.limits.shutdown, ended).await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.tasks.iter().chain([&self.wakes]).chain(&self.reload).for_each(JoinHandle::abort);
    }
}

impl Gate {
    fn new(limits: Limits, tls: Option<Tls>, parts: FrontParts) -> Self {
        let FrontParts { policy, journal, clock, fanout, retained, sessions } = parts;
        Self {
            policy,
            journal,
            clock,
            fanout,
            retained,
            tls,
            refusals: Refusals::new(sessions.clone()),
            sessions,
            devices: Registry::new(),
            services: Registry::new(),
            parked: TaskTracker::new(),
            online: Arc::default(),
            places: Arc::new(Semaphore::new(limits.connections)),
            addresses: Addresses::new(&limits),
            logins: Semaphore::new(limits.logins),
            meters: Meters::new(),
            shutdown: watch::Sender::new(false),
            limits,
        }
    }

    /// Ends the connections of devices whose certificates are good no longer.
    fn evict_revoked(&self) {
        let Some(tls) = &self.tls else { return };
        for (device, link) in self.devices.links() {
            if !link.certificates.is_empty() && !tls.is_good(&link.certificates) {
                self.devices.evict(&device, Eviction::Revoked);
            }
        }
    }
}

/// Reads certificates and revocation lists again when they change.
async fn follow_certificates(gate: Arc<Gate>, problem: watch::Sender<Option<String>>) {
    let mut tick = interval(tls::LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let looked = Arc::clone(&gate);
        // Reading files and checking signatures takes its time.
        let reloaded = tokio::task::spawn_blocking(move || {
            let changed = looked.tls.as_ref().map_or(Ok(false), Tls::reload)?;
            if changed {
                looked.evict_revoked();
            }
            Ok::<bool, TlsError>(changed)
        });
        match reloaded.await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                info!("certificates and revocation lists were read again");
                problem.send_replace(None);
            }
            Ok(Err(reason)) => {
                error!(error = %reason, "changed certificates cannot be used; the earlier ones are used on");
                problem.send_replace(Some(reason.to_string()));
            }
            // The runtime shuts down.
            Err(_) => return,
        }
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
