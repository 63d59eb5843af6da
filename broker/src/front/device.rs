//! A connected device.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use firmware_proto::{DeviceAddress, Topic, UplinkKind, topic};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Publish, Subscribe, Unsubscribe};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tracing::warn;

use super::downlink::DeviceLink;
use super::refusal::Reason;
use super::socket::{End, Socket};
use super::wire::{self, Incoming};
use super::{Gate, SessionEvent, shut_down};
use crate::downlink::DeviceMessage;
use crate::journal::{Entry, Offer, Position, Progress};

pub(super) struct DeviceSession<S> {
    gate: Arc<Gate>,
    socket: Socket<S>,
    address: DeviceAddress,
    link: Arc<DeviceLink>,
    commands: mpsc::Receiver<(DeviceMessage, QoS)>,
    /// A command taken from the queue and not yet written.
    next_command: Option<(DeviceMessage, QoS)>,
    /// Packet ids of commands that the device has not acknowledged, oldest first.
    commands_inflight: VecDeque<u16>,
    last_packet_id: u16,
    progress: watch::Receiver<Progress>,
    /// QoS 1 messages that wait for the disk, oldest first.
    unacknowledged: VecDeque<(Position, u16)>,
    /// A message for which the journal had no room; nothing is read meanwhile.
    held: Option<Held>,
    /// The topic of the last message, which is as a rule that of the next.
    last_topic: Option<(String, UplinkKind)>,
    shutdown: watch::Receiver<bool>,
}

struct Held {
    entry: Entry,
    /// Packet id to acknowledge; `None` for QoS 0.
    packet_id: Option<u16>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> DeviceSession<S> {
    pub fn new(
        gate: Arc<Gate>,
        socket: Socket<S>,
        address: DeviceAddress,
        link: Arc<DeviceLink>,
        commands: mpsc::Receiver<(DeviceMessage, QoS)>,
    ) -> Self {
        Self {
            socket,
            address,
            link,
            commands,
            next_command: None,
            commands_inflight: VecDeque::new(),
            last_packet_id: 0,
            progress: gate.journal.progress(),
            unacknowledged: VecDeque::new(),
            held: None,
            last_topic: None,
            shutdown: gate.shutdown.subscribe(),
            gate,
        }
    }

    /// Serves the device until its connection ends. May be dropped at any point: what was not acknowledged, the
    /// device sends again.
    pub async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    /// Ends the session, once no newer connection may see anything of this one any more.
    pub async fn leave(self, end: &End, will: Option<Bytes>) {
        let Self { gate, socket, address, link, .. } = self;
        socket.close().await;
        if let Some(payload) = will
            && !matches!(end, End::Disconnected | End::Shutdown | End::JournalStopped)
        {
            let entry = Entry { received: (gate.clock)(), address: address.clone(), kind: UplinkKind::Death, payload };
            if let Err(error) = gate.journal.enqueue(&entry).await {
                warn!(device = %address, error = %error, "a will was lost");
            }
        }
        if link.set_online(false) {
            // If nobody listens, nobody cares.
            let _ = gate.sessions.send(SessionEvent::Offline(address)).await;
        }
    }

    async fn step(&mut self) -> Result<(), End> {
        self.acknowledge()?;
        self.take_packets().await?;
        self.write_commands();
        self.socket.flush().await?;
        self.wait().await
    }

    /// Writes a PUBACK for each message that is on disk, in order.
    fn acknowledge(&mut self) -> Result<(), End> {
        if self.unacknowledged.is_empty() {
            return Ok(());
        }
        let progress = self.progress.borrow_and_update();
        while let Some((position, packet_id)) = self.unacknowledged.front() {
            match progress.covers(*position) {
                Some(Ok(())) => wire::write_puback(&mut self.socket.output, *packet_id),
                Some(Err(_)) => return Err(End::JournalStopped),
                None => break,
            }
            self.unacknowledged.pop_front();
        }
        Ok(())
    }

    /// Handles what has come in, as far as there is room.
    async fn take_packets(&mut self) -> Result<(), End> {
        if let Some(held) = self.held.take() {
            self.offer(held)?;
        }
        let mut heard = false;
        while self.has_room() {
            let Some(packet) = wire::read(&mut self.socket.input, self.gate.limits.packet_bytes)? else { break };
            heard = true;
            match packet {
                Incoming::Publish(publish) => self.take_publish(publish)?,
                Incoming::PubAck(packet_id) => self.take_ack(packet_id)?,
                Incoming::Subscribe(subscribe) => self.take_subscribe(subscribe).await,
                Incoming::Unsubscribe(unsubscribe) => self.take_unsubscribe(&unsubscribe),
                Incoming::Ping => wire::write_pong(&mut self.socket.output),
                Incoming::Disconnect => return Err(End::Disconnected),
                Incoming::Unexpected(what) => return Err(End::refused(Reason::Malformed, what)),
            }
        }
        if heard {
            self.socket.heard();
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.held.is_none() && self.unacknowledged.len() < self.gate.limits.inflight_per_device
    }

    fn take_publish(&mut self, publish: Publish) -> Result<(), End> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(End::refused(Reason::Qos2, "use QoS 1: messages are deduplicated by boot_id and seq"));
        }
        if publish.retain {
            return Err(End::refused(Reason::Retain, "devices retain nothing here"));
        }
        let kind = self.kind_of(&publish.topic)?;
        self.gate.meters.published(publish.qos);
        let packet_id = (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid);
        let received = (self.gate.clock)();
        let entry = Entry { received, address: self.address.clone(), kind, payload: publish.payload };
        self.offer(Held { entry, packet_id })
    }

