//! What the front counts, besides [refusals](super::refusal).

use metrics::{Counter, Gauge, counter, gauge};
use rumqttc::mqttbytes::QoS;

pub(super) struct Meters {
    connections: Gauge,
    publishes_qos0: Counter,
    publishes_qos1: Counter,
    expired: Counter,
}

/// Counts a connection for as long as it lives.
pub(super) struct Counted(Gauge);

impl Meters {
    pub fn new() -> Self {
        Self {
            connections: gauge!("mqtt_connections"),
            publishes_qos0: counter!("mqtt_publishes_total", "qos" => "0"),
            publishes_qos1: counter!("mqtt_publishes_total", "qos" => "1"),
            expired: counter!("mqtt_downlink_expired_total"),
        }
    }

    pub fn connection(&self) -> Counted {
        self.connections.increment(1.0);
        Counted(self.connections.clone())
    }

    /// A message to a device was not sent, because its time was over.
    pub fn expired(&self) {
        self.expired.increment(1);
    }

    pub fn published(&self, qos: QoS) {
        match qos {
            QoS::AtMostOnce => self.publishes_qos0.increment(1),
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.publishes_qos1.increment(1),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
