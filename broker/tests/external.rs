//! The gateway as a client of a real MQTT broker.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{
    DeviceMessage, Downlinks, External, ExternalConfig, ExternalError, ExternalLimits, Journal, JournalConfig, Login,
    Position, SendError, SessionEvent,
};
use firmware_proto::{DeviceAddress, ServerTime, Topic, UplinkKind};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rumqttc::QoS;
use support::disk::TestDisk;
use support::mosquitto::Mosquitto;
use support::mqtt::{A_WHILE, Client, SOON};
use support::{address, records, texts};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

const COMMAND: &str = "0190b6a4-0000-7000-8000-000000000001";

/// A gateway's side of it.
struct Gateway {
    external: External,
    downlinks: Downlinks,
    events: mpsc::Receiver<SessionEvent>,
}

/// What outlives a gateway.
struct House {
    _dir: TempDir,
    disk: Arc<TestDisk>,
    journal: Journal,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(TestDisk::default());
        let journal = Journal::open_on(JournalConfig::new(dir.path()), Arc::clone(&disk) as _).unwrap();
        Self { _dir: dir, disk, journal }
    }

    /// With metrics of its own.
    async fn metered(&self, config: ExternalConfig) -> (Gateway, PrometheusHandle) {
        let recorder = PrometheusBuilder::new().build_recorder();
        let start = std::pin::pin!(self.gateway(config));
        // The recorder holds for this thread while it starts, which never waits.
        let started = metrics::with_local_recorder(&recorder, || {
            start.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
        });
        let std::task::Poll::Ready(gateway) = started else { panic!("it waits") };
        (gateway, recorder.handle())
    }

    async fn gateway(&self, config: ExternalConfig) -> Gateway {
        let (sessions, events) = mpsc::channel(1_000);
        let clock = Arc::new(|| ServerTime(42));
        let external = External::start(config, self.journal.clone(), clock, sessions).await.unwrap();
        let downlinks = external.downlink();
        Gateway { external, downlinks, events }
    }

    /// Waits until the journal holds so many records, and returns their payloads.
    async fn journalled(&self, count: u64) -> Vec<String> {
        timeout(SOON, self.journal.durable(Position(count - 1))).await.expect("a record").unwrap();
        texts(&records(&self.journal, Position(0)).await)
    }

    /// Waits until all these are in the journal; duplicates may be.
    async fn journalled_all(&self, expected: &BTreeSet<String>) -> Vec<String> {
        let began = Instant::now();
        loop {
            let found = texts(&records(&self.journal, Position(0)).await);
            if expected.iter().all(|text| found.contains(text)) {
                return found;
            }
            assert!(began.elapsed() < SOON, "{} of {} messages", found.len(), expected.len());
            let _ = timeout(A_WHILE, self.journal.durable(self.journal.end())).await;
        }
    }
}

impl Gateway {
    async fn connected(&self) {
        self.health("connected", |health| health.ok).await;
    }

