//! `gateway.toml`, its defaults, and everything that can be wrong with it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use firmware_proto::ScaledTime;
use serde::Deserialize;
use thiserror::Error;

mod external;
mod mqtt;

pub use external::MqttExternal;
pub use mqtt::{ClientCertificateNeed, Mqtt, MqttLimits, MqttTls};

/// The gateway's settings. Every field has a default, so that an empty file is a valid one.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Directory for journal, state and history; created if missing.
    pub state: PathBuf,
    /// Where appliances connect.
    pub mqtt: Mqtt,
    /// REST, status page, metrics.
    pub http: Listen,
    /// gRPC.
    pub grpc: Listen,
    /// What is logged, and how.
    pub log: Log,
    /// For tests with simulated devices.
    pub clock: ClockScale,
    /// Appliance knowledge.
    pub catalogue: CatalogueSource,
    /// How messages are taken in.
    pub ingest: Ingest,
    /// History of readings.
    pub history: History,
    /// Remote repair.
    pub repair: RepairLimits,
    /// Longest orderly shutdown; what is not done by then is done after the next start.
    pub shutdown_seconds: u64,
}

/// An address to listen on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// `address:port`; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// What is logged, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `human` or `json`.
    pub format: LogFormat,
    /// A `tracing` filter such as `info,gateway=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// A clock that runs faster than the wall.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockScale {
    /// Seconds of the gateway's clock per wall second, 1 to 10,000.
    pub speed: f64,
    /// Epoch milliseconds at which both are equal; needed when `speed` is not 1.
    pub anchor_ms: Option<i64>,
}

/// Appliance knowledge.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogueSource {
    /// Directory whose types replace or add to the built-in ones.
    pub overlay: Option<PathBuf>,
}

/// How messages are taken in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// Tasks that share the devices among them, 1 to 64.
    pub shards: u32,
    /// How often device state is written when nothing was decided. Bounds the replay after a crash.
    pub checkpoint_ms: u64,
    /// How far a device's clock may be ahead.
    pub future_tolerance_s: u64,
}

/// History of readings.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// How often rows are compressed and written; until then the journal keeps them.
    pub flush_ms: u64,
    /// Rows after which they are written sooner; bounds memory.
    pub flush_rows: usize,
}

/// Remote repair.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepairLimits {
    /// Mutating actions without a person, per device and 24 hours.
    pub max_automatic_per_day: u32,
    /// How long a repair may wait for its preconditions before people take over.
    pub queue_hours: f64,
    /// How long a device may stay silent about a command before people take over.
    pub silence_hours: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state: PathBuf::from("state"),
            mqtt: Mqtt::default(),
            http: Listen::loopback(8080),
            grpc: Listen::loopback(50051),
            log: Log::default(),
            clock: ClockScale::default(),
            catalogue: CatalogueSource::default(),
            ingest: Ingest::default(),
            history: History::default(),
            repair: RepairLimits::default(),
            shutdown_seconds: 10,
        }
    }
}

impl Listen {
    /// A port on 127.0.0.1.
    pub fn loopback(port: u16) -> Self {
        Self { listen: loopback(port) }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: "info".into() }
    }
}

impl Default for ClockScale {
    fn default() -> Self {
        Self { speed: 1.0, anchor_ms: None }
    }
}

impl Default for Ingest {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get() as u32);
        Self { shards: cores.clamp(1, 64), checkpoint_ms: 1_000, future_tolerance_s: 300 }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { flush_ms: 10_000, flush_rows: 65_536 }
    }
}

impl Default for RepairLimits {
    fn default() -> Self {
        Self { max_automatic_per_day: 3, queue_hours: 4.0, silence_hours: 2.0 }
    }
}

