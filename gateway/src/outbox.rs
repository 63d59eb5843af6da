//! What the front tells: devices that come, whose waiting commands are then sent, and
//! clients that were refused, which go to the reject log.
//!
//! A shard sends a command right after its commit. What did not reach the device then
//! is sent when the device is back, with the same command id and fence; the device
//! performs it once or replays its stored result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{DeviceMessage, SessionEvent};
use firmware_proto::{DeviceAddress, ServerTime, Topic, UplinkKind};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::shard::House;
use crate::store::StoreError;
use crate::store::changes::{self, Change};

/// Follows devices coming and going until the front is gone.
///
/// # Errors
/// When state cannot be read.
pub async fn run(house: Arc<House>, mut sessions: mpsc::Receiver<SessionEvent>) -> Result<(), StoreError> {
    while let Some(event) = sessions.recv().await {
        match event {
            SessionEvent::Online(address) => {
                tracing::debug!(device = %address, "online");
                resend(&house, &address).await?;
            }
            SessionEvent::Refused { who, reason, detail } => record(&house, who, reason, detail).await?,
            SessionEvent::Offline(address) => tracing::debug!(device = %address, "offline"),
        }
    }
    Ok(())
}

/// Keeps a refusal beside the messages of its time; the same again at that time counts once.
async fn record(house: &House, who: String, reason: &str, detail: String) -> Result<(), StoreError> {
    let now = house.clock.now();
    let refused = Change::Rejected {
        position: house.journal.end().0,
        at: now,
        device: who,
        channel: "connection".into(),
        field: reason.to_owned(),
        reason: detail,
        head: String::new(),
    };
    let mut write = house.store.write().await?;
    changes::apply(&mut write, &refused, now).await?;
    Ok(write.commit().await?)
}

async fn resend(house: &House, address: &DeviceAddress) -> Result<(), StoreError> {
    let waiting: Vec<(String, Vec<u8>, i64)> =
        sqlx::query_as("SELECT topic, payload, expires_ms FROM outbox WHERE device = $1 ORDER BY created_ms")
            .bind(address.device.as_str())
            .fetch_all(house.store.read())
            .await?;
    for (topic, payload, expires_ms) in waiting {
        let message = command(&house.clock, topic, payload, ServerTime(expires_ms));
        if let Err(error) = house.downlinks.send(&address.device, message) {
            tracing::debug!(device = %address, %error, "a command waits on");
        }
    }
    Ok(())
}

/// A command as the device gets it: MQTT 5 tells it for how long, and where the answer goes.
///
/// A command whose time is over is sent all the same, without an expiry: the device performs it no more, but its
/// answer that it is too late settles the repair.
pub(crate) fn command(clock: &Clock, topic: String, payload: Vec<u8>, expires: ServerTime) -> DeviceMessage {
    let left_ms = expires.ms() - clock.now().ms();
    let left = u64::try_from(left_ms).ok().filter(|left| *left > 0).map(Duration::from_millis);
    let answer = match firmware_proto::topic::parse(&topic) {
        Ok((address, Topic::Command(id))) => {
            Some((address.topic(&Topic::Up(UplinkKind::Result(id))), id.to_string().into()))
        }
        _ => None,
    };
    let expires = left.map(|left| Instant::now() + clock.wall(left));
    DeviceMessage { topic, payload: payload.into(), expires, answer }
}
