//! The composition root: everything is started here, in order, and stopped in the reverse.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context as _;
use broker::{
    Edge, External, Fanout, FanoutHealth, Front, FrontParts, Journal, JournalConfig, Position, SessionEvent, Transport,
};
use diagnosis::Catalogue;
use firmware_proto::DeviceId;
use futures::future::BoxFuture;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{self, ApiState, Component, Health, HistoryRead, Point};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::Control;
use crate::history::HistoryStore;
use crate::ingest;
use crate::learning::Learning;
use crate::models::{Models, Shelf};
use crate::outbox;
use crate::registry::{Registry, Revoked};
use crate::retained::LastKnown;
use crate::shard::{House, INBOX, Shard, Tally, ToShard};
use crate::store::Store;
use crate::work;

/// Sessions that come or go faster than the outbox is read wait at the front.
const SESSION_EVENTS: usize = 1_024;

/// How often histogram samples are folded away; at 50,000 a second this is 2 MB.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// A running gateway.
pub struct App {
    /// Where appliances connect without TLS; `None` when they connect to a cluster.
    pub mqtt: Option<SocketAddr>,
    /// REST, status page, metrics.
    pub http: SocketAddr,
    /// gRPC.
    pub grpc: SocketAddr,
    /// Requests by people.
    pub control: Control,
    house: Arc<House>,
    edge: Edge,
    shards: Vec<mpsc::Sender<ToShard>>,
    stop_intake: CancellationToken,
    stop_doors: CancellationToken,
    tasks: JoinSet<anyhow::Result<&'static str>>,
}

impl App {
    /// Starts everything; when it returns, devices and people can connect.
    ///
    /// # Errors
    /// What could not be opened or bound, and what to do about it.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let metrics = recorder()?;
        let clock = Clock::new(config.clock_scale());
        let catalogue = load_catalogue(&config)?;
        std::fs::create_dir_all(&config.state)
            .with_context(|| format!("state directory {} cannot be made", config.state.display()))?;
        let journal_config = JournalConfig {
            pending_bytes: config.mqtt.limits.unacknowledged_bytes,
            ..JournalConfig::new(config.state.join("journal"))
        };
        let journal = Journal::open(journal_config)?;
        let store = Store::open(&config.state.join("state.db")).await?;
        let (from, flushed) = positions(&store, &config, &journal).await?;
        let history = HistoryStore::open(&config.state.join("history"), &flushed).await?;
        let models = Models::new(Shelf::new(&config.state, store.clone()));
        models.refresh(&catalogue).await?;
        let learning = Learning::new(store.clone());
        learning.refresh(&catalogue, clock.now()).await?;
        let registry = Registry::load(&store, clock).await?;
        let fanout = Fanout::start()?;
        let (sessions, came_or_went) = mpsc::channel(SESSION_EVENTS);
        let parts = FrontParts {
            policy: Arc::new(registry.clone()),
            journal: journal.clone(),
            clock: Arc::new(move || clock.now()),
            fanout: fanout.clone(),
            retained: Some(Arc::new(LastKnown::new(&store))),
            sessions,
        };
        let edge = start_edge(&config, parts).await?;
        let house = Arc::new(House {
            progress: (0..config.ingest.shards).map(|_| AtomicU64::new(from.0)).collect(),
            downlinks: edge.downlink(),
            edge: edge.watch(),
            orders: tokio::sync::Notify::new(),
            up_since: clock.now(),
            tally: Tally::default(),
            config,
            clock,
            catalogue,
            models,
            learning,
            registry,
            store,
            history,
            consumer: journal.register("shards", from)?,
            journal,
            fanout,
        });
        Self::staff(house, edge, from, came_or_went, metrics).await
    }

    /// Starts the tasks.
    async fn staff(
        house: Arc<House>,
        edge: Edge,
        from: Position,
        came_or_went: mpsc::Receiver<SessionEvent>,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        let (stop_intake, stop_doors) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let shards = start_shards(&house, from, &mut tasks);
        let control = Control::new(house.clone(), &shards);
        let (journal, followers, stop) = (house.journal.clone(), shards.clone(), stop_intake.clone());
        tasks.spawn(async move {
            ingest::follow(journal, from, followers, stop).await?;
            Ok("journal reader")
        });
        let (outbox_house, dispatch_house, stop) = (house.clone(), house.clone(), stop_intake.clone());
        tasks.spawn(async move {
            outbox::run(outbox_house, came_or_went).await?;
            Ok("outbox")
        });
        tasks.spawn(async move {
            work::run(dispatch_house, stop).await?;
            Ok("dispatch")
        });
        let (models_house, stop) = (house.clone(), stop_intake.clone());
        tasks.spawn(async move {
            models_house.models.follow(&models_house.catalogue, stop).await?;
            Ok("models")
        });
        let (learning_house, stop) = (house.clone(), stop_intake.clone());
        tasks.spawn(async move {
            let House { learning, catalogue, clock, .. } = &*learning_house;
            learning.follow(catalogue, *clock, stop).await?;
            Ok("learning")
        });
        let (revoking_house, stop) = (house.clone(), stop_intake.clone());
        tasks.spawn(async move {
            disconnect_revoked(&revoking_house, stop).await;
            Ok("revocations")
        });
        let state = api_state(&house, &control, metrics.clone());
        let (http, http_listener) = bind("http", house.config.http.listen).await?;
        let (grpc, grpc_listener) = bind("grpc", house.config.grpc.listen).await?;
        let (http_state, stop) = (state.clone(), stop_doors.clone());
        tasks.spawn(async move {
            api::serve_http(http_listener, http_state, stop.cancelled_owned()).await?;
            Ok("http")
        });
        let stop = stop_doors.clone();
        tasks.spawn(async move {
            api::serve_grpc(grpc_listener, state, stop.cancelled_owned()).await?;
            Ok("grpc")
        });
        let (handle, stop) = (metrics, stop_doors.clone());
        tasks.spawn(async move {
            upkeep(&handle, stop).await;
            Ok("metrics")
        });
        let mqtt = edge.address(Transport::Tcp);
        Ok(Self { mqtt, http, grpc, control, house, edge, shards, stop_intake, stop_doors, tasks })
    }

    /// Waits until something ends that should not; a gateway that cannot write must not go on.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Ok(task))) => anyhow::anyhow!("the {task} task ended by itself"),
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => anyhow::Error::new(error).context("a task panicked"),
            None => anyhow::anyhow!("no task is left"),
        }
    }

    /// Where appliances connect, for each transport.
    pub fn listeners(&self) -> &[broker::Listener] {
        self.edge.listeners()
    }

    /// What all parts share.
    pub fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// Stops in order: no new messages, then what was taken is written, then the files are closed.
    ///
    /// # Errors
    /// When something could not be written, or it took longer than configured; what was
    /// acknowledged is in the journal either way.
    pub async fn stop(self) -> anyhow::Result<()> {
        let deadline = self.house.config.shutdown_deadline();
        tokio::time::timeout(deadline, self.stop_in_order()).await.unwrap_or_else(|_| {
            Err(anyhow::anyhow!("shutdown took longer than {deadline:?}; the journal has what is missing"))
        })
    }

    async fn stop_in_order(mut self) -> anyhow::Result<()> {
        self.stop_doors.cancel();
        self.edge.shutdown().await;
        self.stop_intake.cancel();
        drop(self.shards);
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.map_err(anyhow::Error::new).and_then(|ended| ended);
            if let Err(error) = ended {
                outcome = outcome.and(Err(error));
            }
        }
        self.house.fanout.stop().await;
        self.house.history.close().await;
        self.house.store.close().await;
        self.house.journal.close().await;
        outcome
    }
}

