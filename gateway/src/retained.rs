//! What a service account hears at once when it subscribes: the last birth and state of each device, from its twin.

use broker::{FanoutMessage, Retained};
use firmware_proto::{DeviceAddress, Topic, UplinkKind};
use serde_json::{Value, json};
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

    /// Sends birth and state of every device, until nobody listens.
    async fn send_all(self, to: mpsc::Sender<FanoutMessage>) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let rows: Vec<Row> = sqlx::query_as(
                "SELECT id, tenant, model, last_seen_ms, boot_id, firmware, config_version, reported FROM twin \
                 JOIN device ON device.id = twin.device WHERE device.id > $1 ORDER BY device.id LIMIT $2",
            )
            .bind(&after)
            .bind(PAGE)
            .fetch_all(self.store.read())
            .await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for message in rows.into_iter().flat_map(messages) {
                if to.send(message).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

impl Retained for LastKnown {
    fn matching(&self, _filters: Vec<String>) -> mpsc::Receiver<FanoutMessage> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let reading = self.clone().send_all(sender);
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
