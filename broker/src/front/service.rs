//! A connected service account: it listens, within its filters.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Subscribe;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::refusal::Reason;
use super::socket::{End, Socket};
use super::wire::{self, Incoming};
use super::{Gate, shut_down};
use crate::fanout::{Fanout, FanoutMessage, FanoutSubscription};
use crate::filter;

/// Bytes gathered for one write. 32 KiB: some hundred messages.
const WRITE_BYTES: usize = 32 * 1024;

/// From one attempt to subscribe anew to the next, after the fan-out was rebuilt. 1 s: all sessions come at once then.
const SUBSCRIBE_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct ServiceSession<S> {
    gate: Arc<Gate>,
    socket: Socket<S>,
    name: String,
    /// What the account may hear.
    allowed: Vec<String>,
    /// What it asked for.
    filters: Vec<String>,
    subscription: Option<FanoutSubscription>,
    /// Not before this is the fan-out asked again for a subscription that it has lost.
    subscribe_at: Instant,
    shutdown: watch::Receiver<bool>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ServiceSession<S> {
    pub fn new(gate: Arc<Gate>, socket: Socket<S>, name: String, allowed: Vec<String>) -> Self {
        let shutdown = gate.shutdown.subscribe();
        let subscribe_at = Instant::now();
        Self { gate, socket, name, allowed, filters: Vec::new(), subscription: None, subscribe_at, shutdown }
    }

    /// Serves the client until its connection ends.
    pub async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    pub async fn leave(self) {
        drop(self.subscription);
        self.socket.close().await;
    }

    async fn step(&mut self) -> Result<(), End> {
        self.take_packets().await?;
        self.socket.flush().await?;
        let lost = self.subscription.is_none() && !self.filters.is_empty();
        tokio::select! {
            read = self.socket.read() => read?,
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
        while let Some(packet) = wire::read(&mut self.socket.input, self.gate.limits.packet_bytes)? {
            self.socket.heard();
            match packet {
                Incoming::Subscribe(subscribe) => self.take_subscribe(subscribe).await,
                Incoming::Unsubscribe(unsubscribe) => {
                    self.filters.retain(|held| !unsubscribe.topics.contains(held));
                    self.resubscribe().await;
                    wire::write_unsuback(&mut self.socket.output, unsubscribe.pkid);
                }
                Incoming::Ping => wire::write_pong(&mut self.socket.output),
                Incoming::Disconnect => return Err(End::Disconnected),
                Incoming::Publish(publish) => {
                    let detail = format!("a service account does not publish, not to {:?}", publish.topic);
                    return Err(End::refused(Reason::ServicePublish, detail));
                }
                Incoming::PubAck(packet_id) => {
                    return Err(End::refused(
                        Reason::Acknowledgement,
                        format!("PUBACK of {packet_id}, but all was QoS 0"),
                    ));
                }
                Incoming::Unexpected(what) => return Err(End::refused(Reason::Malformed, what)),
            }
        }
        Ok(())
    }

    /// Messages are forwarded with QoS 0: a service that must not miss any reads the gateway's API.
    async fn take_subscribe(&mut self, subscribe: Subscribe) {
        let before = self.filters.clone();
        let wanted: Vec<_> = subscribe.filters.into_iter().map(|filter| filter.path).collect();
        let mut granted: Vec<bool> = wanted.iter().map(|filter| self.take_filter(filter)).collect();
        if self.filters != before && !self.resubscribe().await {
            self.filters = before;
            granted.iter_mut().zip(&wanted).for_each(|(granted, filter)| *granted = self.filters.contains(filter));
        }
        let codes: Vec<_> = granted.into_iter().map(|granted| granted.then_some(QoS::AtMostOnce)).collect();
        wire::write_suback(&mut self.socket.output, subscribe.pkid, &codes);
    }

    /// Adds a filter, if the account may have it.
    fn take_filter(&mut self, wanted: &str) -> bool {
        if self.filters.iter().any(|held| held == wanted) {
            return true;
        }
        let allowed = filter::is_filter(wanted) && self.allowed.iter().any(|allowed| filter::covers(allowed, wanted));
        if !allowed || self.filters.len() >= self.gate.limits.filters_per_client {
            let limit = self.gate.limits.filters_per_client;
            let detail = format!("{wanted:?} is not within its filters, or more than {limit}");
            self.gate.refusals.note(Reason::Filter, self.socket.peer, &self.name, &detail);
            return false;
        }
        self.filters.push(wanted.to_owned());
        true
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
        while let Some(FanoutMessage { topic, payload }) = next {
            if wire::fits(&topic, &payload, self.gate.limits.packet_bytes) {
                wire::write_publish(&mut self.socket.output, topic, payload, QoS::AtMostOnce, 0);
            }
            if self.socket.output.len() >= WRITE_BYTES {
                return;
            }
            next = timeout(Duration::ZERO, next_message(&mut self.subscription)).await.unwrap_or_default();
        }
    }
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
