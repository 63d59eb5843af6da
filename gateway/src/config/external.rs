//! `[mqtt.external]`: an MQTT cluster instead of a listener of our own.

use std::fmt;

use broker::{ExternalConfig, ExternalError, ExternalLimits, Login};
use serde::Deserialize;

/// Which cluster, and which devices of it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttExternal {
    /// Its name or address.
    pub host: String,
    /// Its port.
    #[serde(default = "mqtt_port")]
    pub port: u16,
    /// Under this name the cluster keeps what the gateway has not acknowledged: stable, and no other client's.
    pub client_id: String,
    /// If the cluster asks for one.
    pub username: Option<String>,
    /// If the cluster asks for one.
    pub password: Option<String>,
    /// Which devices are this gateway's, such as `ag/v1/home/#`; other gateways have others.
    pub filters: Vec<String>,
}

/// Plain MQTT by its registration at IANA.
fn mqtt_port() -> u16 {
    1883
}

impl MqttExternal {
    /// As the broker crate takes it.
    pub fn config(&self) -> ExternalConfig {
        let password = self.password.clone().unwrap_or_default();
        ExternalConfig {
            host: self.host.clone(),
            port: self.port,
            client_id: self.client_id.clone(),
            login: self.username.clone().map(|username| Login { username, password }),
            filters: self.filters.clone(),
            limits: ExternalLimits::default(),
        }
    }

    /// What is wrong with it.
    pub(super) fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        if let Err(error) = self.config().check() {
            let field = match error {
                ExternalError::Host => "host",
                ExternalError::ClientId(_) => "client_id",
                _ => "filters",
            };
            errors.push(format!("mqtt.external.{field}: {error}"));
        }
        if self.password.is_some() && self.username.is_none() {
            errors.push("mqtt.external.username is missing: MQTT has no password without a username".to_owned());
        }
        errors
    }
}

impl fmt::Debug for MqttExternal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        self.config().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const GOOD: &str = "[mqtt.external]\nhost = \"cluster\"\nclient_id = \"fettle-1\"\nfilters = [\"ag/v1/home/#\"]\n\
                        username = \"fettle\"\npassword = \"geheim\"\n";

    #[test]
    fn a_cluster_can_be_named() {
        let config = Config::parse("gateway.toml", GOOD).unwrap();
        let external = config.mqtt.external.as_ref().unwrap();
        assert_eq!((external.port, external.config().login.unwrap().password.as_str()), (1883, "geheim"));
        assert!(!format!("{config:?}").contains("geheim"));
    }

    #[test]
    fn errors_name_the_field_and_the_remedy() {
        let cases = [
            (
                "ag/v1/home/#",
                "$share/fettle/ag/v1/#",
                "mqtt.external.filters: filter \"$share/fettle/ag/v1/#\" is a shared",
            ),
            ("ag/v1/home/#", "zigbee/#", "ag/v1/{tenant}/{device}/"),
            ("fettle-1", "", "mqtt.external.client_id"),
            ("\"cluster\"", "\"\"", "mqtt.external.host"),
            ("username = \"fettle\"", "", "mqtt.external.username is missing"),
        ];
        for (good, bad, expected) in cases {
            let error = Config::parse("gateway.toml", &GOOD.replace(good, bad)).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected:?} not in:\n{error}");
        }
    }
}
