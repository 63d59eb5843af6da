//! Who has been heard from in the cluster, and the way back to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use firmware_proto::{DeviceAddress, DeviceId, UplinkKind};
use tokio::sync::mpsc;
use tracing::warn;

use super::ExternalHealth;
use super::meters::Meters;
use crate::downlink::{DeviceMessage, Downlink, SendError};
use crate::front::SessionEvent;
use crate::log_window::LogWindow;

/// What a PUBLISH has besides topic and payload: fixed header, length of the topic, packet id.
const PUBLISH_OVERHEAD: usize = 5 + 2 + 2;

/// What the session, its handles and the way to the devices share.
pub(crate) struct Cluster {
    online: Mutex<HashMap<DeviceId, DeviceAddress>>,
    health: Mutex<ExternalHealth>,
    queue: mpsc::Sender<DeviceMessage>,
    packet_bytes: usize,
}

impl Cluster {
    pub fn new(queue: mpsc::Sender<DeviceMessage>, packet_bytes: usize) -> Self {
        let since = Instant::now();
        let health = ExternalHealth { ok: false, connected: false, since, connections: 0, problem: None };
        Self { online: Mutex::default(), health: Mutex::new(health), queue, packet_bytes }
    }

    pub fn health(&self) -> ExternalHealth {
        lock(&self.health).clone()
    }

    pub fn connected(&self) {
        let mut health = lock(&self.health);
        let connections = health.connections + 1;
        *health = ExternalHealth { ok: true, connected: true, since: Instant::now(), connections, problem: None };
    }

    /// Connected, but not as it should be.
    pub fn impaired(&self, problem: String) {
        let mut health = lock(&self.health);
        (health.ok, health.problem) = (false, Some(problem));
    }

    /// Not connected, and why.
    pub fn away(&self, problem: String) {
        let mut health = lock(&self.health);
        let since = if health.connected { Instant::now() } else { health.since };
        let connections = health.connections;
        *health = ExternalHealth { ok: false, connected: false, since, connections, problem: Some(problem) };
    }
}

impl Downlink for Arc<Cluster> {
    fn send(&self, device: &DeviceId, message: DeviceMessage) -> Result<(), SendError> {
        if PUBLISH_OVERHEAD + message.topic.len() + message.payload.len() > self.packet_bytes {
            return Err(SendError::TooLarge);
        }
        if !self.is_online(device) {
            return Err(SendError::NotConnected);
        }
        self.queue.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Busy,
            mpsc::error::TrySendError::Closed(_) => SendError::NotConnected,
        })
    }

    fn is_online(&self, device: &DeviceId) -> bool {
        lock(&self.online).contains_key(device)
    }

    fn online_count(&self) -> usize {
        lock(&self.online).len()
    }

    /// The connection is the cluster's; the device counts as online again with its next message.
    fn disconnect(&self, device: &DeviceId) {
        lock(&self.online).remove(device);
    }

    /// Service accounts are the cluster's own.
    fn disconnect_account(&self, _name: &str) {}
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("health", &self.health()).finish_non_exhaustive()
    }
}

/// Keeps who is online, and tells who comes and goes. A device is online from any message of its own but its death,
/// until its death or the end of our connection.
pub(super) struct Devices {
    cluster: Arc<Cluster>,
    sessions: mpsc::Sender<SessionEvent>,
    limit: usize,
    too_many: LogWindow,
}

impl Devices {
    pub fn new(cluster: Arc<Cluster>, sessions: mpsc::Sender<SessionEvent>, limit: usize) -> Self {
        Self { cluster, sessions, limit, too_many: LogWindow::default() }
    }

    /// A device has said something.
    pub async fn heard(&mut self, address: &DeviceAddress, kind: &UplinkKind, meters: &Meters) {
        if *kind == UplinkKind::Death {
            let gone = lock(&self.cluster.online).remove(&address.device);
            if let Some(gone) = gone {
                self.tell(SessionEvent::Offline(gone)).await;
            }
            return;
        }
        if self.cluster.is_online(&address.device) {
            return;
        }
        if self.cluster.online_count() >= self.limit {
            meters.untracked.increment(1);
            if let Some(unlogged) = self.too_many.open() {
                let limit = self.limit;
                warn!(device = %address, limit, unlogged_before = unlogged, "too many devices; nothing is sent to this one");
            }
            return;
        }
        // A place first, so that nobody sees the device online without the event, or the other way round. If nobody
        // listens, nobody cares.
        let place = self.sessions.reserve().await;
        lock(&self.cluster.online).insert(address.device.clone(), address.clone());
        if let Ok(place) = place {
            place.send(SessionEvent::Online(address.clone()));
        }
    }

    /// The connection has ended, and with it what is known of devices.
    pub async fn all_gone(&mut self) {
        let gone = std::mem::take(&mut *lock(&self.cluster.online));
        for address in gone.into_values() {
            self.tell(SessionEvent::Offline(address)).await;
        }
    }

    async fn tell(&self, event: SessionEvent) {
        // If nobody listens, nobody cares.
        let _ = self.sessions.send(event).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