/// Ends the connections of those who are let in no longer.
async fn disconnect_revoked(house: &House, stop: CancellationToken) {
    let revocations = house.registry.revocations();
    while let Some(revoked) = stop.run_until_cancelled(revocations.next()).await {
        match revoked {
            Revoked::Device(device) => house.downlinks.disconnect(&device),
            Revoked::Account(name) => house.downlinks.disconnect_account(&name),
        }
    }
}

/// Opens the way by which devices reach the gateway.
async fn start_edge(config: &Config, parts: FrontParts) -> anyhow::Result<Edge> {
    Ok(match &config.mqtt.external {
        Some(cluster) => {
            Edge::External(External::start(cluster.config(), parts.journal, parts.clock, parts.sessions).await?)
        }
        None => Edge::Front(Front::start(config.mqtt.front(), parts).await?),
    })
}

fn start_shards(
    house: &Arc<House>,
    from: Position,
    tasks: &mut JoinSet<anyhow::Result<&'static str>>,
) -> Vec<mpsc::Sender<ToShard>> {
    (0..house.config.ingest.shards)
        .map(|id| {
            let (sender, inbox) = mpsc::channel(INBOX);
            let shard = Shard::new(id, house.clone(), from);
            tasks.spawn(async move {
                shard.run(inbox).await?;
                Ok("shard")
            });
            sender
        })
        .collect()
}

/// From where the journal is read, and up to where each shard's history was written.
async fn positions(store: &Store, config: &Config, journal: &Journal) -> anyhow::Result<(Position, HashMap<u32, u64>)> {
    let stored: Vec<(i64, i64, i64)> =
        sqlx::query_as("SELECT id, position, flushed FROM shard").fetch_all(store.read()).await?;
    let flushed: HashMap<u32, u64> = stored.iter().map(|(id, _, flushed)| (*id as u32, *flushed as u64)).collect();
    let slowest = stored.iter().map(|(_, position, flushed)| *position.min(flushed) as u64).min().unwrap_or(0);
    let from = Position(slowest).max(journal.first());
    anyhow::ensure!(
        from <= journal.end(),
        "the state database has seen message {from:?}, but the journal ends at {:?}: they are not of one state directory",
        journal.end()
    );
    // Another number of shards: positions are kept per device, so all may begin at the slowest.
    if stored.len() != config.ingest.shards as usize && !stored.is_empty() {
        let mut write = store.write().await?;
        sqlx::query("DELETE FROM shard").execute(&mut *write).await?;
        for id in 0..config.ingest.shards {
            sqlx::query("INSERT INTO shard (id, position, flushed) VALUES ($1, $2, $2)")
                .bind(i64::from(id))
                .bind(from.0 as i64)
                .execute(&mut *write)
                .await?;
        }
        write.commit().await?;
    }
    Ok((from, flushed))
}