/// Everything that is wrong with a configuration, all at once.
#[derive(Debug, Error)]
pub struct ConfigErrors {
    file: String,
    errors: Vec<String>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        self.errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Names the file and, for each error, line or field, value and what would be right.
    pub fn load(file: &Path) -> Result<Self, ConfigErrors> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigErrors { file: name.clone(), errors: vec![format!("cannot be read: {error}")] })?;
        Self::parse(&name, &text)
    }

    /// Reads and checks a text; `name` is the file's name for the errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let config: Self = toml::from_str(text)
            .map_err(|error| ConfigErrors { file: name.to_owned(), errors: vec![error.to_string()] })?;
        config.check(name)?;
        Ok(config)
    }

    /// Checks what the file format cannot say.
    ///
    /// # Errors
    /// All of them together.
    pub fn check(&self, name: &str) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        self.mqtt.check(&mut errors);
        for (field, listen) in [("http.listen", &self.http), ("grpc.listen", &self.grpc)] {
            if !listen.listen.ip().is_loopback() {
                errors.push(format!(
                    "{field} = \"{}\": this listener has no TLS, so it binds to loopback only (127.0.0.1 or [::1]); \
                     put a TLS proxy in front of it to reach it from elsewhere",
                    listen.listen
                ));
            }
        }
        errors.extend(self.mqtt.external.iter().flat_map(MqttExternal::errors));
        let mut within = |field: &str, value: f64, low: f64, high: f64| {
            if !(low..=high).contains(&value) {
                errors.push(format!("{field} = {value}: must lie between {low} and {high}"));
            }
        };
        within("clock.speed", self.clock.speed, 1.0, 10_000.0);
        within("ingest.shards", f64::from(self.ingest.shards), 1.0, 64.0);
        within("ingest.checkpoint_ms", self.ingest.checkpoint_ms as f64, 10.0, 60_000.0);
        within("ingest.future_tolerance_s", self.ingest.future_tolerance_s as f64, 0.0, 86_400.0);
        within("history.flush_ms", self.history.flush_ms as f64, 10.0, 3_600_000.0);
        within("history.flush_rows", self.history.flush_rows as f64, 1_000.0, 1_000_000.0);
        within("repair.max_automatic_per_day", f64::from(self.repair.max_automatic_per_day), 0.0, 3.0);
        within("repair.queue_hours", self.repair.queue_hours, 0.1, 168.0);
        within("repair.silence_hours", self.repair.silence_hours, 0.1, 168.0);
        within("shutdown_seconds", self.shutdown_seconds as f64, 1.0, 300.0);
        if self.clock.speed != 1.0 && self.clock.anchor_ms.is_none() {
            errors.push("clock.anchor_ms is missing: a clock with a speed needs the epoch milliseconds at which it equals the wall".into());
        }
        if let Err(error) = self.log.filter.parse::<tracing_subscriber::EnvFilter>() {
            errors.push(format!("log.filter = {:?}: {error}; use for example \"info,gateway=debug\"", self.log.filter));
        }
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors { file: name.to_owned(), errors }) }
    }

    /// The clock's scale.
    pub fn clock_scale(&self) -> ScaledTime {
        match self.clock.anchor_ms {
            Some(anchor_ms) => ScaledTime { anchor_ms, speed: self.clock.speed },
            None => ScaledTime::REAL,
        }
    }

    /// Longest orderly shutdown.
    pub fn shutdown_deadline(&self) -> Duration {
        Duration::from_secs(self.shutdown_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_errors(text: &str, expected: &[&str]) {
        let error = Config::parse("gateway.toml", text).unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{part:?} not in:\n{error}");
        }
    }

    #[test]
    fn an_empty_file_is_valid() {
        assert!(Config::parse("gateway.toml", "").is_ok());
    }

    #[test]
    fn errors_name_place_and_remedy() {
        check_errors(
            "[mqtt]\nlisten = \"0.0.0.0:1883\"",
            &["gateway.toml", "mqtt.listen", "0.0.0.0:1883", "TLS", "loopback"],
        );
        check_errors("[mqtt]\nlissen = \"127.0.0.1:1\"", &["line 2", "lissen", "listen"]);
        check_errors(
            "[mqtt.tls]\nlisten = \"0.0.0.0:8883\"\ncertificate = \"no.pem\"\nkey = \"no.key\"\ncrl = \"no.crl\"",
            &["mqtt.tls.certificate = \"no.pem\"", "mqtt.tls.key", "mqtt.tls.crl", "client_ca", "gateway certs init"],
        );
        check_errors("[mqtt.limits]\npacket_bytes = 7", &["mqtt.limits.packet_bytes = 7", "between 1024"]);
        check_errors("[http]\nlisten = \"here\"", &["line 2", "socket address"]);
        check_errors("[log]\nfilter = \"info,,=x=\"", &["log.filter"]);
    }

    #[test]
    fn all_errors_come_together() {
        check_errors(
            "[clock]\nspeed = 5.0\n[ingest]\nshards = 0\n[http]\nlisten = \"0.0.0.0:80\"",
            &["clock.anchor_ms", "ingest.shards = 0", "http.listen"],
        );
    }
}
