//! One MQTT connection of one device, kept up.
//!
//! Every connection is a clean session with a client of its own: what was not
//! acknowledged is in the [`Outbox`] and goes out again. The two halves run side by side
//! in one task: [`pump`] waits on the socket, [`drive`] lets the occupant live, hands
//! messages over and takes acknowledgements.

mod outbox;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use firmware_proto::{DeviceAddress, DeviceTime, Topic, UplinkKind, topic};
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS, SubscribeFilter};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use outbox::{MAX_IN_FLIGHT, Message, Outbox};

/// A dead connection is noticed within two of these; a loaded gateway may be slow to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// First pause before connecting again; doubled each time up to the last.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const LAST_BACK_OFF: Duration = Duration::from_secs(5);
/// Waiting for what is due to be acknowledged when the occupant leaves.
const FAREWELL: Duration = Duration::from_secs(2);
/// Packet ids of a connection. Far above the window, so that an id is free again long
/// before it comes round.
const PACKET_IDS: u16 = 4 * MAX_IN_FLIGHT as u16;
/// Requests to the client that it has not yet written: the window, subscriptions, a disconnect.
const MAX_REQUESTS: usize = 2 * MAX_IN_FLIGHT;
/// Socket events not yet looked at; the socket waits when they are that many.
const MAX_EVENTS: usize = 256;
/// Largest packet either way, far above any message of a device.
const MAX_PACKET_BYTES: usize = 256 * 1024;

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub(crate) struct LinkOptions {
    pub broker: SocketAddr,
    pub address: DeviceAddress,
    /// MQTT password; the user name is the device id.
    pub token: String,
    /// Whether the device takes commands.
    pub takes_commands: bool,
}

impl LinkOptions {
    fn mqtt(&self) -> MqttOptions {
        let host = match self.broker {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        let device = self.address.device.to_string();
        let will = self.address.topic(&Topic::Up(UplinkKind::Death));
        let mut options = MqttOptions::new(device.clone(), host, self.broker.port());
        options
            .set_credentials(device, self.token.clone())
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(true)
            .set_inflight(PACKET_IDS)
            .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES)
            .set_last_will(LastWill::new(will, Vec::new(), QoS::AtLeastOnce, false));
        options
    }

    fn filters(&self) -> Vec<SubscribeFilter> {
        let filter = |path| SubscribeFilter::new(path, QoS::AtLeastOnce);
        let errors = filter(self.address.topic(&Topic::Error));
        if self.takes_commands { vec![filter(self.address.command_filter()), errors] } else { vec![errors] }
    }
}

/// When an occupant wants to be called again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Next {
    /// After this much wall time.
    After(Duration),
    /// When something has been acknowledged.
    OnAcknowledgement,
    /// Nothing more to say: leave once all is acknowledged, however long that takes.
    Done,
}

/// Who lives behind a connection.
pub(crate) trait Occupant {
    /// Time has passed; new messages go into the outbox.
    fn live(&mut self, outbox: &mut Outbox, connected: bool) -> Next;
    /// Something came in on one of the device's topics.
    fn hear(&mut self, topic: &Topic, payload: &[u8], outbox: &mut Outbox, connected: bool);
    /// The broker has this message.
    fn acknowledged(&mut self, message: &Message);
    /// The device's time, to tell backfill from live messages.
    fn now(&self) -> DeviceTime;
    /// The connection was lost or refused.
    fn disconnected(&mut self, why: &str);
}

/// Why a connection is no more.
enum End {
    Left,
    Lost { was_up: bool },
}

/// Lives until the occupant is done or `stop` becomes true. Connects again for ever.
pub(crate) async fn keep_up(options: LinkOptions, occupant: &mut impl Occupant, mut stop: watch::Receiver<bool>) {
    let mut outbox = Outbox::default();
    let mut back_off = Duration::ZERO;
    loop {
        let (client, eventloop) = AsyncClient::new(options.mqtt(), MAX_REQUESTS);
        let (tell, events) = mpsc::channel(MAX_EVENTS);
        let connection = Connection { options: &options, client, events, up: false };
        let end = tokio::select! {
            end = drive(connection, occupant, &mut outbox, &mut stop) => end,
            never = pump(eventloop, tell, back_off) => match never {},
        };
        match end {
            End::Left => return,
            End::Lost { was_up } => {
                outbox.connection_lost();
                let doubled = (back_off * 2).clamp(FIRST_BACK_OFF, LAST_BACK_OFF);
                back_off = if was_up { FIRST_BACK_OFF } else { doubled };
            }
        }
    }
}

/// What the socket tells.
enum SocketEvent {
    Up,
    Written(u16),
    Acknowledged(u16),
    Heard { topic: String, payload: Vec<u8> },
    Disconnected,
    Lost(String),
}

