//! What a service account hears at once when it subscribes: the last birth and state of each device, from its twin.

use broker::{FanoutMessage, Retained};
use firmware_proto::{DeviceAddress, Topic, UplinkKind};
use serde_json::{Value, json};
use sqlx::{QueryBuilder, Sqlite};
use tokio::sync::mpsc;

use crate::store::{Store, StoreError};

/// Twins read at a time. 500: some hundred kilobytes.
const PAGE: i64 = 500;

/// Messages that wait for a subscriber that is slow. 64: the rest stays in the database.
const QUEUE: usize = 64;

/// The twins of all devices, as retained messages.
#[derive(Debug, Clone)]
pub struct LastKnown {
    store: Store,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    tenant: String,
    model: String,
    last_seen_ms: i64,
    boot_id: i64,
    firmware: String,
    config_version: i64,
    reported: String,
}

impl LastKnown {
    /// Reads from this store.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    /// Sends birth and state of the devices that the filters name, until nobody listens.
    async fn send(self, filters: Vec<String>, to: mpsc::Sender<FanoutMessage>) -> Result<(), StoreError> {
        for scope in filters.iter().filter_map(|filter| Scope::of(filter)) {
            let mut after = String::new();
            loop {
                let rows = self.page(&scope, &after).await?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.id);
                for message in rows.into_iter().flat_map(messages) {
                    if to.send(message).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    async fn page(&self, scope: &Scope<'_>, after: &str) -> Result<Vec<Row>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT id, tenant, model, last_seen_ms, boot_id, firmware, config_version, reported FROM twin \
             JOIN device ON device.id = twin.device WHERE device.id > ",
        );
        query.push_bind(after);
        if let Some(tenant) = scope.tenant {
            query.push(" AND tenant = ").push_bind(tenant);
        }
        if let Some(device) = scope.device {
            query.push(" AND device.id = ").push_bind(device);
        }
        query.push(" ORDER BY device.id LIMIT ").push_bind(PAGE);
        Ok(query.build_query_as().fetch_all(self.store.read()).await?)
    }
}

/// The devices whose birth or state a filter may match.
#[derive(Debug, PartialEq, Eq)]
struct Scope<'a> {
    tenant: Option<&'a str>,
    device: Option<&'a str>,
}

impl<'a> Scope<'a> {
    /// `None` if it matches neither: most dashboards ask for telemetry only.
    fn of(filter: &'a str) -> Option<Self> {
        let levels: Vec<&str> = filter.split('/').collect();
        let level = |at: usize| match levels.iter().position(|level| *level == "#") {
            Some(open) if at >= open => Some("+"),
            _ => levels.get(at).copied(),
        };
        let named = |at: usize| level(at).filter(|level| *level != "+");
        let may_be = |at: usize, words: &[&str]| level(at).is_some_and(|level| level == "+" || words.contains(&level));
        let matches = may_be(0, &["ag"]) && may_be(1, &["v1"]) && may_be(4, &["birth", "state"]);
        matches.then(|| Self { tenant: named(2), device: named(3) })
    }
}

impl Retained for LastKnown {
    fn matching(&self, filters: Vec<String>) -> mpsc::Receiver<FanoutMessage> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let reading = self.clone().send(filters, sender);
        tokio::spawn(async move {
            if let Err(error) = reading.await {
                tracing::error!(%error, "retained messages cannot be read");
            }
        });
        receiver
    }
}

/// As the device itself would say it in JSON, as far as the twin knows.
fn messages(row: Row) -> Vec<FanoutMessage> {
    let (Ok(tenant), Ok(device)) = (row.tenant.parse(), row.id.parse()) else { return Vec::new() };
    let address = DeviceAddress { tenant, device };
    let reported: Value = serde_json::from_str(&row.reported).unwrap_or_default();
    let (boot_id, seen) = (row.boot_id, row.last_seen_ms);
    let birth = json!({"boot_id": boot_id, "device_time_ms": seen, "model": row.model, "firmware": row.firmware});
    let state = json!({
        "boot_id": boot_id, "device_time_ms": seen, "config_version": row.config_version, "reported": reported,
    });
    [(UplinkKind::Birth, birth), (UplinkKind::State, state)]
        .map(|(kind, payload)| FanoutMessage {
            topic: address.topic(&Topic::Up(kind)),
            payload: payload.to_string().into(),
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_the_devices_that_are_read() {
        let all = Some(Scope { tenant: None, device: None });
        for filter in ["#", "ag/#", "ag/v1/#", "ag/v1/+/+/birth", "+/+/+/+/+", "ag/v1/+/+/#"] {
            assert_eq!(Scope::of(filter), all, "{filter}");
        }
        assert_eq!(Scope::of("ag/v1/home/#"), Some(Scope { tenant: Some("home"), device: None }));
        let one = Some(Scope { tenant: Some("home"), device: Some("AC-1") });
        assert_eq!(
            (Scope::of("ag/v1/home/AC-1/state"), Scope::of("ag/v1/home/AC-1/#")),
            (one, Scope::of("ag/v1/home/AC-1/+"))
        );
        for filter in ["ag/v1/home/+/tlm", "fettle/v1/#", "ag/v1/home", "ag/v1/+/+/cmd/rsp/+"] {
            assert_eq!(Scope::of(filter), None, "{filter}");
        }
    }
}
