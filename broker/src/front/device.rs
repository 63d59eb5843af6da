//! A connected device.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use firmware_proto::{DeviceAddress, Topic, UplinkKind, topic};
use rumqttc::mqttbytes::QoS;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::downlink::{DeviceLink, Queued};
use super::pace::Pace;
use super::refusal::Reason;
use super::registry::Eviction;
use super::socket::{End, Socket};
use super::uplink::{Rejected, Uplink};
use super::wire::{self, Code, Granted, Incoming, Publish, PublishFlags, Subscribe, Version, Wanted, Writer};
use super::{Gate, SessionEvent, shut_down};
use crate::downlink::DeviceMessage;
use crate::filter;
use crate::journal::{Entry, Offer, Position, Waiter};

pub(super) struct DeviceSession {
    gate: Arc<Gate>,
    socket: Socket,
    writer: Writer,
    address: DeviceAddress,
    uplink: Uplink,
    link: Arc<DeviceLink>,
    commands: mpsc::Receiver<Queued>,
    /// A command taken from the queue and not yet written.
    next_command: Option<Queued>,
    /// Commands that may be unacknowledged.
    commands_inflight: usize,
    /// How many of the session's unacknowledged commands this connection has written; the oldest are first.
    written: usize,
    /// Woken when messages of this device are on disk.
    waiter: Arc<Waiter>,
    /// QoS 1 messages that were not answered yet, oldest first.
    unanswered: VecDeque<(u16, Answer)>,
    /// A message for which the journal had no room; nothing is read meanwhile.
    held: Option<Held>,
    pace: Pace,
    /// How long the session outlives the connection.
    expiry: Duration,
}

/// What a PUBLISH is answered.
enum Answer {
    /// That it was taken, once this is on disk.
    Taken(Position),
    /// That it was not, in MQTT 5.
    Refused(Code, String),
}

struct Held {
    entry: Entry,
    /// Packet id to acknowledge; `None` for QoS 0.
    packet_id: Option<u16>,
}

/// What of a device's connection is left when it has ended.
pub(super) struct Remains {
    pub socket: Socket,
    /// A will that is still to be published, unless the device comes back before.
    pub will: Option<(Bytes, Duration)>,
    /// How long the session goes on.
    pub expiry: Duration,
}

/// What the CONNECT said of the session.
pub(super) struct Terms {
    pub writer: Writer,
    pub commands_inflight: usize,
    pub expiry: Duration,
}

impl DeviceSession {
    pub fn new(
        gate: Arc<Gate>,
        socket: Socket,
        terms: Terms,
        address: DeviceAddress,
        link: Arc<DeviceLink>,
        commands: mpsc::Receiver<Queued>,
    ) -> Self {
        let limits = &gate.limits;
        Self {
            socket,
            writer: terms.writer,
            uplink: Uplink::new(address.clone(), limits.topic_aliases),
            address,
            link,
            commands,
            next_command: None,
            commands_inflight: terms.commands_inflight,
            written: 0,
            waiter: Arc::new(Waiter::new()),
            unanswered: VecDeque::new(),
            held: None,
            pace: Pace::new(limits.messages_per_second, limits.bytes_per_second, Instant::now().into_std()),
            expiry: terms.expiry,
            gate,
        }
    }

    /// Serves the device until its connection ends. May be dropped at any point: what was not acknowledged, the
    /// device sends again.
    pub async fn run(&mut self) -> End {
        let mut shutdown = self.gate.shutdown.subscribe();
        // Made once: to register anew for each packet costs more than the packet.
        let mut shutdown = pin!(shut_down(&mut shutdown));
        self.come_online().await;
        loop {
            if let Err(end) = self.step(shutdown.as_mut()).await {
                return end;
            }
        }
    }

    /// Ends the session's connection, once no newer one may see anything of it any more.
    pub async fn leave(mut self, end: &End, will: Option<(Bytes, Duration)>) -> Remains {
        self.socket.say_goodbye(self.writer, end).await;
        let ends = matches!(end, End::Evicted(Eviction::Replaced | Eviction::Revoked));
        let expiry = if ends { Duration::ZERO } else { self.expiry };
        let mut will = will.filter(|_| !matches!(end, End::Disconnected | End::Shutdown | End::JournalStopped));
        let delayed = |(_, delay): &(Bytes, Duration)| !delay.min(&expiry).is_zero();
        if *end == End::Evicted(Eviction::TakenOver) && will.as_ref().is_some_and(delayed) {
            // It is back already.
            will = None;
        } else if let Some((payload, _)) = will.take_if(|will| !delayed(will)) {
            self.gate.publish_death(&self.address, payload).await;
        }
        self.go_offline().await;
        Remains { socket: self.socket, will, expiry }
    }

