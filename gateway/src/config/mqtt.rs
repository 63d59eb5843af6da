//! `[mqtt]`: where appliances connect, by which certificates, and how much they may.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use broker::{FrontConfig, Limits, Listener, TlsFiles, Transport};
use serde::Deserialize;

use super::{MqttExternal, loopback};

/// Where and how appliances connect.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mqtt {
    /// MQTT over plain TCP; loopback only.
    pub listen: SocketAddr,
    /// MQTT over WebSocket without TLS; loopback only.
    pub websocket: Option<SocketAddr>,
    /// MQTT over TLS.
    pub tls: Option<MqttTls>,
    /// A cluster that they connect to instead; then nothing listens here.
    pub external: Option<MqttExternal>,
    /// How much clients may.
    pub limits: MqttLimits,
}

/// MQTT over TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttTls {
    /// Where appliances connect over TLS.
    pub listen: SocketAddr,
    /// Where they connect by WebSocket over TLS.
    pub websocket: Option<SocketAddr>,
    /// The gateway's certificate and intermediate ones, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Authorities that issue device certificates, PEM. Without it, devices log in with token or password only.
    pub client_ca: Option<PathBuf>,
    /// Revoked device certificates, PEM.
    pub crl: Option<PathBuf>,
    /// Whether a device must show a certificate.
    #[serde(default)]
    pub client_certificate: ClientCertificateNeed,
}

/// Whether a device must show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificateNeed {
    /// It may log in with token or password instead.
    #[default]
    Optional,
    /// Nobody gets in without.
    Required,
}

/// How much clients may; the reasons for the defaults are with [`broker::Limits`].
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttLimits {
    /// Connections in total.
    pub connections: usize,
    /// Connections of one network address.
    pub connections_per_address: usize,
    /// Connections a second of one network address, after a burst.
    pub connects_per_second: u32,
    /// That burst.
    pub connects_burst: u32,
    /// Largest packet.
    pub packet_bytes: usize,
    /// Filters of one client.
    pub filters_per_client: usize,
    /// Unacknowledged messages of one device.
    pub inflight_per_device: usize,
    /// Messages a second of one device.
    pub messages_per_second: u32,
    /// Their bytes.
    pub bytes_per_second: u32,
    /// Bytes of all devices that are not on disk yet.
    pub unacknowledged_bytes: usize,
    /// From accepting to CONNACK.
    pub handshake_s: u64,
    /// For one write.
    pub write_s: u64,
    /// Longest silence of a client.
    pub idle_s: u64,
    /// Longest time that a session outlives its connection.
    pub session_s: u64,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self { listen: loopback(1883), websocket: None, tls: None, external: None, limits: MqttLimits::default() }
    }
}

impl Default for MqttLimits {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            connects_per_second: limits.connects_per_second,
            connects_burst: limits.connects_burst,
            packet_bytes: limits.packet_bytes,
            filters_per_client: limits.filters_per_client,
            inflight_per_device: limits.inflight_per_device,
            messages_per_second: limits.messages_per_second,
            bytes_per_second: limits.bytes_per_second,
            unacknowledged_bytes: 8 << 20,
            handshake_s: limits.handshake.as_secs(),
            write_s: limits.write.as_secs(),
            idle_s: limits.idle.as_secs(),
            session_s: limits.session.as_secs(),
        }
    }
}

impl Mqtt {
    /// Plain TCP on this port of 127.0.0.1, and nothing else.
    pub fn loopback(port: u16) -> Self {
        Self { listen: loopback(port), ..Self::default() }
    }

    /// What the front is started with.
    pub fn front(&self) -> FrontConfig {
        let mut listeners = vec![Listener { transport: Transport::Tcp, address: self.listen }];
        let mut add = |transport, address: Option<SocketAddr>| {
            listeners.extend(address.map(|address| Listener { transport, address }));
        };
        add(Transport::WebSocket, self.websocket);
        add(Transport::Tls, self.tls.as_ref().map(|tls| tls.listen));
        add(Transport::SecureWebSocket, self.tls.as_ref().and_then(|tls| tls.websocket));
        FrontConfig { listeners, tls: self.tls.as_ref().map(MqttTls::files), limits: self.limits.front() }
    }

