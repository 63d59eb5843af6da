//! One connection to the cluster after the other.
//!
//! rumqttc's event loop connects, decodes, pings, and keeps packet ids. All that we write is written between its
//! polls and flushed at once, never through its request queue. So dropping a poll loses nothing (its own write buffer
//! is empty, and what it has read is kept), acknowledgements go out in one write for each group commit, and nothing
//! of one connection can slip into the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::{ConnectReturnCode, Publish, SubAck, Subscribe};
use rumqttc::{
    ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS, Request, StateError, SubscribeFilter,
    SubscribeReasonCode,
};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use super::ExternalConfig;
use super::devices::Cluster;
use super::intake::Intake;
use super::meters::Meters;
use crate::downlink::DeviceMessage;
use crate::journal::JournalError;
use crate::log_window::LogWindow;

/// Largest packet there is in MQTT. The cluster's own limit holds; a packet that we refused to read would end the
/// connection, and come first in the next.
const LARGEST_PACKET: usize = 268_435_455 + 5;

/// Messages written before the connection is looked at again. 100: some tens of kilobytes.
const WRITES: usize = 100;

/// The library's request queue, which is not used.
const NO_REQUESTS: usize = 1;

pub(super) struct Session {
    config: ExternalConfig,
    cluster: Arc<Cluster>,
    intake: Intake,
    messages: mpsc::Receiver<DeviceMessage>,
    /// Taken from the queue and not yet written.
    next_message: Option<DeviceMessage>,
    meters: Meters,
    stop: watch::Receiver<bool>,
    stopping: bool,
    backoff: Duration,
    lost: LogWindow,
    refused: LogWindow,
}

/// Why a connection ended.
enum End {
    Lost(ConnectionError),
    JournalStopped(JournalError),
    Shutdown,
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        Self::Lost(error)
    }
}

impl From<StateError> for End {
    fn from(error: StateError) -> Self {
        Self::Lost(error.into())
    }
}

impl From<JournalError> for End {
    fn from(error: JournalError) -> Self {
        Self::JournalStopped(error)
    }
}