    async fn step(&mut self, shutdown: Pin<&mut impl Future<Output = ()>>) -> Result<(), End> {
        self.answer()?;
        self.take_packets().await?;
        self.write_commands();
        self.socket.flush().await?;
        self.wait(shutdown).await
    }

    /// Writes a PUBACK for each message that is on disk or was refused, in order.
    fn answer(&mut self) -> Result<(), End> {
        while let Some((packet_id, answer)) = self.unanswered.front() {
            match answer {
                Answer::Taken(position) => match self.gate.journal.covers(*position) {
                    Some(Ok(())) => self.writer.puback(&mut self.socket.output, *packet_id),
                    Some(Err(_)) => return Err(End::JournalStopped),
                    None => break,
                },
                Answer::Refused(code, detail) => {
                    self.writer.puback_refused(&mut self.socket.output, *packet_id, *code, detail);
                }
            }
            self.unanswered.pop_front();
        }
        Ok(())
    }

    /// Handles what has come in, as far as there is room.
    async fn take_packets(&mut self) -> Result<(), End> {
        if let Some(held) = self.held.take() {
            self.offer(held)?;
        }
        let (mut packets, before) = (0, self.socket.input.len());
        while self.has_room() {
            let limit = self.gate.limits.packet_bytes;
            let Some(packet) = wire::read(self.writer.version, &mut self.socket.input, limit)? else { break };
            // A filter costs as much as a message.
            packets += 1 + wire::filters_of(&packet);
            match packet {
                Incoming::Publish(publish) => self.take_publish(publish)?,
                Incoming::PubAck(packet_id) => self.take_ack(packet_id)?,
                Incoming::Subscribe(subscribe) => self.take_subscribe(subscribe).await?,
                Incoming::Unsubscribe { packet_id, filters } => self.take_unsubscribe(packet_id, &filters).await,
                Incoming::Ping => self.writer.pong(&mut self.socket.output),
                Incoming::Disconnect { with_will, session_expiry_s } => {
                    return Err(self.take_disconnect(with_will, session_expiry_s));
                }
                Incoming::Unexpected(what) => return Err(End::refused(Reason::Protocol, what)),
            }
        }
        if packets > 0 {
            self.socket.heard();
            let bytes = before.saturating_sub(self.socket.input.len());
            self.pace.charge(packets, bytes, std::time::Instant::now());
        }
        Ok(())
    }

    /// A client of MQTT 5 knows how many messages may be unanswered; others are not read further.
    fn has_room(&self) -> bool {
        self.held.is_none()
            && self.pace.pause().is_none()
            && (self.writer.version == Version::V5 || self.unanswered.len() < self.gate.limits.inflight_per_device)
    }

    fn take_publish(&mut self, publish: Publish) -> Result<(), End> {
        let (qos, packet_id) = (publish.qos, (publish.qos != QoS::AtMostOnce).then_some(publish.packet_id));
        let most = self.gate.limits.inflight_per_device;
        if packet_id.is_some() && self.unanswered.len() >= most {
            return Err(End::refused(Reason::ReceiveMaximum, format!("more than {most} messages unacknowledged")));
        }
        let (kind, payload) = match self.uplink.take(publish) {
            Ok(taken) => taken,
            Err(rejected) => return self.reject(rejected, packet_id),
        };
        self.gate.meters.published(qos);
        let received = (self.gate.clock)();
        let entry = Entry { received, address: self.address.clone(), kind, payload };
        self.offer(Held { entry, packet_id })
    }

    /// Says so in the PUBACK where there is one that can, and otherwise by closing the connection.
    fn reject(&mut self, rejected: Rejected, packet_id: Option<u16>) -> Result<(), End> {
        let Rejected { reason, code, detail, may_go_on } = rejected;
        match packet_id {
            Some(packet_id) if may_go_on && self.writer.version == Version::V5 => {
                self.gate.refusals.note(reason, self.socket.peer, &self.address.to_string(), &detail);
                self.unanswered.push_back((packet_id, Answer::Refused(code, detail)));
                Ok(())
            }
            _ => Err(End::Refused(reason, detail)),
        }
    }

