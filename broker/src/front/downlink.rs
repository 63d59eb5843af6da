//! Messages to devices that are connected to the front.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firmware_proto::{DeviceAddress, DeviceId};
use rumqttc::mqttbytes::QoS;
use tokio::sync::mpsc;

use super::registry::Registry;
use super::wire;
use crate::downlink::{DeviceMessage, Downlink, SendError};
use crate::filter;

/// The way to the devices that are connected to the front.
pub(super) struct Connected {
    pub devices: Arc<Registry<DeviceId, DeviceLink>>,
    pub online: Arc<AtomicUsize>,
    pub packet_bytes: usize,
}

impl Downlink for Connected {
    fn send(&self, device: &DeviceId, message: DeviceMessage) -> Result<(), SendError> {
        if !wire::fits(&message.topic, &message.payload, self.packet_bytes) {
            return Err(SendError::TooLarge);
        }
        let link = self.devices.link(device).ok_or(SendError::NotConnected)?;
        let qos = link.subscribed(&message.topic).ok_or(SendError::NotSubscribed)?;
        link.queue.try_send((message, qos)).map_err(|error| match error {
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
}

/// What others may know of a device's connection.
pub(super) struct DeviceLink {
    queue: mpsc::Sender<(DeviceMessage, QoS)>,
    subscriptions: Mutex<Vec<(String, QoS)>>,
    online: AtomicBool,
    /// Counts the devices that are online.
    total: Arc<AtomicUsize>,
}

impl DeviceLink {
    /// A link, and the other end of its queue.
    pub fn new(queue: usize, total: Arc<AtomicUsize>) -> (Arc<Self>, mpsc::Receiver<(DeviceMessage, QoS)>) {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let link = Self { queue: sender, subscriptions: Mutex::default(), online: AtomicBool::new(false), total };
        (Arc::new(link), receiver)
    }

    /// Adds a subscription, or changes its QoS; `false` if there would be more than `limit`.
    pub fn subscribe(&self, filter: String, qos: QoS, limit: usize) -> bool {
        let mut subscriptions = lock(&self.subscriptions);
        if let Some(held) = subscriptions.iter_mut().find(|held| held.0 == filter) {
            held.1 = qos;
            return true;
        }
        let has_room = subscriptions.len() < limit;
        if has_room {
            subscriptions.push((filter, qos));
        }
        has_room
    }

    /// Takes a subscription away.
    pub fn unsubscribe(&self, filter: &str) {
        lock(&self.subscriptions).retain(|held| held.0 != filter);
    }

    /// The QoS by which the device wants messages on this topic.
    fn subscribed(&self, topic: &str) -> Option<QoS> {
        let subscriptions = lock(&self.subscriptions);
        let matching = subscriptions.iter().filter(|held| filter::matches(&held.0, topic));
        matching.map(|held| held.1).max_by_key(|qos| *qos as u8)
    }

    /// Whether the device receives all its commands.
    pub fn receives_commands(&self, address: &DeviceAddress) -> bool {
        let wanted = address.command_filter();
        lock(&self.subscriptions).iter().any(|held| filter::covers(&held.0, &wanted))
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

impl Drop for DeviceLink {
    fn drop(&mut self) {
        self.set_online(false);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