    fn offer(&mut self, message: Held) -> Result<(), End> {
        match self.gate.journal.offer(&message.entry) {
            Ok(Offer::Accepted(position)) => {
                self.unacknowledged.extend(message.packet_id.map(|packet_id| (position, packet_id)));
            }
            Ok(Offer::Full) => self.held = Some(message),
            Err(_) => return Err(End::JournalStopped),
        }
        Ok(())
    }

    /// What a topic means, if it is one this device may publish to.
    fn kind_of(&mut self, text: &str) -> Result<UplinkKind, End> {
        if let Some((known, kind)) = &self.last_topic
            && known == text
        {
            return Ok(kind.clone());
        }
        let foreign = |detail: String| End::refused(Reason::Topic, detail);
        match topic::parse(text) {
            Ok((address, Topic::Up(kind))) if address == self.address => {
                self.last_topic = Some((text.to_owned(), kind.clone()));
                Ok(kind)
            }
            Ok((address, Topic::Up(_))) => Err(foreign(format!("{text:?} belongs to {address}"))),
            Ok(_) => Err(foreign(format!("{text:?} is for messages to a device"))),
            Err(error) => Err(foreign(format!("{text:?}: {error}"))),
        }
    }

    /// A device acknowledges commands in the order in which it got them (MQTT 3.1.1, 4.6).
    fn take_ack(&mut self, packet_id: u16) -> Result<(), End> {
        if self.commands_inflight.front() == Some(&packet_id) {
            self.commands_inflight.pop_front();
            return Ok(());
        }
        let expected = self.commands_inflight.front();
        Err(End::refused(Reason::Acknowledgement, format!("PUBACK of {packet_id}, but {expected:?} is next")))
    }

    async fn take_subscribe(&mut self, subscribe: Subscribe) {
        let mut granted = Vec::with_capacity(subscribe.filters.len());
        for wanted in subscribe.filters {
            let qos = if wanted.qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            let limit = self.gate.limits.filters_per_client;
            let refused = if !may_subscribe(&self.address, &wanted.path) {
                Some(format!("{:?} is neither its commands nor its errors", wanted.path))
            } else if !self.link.subscribe(wanted.path, qos, limit) {
                Some(format!("more than {limit} filters"))
            } else {
                None
            };
            if let Some(detail) = &refused {
                self.gate.refusals.note(Reason::Filter, self.socket.peer, &self.address.to_string(), detail);
            }
            granted.push(refused.is_none().then_some(qos));
        }
        wire::write_suback(&mut self.socket.output, subscribe.pkid, &granted);
        if self.link.receives_commands(&self.address) && !self.link.is_online() {
            // A place first, so that nobody sees the device online without the event, or the other way round. If
            // nobody listens, nobody cares.
            let place = self.gate.sessions.reserve().await;
            self.link.set_online(true);
            if let Ok(place) = place {
                place.send(SessionEvent::Online(self.address.clone()));
            }
        }
    }