    fn offer(&mut self, message: Held) -> Result<(), End> {
        match self.gate.journal.offer(&message.entry, message.packet_id.map(|_| &self.waiter)) {
            Ok(Offer::Accepted(position)) => {
                self.unanswered.extend(message.packet_id.map(|packet_id| (packet_id, Answer::Taken(position))));
            }
            Ok(Offer::Full) => self.held = Some(message),
            Err(_) => return Err(End::JournalStopped),
        }
        Ok(())
    }

    /// A device acknowledges commands in the order in which it got them (MQTT 3.1.1, 4.6).
    fn take_ack(&mut self, packet_id: u16) -> Result<(), End> {
        let mut session = self.link.session();
        let expected = session.unacknowledged.front().map(|(expected, _)| *expected);
        if expected == Some(packet_id) {
            session.unacknowledged.pop_front();
            // It may be of a command that came over the earlier connection.
            self.written = self.written.saturating_sub(1);
            return Ok(());
        }
        Err(End::refused(Reason::Acknowledgement, format!("PUBACK of {packet_id}, but {expected:?} is next")))
    }

    /// The expiry may be changed, but not be brought into being (MQTT 5, 3.14.2.2.2).
    fn take_disconnect(&mut self, with_will: bool, session_expiry_s: Option<u32>) -> End {
        if let Some(seconds) = session_expiry_s {
            if self.expiry.is_zero() && seconds > 0 {
                return End::refused(Reason::Protocol, "a session that was to end with the connection cannot go on");
            }
            self.expiry = self.gate.limits.session_for(seconds);
        }
        if with_will { End::DisconnectedWithWill } else { End::Disconnected }
    }

    async fn take_subscribe(&mut self, subscribe: Subscribe) -> Result<(), End> {
        if subscribe.has_identifier {
            return Err(End::refused(Reason::SubscriptionId, "subscription identifiers are not offered"));
        }
        let granted: Vec<_> = subscribe.filters.into_iter().map(|wanted| self.take_filter(wanted)).collect();
        self.writer.suback(&mut self.socket.output, subscribe.packet_id, &granted);
        self.come_online().await;
        Ok(())
    }

    async fn take_unsubscribe(&mut self, packet_id: u16, filters: &[String]) {
        let held: Vec<_> = filters.iter().map(|filter| self.link.session().unsubscribe(filter)).collect();
        self.writer.unsuback(&mut self.socket.output, packet_id, &held);
        let receives_commands = self.link.session().receives_commands(&self.address);
        if !receives_commands {
            self.go_offline().await;
        }
    }

    fn take_filter(&mut self, wanted: Wanted) -> Granted {
        let Wanted { filter, qos, .. } = wanted;
        let qos = if qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let limit = self.gate.limits.filters_per_client;
        let (reason, code, detail) = if filter.starts_with("$share/") {
            (Reason::Shared, Code::SharedNotSupported, format!("{filter:?}: nobody shares a device's messages"))
        } else if !filter::is_filter(&filter) {
            (Reason::Filter, Code::FilterInvalid, format!("{filter:?} is no topic filter"))
        } else if !may_subscribe(&self.address, &filter) {
            (Reason::Filter, Code::NotAuthorised, format!("{filter:?} is neither its commands nor its errors"))
        } else if self.link.session().subscribe(filter, qos, limit) {
            return Ok(qos);
        } else {
            (Reason::Filter, Code::Quota, format!("more than {limit} filters"))
        };
        self.gate.refusals.note(reason, self.socket.peer, &self.address.to_string(), &detail);
        Err(code)
    }

    /// Says that commands can be sent, once they can.
    async fn come_online(&self) {
        if self.link.is_online() || !self.link.session().receives_commands(&self.address) {
            return;
        }
        // A place first, so that nobody sees the device online without the event, or the other way round. If nobody
        // listens, nobody cares.
        let place = self.gate.sessions.reserve().await;
        self.link.set_online(true);
        if let Ok(place) = place {
            place.send(SessionEvent::Online(self.address.clone()));
        }
    }

    /// Says that commands cannot be sent any more.
    async fn go_offline(&self) {
        if self.link.is_online() {
            // As in coming online.
            let place = self.gate.sessions.reserve().await;
            self.link.set_online(false);
            if let Ok(place) = place {
                place.send(SessionEvent::Offline(self.address.clone()));
            }
        }
    }

    /// Writes commands, as far as the device keeps up.
    fn write_commands(&mut self) {
        self.write_again();
        self.write_queued();
    }

