//! What is counted of a cluster.

use metrics::{Counter, Gauge, counter, gauge};

#[derive(Clone)]
pub(super) struct Meters {
    /// 1 or 0.
    pub connected: Gauge,
    pub connections: Counter,
    /// Uplinks that went to the journal.
    pub messages: Counter,
    /// Messages to devices that were not sent, because their time had passed.
    pub expired: Counter,
    /// Devices that are not known to be online, because too many are.
    pub untracked: Counter,
}

impl Meters {
    pub fn new() -> Self {
        let meters = Self {
            connected: gauge!("mqtt_external_connected"),
            connections: counter!("mqtt_external_connections_total"),
            messages: counter!("mqtt_external_messages_total"),
            expired: counter!("mqtt_external_expired_total"),
            untracked: counter!("mqtt_external_untracked_total"),
        };
        meters.connected.set(0.0);
        meters
    }
}