/// Reads the appliance knowledge that a configuration names.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_catalogue(config: &Config) -> anyhow::Result<Catalogue> {
    Ok(match &config.catalogue.overlay {
        Some(dir) => Catalogue::with_overlay(dir)?,
        None => Catalogue::builtin()?,
    })
}

async fn bind(name: &str, listen: SocketAddr) -> anyhow::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("{name}.listen = \"{listen}\" cannot be bound; choose another port, or 0 for a free one")
    })?;
    Ok((listener.local_addr()?, listener))
}

fn api_state(house: &Arc<House>, control: &Control, metrics: PrometheusHandle) -> ApiState {
    let started_ms = house.clock.now().ms();
    let healthy = house.clone();
    ApiState {
        store: house.store.clone(),
        control: control.clone(),
        clock: house.clock,
        metrics: Arc::new(move || metrics.render()),
        health: Arc::new(move || health(&healthy, started_ms)),
        history: Arc::new(Past(house.clone())),
    }
}

fn health(house: &House, started_ms: i64) -> Health {
    let behind = house.journal.end().0.saturating_sub(house.tally.taken());
    Health {
        started_ms,
        messages_accepted: house.tally.messages(),
        messages_rejected: house.tally.rejected(),
        components: vec![
            Component { name: "journal".into(), ok: true, detail: format!("{behind} messages not yet taken") },
            edge(house),
            certificates(house),
            models(house),
            Component { name: "learning".into(), ok: true, detail: house.learning.lessons().summary() },
            fan_out(&house.fanout.health()),
        ],
    }
}

/// Whether changed certificate files could be used.
fn certificates(house: &House) -> Component {
    let problem = house.edge.tls_problem();
    let ok = problem.is_none();
    let loaded = if house.config.mqtt.tls.is_some() { "in use" } else { "no TLS listener" };
    Component { name: "certificates".into(), ok, detail: problem.unwrap_or_else(|| loaded.into()) }
}

/// Learnt models in force.
fn models(house: &House) -> Component {
    let (ok, detail) = match house.models.health() {
        Ok(detail) => (true, detail),
        Err(problem) => (false, problem),
    };
    Component { name: "models".into(), ok, detail }
}

/// The front, or the cluster in its stead.
fn edge(house: &House) -> Component {
    let devices = format!("{} devices connected", house.downlinks.online_count());
    match house.edge.cluster() {
        None => Component { name: "front".into(), ok: true, detail: devices },
        Some(cluster) => {
            let detail = cluster.problem.filter(|_| !cluster.ok).unwrap_or(devices);
            Component { name: "cluster".into(), ok: cluster.ok, detail }
        }
    }
}

fn fan_out(health: &FanoutHealth) -> Component {
    let detail = match health.silent_since {
        Some(since) => format!("silent for {} s; service subscribers wait, devices do not", since.elapsed().as_secs()),
        None => format!("rebuilt {} times", health.rebuilt),
    };
    Component { name: "fan-out".into(), ok: health.serving(), detail }
}

/// The one Prometheus recorder of the process.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    use std::sync::OnceLock;
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = RECORDER.get_or_init(|| recorder.handle()).clone();
    // A second gateway in the same process, as in tests, shares the first one's recorder.
    let _ = metrics::set_global_recorder(recorder);
    Ok(handle)
}

/// Folds new histogram samples away; without it they would gather for ever.
async fn upkeep(metrics: &PrometheusHandle, stop: CancellationToken) {
    let mut tick = tokio::time::interval(METRICS_UPKEEP);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}

/// History as the API reads it.
struct Past(Arc<House>);

impl HistoryRead for Past {
    fn points<'a>(
        &'a self,
        device: &'a str,
        metric: &'a str,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Point>, String>> {
        Box::pin(async move {
            let Ok(device) = device.parse::<DeviceId>() else { return Ok(Vec::new()) };
            let rows = self
                .0
                .history
                .rows(&device, from_ms, to_ms - 1, limit, Some(metric))
                .await
                .map_err(|error| error.to_string())?;
            Ok(rows
                .into_iter()
                .filter_map(|row| {
                    let value = row.readings.iter().find(|(name, _)| name == metric)?.1.as_f64()?;
                    Some(Point {
                        at_ms: row.time.ms(),
                        boot_id: row.order.map(|order| order.boot_id.0),
                        seq: row.order.map(|order| order.seq.0),
                        value,
                    })
                })
                .collect())
        })
    }
}
