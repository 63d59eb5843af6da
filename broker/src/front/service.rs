//! A connected service account: it listens, within its filters.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::refusal::Reason;
use super::socket::{End, Socket};
use super::wire::{self, Code, Granted, Incoming, PublishFlags, Retained, Subscribe, Wanted, Writer};
use super::{Gate, shut_down};
use crate::downlink::DeviceMessage;
use crate::fanout::{Fanout, FanoutMessage, FanoutSubscription};
use crate::filter;

/// Bytes gathered for one write. 32 KiB: some hundred messages.
const WRITE_BYTES: usize = 32 * 1024;

/// From one attempt to subscribe anew to the next, after the fan-out was rebuilt. 1 s: all sessions come at once then.
const SUBSCRIBE_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct ServiceSession {
    gate: Arc<Gate>,
    socket: Socket,
    writer: Writer,
    /// Largest packet that goes to the client.
    packet_bytes: usize,
    name: String,
    /// What the account may hear.
    allowed: Vec<String>,
    /// What it asked for.
    filters: Vec<String>,
    subscription: Option<FanoutSubscription>,
    /// Retained messages that are still to be sent, and the filters that asked for them.
    retained: Option<(mpsc::Receiver<FanoutMessage>, Vec<String>)>,
    /// Not before this is the fan-out asked again for a subscription that it has lost.
    subscribe_at: Instant,
    shutdown: watch::Receiver<bool>,
}

impl ServiceSession {
    pub fn new(
        gate: Arc<Gate>,
        socket: Socket,
        writer: Writer,
        packet_bytes: usize,
        name: String,
        allowed: Vec<String>,
    ) -> Self {
        let shutdown = gate.shutdown.subscribe();
        let (filters, subscription, retained, subscribe_at) = (Vec::new(), None, None, Instant::now());
        Self {
            gate,
            socket,
            writer,
            packet_bytes,
            name,
            allowed,
            filters,
            subscription,
            retained,
            subscribe_at,
            shutdown,
        }
    }

    /// Serves the client until its connection ends.
    pub async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    pub async fn leave(mut self, end: &End) -> Socket {
        drop(self.subscription);
        self.socket.say_goodbye(self.writer, end).await;
        self.socket
    }

    async fn step(&mut self) -> Result<(), End> {
        self.take_packets().await?;
        self.socket.flush().await?;
        let lost = self.subscription.is_none() && !self.filters.is_empty();
        tokio::select! {
            read = self.socket.read() => read?,
            message = next_retained(&mut self.retained) => self.write_retained(message),
            () = serves(&self.gate.fanout, self.subscribe_at), if lost => {
                self.subscribe_at = Instant::now() + SUBSCRIBE_PAUSE;
                self.resubscribe().await;
            }
            message = next_message(&mut self.subscription) => self.write_messages(message).await,
            () = shut_down(&mut self.shutdown) => return Err(End::Shutdown),
        }
        Ok(())
    }

    async fn take_packets(&mut self) -> Result<(), End> {
        let limit = self.gate.limits.packet_bytes;
        while let Some(packet) = wire::read(self.writer.version, &mut self.socket.input, limit)? {
            self.socket.heard();
            match packet {
                Incoming::Subscribe(subscribe) => self.take_subscribe(subscribe).await?,
                Incoming::Unsubscribe { packet_id, filters } => {
                    let held: Vec<_> = filters.iter().map(|filter| self.filters.contains(filter)).collect();
                    self.filters.retain(|held| !filters.contains(held));
                    self.resubscribe().await;
                    self.writer.unsuback(&mut self.socket.output, packet_id, &held);
                }
                Incoming::Ping => self.writer.pong(&mut self.socket.output),
                Incoming::Disconnect { .. } => return Err(End::Disconnected),
                Incoming::Publish(publish) => {
                    let detail = format!("a service account does not publish, not to {:?}", publish.topic);
                    return Err(End::refused(Reason::ServicePublish, detail));
                }
                Incoming::PubAck(packet_id) => {
                    let detail = format!("PUBACK of {packet_id}, but all was QoS 0");
                    return Err(End::refused(Reason::Acknowledgement, detail));
                }
                Incoming::Unexpected(what) => return Err(End::refused(Reason::Protocol, what)),
            }
        }
        Ok(())
    }

    /// Messages are forwarded with QoS 0: a service that must not miss any reads the gateway's API.
    async fn take_subscribe(&mut self, subscribe: Subscribe) -> Result<(), End> {
        if subscribe.has_identifier {
            return Err(End::refused(Reason::SubscriptionId, "subscription identifiers are not offered"));
        }
        let before = self.filters.clone();
        let mut granted: Vec<_> = subscribe.filters.iter().map(|wanted| self.take_filter(&wanted.filter)).collect();
        if self.filters != before && !self.resubscribe().await {
            self.filters = before.clone();
            for (granted, wanted) in granted.iter_mut().zip(&subscribe.filters) {
                if !self.filters.contains(&wanted.filter) {
                    *granted = Err(Code::Unavailable);
                }
            }
        }
        let retained = subscribe
            .filters
            .into_iter()
            .zip(&granted)
            .filter_map(|(wanted, granted)| granted.ok().and_then(|_| wants_retained(wanted, &before)));
        self.ask_retained(retained.collect());
        self.writer.suback(&mut self.socket.output, subscribe.packet_id, &granted);
        Ok(())
    }

