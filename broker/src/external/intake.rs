//! Messages of the cluster on their way to the journal, and their acknowledgements on the way back.

use std::collections::VecDeque;
use std::sync::Arc;

use firmware_proto::{DeviceAddress, ServerTime, Topic, UplinkKind, topic};
use rumqttc::mqttbytes::v4::{PubAck, PubRec, Publish};
use rumqttc::{Packet, QoS};
use tokio::sync::watch;

use super::ExternalConfig;
use super::devices::Devices;
use super::meters::Meters;
use super::rejects::{Reason, Rejects};
use crate::filter;
use crate::journal::{Entry, Journal, JournalError, Position, Progress};

pub(super) struct Intake {
    journal: Journal,
    clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
    filters: Vec<String>,
    window: usize,
    message_bytes: usize,
    pub devices: Devices,
    rejects: Rejects,
    meters: Meters,
    progress: watch::Receiver<Progress>,
    /// Oldest first.
    unacknowledged: VecDeque<Unacknowledged>,
}

struct Unacknowledged {
    /// What it waits for; `None` if it is not journalled.
    position: Option<Position>,
    ack: Packet,
}

/// What becomes of a message.
enum Verdict {
    Take(DeviceAddress, UplinkKind),
    /// Our own, which came back through a wide filter.
    PassOver,
    Reject(Reason, String),
}

impl Intake {
    pub fn new(
        config: &ExternalConfig,
        journal: Journal,
        clock: Arc<dyn Fn() -> ServerTime + Send + Sync>,
        devices: Devices,
        meters: Meters,
    ) -> Self {
        Self {
            progress: journal.progress(),
            journal,
            clock,
            filters: config.filters.clone(),
            window: config.limits.window,
            message_bytes: config.limits.packet_bytes,
            devices,
            rejects: Rejects::new(),
            meters,
            unacknowledged: VecDeque::new(),
        }
    }

    /// Whether another message may be taken.
    pub fn has_room(&self) -> bool {
        self.unacknowledged.len() < self.window
    }

    /// Whether all that was taken is acknowledged.
    pub fn is_settled(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// Takes a message. Waits while the journal has no room.
    pub async fn take(&mut self, publish: Publish) -> Result<(), JournalError> {
        let position = match self.judge(&publish) {
            Verdict::Take(address, kind) => self.enqueue(&publish, address, kind).await?,
            Verdict::PassOver => None,
            Verdict::Reject(reason, detail) => {
                self.rejects.note(reason, &publish.topic, &detail);
                None
            }
        };
        let ack = match publish.qos {
            QoS::AtMostOnce => return Ok(()),
            QoS::AtLeastOnce => Packet::PubAck(PubAck::new(publish.pkid)),
            // Not asked for, but the answer exists.
            QoS::ExactlyOnce => Packet::PubRec(PubRec::new(publish.pkid)),
        };
        self.unacknowledged.push_back(Unacknowledged { position, ack });
        Ok(())
    }

    async fn enqueue(
        &mut self,
        publish: &Publish,
        address: DeviceAddress,
        kind: UplinkKind,
    ) -> Result<Option<Position>, JournalError> {
        let entry = Entry { received: (self.clock)(), address, kind, payload: publish.payload.clone() };
        let position = match self.journal.enqueue(&entry).await {
            Err(error @ JournalError::TooLarge(_)) => {
                self.rejects.note(Reason::TooLarge, &publish.topic, &error.to_string());
                return Ok(None);
            }
            position => position?,
        };
        self.meters.messages.increment(1);
        self.devices.heard(&entry.address, &entry.kind, &self.meters).await;
        Ok(Some(position))
    }

    fn judge(&self, publish: &Publish) -> Verdict {
        if publish.retain {
            return Verdict::Reject(Reason::Retained, "it came when it was published".to_owned());
        }
        if publish.payload.len() > self.message_bytes {
            let detail = format!("{} bytes; at most {} are taken", publish.payload.len(), self.message_bytes);
            return Verdict::Reject(Reason::TooLarge, detail);
        }
        if !self.filters.iter().any(|filter| filter::matches(filter, &publish.topic)) {
            let detail =
                "no filter of ours; the cluster remembers one from before: delete its session of this client id";
            return Verdict::Reject(Reason::Filter, detail.to_owned());
        }
        match topic::parse(&publish.topic) {
            Ok((address, Topic::Up(kind))) => Verdict::Take(address, kind),
            Ok((_, Topic::Command(_) | Topic::Error)) => Verdict::PassOver,
            Err(error) => Verdict::Reject(Reason::Topic, error.to_string()),
        }
    }

    /// The acknowledgements that are due, in order. What is taken from here must be written.
    pub fn due(&mut self) -> Result<Vec<Packet>, JournalError> {
        let mut due = Vec::new();
        let progress = self.progress.borrow_and_update();
        while let Some(oldest) = self.unacknowledged.front() {
            match oldest.position.map(|position| progress.covers(position)) {
                None | Some(Some(Ok(()))) => {}
                Some(Some(Err(stopped))) => return Err(stopped),
                Some(None) => break,
            }
            due.extend(self.unacknowledged.pop_front().map(|oldest| oldest.ack));
        }
        Ok(due)
    }

    /// Waits until something may be due; for ever if nothing waits for the disk. Cancel-safe.
    pub async fn wait_for_disk(&mut self) -> Result<(), JournalError> {
        if self.is_settled() {
            return std::future::pending().await;
        }
        self.progress.changed().await.map_err(|_| JournalError::Closed)
    }

    /// The connection has ended: what was not acknowledged comes again, under other packet ids.
    pub async fn forget(&mut self) {
        self.unacknowledged.clear();
        self.devices.all_gone().await;
    }
}
