//! Messages to devices that are connected to the front, and what of a session outlives its connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firmware_proto::{DeviceAddress, DeviceId};
use rumqttc::mqttbytes::QoS;
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;

use super::registry::{Eviction, Registry};
use super::wire;
use crate::downlink::{DeviceMessage, Downlink, SendError};
use crate::filter;

/// The way to the devices that are connected to the front.
pub(super) struct Connected {
    pub devices: Arc<Registry<DeviceId, DeviceLink>>,
    pub services: Arc<Registry<(String, String), ()>>,
    pub online: Arc<AtomicUsize>,
}

impl Downlink for Connected {
    fn send(&self, device: &DeviceId, message: DeviceMessage) -> Result<(), SendError> {
        let link = self.devices.link(device).ok_or(SendError::NotConnected)?;
        if !link.takes(&message) {
            return Err(SendError::TooLarge);
        }
        let qos = link.session().subscribed(&message.topic).ok_or(SendError::NotSubscribed)?;
        link.queue.try_send(Queued { message: Box::new(message), qos }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Busy,
            mpsc::error::TrySendError::Closed(_) => SendError::NotConnected,
        })
    }

    fn is_online(&self, device: &DeviceId) -> bool {
        self.devices.link(device).is_some_and(|link| link.is_online())
    }

    fn online_count(&self) -> usize {
        self.online.load(Ordering::Relaxed)
    }

    fn disconnect(&self, device: &DeviceId) {
        self.devices.evict(device, Eviction::Revoked);
    }

    fn disconnect_account(&self, name: &str) {
        for (key, _) in self.services.links() {
            if key.0 == name {
                self.services.evict(&key, Eviction::Revoked);
            }
        }
    }
}

/// A message on its way to a device's connection.
pub(super) struct Queued {
    /// Boxed, since the queue has its memory ready for 32 at a time, in each connection.
    pub message: Box<DeviceMessage>,
    pub qos: QoS,
}

/// What others may know of a device's connection.
pub(super) struct DeviceLink {
    queue: mpsc::Sender<Queued>,
    session: Mutex<Session>,
    /// Largest packet that goes to the device.
    packet_bytes: usize,
    /// What the device proved to own; empty if it logged in otherwise.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whether the session may outlive the connection.
    keeps_session: AtomicBool,
    online: AtomicBool,
    /// Counts the devices that are online.
    total: Arc<AtomicUsize>,
}

/// What a device may find again when it comes back.
#[derive(Debug, Default)]
pub(super) struct Session {
    subscriptions: Vec<(String, QoS)>,
    /// Messages of QoS 1 that the device has not acknowledged, oldest first.
    pub unacknowledged: VecDeque<(u16, DeviceMessage)>,
    last_packet_id: u16,
}

impl DeviceLink {
    /// A link, and the other end of its queue.
    pub fn new(
        queue: usize,
        packet_bytes: usize,
        keeps_session: bool,
        certificates: Vec<CertificateDer<'static>>,
        total: Arc<AtomicUsize>,
    ) -> (Arc<Self>, mpsc::Receiver<Queued>) {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let (session, online) = (Mutex::default(), AtomicBool::new(false));
        let keeps_session = AtomicBool::new(keeps_session);
        let link = Self { queue: sender, session, packet_bytes, certificates, keeps_session, online, total };
        (Arc::new(link), receiver)
    }

    /// Whether the device has room for a message.
    pub fn takes(&self, message: &DeviceMessage) -> bool {
        wire::fits(message, self.packet_bytes)
    }

    pub fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with the session of an earlier connection, if there is one still.
    pub fn resume(&self, earlier: &Self) -> bool {
        let goes_on = earlier.keeps_session.load(Ordering::Acquire);
        if goes_on {
            let session = std::mem::take(&mut *earlier.session());
            *self.session() = session;
        }
        goes_on
    }

    /// The session is over.
    pub fn forget_session(&self) {
        self.keeps_session.store(false, Ordering::Release);
    }

    /// Sets whether commands can be sent; whether that is a change.
    pub fn set_online(&self, online: bool) -> bool {
        let changed = self.online.swap(online, Ordering::AcqRel) != online;
        if changed && online {
            self.total.fetch_add(1, Ordering::Relaxed);
        } else if changed {
            self.total.fetch_sub(1, Ordering::Relaxed);
        }
        changed
    }

    /// Whether commands can be sent.
    pub fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }
}

impl Session {
    /// Adds a subscription, or changes its QoS; `false` if there would be more than `limit`.
    pub fn subscribe(&mut self, filter: String, qos: QoS, limit: usize) -> bool {
        if let Some(held) = self.subscriptions.iter_mut().find(|held| held.0 == filter) {
            held.1 = qos;
            return true;
        }
        let has_room = self.subscriptions.len() < limit;
        if has_room {
            self.subscriptions.push((filter, qos));
        }
        has_room
    }

    /// Takes a subscription away; whether there was one.
    pub fn unsubscribe(&mut self, filter: &str) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|held| held.0 != filter);
        self.subscriptions.len() < before
    }

    /// The QoS by which the device wants messages on this topic.
    fn subscribed(&self, topic: &str) -> Option<QoS> {
        let matching = self.subscriptions.iter().filter(|held| filter::matches(&held.0, topic));
        matching.map(|held| held.1).max_by_key(|qos| *qos as u8)
    }

    /// Whether the device receives all its commands.
    pub fn receives_commands(&self, address: &DeviceAddress) -> bool {
        let wanted = address.command_filter();
        self.subscriptions.iter().any(|held| filter::covers(&held.0, &wanted))
    }

    /// Whether the same message is on its way already.
    pub fn is_underway(&self, message: &DeviceMessage) -> bool {
        let same = |held: &DeviceMessage| held.topic == message.topic && held.payload == message.payload;
        self.unacknowledged.iter().any(|(_, held)| same(held))
    }

    /// Keeps a message until it is acknowledged, under a packet id that is not in use; far fewer are in flight than
    /// there are.
    pub fn await_acknowledgement(&mut self, message: DeviceMessage) -> u16 {
        loop {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            if !self.unacknowledged.iter().any(|(packet_id, _)| *packet_id == self.last_packet_id) {
                self.unacknowledged.push_back((self.last_packet_id, message));
                return self.last_packet_id;
            }
        }
    }
}

impl Drop for DeviceLink {
    fn drop(&mut self) {
        self.set_online(false);
    }
}