/// Polls the socket. After the connection is lost it only waits to be dropped.
async fn pump(mut eventloop: EventLoop, tell: mpsc::Sender<SocketEvent>, back_off: Duration) -> Infallible {
    sleep(back_off).await;
    loop {
        let event = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => SocketEvent::Up,
            Ok(Event::Incoming(Packet::PubAck(ack))) => SocketEvent::Acknowledged(ack.pkid),
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                SocketEvent::Heard { topic: publish.topic, payload: publish.payload.to_vec() }
            }
            Ok(Event::Outgoing(Outgoing::Publish(packet_id))) => SocketEvent::Written(packet_id),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => SocketEvent::Disconnected,
            Ok(_) => continue,
            Err(error) => SocketEvent::Lost(error.to_string()),
        };
        let over = matches!(event, SocketEvent::Lost(_) | SocketEvent::Disconnected);
        if tell.send(event).await.is_err() || over {
            return std::future::pending().await;
        }
    }
}

struct Connection<'a> {
    options: &'a LinkOptions,
    client: AsyncClient,
    events: mpsc::Receiver<SocketEvent>,
    up: bool,
}

/// Lets the occupant live and moves messages, until the connection ends.
async fn drive(
    mut connection: Connection<'_>,
    occupant: &mut impl Occupant,
    outbox: &mut Outbox,
    stop: &mut watch::Receiver<bool>,
) -> End {
    let mut next = occupant.live(outbox, false);
    let mut wake = Instant::now() + pause(next);
    let mut leave_by: Option<Instant> = stop.borrow().then(|| Instant::now() + FAREWELL);
    loop {
        let leaving = leave_by.is_some() || next == Next::Done;
        if leaving && outbox.is_empty() || leave_by.is_some_and(|by| Instant::now() >= by) {
            say_goodbye(connection).await;
            return End::Left;
        }
        if connection.up {
            connection.hand_over(outbox, occupant.now());
        }
        tokio::select! {
            event = connection.events.recv() => {
                let acknowledged = matches!(event, Some(SocketEvent::Acknowledged(_)));
                if let Some(end) = connection.take(event, occupant, outbox) {
                    return end;
                }
                if acknowledged && next == Next::OnAcknowledgement && !leaving {
                    next = occupant.live(outbox, connection.up);
                    wake = Instant::now() + pause(next);
                }
            }
            () = sleep_until(wake), if !leaving => {
                next = occupant.live(outbox, connection.up);
                wake = Instant::now() + pause(next);
            }
            () = sleep_until(leave_by.unwrap_or(wake)), if leave_by.is_some() => {}
            _ = stop.wait_for(|stop| *stop), if leave_by.is_none() => leave_by = Some(Instant::now() + FAREWELL),
        }
    }
}

/// How long to sleep at most; events wake earlier.
fn pause(next: Next) -> Duration {
    match next {
        Next::After(duration) => duration,
        Next::OnAcknowledgement | Next::Done => KEEP_ALIVE,
    }
}

impl Connection<'_> {
    /// Publishes what the window allows.
    fn hand_over(&self, outbox: &mut Outbox, now: DeviceTime) {
        while let Some(message) = outbox.hand_over(now) {
            let topic = self.options.address.topic(&message.topic());
            if self.client.try_publish(topic, QoS::AtLeastOnce, false, message.payload.clone()).is_err() {
                // The client is gone; the lost connection that follows sends everything again.
                return;
            }
        }
    }

    fn take(&mut self, event: Option<SocketEvent>, occupant: &mut impl Occupant, outbox: &mut Outbox) -> Option<End> {
        match event? {
            SocketEvent::Up => {
                self.up = true;
                if let Err(error) = self.client.try_subscribe_many(self.options.filters()) {
                    occupant.disconnected(&error.to_string());
                    return Some(End::Lost { was_up: true });
                }
            }
            SocketEvent::Written(packet_id) => outbox.numbered(packet_id),
            SocketEvent::Acknowledged(packet_id) => {
                if let Some(message) = outbox.acknowledge(packet_id) {
                    occupant.acknowledged(&message);
                }
            }
            SocketEvent::Heard { topic, payload } => match topic::parse(&topic) {
                Ok((address, topic)) if address == self.options.address => {
                    occupant.hear(&topic, &payload, outbox, self.up);
                }
                _ => tracing::warn!(device = %self.options.address, topic, "a message on a topic of somebody else"),
            },
            SocketEvent::Disconnected => {}
            SocketEvent::Lost(why) => {
                occupant.disconnected(&why);
                return Some(End::Lost { was_up: self.up });
            }
        }
        None
    }
}

/// Disconnects in order, so that the broker does not publish the will.
async fn say_goodbye(mut connection: Connection<'_>) {
    if !connection.up || connection.client.try_disconnect().is_err() {
        return;
    }
    let disconnected = async {
        while let Some(event) = connection.events.recv().await {
            if matches!(event, SocketEvent::Disconnected | SocketEvent::Lost(_)) {
                return;
            }
        }
    };
    // The broker may be stuck; the socket closes anyway.
    let _ = tokio::time::timeout(FAREWELL, disconnected).await;
}