    fn take_unsubscribe(&mut self, unsubscribe: &Unsubscribe) {
        for filter in &unsubscribe.topics {
            self.link.unsubscribe(filter);
        }
        wire::write_unsuback(&mut self.socket.output, unsubscribe.pkid);
    }

    /// Writes queued commands, as far as the device keeps up.
    fn write_commands(&mut self) {
        while self.commands_inflight.len() < self.gate.limits.commands_inflight {
            let Some(command) = self.next_command.take().or_else(|| self.commands.try_recv().ok()) else { return };
            let (DeviceMessage { topic, payload, .. }, qos) = command;
            let packet_id = if qos == QoS::AtMostOnce { 0 } else { self.next_packet_id() };
            wire::write_publish(&mut self.socket.output, topic, payload, qos, packet_id);
        }
    }

    /// A packet id that is not in use; far fewer are in flight than there are.
    fn next_packet_id(&mut self) -> u16 {
        loop {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            if !self.commands_inflight.contains(&self.last_packet_id) {
                self.commands_inflight.push_back(self.last_packet_id);
                return self.last_packet_id;
            }
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) -> Result<(), End> {
        let has_room = self.has_room();
        let takes_commands = self.commands_inflight.len() < self.gate.limits.commands_inflight;
        let outcome = tokio::select! {
            changed = self.progress.changed(), if !self.unacknowledged.is_empty() => {
                changed.map_err(|_| End::JournalStopped)
            }
            read = self.socket.read(), if has_room => read,
            () = self.gate.journal.room(), if self.held.is_some() => Ok(()),
            Some(command) = self.commands.recv(), if takes_commands => {
                self.next_command = Some(command);
                Ok(())
            }
            () = shut_down(&mut self.shutdown) => Err(self.finish().await),
        };
        if !has_room {
            // The silence was ours.
            self.socket.heard();
        }
        outcome
    }

    /// Acknowledges what was taken, and nothing more.
    async fn finish(&mut self) -> End {
        loop {
            if let Err(end) = self.acknowledge() {
                return end;
            }
            if let Err(end) = self.socket.flush().await {
                return end;
            }
            if self.unacknowledged.is_empty() {
                return End::Shutdown;
            }
            if self.progress.changed().await.is_err() {
                return End::JournalStopped;
            }
        }
    }
}

/// A device hears its own commands and its own errors.
fn may_subscribe(address: &DeviceAddress, filter: &str) -> bool {
    let commands = address.command_filter();
    let all_below = commands.strip_suffix('+').is_some_and(|stem| filter.strip_prefix(stem) == Some("#"));
    let own_topic =
        || matches!(topic::parse(filter), Ok((owner, Topic::Command(_) | Topic::Error)) if owner == *address);
    filter == commands || all_below || own_topic()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_hears_only_what_is_its_own() {
        let address = DeviceAddress { tenant: "home".parse().unwrap(), device: "ac-1".parse().unwrap() };
        let own = ["cmd/req/+", "cmd/req/#", "cmd/req/0190b6a4-0000-7000-8000-000000000001", "err"];
        for filter in own {
            assert!(may_subscribe(&address, &format!("ag/v1/home/ac-1/{filter}")), "{filter}");
            assert!(!may_subscribe(&address, &format!("ag/v1/home/ac-2/{filter}")), "{filter}");
        }
        for filter in ["#", "ag/v1/home/ac-1/#", "ag/v1/home/ac-1/tlm", "ag/v1/home/+/err", "ag/v1/home/ac-1/cmd/req/x"]
        {
            assert!(!may_subscribe(&address, filter), "{filter}");
        }
    }
}