impl Session {
    pub fn new(
        config: ExternalConfig,
        cluster: Arc<Cluster>,
        intake: Intake,
        messages: mpsc::Receiver<DeviceMessage>,
        meters: Meters,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            backoff: config.limits.first_backoff,
            config,
            cluster,
            intake,
            messages,
            next_message: None,
            meters,
            stop,
            stopping: false,
            lost: LogWindow::default(),
            refused: LogWindow::default(),
        }
    }

    /// Keeps the connection until told to stop, or until the journal stops.
    pub async fn run(mut self) {
        loop {
            // A new one each time: the library keeps things of one connection for the next.
            let mut events = self.event_loop();
            let began = Instant::now();
            let end = match self.serve(&mut events).await {
                Ok(never) => match never {},
                Err(end) => end,
            };
            drop(events);
            self.leave().await;
            match end {
                End::Shutdown => return self.cluster.away("it was shut down".to_owned()),
                End::JournalStopped(error) => {
                    error!(%error, "nothing is taken from the cluster any more; it keeps the messages");
                    return self.cluster.away(error.to_string());
                }
                End::Lost(error) => self.note_loss(&error, began.elapsed()),
            }
            if self.pause().await.is_err() {
                return;
            }
        }
    }

    fn event_loop(&self) -> EventLoop {
        let ExternalConfig { host, port, client_id, login, limits, .. } = &self.config;
        let mut options = MqttOptions::new(client_id, host, *port);
        options
            .set_clean_session(false)
            .set_manual_acks(true)
            .set_keep_alive(limits.keep_alive)
            .set_inflight(limits.packet_ids())
            .set_max_packet_size(LARGEST_PACKET, LARGEST_PACKET);
        if let Some(login) = login {
            options.set_credentials(&login.username, &login.password);
        }
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(limits.patience.as_secs()).set_tcp_nodelay(true);
        let mut events = EventLoop::new(options, NO_REQUESTS);
        events.set_network_options(network);
        events
    }

    /// One connection, from its first attempt to its end.
    async fn serve(&mut self, events: &mut EventLoop) -> Result<std::convert::Infallible, End> {
        self.connect(events).await?;
        loop {
            self.acknowledge(events).await?;
            self.send_messages(events).await?;
            if self.stopping && self.intake.is_settled() {
                self.write(events, [Packet::Disconnect]).await?;
                return Err(End::Shutdown);
            }
            self.step(events).await?;
        }
    }

    async fn connect(&mut self, events: &mut EventLoop) -> Result<(), End> {
        let connected = tokio::select! {
            event = events.poll() => event?,
            _ = self.stop.wait_for(|stop| *stop) => return Err(End::Shutdown),
        };
        let Event::Incoming(Packet::ConnAck(ack)) = connected else { return Ok(()) };
        let filter = |path: &String| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce);
        let subscribe = Subscribe::new_many(self.config.filters.iter().map(filter));
        let subscribe = events.state.handle_outgoing_packet(Request::Subscribe(subscribe))?;
        self.write(events, subscribe).await?;
        self.cluster.connected();
        self.meters.connected.set(1.0);
        self.meters.connections.increment(1);
        let ExternalConfig { host, port, client_id, .. } = &self.config;
        info!(host, port, client_id, session_present = ack.session_present, "connected to the cluster");
        Ok(())
    }

    /// Waits until there is something to do, and takes what has come.
    async fn step(&mut self, events: &mut EventLoop) -> Result<(), End> {
        let has_room = self.intake.has_room();
        let may_send = self.next_message.is_none() && events.state.inflight() < self.config.limits.inflight;
        let event = tokio::select! {
            event = events.poll(), if has_room => event?,
            on_disk = self.intake.wait_for_disk() => return Ok(on_disk?),
            Some(message) = self.messages.recv(), if may_send => {
                self.next_message = Some(message);
                return Ok(());
            }
            _ = self.stop.wait_for(|stop| *stop), if !self.stopping => {
                self.stopping = true;
                return Ok(());
            }
        };
        match event {
            // Not taken, not acknowledged: it comes again.
            Event::Incoming(Packet::Publish(_)) if self.stopping => {}
            Event::Incoming(Packet::Publish(publish)) => self.intake.take(publish).await?,
            Event::Incoming(Packet::SubAck(ack)) => self.check_grants(&ack),
            _ => {}
        }
        Ok(())
    }

    async fn acknowledge(&mut self, events: &mut EventLoop) -> Result<(), End> {
        let due = self.intake.due()?;
        self.write(events, due).await
    }

    /// Writes queued messages, as far as the cluster keeps up.
    async fn send_messages(&mut self, events: &mut EventLoop) -> Result<(), End> {
        let mut packets = Vec::new();
        while packets.len() < WRITES && events.state.inflight() < self.config.limits.inflight {
            let Some(message) = self.next_message.take().or_else(|| self.messages.try_recv().ok()) else { break };
            if message.expires.is_some_and(|expires| expires <= Instant::now()) {
                self.meters.expired.increment(1);
                continue;
            }
            let publish = Publish::from_bytes(message.topic, QoS::AtLeastOnce, message.payload);
            packets.extend(events.state.handle_outgoing_packet(Request::Publish(publish))?);
        }
        self.write(events, packets).await
    }

    /// Writes packets and waits until they are out.
    async fn write(&self, events: &mut EventLoop, packets: impl IntoIterator<Item = Packet>) -> Result<(), End> {
        let mut packets = packets.into_iter().peekable();
        let Some(network) = events.network.as_mut() else { return Ok(()) };
        if packets.peek().is_none() {
            return Ok(());
        }
        let written = timeout(self.config.limits.patience, async {
            for packet in packets {
                network.write(packet).await?;
            }
            network.flush().await
        });
        Ok(written.await.map_err(|_| ConnectionError::FlushTimeout)??)
    }

    fn check_grants(&self, ack: &SubAck) {
        let is_refused = |code: &SubscribeReasonCode| *code == SubscribeReasonCode::Failure;
        let codes = self.config.filters.iter().zip(&ack.return_codes);
        let refused: Vec<_> = codes.filter(|(_, code)| is_refused(code)).map(|(filter, _)| filter).collect();
        if refused.is_empty() {
            return;
        }
        error!(
            ?refused,
            client_id = self.config.client_id,
            "the cluster refuses filters: its access list must grant them"
        );
        self.cluster.impaired(format!("the cluster refuses the filters {refused:?}"));
    }

    /// What goes with a connection: who was online, and what was to be sent.
    async fn leave(&mut self) {
        self.meters.connected.set(0.0);
        self.intake.forget().await;
        self.next_message = None;
        while self.messages.try_recv().is_ok() {}
    }

    /// Says why the connection was lost, and sets how long to wait.
    fn note_loss(&mut self, error: &ConnectionError, lasted: Duration) {
        let ExternalConfig { host, port, client_id, limits, .. } = &self.config;
        let problem = match error {
            ConnectionError::ConnectionRefused(code) => format!("the cluster refuses the login: {}", explain(*code)),
            other => other.to_string(),
        };
        if let ConnectionError::ConnectionRefused(_) = error {
            self.backoff = limits.longest_backoff;
            if let Some(unlogged) = self.refused.open() {
                error!(host, port, client_id, problem, unlogged_before = unlogged, "the cluster refuses the gateway");
            }
        } else {
            // Two clients of one name take the session from each other: connected at once, and lost soon.
            if lasted > limits.longest_backoff {
                self.backoff = limits.first_backoff;
            }
            if let Some(unlogged) = self.lost.open() {
                warn!(host, port, client_id, problem, unlogged_before = unlogged, "no connection to the cluster");
            }
        }
        self.cluster.away(problem);
    }

    /// Waits before the next attempt; an error means the end.
    async fn pause(&mut self) -> Result<(), ()> {
        let wait = self.backoff;
        self.backoff = (2 * wait).min(self.config.limits.longest_backoff);
        debug!(?wait, "before the next attempt to connect to the cluster");
        match timeout(wait, self.stop.wait_for(|stop| *stop)).await {
            Ok(_) => Err(()),
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Also when the task was ended in the middle of something.
        if self.cluster.health().connected {
            self.cluster.away("its task has ended".to_owned());
        }
        self.meters.connected.set(0.0);
    }
}

/// What a return code of MQTT 3.1.1 means, and what to do about it.
fn explain(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "it does not",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::BadClientId => "it does not take this client id; choose another",
        ConnectReturnCode::ServiceUnavailable => "it is not available at the moment",
        ConnectReturnCode::BadUserNamePassword => "wrong username or password",
        ConnectReturnCode::NotAuthorized => "this client may not connect; check its username, password and access list",
    }
}