    /// Adds a filter, if the account may have it.
    fn take_filter(&mut self, wanted: &str) -> Granted {
        if self.filters.iter().any(|held| held == wanted) {
            return Ok(QoS::AtMostOnce);
        }
        let limit = self.gate.limits.filters_per_client;
        let (reason, code, detail) = if wanted.starts_with("$share/") {
            (Reason::Shared, Code::SharedNotSupported, format!("{wanted:?}: shared subscriptions are not offered"))
        } else if !filter::is_filter(wanted) {
            (Reason::Filter, Code::FilterInvalid, format!("{wanted:?} is no topic filter"))
        } else if !self.allowed.iter().any(|allowed| filter::covers(allowed, wanted)) {
            (Reason::Filter, Code::NotAuthorised, format!("{wanted:?} is not within its filters"))
        } else if self.filters.len() >= limit {
            (Reason::Filter, Code::Quota, format!("more than {limit} filters"))
        } else {
            self.filters.push(wanted.to_owned());
            return Ok(QoS::AtMostOnce);
        };
        self.gate.refusals.note(reason, self.socket.peer, &self.name, &detail);
        Err(code)
    }

    /// Asks for what is retained; what an earlier question still brings is asked for again.
    fn ask_retained(&mut self, mut filters: Vec<String>) {
        let Some(source) = self.gate.retained.as_ref().filter(|_| !filters.is_empty()) else { return };
        filters.extend(self.retained.take().into_iter().flat_map(|(_, earlier)| earlier));
        self.retained = Some((source.matching(filters.clone()), filters));
    }

    /// Asks for all filters anew. Messages that the old subscription still held are not delivered.
    async fn resubscribe(&mut self) -> bool {
        if self.filters.is_empty() {
            self.subscription = None;
            return true;
        }
        let (fanout, name, filters) = (self.gate.fanout.clone(), self.name.clone(), self.filters.clone());
        // It waits for the router's thread.
        let subscribed = tokio::task::spawn_blocking(move || fanout.subscribe(&name, &filters)).await;
        match subscribed {
            Ok(Ok(subscription)) => {
                self.subscription = Some(subscription);
                true
            }
            Ok(Err(error)) => {
                warn!(service = self.name, error = %error, "a service account was not subscribed");
                false
            }
            // The runtime shuts down.
            Err(_) => false,
        }
    }

    /// Writes a message, and those that are there already.
    async fn write_messages(&mut self, first: Option<FanoutMessage>) {
        let mut next = first;
        if next.is_none() {
            self.subscription = None;
        }
        while let Some(message) = next {
            self.write(message, false);
            if self.socket.output.len() >= WRITE_BYTES {
                return;
            }
            next = timeout(Duration::ZERO, next_message(&mut self.subscription)).await.unwrap_or_default();
        }
    }

    fn write_retained(&mut self, first: Option<FanoutMessage>) {
        let mut next = first;
        loop {
            let Some(message) = next else { break };
            let wanted = |(_, filters): &(_, Vec<String>)| filters.iter().any(|f| filter::matches(f, &message.topic));
            if self.retained.as_ref().is_some_and(wanted) {
                self.write(message, true);
            }
            if self.socket.output.len() >= WRITE_BYTES {
                return;
            }
            match self.retained.as_mut().map(|(source, _)| source.try_recv()) {
                Some(Ok(message)) => next = Some(message),
                Some(Err(mpsc::error::TryRecvError::Empty)) => return,
                _ => break,
            }
        }
        self.retained = None;
    }

    fn write(&mut self, FanoutMessage { topic, payload }: FanoutMessage, retain: bool) {
        let message = DeviceMessage::new(topic, payload);
        if wire::fits(&message, self.packet_bytes) {
            let flags = PublishFlags { dup: false, retain };
            self.writer.publish(&mut self.socket.output, message, QoS::AtMostOnce, 0, flags);
        }
    }
}

fn wants_retained(wanted: Wanted, before: &[String]) -> Option<String> {
    let wants = match wanted.retained {
        Retained::Always => true,
        Retained::IfNew => !before.contains(&wanted.filter),
        Retained::Never => false,
    };
    wants.then_some(wanted.filter)
}

/// Waits until the fan-out takes subscriptions, and until `at`. Cancel-safe.
async fn serves(fanout: &Fanout, at: Instant) {
    sleep_until(at).await;
    fanout.serves().await;
}

/// Waits for ever if there is no subscription. Cancel-safe.
async fn next_message(subscription: &mut Option<FanoutSubscription>) -> Option<FanoutMessage> {
    match subscription {
        Some(subscription) => subscription.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits for ever if nothing was asked for. Cancel-safe.
async fn next_retained(retained: &mut Option<(mpsc::Receiver<FanoutMessage>, Vec<String>)>) -> Option<FanoutMessage> {
    match retained {
        Some((source, _)) => source.recv().await,
        None => std::future::pending().await,
    }
}
