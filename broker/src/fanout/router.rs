//! One router of rumqttd, from its start until it is given up.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttd::local::{LinkRx, LinkTx};
use rumqttd::protocol::{Filter, Packet, QoS, RetainForwardRule, Subscribe};
use rumqttd::{Broker, Config, RouterConfig};

use super::{FanoutError, route};

/// Service clients at a time. 64: back offices and dashboards, not people.
pub(super) const MAX_SUBSCRIPTIONS: usize = 64;

/// rumqttd's log of each filter: two segments of 1 MB. A subscriber that falls further behind skips.
const LOG_SEGMENT_BYTES: usize = 1_000_000;
const LOG_SEGMENTS: usize = 2;

/// Filters that get a log of their own; the router never gives one up. 64 logs are 128 MB at worst; further filters
/// share the log of `#`.
const MAX_LOGS: usize = 64;

/// For the router to take a link, and to confirm a subscription. 5 s: it takes microseconds unless the router is dead.
pub(super) const CONFIRMATION: Duration = Duration::from_secs(5);

/// One router. Its thread cannot be ended from here: one that is given up alive sleeps on until the process ends.
pub(super) struct Router {
    /// Tells routers apart.
    pub number: u64,
    links: SyncSender<LinkRequest>,
    subscriptions: AtomicUsize,
    /// Names of links that are not in use. The router remembers every name it has seen, so they are used again.
    free_names: Mutex<Vec<usize>>,
    /// Filters that have a log.
    logs: Mutex<HashSet<String>>,
}

/// Both ends of a link.
pub(super) type Link = (LinkTx, LinkRx);

struct LinkRequest {
    name: String,
    logs: BTreeSet<String>,
    reply: SyncSender<Result<Link, FanoutError>>,
}

impl Router {
    /// Starts a router and links its feeder.
    pub fn start(number: u64) -> Result<(Arc<Self>, Link), FanoutError> {
        let (links, requests) = sync_channel(MAX_SUBSCRIPTIONS);
        std::thread::Builder::new().name("fanout-links".to_owned()).spawn(move || make_links(&requests))?;
        let router = Self {
            number,
            links,
            subscriptions: AtomicUsize::new(0),
            free_names: Mutex::new((0..MAX_SUBSCRIPTIONS).rev().collect()),
            logs: Mutex::default(),
        };
        let feeder = router.link("feeder".to_owned(), BTreeSet::new())?;
        Ok((Arc::new(router), feeder))
    }

    /// A link that has asked for these logs. Waits for the router, but not for ever.
    pub fn link(&self, name: String, logs: BTreeSet<String>) -> Result<Link, FanoutError> {
        let (reply, answer) = sync_channel(1);
        self.links.try_send(LinkRequest { name, logs, reply }).map_err(|_| FanoutError::Silent)?;
        match answer.recv_timeout(CONFIRMATION) {
            Ok(link) => link,
            Err(RecvTimeoutError::Timeout) => Err(FanoutError::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(FanoutError::Router("its threads have ended".to_owned())),
        }
    }

    /// How many subscribe.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.load(Ordering::Acquire)
    }

    /// What the router is asked for, so that it forwards at least what this filter matches.
    pub fn log_for(&self, filter: &str) -> String {
        let route = route::of(filter);
        let mut logs = lock(&self.logs);
        if logs.contains(route) || logs.len() < MAX_LOGS {
            logs.insert(route.to_owned());
            return route.to_owned();
        }
        "#".to_owned()
    }
}

/// All calls into rumqttd that wait without a limit, or panic where the system refuses a thread, on a thread that
/// may be lost with its router. Ends when the router is given up.
fn make_links(requests: &Receiver<LinkRequest>) {
    let broker = Broker::new(router_config());
    for request in requests {
        // Who has stopped waiting does not want it.
        let _ = request.reply.send(open(&broker, &request.name, request.logs));
    }
}

fn open(broker: &Broker, name: &str, logs: BTreeSet<String>) -> Result<Link, FanoutError> {
    let (mut tx, rx) = broker.link(name)?;
    let mut logs = logs.into_iter();
    let Some(last) = logs.next_back() else { return Ok((tx, rx)) };
    if logs.len() > 0 {
        let subscribe = Subscribe { pkid: 0, filters: logs.map(log_filter).collect() };
        tx.buffer().push_back(Packet::Subscribe(subscribe, None));
    }
    // Wakes the router once, for both packets.
    tx.subscribe(last)?;
    Ok((tx, rx))
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

fn router_config() -> Config {
    Config {
        router: RouterConfig {
            max_connections: MAX_SUBSCRIPTIONS + 1,
            max_outgoing_packet_count: 200,
            max_segment_size: LOG_SEGMENT_BYTES,
            max_segment_count: LOG_SEGMENTS,
            ..RouterConfig::default()
        },
        ..Config::default()
    }
}

/// One of a router's places for service clients.
pub(super) struct Place {
    router: Arc<Router>,
    number: usize,
}

impl Place {
    pub fn take(router: &Arc<Router>, client: &str) -> Result<Self, FanoutError> {
        let number = lock(&router.free_names).pop().ok_or_else(|| FanoutError::Full(client.to_owned()))?;
        router.subscriptions.fetch_add(1, Ordering::AcqRel);
        Ok(Self { router: Arc::clone(router), number })
    }

    pub fn router(&self) -> u64 {
        self.router.number
    }

    pub fn link_name(&self) -> String {
        format!("service-{}", self.number)
    }

    pub fn hand_on(&self) -> Self {
        Self { router: Arc::clone(&self.router), number: self.number }
    }

    pub fn give_back(&mut self) {
        self.router.subscriptions.fetch_sub(1, Ordering::AcqRel);
        lock(&self.router.free_names).push(self.number);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
