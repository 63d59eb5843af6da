//! The gateway as a client of an MQTT cluster, instead of a front of its own.
//!
//! For whoever has a cluster already: devices stay connected to it, the gateway subscribes. The way of a message:
//!
//! 1. `session` keeps one connection, with a session that the cluster remembers (`clean_session = false`).
//! 2. `intake` judges each topic and hands uplinks to the journal. The cluster gets its PUBACK when the message is on
//!    disk, in order, many at a time; what was not acknowledged it sends again, so that nothing is lost.
//! 3. `devices` knows who has been heard from, and is the way back: QoS 1 messages to the topics of devices.
//!
//! Who may publish where is the cluster's to check: its access list must keep each device to its own topics.
//!
//! Several gateways share a fleet by disjoint filters, such as `ag/v1/home/#` and `ag/v1/office/#`. Shared
//! subscriptions are refused: they would hand messages of one device to several gateways.
//!
//! Passed over: retained messages (the cluster repeats them at each subscription; the message itself came when it was
//! published). Not here: TLS. The client library's brings a second version of the certificate checker, so the
//! connection to the cluster belongs on a trusted network or into a tunnel.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use firmware_proto::ServerTime;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::downlink::Downlinks;
use crate::front::SessionEvent;
use crate::journal::Journal;

mod devices;
mod filters;
mod intake;
mod limits;
mod meters;
mod rejects;
mod session;

pub use limits::ExternalLimits;

pub(crate) use devices::Cluster;
use devices::Devices;
use intake::Intake;
use meters::Meters;
use session::Session;

/// Longest client id. 128: clusters need not take more than 23, most take some hundred.
const MAX_CLIENT_ID: usize = 128;

/// Which cluster, and what of it.
#[derive(Debug, Clone)]
pub struct ExternalConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Under this name the cluster keeps what was not acknowledged. Stable, and no other client's.
    pub client_id: String,
    /// If the cluster asks for it.
    pub login: Option<Login>,
    /// Which devices are this gateway's.
    pub filters: Vec<String>,
    /// The limits.
    pub limits: ExternalLimits,
}

/// Name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExternalError {
    /// No host.
    #[error("the host is empty; name the cluster, such as mqtt.example.org")]
    Host,
    /// No client id, or one that clusters refuse.
    #[error("client id {0:?}: use 1 to {MAX_CLIENT_ID} printable ASCII characters without spaces")]
    ClientId(String),
    /// Nothing to subscribe to.
    #[error("there is no filter; ag/v1/# takes all devices, ag/v1/home/# those of one tenant")]
    NoFilter,
    /// A shared subscription.
    #[error(
        "filter {0:?} is a shared subscription: the cluster would hand messages of one device to several gateways, and \
         none would see them all; give each gateway devices of its own, such as ag/v1/home/# and ag/v1/office/#"
    )]
    Shared(String),
    /// Malformed.
    #[error("{0:?} is no topic filter: use printable ASCII, '+' and '#' only as whole levels, '#' last, no '$'")]
    Filter(String),
    /// Well-formed, but no device publishes there.
    #[error("filter {0:?} matches nothing that devices publish: their topics are ag/v1/{{tenant}}/{{device}}/…")]
    Nothing(String),
    /// The cluster may send a message once for each.
    #[error("filters {0:?} and {1:?} overlap; keep the wider one")]
    Overlap(String, String),
}

impl ExternalConfig {
    /// Checks it, without connecting.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), ExternalError> {
        if self.host.is_empty() {
            return Err(ExternalError::Host);
        }
        let length = self.client_id.len();
        if length == 0 || length > MAX_CLIENT_ID || !self.client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ExternalError::ClientId(self.client_id.clone()));
        }
        filters::check(&self.filters)
    }
}

/// How the connection to the cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalHealth {
    /// Whether the cluster is connected and grants all filters.
    pub ok: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// Since when it is, or is not.
    pub since: Instant,
    /// How often it has been connected.
    pub connections: u64,
    /// What is wrong, or was last.
    pub problem: Option<String>,
}

/// The connection to a cluster.
#[derive(Debug)]
pub struct External {
    cluster: Arc<Cluster>,
    limits: ExternalLimits,
    stop: watch::Sender<bool>,
    session: JoinHandle<()>,
}

impl External {
    /// Connects, now or as soon as the cluster is there. `sessions` must be drained: a full channel holds up all
    /// devices. Metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// If the configuration cannot work. A cluster that is away or refuses is no error: that is in the log and in
    /// [`health`](Self::health).
    pub async fn start(
        config: ExternalConfig,
        journal: Journal,
        clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
        sessions: mpsc::Sender<SessionEvent>,
    ) -> Result<Self, ExternalError> {
        config.check()?;
        let limits = config.limits.clone().sane();
        let config = ExternalConfig { limits: limits.clone(), ..config };
        let (queue, messages) = mpsc::channel(limits.queued);
        let cluster = Arc::new(Cluster::new(queue, limits.packet_bytes));
        let (stop, stopped) = watch::channel(false);
        let meters = Meters::new();
        let devices = Devices::new(Arc::clone(&cluster), sessions, limits.devices);
        let intake = Intake::new(&config, journal, clock, devices, meters.clone());
        let session = Session::new(config, Arc::clone(&cluster), intake, messages, meters, stopped);
        Ok(Self { cluster, limits, stop, session: tokio::spawn(session.run()) })
    }

    /// The way to the devices.
    pub fn downlink(&self) -> Downlinks {
        Downlinks::new(Arc::clone(&self.cluster))
    }

    pub(crate) fn cluster(&self) -> Arc<Cluster> {
        Arc::clone(&self.cluster)
    }

    /// How the connection is. Cheap.
    pub fn health(&self) -> ExternalHealth {
        self.cluster.health()
    }

    /// Takes no more, acknowledges what is in flight within [`ExternalLimits::shutdown`], and says goodbye. The cluster
    /// keeps what comes meanwhile. Close the journal afterwards.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // Otherwise dropping it ends it; the cluster sends again what was not acknowledged.
        let _ = timeout(self.limits.shutdown, &mut self.session).await;
    }
}

impl Drop for External {
    fn drop(&mut self) {
        self.session.abort();
    }
}