    /// Writes once more what an earlier connection of the session did not acknowledge (MQTT 3.1.1 and 5, 4.4). What has
    /// expired is left out, and what the device no longer has room for (MQTT 5, 3.1.2.11.4).
    fn write_again(&mut self) {
        let mut session = self.link.session();
        while self.written < session.unacknowledged.len().min(self.commands_inflight) {
            let (packet_id, message) = &session.unacknowledged[self.written];
            if is_over(message) || !self.link.takes(message) {
                session.unacknowledged.remove(self.written);
                continue;
            }
            let flags = PublishFlags { dup: true, retain: false };
            self.writer.publish(&mut self.socket.output, message.clone(), QoS::AtLeastOnce, *packet_id, flags);
            self.written += 1;
        }
    }

    /// Writes queued commands. What has expired, or is on its way already, is not sent.
    fn write_queued(&mut self) {
        let mut session = self.link.session();
        while session.unacknowledged.len() < self.commands_inflight {
            let Some(Queued { message, qos }) = self.next_command.take().or_else(|| self.commands.try_recv().ok())
            else {
                return;
            };
            if is_over(&message) {
                self.gate.meters.expired();
                continue;
            }
            let packet_id = match qos {
                QoS::AtMostOnce => 0,
                _ if session.is_underway(&message) => continue,
                _ => {
                    self.written += 1;
                    session.await_acknowledgement((*message).clone())
                }
            };
            self.writer.publish(&mut self.socket.output, *message, qos, packet_id, PublishFlags::default());
        }
    }

    /// Waits until there is something to do. Each step does whatever there is, so that the order here starves nothing.
    async fn wait(&mut self, shutdown: Pin<&mut impl Future<Output = ()>>) -> Result<(), End> {
        let oldest = match self.unanswered.front() {
            Some((_, Answer::Refused(..))) => return Ok(()),
            Some((_, Answer::Taken(position))) => Some(*position),
            None => None,
        };
        let has_room = self.has_room();
        let takes_commands = self.link.session().unacknowledged.len() < self.commands_inflight;
        let pause = self.pace.pause();
        let outcome = tokio::select! {
            biased;
            () = shutdown => Err(self.finish().await),
            () = on_disk(&self.gate, &self.waiter, oldest), if oldest.is_some() => Ok(()),
            read = self.socket.read(), if has_room => read,
            () = self.gate.journal.room(), if self.held.is_some() => Ok(()),
            () = over(pause), if pause.is_some() => {
                self.pace.go_on();
                Ok(())
            }
            Some(command) = self.commands.recv(), if takes_commands => {
                self.next_command = Some(command);
                Ok(())
            }
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
            if let Err(end) = self.answer() {
                return end;
            }
            if let Err(end) = self.socket.flush().await {
                return end;
            }
            match self.unanswered.front() {
                None => return End::Shutdown,
                Some((_, Answer::Taken(position))) => self.gate.journal.settled(&self.waiter, *position).await,
                Some((_, Answer::Refused(..))) => {}
            }
        }
    }
}

/// Waits until a message of the device is on disk, or never will be.
async fn on_disk(gate: &Gate, waiter: &Waiter, position: Option<Position>) {
    if let Some(position) = position {
        gate.journal.settled(waiter, position).await;
    }
}

/// Waits until the pause is over.
async fn over(pause: Option<std::time::Instant>) {
    if let Some(until) = pause {
        sleep_until(until.into()).await;
    }
}

fn is_over(message: &DeviceMessage) -> bool {
    message.expires.is_some_and(|at| at <= std::time::Instant::now())
}

/// A device hears its own commands and its own errors.
fn may_subscribe(address: &DeviceAddress, filter: &str) -> bool {
    let commands = address.command_filter();
    let all_below = commands.strip_suffix('+').is_some_and(|stem| filter.strip_prefix(stem) == Some("#"));
    let own_topic =
        || matches!(topic::parse(filter), Ok((owner, Topic::Command(_) | Topic::Error)) if owner == *address);
    filter == commands || all_below || own_topic()
}

impl Gate {
    /// Puts a will into the journal: the device itself is gone.
    pub(super) async fn publish_death(&self, address: &DeviceAddress, payload: Bytes) {
        let entry = Entry { received: (self.clock)(), address: address.clone(), kind: UplinkKind::Death, payload };
        if let Err(error) = self.journal.enqueue(&entry).await {
            tracing::warn!(device = %address, %error, "a will was lost");
        }
    }
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