    /// What is wrong, each with its field and what would be right.
    pub(super) fn check(&self, errors: &mut Vec<String>) {
        for (field, address) in [("mqtt.listen", Some(self.listen)), ("mqtt.websocket", self.websocket)] {
            if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
                errors.push(format!(
                    "{field} = \"{address}\": this listener has no TLS, so it binds to loopback only (127.0.0.1 or \
                     [::1]); use [mqtt.tls] to be reached from elsewhere (`gateway certs init` makes certificates)"
                ));
            }
        }
        if let Some(tls) = &self.tls {
            tls.check(errors);
        }
        if let Some(external) = &self.external {
            errors.extend(external.errors());
            if self.tls.is_some() || self.websocket.is_some() {
                errors
                    .push("mqtt.external is set: nothing listens here then, remove mqtt.tls and mqtt.websocket".into());
            }
        }
        self.limits.check(errors);
    }
}

impl MqttTls {
    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: self.client_ca.clone(),
            crl: self.crl.clone(),
            client_certificate_required: self.client_certificate == ClientCertificateNeed::Required,
        }
    }

    fn check(&self, errors: &mut Vec<String>) {
        let files = [
            ("certificate", Some(&self.certificate)),
            ("key", Some(&self.key)),
            ("client_ca", self.client_ca.as_ref()),
            ("crl", self.crl.as_ref()),
        ];
        for (field, path) in files {
            if let Some(path) = path.filter(|path| !path.is_file()) {
                errors.push(format!(
                    "mqtt.tls.{field} = {path:?}: there is no such file; `gateway certs init` makes them all"
                ));
            }
        }
        if self.client_ca.is_none() && self.crl.is_some() {
            errors.push("mqtt.tls.crl is set without mqtt.tls.client_ca: nobody's certificate is asked for".into());
        }
        if self.client_ca.is_none() && self.client_certificate == ClientCertificateNeed::Required {
            errors.push("mqtt.tls.client_certificate = \"required\" needs mqtt.tls.client_ca".into());
        }
    }
}

impl MqttLimits {
    fn front(&self) -> Limits {
        Limits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            connects_per_second: self.connects_per_second,
            connects_burst: self.connects_burst,
            packet_bytes: self.packet_bytes,
            filters_per_client: self.filters_per_client,
            inflight_per_device: self.inflight_per_device,
            messages_per_second: self.messages_per_second,
            bytes_per_second: self.bytes_per_second,
            handshake: Duration::from_secs(self.handshake_s),
            write: Duration::from_secs(self.write_s),
            idle: Duration::from_secs(self.idle_s),
            session: Duration::from_secs(self.session_s),
            ..Limits::default()
        }
    }

    fn check(&self, errors: &mut Vec<String>) {
        let mut within = |field: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                errors.push(format!("mqtt.limits.{field} = {value}: must lie between {low} and {high}"));
            }
        };
        within("connections", self.connections as u64, 1, 1_000_000);
        within("connections_per_address", self.connections_per_address as u64, 1, 1_000_000);
        within("connects_per_second", self.connects_per_second.into(), 1, 1_000_000);
        within("connects_burst", self.connects_burst.into(), 1, 1_000_000);
        within("packet_bytes", self.packet_bytes as u64, 1_024, 1 << 20);
        within("filters_per_client", self.filters_per_client as u64, 1, 1_000);
        within("inflight_per_device", self.inflight_per_device as u64, 1, 65_535);
        within("messages_per_second", self.messages_per_second.into(), 1, 1_000_000);
        within("bytes_per_second", self.bytes_per_second.into(), 1_024, 1 << 30);
        within("unacknowledged_bytes", self.unacknowledged_bytes as u64, 64 << 10, 128 << 20);
        within("handshake_s", self.handshake_s, 1, 300);
        within("write_s", self.write_s, 1, 300);
        within("idle_s", self.idle_s, 1, 86_400);
        within("session_s", self.session_s, 0, 30 * 86_400);
    }
}
