//! A session without a connection: its device may come back and go on with it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use firmware_proto::{DeviceAddress, DeviceId};
use tokio::time::{Instant, sleep_until};

use super::downlink::DeviceLink;
use super::registry::{Claim, Eviction};
use super::{Gate, shut_down};

/// What waits.
pub(super) struct Parked {
    pub address: DeviceAddress,
    pub will: Option<(Bytes, Duration)>,
    pub expiry: Duration,
    pub claim: Claim<DeviceId, DeviceLink>,
}

impl Parked {
    /// Keeps the session until it expires or its device is back, and publishes the will when its time has come: after
    /// its delay or with the session's end, whichever is first (MQTT 5, 3.1.3.2.2).
    pub async fn wait(self, gate: Arc<Gate>) {
        let Self { address, will, expiry, claim } = self;
        let mut shutdown = gate.shutdown.subscribe();
        let ends_at = Instant::now() + expiry;
        let will_at = will.as_ref().map_or(ends_at, |(_, delay)| ends_at.min(Instant::now() + *delay));
        tokio::select! {
            () = sleep_until(will_at) => {}
            why = claim.evicted() => return end(&gate, &address, will, why != Eviction::TakenOver).await,
            // The gateway does not know later what was to be said: it says it now.
            () = shut_down(&mut shutdown) => return end(&gate, &address, will, true).await,
        }
        if will_at == ends_at {
            // Whoever waits for the place finds nothing in it.
            claim.link().forget_session();
            return end(&gate, &address, will, true).await;
        }
        end(&gate, &address, will, true).await;
        tokio::select! {
            () = sleep_until(ends_at) => {}
            _ = claim.evicted() => {}
            () = shut_down(&mut shutdown) => {}
        }
    }
}

async fn end(gate: &Gate, address: &DeviceAddress, will: Option<(Bytes, Duration)>, due: bool) {
    if let (true, Some((payload, _))) = (due, will) {
        gate.publish_death(address, payload).await;
    }
}
