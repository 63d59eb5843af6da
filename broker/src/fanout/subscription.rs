//! One service client's link to the router.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rumqttd::local::{LinkRx, LinkTx};
use rumqttd::protocol::{Disconnect, DisconnectReasonCode, Filter, Packet, QoS, RetainForwardRule, Subscribe};
use rumqttd::{Forward, Notification};
use tokio::sync::watch;
use tracing::debug;

use super::{FanoutError, FanoutMessage, Inner, lock, route};
use crate::filter;

/// For the router to confirm a subscription. 5 s: it takes microseconds unless the router is dead.
const CONFIRMATION: Duration = Duration::from_secs(5);

/// What one service client subscribed to. Dropping it ends the subscription.
///
/// The router panics when a link says "ready" after it has detached, so the order of events matters: the only
/// packets ever sent on a link are its subscription, confirmed before anything else, and its goodbye, the last thing.
pub struct FanoutSubscription {
    place: Place,
    /// `None` once dropped.
    tx: Option<LinkTx>,
    rx: LinkRx,
    filters: Vec<String>,
    /// With a single log, its offsets show what was skipped.
    single_log: bool,
    next_offset: Option<u64>,
    /// Came before the confirmation.
    early: VecDeque<Forward>,
    /// The router waits for a sign that its last notifications were taken.
    must_wake: bool,
    stopped: watch::Receiver<bool>,
}

impl FanoutSubscription {
    pub(super) fn open(inner: &Arc<Inner>, client: &str, filters: &[String]) -> Result<Self, FanoutError> {
        if let Some(bad) = filters.iter().find(|text| !filter::is_filter(text)) {
            return Err(FanoutError::Filter(bad.clone()));
        }
        if *inner.stopped.borrow() {
            return Err(FanoutError::Stopped);
        }
        let mut place = Place::take(inner, client)?;
        let (tx, rx) = inner.broker.link(&place.link_name()).inspect_err(|_| place.give_back())?;
        debug!(client, link = place.link_name(), "service client subscribes");
        let logs: BTreeSet<_> = filters.iter().map(|filter| inner.log_for(filter)).collect();
        let mut subscription = Self {
            place,
            tx: Some(tx),
            rx,
            filters: filters.to_vec(),
            single_log: logs.len() == 1,
            next_offset: None,
            early: VecDeque::new(),
            must_wake: false,
            stopped: inner.stopped.subscribe(),
        };
        if !logs.is_empty() {
            subscription.subscribe(logs)?;
        }
        Ok(subscription)
    }

    /// Asks the router for these logs and waits until it has confirmed.
    fn subscribe(&mut self, logs: BTreeSet<String>) -> Result<(), FanoutError> {
        let Some(tx) = self.tx.as_mut() else { return Err(FanoutError::Stopped) };
        let mut logs = logs.into_iter();
        let Some(last) = logs.next_back() else { return Ok(()) };
        if logs.len() > 0 {
            let subscribe = Subscribe { pkid: 0, filters: logs.map(log_filter).collect() };
            tx.buffer().push_back(Packet::Subscribe(subscribe, None));
        }
        // Wakes the router once, for both packets.
        tx.subscribe(last)?;
        let deadline = Instant::now() + CONFIRMATION;
        let mut expected = if self.single_log { 1 } else { 2 };
        while expected > 0 {
            match self.rx.recv_deadline(deadline).inspect_err(|_| self.abandon())? {
                Some(Notification::DeviceAck(_)) => expected -= 1,
                Some(Notification::Forward(forward)) => self.early.push_back(forward),
                Some(Notification::Unschedule) => self.must_wake = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// The router did not answer: its state is unknown, so the place is not used again.
    fn abandon(&mut self) {
        self.tx = None;
    }

    /// Waits for the next message; `None` when the service side has stopped. Cancel-safe.
    pub async fn recv(&mut self) -> Option<FanoutMessage> {
        loop {
            while let Some(forward) = self.early.pop_front() {
                if let Some(message) = self.accept(forward) {
                    return Some(message);
                }
            }
            if std::mem::take(&mut self.must_wake) {
                // Exactly once: the async form may be cancelled after it has sent. Only a router that hangs makes
                // this wait, and its queue holds a thousand events.
                self.rx.ready().ok()?;
            }
            let notification = tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return None,
                notification = self.rx.next() => notification.ok()?,
            };
            match notification {
                Some(Notification::Forward(forward)) => self.early.push_back(forward),
                Some(Notification::Unschedule) => self.must_wake = true,
                Some(Notification::Disconnect(..)) => return None,
                _ => {}
            }
        }
    }

    fn accept(&mut self, forward: Forward) -> Option<FanoutMessage> {
        self.count_skipped(&forward);
        let (topic, payload) = route::unwrap(forward.publish.payload)?;
        let wanted = self.filters.iter().any(|filter| filter::matches(filter, &topic));
        wanted.then_some(FanoutMessage { topic, payload })
    }

    /// Counts what the router overwrote before this subscriber read it.
    fn count_skipped(&mut self, forward: &Forward) {
        let (true, Some((_, offset))) = (self.single_log, forward.cursor) else { return };
        let skipped = self.next_offset.map_or(0, |next| offset.saturating_sub(next));
        if skipped > 0 {
            self.place.inner.dropped.subscriber.increment(skipped);
        }
        self.next_offset = Some(offset + 1);
    }
}

impl Drop for FanoutSubscription {
    fn drop(&mut self) {
        let Some(mut tx) = self.tx.take() else { return };
        let reason_code = DisconnectReasonCode::NormalDisconnection;
        tx.buffer().push_back(Packet::Disconnect(Disconnect { reason_code }, None));
        // This wakes the router, which stops at the packet before it.
        if tx.try_unsubscribe("gone").is_ok() {
            self.place.give_back();
            return;
        }
        // The router's queue is full: wait for it elsewhere. If no thread can be had, the place stays taken.
        let mut place = self.place.hand_on();
        let waiting = std::thread::Builder::new().name("fanout-detach".to_owned()).spawn(move || {
            if tx.unsubscribe("gone").is_ok() {
                place.give_back();
            }
        });
        drop(waiting);
    }
}

impl std::fmt::Debug for FanoutSubscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FanoutSubscription").field("filters", &self.filters).finish_non_exhaustive()
    }
}

fn log_filter(path: String) -> Filter {
    Filter {
        path,
        qos: QoS::AtMostOnce,
        nolocal: false,
        preserve_retain: false,
        retain_forward_rule: RetainForwardRule::Never,
    }
}

/// One of the places for service clients.
struct Place {
    inner: Arc<Inner>,
    number: usize,
}

impl Place {
    fn take(inner: &Arc<Inner>, client: &str) -> Result<Self, FanoutError> {
        let number = lock(&inner.free_names).pop().ok_or_else(|| FanoutError::Full(client.to_owned()))?;
        inner.subscriptions.fetch_add(1, Ordering::AcqRel);
        Ok(Self { inner: Arc::clone(inner), number })
    }

    fn link_name(&self) -> String {
        format!("service-{}", self.number)
    }

    fn hand_on(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), number: self.number }
    }

    fn give_back(&mut self) {
        self.inner.subscriptions.fetch_sub(1, Ordering::AcqRel);
        lock(&self.inner.free_names).push(self.number);
    }
}