    async fn health(&self, what: &str, so: impl Fn(&broker::ExternalHealth) -> bool) {
        let began = Instant::now();
        while !so(&self.external.health()) {
            assert!(began.elapsed() < SOON, "{what}: {:?}", self.external.health());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn event(&mut self) -> SessionEvent {
        timeout(SOON, self.events.recv()).await.expect("a session event").unwrap()
    }
}

fn config(mosquitto: &Mosquitto, filters: &[&str]) -> ExternalConfig {
    ExternalConfig {
        host: "127.0.0.1".to_owned(),
        port: mosquitto.port,
        client_id: "fettle".to_owned(),
        login: None,
        filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
        limits: ExternalLimits { first_backoff: Duration::from_millis(20), ..ExternalLimits::default() },
    }
}

/// Waits until mosquitto has granted the gateway's filters, so that nothing is published past it.
async fn subscribed(mosquitto: &Mosquitto, gateway: &Gateway) {
    gateway.connected().await;
    mosquitto.wait_for_log("Sending SUBACK to fettle", 1).await;
}

/// Publishes telemetry and waits for mosquitto's acknowledgements.
async fn publish_all(client: &mut Client, device: &str, payloads: impl IntoIterator<Item = String>) {
    let mut published = 0;
    for payload in payloads {
        client.publish(device, QoS::AtLeastOnce, &payload).await;
        published += 1;
    }
    for _ in 0..published {
        client.acknowledged().await;
    }
}

fn numbers(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|number| number.to_string())
}

fn command(device: &str) -> DeviceMessage {
    DeviceMessage::new(address(device).topic(&Topic::Command(COMMAND.parse().unwrap())), "do it")
}

async fn online(gateway: &mut Gateway, device: &str) {
    assert_eq!(gateway.event().await, SessionEvent::Online(address(device)));
    assert!(gateway.downlinks.is_online(&address(device).device));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_messages_arrive_in_order() {
    const EACH: usize = 500;
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let gateway = house.gateway(config(&mosquitto, &["ag/v1/home/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let devices = ["ac-1", "ac-2", "ac-3"];
    let mut tasks = Vec::new();
    for device in devices {
        let mut client = mosquitto.client(device).await;
        tasks.push(tokio::spawn(async move { publish_all(&mut client, device, numbers(0..EACH)).await }));
    }
    for task in tasks {
        timeout(SOON, task).await.unwrap().unwrap();
    }
    house.journalled((devices.len() * EACH) as u64).await;
    let found = records(&house.journal, Position(0)).await;
    assert_eq!(found.len(), devices.len() * EACH);
    for device in devices {
        let own: Vec<_> = found.iter().filter(|record| record.address == address(device)).cloned().collect();
        assert!(own.iter().all(|record| record.kind == UplinkKind::Telemetry && record.received.ms() == 42));
        assert_eq!(texts(&own), numbers(0..EACH).collect::<Vec<_>>(), "{device}");
    }
    gateway.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_while_the_gateway_is_away_comes_later() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let gateway = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let mut device = mosquitto.client("ac-1").await;
    publish_all(&mut device, "ac-1", numbers(0..10)).await;
    house.journalled(10).await;
    gateway.external.shutdown().await;
    mosquitto.wait_for_log("Received DISCONNECT from fettle", 1).await;
    publish_all(&mut device, "ac-1", numbers(10..300)).await;
    let again = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    // An orderly shutdown leaves nothing unacknowledged, so that nothing comes twice.
    assert_eq!(house.journalled(300).await, numbers(0..300).collect::<Vec<_>>());
    again.external.shutdown().await;
}

/// The process ends between the journal's commit and the PUBACK.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_commit_and_acknowledgement_loses_nothing() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let gateway = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let mut device = mosquitto.client("ac-1").await;
    house.disk.hold();
    publish_all(&mut device, "ac-1", numbers(0..50)).await;
    // mosquitto sends twenty and waits for their acknowledgement.
    mosquitto.wait_for_log("Sending PUBLISH to fettle", 20).await;
    let disk = Arc::clone(&house.disk);
    tokio::task::spawn_blocking(move || disk.wait_for_sync()).await.unwrap();
    drop(gateway);
    mosquitto.wait_for_log("fettle closed its connection", 1).await;
    house.disk.release();
    assert_eq!(mosquitto.logged("Received PUBACK from fettle"), 0);
    let again = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    let found = house.journalled_all(&numbers(0..50).collect()).await;
    assert!(found.len() >= 50, "{found:?}");
    mosquitto.wait_for_log("Received PUBACK from fettle", 50).await;
    again.external.shutdown().await;
}

/// Acknowledgements that were due on the lost connection would hit other messages on the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_with_messages_in_flight_loses_none() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let mut gateway = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let mut device = mosquitto.client("ac-1").await;
    house.disk.hold();
    publish_all(&mut device, "ac-1", numbers(0..60)).await;
    online(&mut gateway, "ac-1").await;
    mosquitto.wait_for_log("Sending PUBLISH to fettle", 20).await;
    // Another client of its name takes the session over, and acknowledges nothing.
    let mut options = mosquitto.options("fettle");
    options.set_clean_session(false).set_manual_acks(true);
    let thief = Client::open(options);
    assert_eq!(gateway.event().await, SessionEvent::Offline(address("ac-1")));
    gateway.health("back", |health| health.ok && health.connections == 2).await;
    mosquitto.wait_for_log("Sending PUBLISH to fettle", 60).await;
    assert_eq!(mosquitto.logged("Received PUBACK from fettle"), 0);
    house.disk.release();
    house.journalled_all(&numbers(0..60).collect()).await;
    mosquitto.wait_for_log("Received PUBACK from fettle", 60).await;
    drop(thief);
    gateway.external.shutdown().await;
    assert_eq!(mosquitto.logged("Received PUBACK from fettle"), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledgement_before_the_message_is_on_disk() {
    let Some(mosquitto) = Mosquitto::with("allow_anonymous true\nmax_inflight_messages 100\n") else { return };
    let house = House::new();
    let gateway = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    house.disk.hold();
    let mut device = mosquitto.client("ac-1").await;
    publish_all(&mut device, "ac-1", numbers(0..100)).await;
    // The cluster knows that all are under way at once.
    mosquitto.wait_for_log("Sending PUBLISH to fettle", 100).await;
    assert!(timeout(A_WHILE, mosquitto.wait_for_log("Received PUBACK from fettle", 1)).await.is_err());
    house.disk.release();
    mosquitto.wait_for_log("Received PUBACK from fettle", 100).await;
    let log = mosquitto.log();
    let ids: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once("Received PUBACK from fettle (Mid: ")?.1.split_once(','))
        .map(|(id, _)| id.parse::<usize>().unwrap())
        .collect();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>(), "in order");
    assert_eq!(house.journalled(100).await, numbers(0..100).collect::<Vec<_>>());
    gateway.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_window_is_not_read_further() {
    let Some(mosquitto) = Mosquitto::with("allow_anonymous true\nmax_inflight_messages 0\n") else { return };
    let house = House::new();
    let mut small = config(&mosquitto, &["ag/v1/#"]);
    small.limits.window = 10;
    let (gateway, metrics) = house.metered(small).await;
    subscribed(&mosquitto, &gateway).await;
    house.disk.hold();
    let mut device = mosquitto.client("ac-1").await;
    publish_all(&mut device, "ac-1", numbers(0..500)).await;
    mosquitto.wait_for_log("Sending PUBLISH to fettle", 500).await;
    assert!(timeout(A_WHILE, mosquitto.wait_for_log("Received PUBACK from fettle", 1)).await.is_err());
    assert!(metrics.render().contains("mqtt_external_messages_total 10\n"), "{}", metrics.render());
    house.disk.release();
    assert_eq!(house.journalled(500).await, numbers(0..500).collect::<Vec<_>>());
    mosquitto.wait_for_log("Received PUBACK from fettle", 500).await;
    gateway.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_disk_fails_nothing_more_is_acknowledged() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let gateway = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let mut device = mosquitto.client("ac-1").await;
    house.disk.fail_syncs();
    publish_all(&mut device, "ac-1", numbers(0..3)).await;
    gateway.health("stopped", |health| health.problem.as_ref().is_some_and(|text| text.contains("journal"))).await;
    mosquitto.wait_for_log("fettle closed its connection", 1).await;
    assert_eq!(mosquitto.logged("Received PUBACK from fettle"), 0);
    // The messages are still the cluster's.
    let healthy = House::new();
    let again = healthy.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    assert_eq!(healthy.journalled(3).await, ["0", "1", "2"]);
    again.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_reach_a_device() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let mut gateway = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let device_id = address("ac-1").device;
    assert_eq!(gateway.downlinks.send(&device_id, command("ac-1")), Err(SendError::NotConnected));
    let mut device = mosquitto.client("ac-1").await;
    assert!(device.subscribe(&address("ac-1").command_filter()).await);
    publish_all(&mut device, "ac-1", ["hello".to_owned()]).await;
    online(&mut gateway, "ac-1").await;
    let late = DeviceMessage { expires: Some(Instant::now()), ..command("ac-1") };
    gateway.downlinks.send(&device_id, DeviceMessage { payload: "too late".into(), ..late }).unwrap();
    gateway.downlinks.send(&device_id, command("ac-1")).unwrap();
    let message = device.message().await;
    assert_eq!((message.topic, &message.payload[..]), (command("ac-1").topic, &b"do it"[..]));
    assert_eq!(message.qos, QoS::AtLeastOnce);
    // It came back through the wide filter, and was acknowledged and passed over.
    mosquitto.wait_for_log("Received PUBACK from fettle", 2).await;
    assert_eq!(house.journalled(1).await, ["hello"]);
    let huge = DeviceMessage::new(command("ac-1").topic, vec![0; 100_000]);
    assert_eq!(gateway.downlinks.send(&device_id, huge), Err(SendError::TooLarge));
    // Its will.
    let death = address("ac-1").topic(&Topic::Up(UplinkKind::Death));
    device.client.publish(death, QoS::AtLeastOnce, false, "{}").await.unwrap();
    assert_eq!(gateway.event().await, SessionEvent::Offline(address("ac-1")));
    assert_eq!(gateway.downlinks.send(&device_id, command("ac-1")), Err(SendError::NotConnected));
    assert_eq!(gateway.downlinks.online_count(), 0);
    gateway.external.shutdown().await;
}

/// More commands than are in flight at once, and more than wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_are_sent_and_too_many_are_refused() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let mut narrow = config(&mosquitto, &["ag/v1/home/+/tlm"]);
    (narrow.limits.inflight, narrow.limits.queued) = (3, 20);
    let mut gateway = house.gateway(narrow).await;
    subscribed(&mosquitto, &gateway).await;
    let mut device = mosquitto.client("ac-1").await;
    assert!(device.subscribe("ag/v1/home/ac-1/#").await);
    let device_id = address("ac-1").device;
    device.publish("ac-1", QoS::AtMostOnce, "hello").await;
    online(&mut gateway, "ac-1").await;
    assert_eq!(&device.message().await.payload[..], b"hello");
    let (mut sent, mut busy) = (0, 0);
    while busy == 0 || sent < 500 {
        let message = DeviceMessage::new(command("ac-1").topic, sent.to_string());
        match gateway.downlinks.send(&device_id, message) {
            Ok(()) => sent += 1,
            Err(SendError::Busy) => {
                busy += 1;
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    for number in 0..sent {
        assert_eq!(device.message().await.payload, number.to_string());
    }
    gateway.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_share_a_fleet() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let (home, office) = (House::new(), House::new());
    let at_home = home.gateway(config(&mosquitto, &["ag/v1/home/#"])).await;
    let other = ExternalConfig { client_id: "fettle-2".to_owned(), ..config(&mosquitto, &["ag/v1/office/#"]) };
    let at_office = office.gateway(other).await;
    subscribed(&mosquitto, &at_home).await;
    at_office.connected().await;
    mosquitto.wait_for_log("Sending SUBACK to fettle", 2).await;
    let device = mosquitto.client("both").await;
    for number in 0..100 {
        let tenant = if number % 2 == 0 { "home" } else { "office" };
        let topic = format!("ag/v1/{tenant}/ac-1/tlm");
        device.client.publish(topic, QoS::AtLeastOnce, false, number.to_string()).await.unwrap();
    }
    let even: Vec<_> = (0..100).filter(|number| number % 2 == 0).map(|number| number.to_string()).collect();
    let odd: Vec<_> = (0..100).filter(|number| number % 2 == 1).map(|number| number.to_string()).collect();
    assert_eq!(home.journalled(50).await, even);
    assert_eq!(office.journalled(50).await, odd);
    at_home.external.shutdown().await;
    at_office.external.shutdown().await;
    assert_eq!((home.journal.end(), office.journal.end()), (Position(50), Position(50)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_dies_is_found_again() {
    let Some(mut mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let mut gateway = house.gateway(config(&mosquitto, &["ag/v1/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let mut device = mosquitto.client("ac-1").await;
    publish_all(&mut device, "ac-1", ["before".to_owned()]).await;
    online(&mut gateway, "ac-1").await;
    house.journalled(1).await;
    mosquitto.kill();
    assert_eq!(gateway.event().await, SessionEvent::Offline(address("ac-1")));
    assert_eq!(gateway.downlinks.send(&address("ac-1").device, command("ac-1")), Err(SendError::NotConnected));
    gateway.health("away", |health| !health.ok && !health.connected && health.problem.is_some()).await;
    let subacks = mosquitto.logged("Sending SUBACK to fettle");
    mosquitto.restart();
    gateway.health("back", |health| health.ok && health.connections == 2).await;
    mosquitto.wait_for_log("Sending SUBACK to fettle", subacks + 1).await;
    let mut device = mosquitto.client("ac-1").await;
    publish_all(&mut device, "ac-1", ["after".to_owned()]).await;
    online(&mut gateway, "ac-1").await;
    assert_eq!(house.journalled(2).await, ["before", "after"]);
    gateway.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_is_acknowledged_counted_and_passed_over() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let (gateway, metrics) = house.metered(config(&mosquitto, &["#"])).await;
    subscribed(&mosquitto, &gateway).await;
    let device = mosquitto.client("x").await;
    let foreign = [
        "zigbee/lamp",
        "ag/v1/home/ac-1/tlm/x",
        "ag/v1/home/a c/tlm",
        "é/ü",
        "ag/v1/home/ac-1/cmd/rsp/7",
        "ag/v1/home/ac-1/err",
        "/",
    ];
    for topic in foreign {
        device.client.publish(topic, QoS::AtLeastOnce, false, "x").await.unwrap();
    }
    device.publish("ac-1", QoS::AtLeastOnce, &"x".repeat(70_000)).await;
    device.publish("ac-1", QoS::AtLeastOnce, "at last").await;
    assert_eq!(house.journalled(1).await, ["at last"]);
    mosquitto.wait_for_log("Received PUBACK from fettle", foreign.len() + 2).await;
    let rendered = metrics.render();
    for line in [
        "mqtt_external_rejected_total{reason=\"topic\"} 6",
        "mqtt_external_rejected_total{reason=\"too_large\"} 1",
        "mqtt_external_messages_total 1",
        "mqtt_external_connected 1",
    ] {
        assert!(rendered.contains(line), "{line} not in:\n{rendered}");
    }
    gateway.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retained_copies_and_old_subscriptions_are_passed_over() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let house = House::new();
    let gateway = house.gateway(config(&mosquitto, &["ag/v1/office/#"])).await;
    subscribed(&mosquitto, &gateway).await;
    gateway.external.shutdown().await;
    mosquitto.wait_for_log("Received DISCONNECT from fettle", 1).await;
    let mut device = mosquitto.client("x").await;
    device.client.publish("ag/v1/office/ac-1/tlm", QoS::AtLeastOnce, false, "moved").await.unwrap();
    device.client.publish("ag/v1/home/ac-1/birth", QoS::AtLeastOnce, true, "retained").await.unwrap();
    for _ in 0..2 {
        device.acknowledged().await;
    }
    let moved = house.gateway(config(&mosquitto, &["ag/v1/home/#"])).await;
    mosquitto.wait_for_log("Received PUBACK from fettle", 2).await;
    device.publish("ac-1", QoS::AtLeastOnce, "new").await;
    assert_eq!(house.journalled(1).await, ["new"]);
    moved.external.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_said_and_tried_again() {
    let Some(mosquitto) = Mosquitto::with("allow_anonymous false\npassword_file {dir}/passwords\n") else { return };
    let house = House::new();
    let mut wrong = config(&mosquitto, &["ag/v1/#"]);
    wrong.login = Some(Login { username: "fettle".to_owned(), password: "guess".to_owned() });
    wrong.limits.longest_backoff = Duration::from_millis(100);
    assert!(!format!("{wrong:?}").contains("guess"));
    let gateway = house.gateway(wrong).await;
    gateway
        .health("refused", |health| health.problem.as_ref().is_some_and(|text| text.contains("refuses the login")))
        .await;
    mosquitto.wait_for_log("not authorised", 3).await;
    assert!(!gateway.external.health().connected);
    gateway.external.shutdown().await;
}

#[tokio::test]
async fn a_cluster_that_is_away_holds_nobody_up() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let house = House::new();
    let config = ExternalConfig {
        host: "127.0.0.1".to_owned(),
        port,
        client_id: "fettle".to_owned(),
        login: None,
        filters: vec!["ag/v1/#".to_owned()],
        limits: ExternalLimits::default(),
    };
    let gateway = house.gateway(config).await;
    gateway.health("away", |health| health.problem.is_some()).await;
    let device: DeviceAddress = address("ac-1");
    assert_eq!(gateway.downlinks.send(&device.device, command("ac-1")), Err(SendError::NotConnected));
    timeout(SOON, gateway.external.shutdown()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_once() {
    let house = House::new();
    let good = ExternalConfig {
        host: "127.0.0.1".to_owned(),
        port: 1,
        client_id: "fettle".to_owned(),
        login: None,
        filters: vec!["ag/v1/#".to_owned()],
        limits: ExternalLimits::default(),
    };
    assert_eq!(good.check(), Ok(()));
    let shared = ExternalConfig { filters: vec!["$share/fettle/ag/v1/#".to_owned()], ..good.clone() };
    let (sessions, _events) = mpsc::channel(1);
    let refused = External::start(shared, house.journal.clone(), Arc::new(|| ServerTime(1)), sessions).await;
    assert!(matches!(refused, Err(ExternalError::Shared(_))), "{refused:?}");
    let nameless = ExternalConfig { client_id: String::new(), ..good.clone() };
    assert!(matches!(nameless.check(), Err(ExternalError::ClientId(_))));
    assert_eq!(ExternalConfig { host: String::new(), ..good }.check(), Err(ExternalError::Host));
}
