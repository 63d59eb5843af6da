//! One service client's link to the router.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use rumqttd::local::{LinkRx, LinkTx};
use rumqttd::protocol::{Disconnect, DisconnectReasonCode, Packet};
use rumqttd::{Forward, Notification};
use tokio::sync::watch;
use tracing::debug;

use super::router::{CONFIRMATION, Place};
use super::state::{Shared, State};
use super::{FanoutError, FanoutMessage, route};
use crate::filter;

/// What one service client subscribed to. Dropping it ends the subscription.
///
/// The router panics when a link says "ready" after it has detached, so the order of events matters: the only
/// packets ever sent on a link are its subscription, confirmed before anything else, and its goodbye, the last thing.
pub struct FanoutSubscription {
    shared: Arc<Shared>,
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
    state: watch::Receiver<State>,
}

impl FanoutSubscription {
    pub(super) fn open(shared: &Arc<Shared>, client: &str, filters: &[String]) -> Result<Self, FanoutError> {
        if let Some(bad) = filters.iter().find(|text| !filter::is_filter(text)) {
            return Err(FanoutError::Filter(bad.clone()));
        }
        let router = shared.router()?;
        let mut place = Place::take(&router, client)?;
        let logs: BTreeSet<_> = filters.iter().map(|filter| router.log_for(filter)).collect();
        let confirmations = logs.len().min(2);
        let link = router.link(place.link_name(), logs);
        if matches!(link, Err(FanoutError::Router(_))) {
            place.give_back();
        }
        // Otherwise the router did not answer: its state is unknown, so the place is not used again.
        let (tx, rx) = link?;
        debug!(client, link = place.link_name(), "service client subscribes");
        let mut subscription = Self {
            shared: Arc::clone(shared),
            place,
            tx: Some(tx),
            rx,
            filters: filters.to_vec(),
            single_log: confirmations == 1,
            next_offset: None,
            early: VecDeque::new(),
            must_wake: false,
            state: shared.state.subscribe(),
        };
        subscription.wait_for(confirmations)?;
        Ok(subscription)
    }

    /// Waits until the router has confirmed so many packets.
    fn wait_for(&mut self, confirmations: usize) -> Result<(), FanoutError> {
        let deadline = Instant::now() + CONFIRMATION;
        let mut expected = confirmations;
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

    /// Waits for the next message; `None` when the service side has stopped or has been given a new router: subscribe
    /// again once it [serves](super::Fanout::serves). Cancel-safe.
    pub async fn recv(&mut self) -> Option<FanoutMessage> {
        let router = self.place.router();
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
                _ = self.state.wait_for(|state| !is_served_by(state, router)) => return None,
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
            self.shared.dropped.subscriber.increment(skipped);
        }
        self.next_offset = Some(offset + 1);
    }
}

impl Drop for FanoutSubscription {
    fn drop(&mut self) {
        let Some(mut tx) = self.tx.take() else { return };
        if !is_served_by(&self.state.borrow(), self.place.router()) {
            // Nobody uses the place again, and the router is beyond goodbyes.
            return;
        }
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

/// Whether it is this router that serves.
fn is_served_by(state: &State, router: u64) -> bool {
    matches!(state, State::Serving(serving) if serving.number == router)
}
