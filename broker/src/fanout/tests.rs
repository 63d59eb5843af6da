//! The service side with routers that really die, and that really hang.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use firmware_proto::ServerTime;
use metrics_exporter_prometheus::PrometheusBuilder;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use rumqttd::local::LinkTx;
use tokio::time::timeout;

use super::router::lock;
use super::*;
use crate::{Credentials, Denied, Front, FrontConfig, FrontParts, Identity, Journal, JournalConfig, Policy, Transport};

/// For what must happen soon; only a failing test waits so long.
const SOON: Duration = Duration::from_secs(30);

/// Replaced at once.
const QUICK: Pace = Pace { look: Duration::from_secs(1), between_rebuilds: Duration::ZERO };

/// A link past all checks, with a subscription.
fn raw_link(fanout: &Fanout) -> LinkTx {
    let logs = ["a/#".to_owned()].into();
    fanout.shared.router().unwrap().link("raw".to_owned(), logs).unwrap().0
}

/// rumqttd's router panics when it compares a filter with a topic that begins with a character of more than one byte.
fn kill(fanout: &Fanout) {
    raw_link(fanout).publish("é", "x").unwrap();
}

fn subscribe(fanout: &Fanout) -> FanoutSubscription {
    fanout.subscribe("x", &["a/#".to_owned()]).unwrap()
}

/// Publishes until the subscriber hears it.
async fn hears(fanout: &Fanout, subscription: &mut FanoutSubscription) {
    fanout.publish("a/b", Bytes::from("x"));
    let message = timeout(SOON, subscription.recv()).await.expect("a message").expect("the service side runs");
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("a/b", &b"x"[..]));
}

/// Waits until the fan-out has been rebuilt so often and serves.
async fn rebuilt(fanout: &Fanout, times: u64) {
    let mut state = fanout.shared.state.subscribe();
    timeout(SOON, async {
        while fanout.health().rebuilt < times {
            state.changed().await.unwrap();
        }
        fanout.serves().await;
    })
    .await
    .expect("a new router");
    assert_eq!(fanout.health(), FanoutHealth { silent_since: None, rebuilt: times });
}

/// Waits until the fan-out has noticed that it has no router.
async fn is_down(fanout: &Fanout) {
    let mut state = fanout.shared.state.subscribe();
    timeout(SOON, state.wait_for(|state| matches!(state, State::Down))).await.expect("the watchdog").unwrap();
}

async fn is_cut_off(subscription: &mut FanoutSubscription) {
    while timeout(SOON, subscription.recv()).await.expect("the end").is_some() {}
}

#[tokio::test]
async fn a_dead_router_is_replaced() {
    let fanout = Fanout::start_at(QUICK).unwrap();
    for deaths in 1..=3 {
        let mut subscription = subscribe(&fanout);
        hears(&fanout, &mut subscription).await;
        kill(&fanout);
        is_cut_off(&mut subscription).await;
        rebuilt(&fanout, deaths).await;
        let mut anew = subscribe(&fanout);
        hears(&fanout, &mut anew).await;
    }
}

#[tokio::test]
async fn a_router_that_says_ready_for_somebody_who_left_dies_and_is_replaced() {
    let fanout = Fanout::start_at(QUICK).unwrap();
    let mut bystander = subscribe(&fanout);
    let (mut tx, rx) = fanout.shared.router().unwrap().link("raw".to_owned(), Default::default()).unwrap();
    let goodbye =
        rumqttd::protocol::Disconnect { reason_code: rumqttd::protocol::DisconnectReasonCode::NormalDisconnection };
    tx.buffer().push_back(rumqttd::protocol::Packet::Disconnect(goodbye, None));
    tx.unsubscribe("gone").unwrap();
    rx.ready().unwrap();
    is_cut_off(&mut bystander).await;
    rebuilt(&fanout, 1).await;
    hears(&fanout, &mut subscribe(&fanout)).await;
}

/// A router whose thread stops in the middle of its work, with all its links open: in the hook of its panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_router_is_replaced() {
    let (hanging, end) = sync_channel::<()>(0);
    let end = Mutex::new(end);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The topic below stands in the message; other tests kill their routers with another one.
        if panic.payload_as_str().is_some_and(|text| text.contains('ü')) {
            let _ = lock(&end).recv();
        }
        usual(panic);
    }));
    let fanout = Fanout::start_at(Pace { look: Duration::from_millis(500), ..QUICK }).unwrap();
    let mut subscription = subscribe(&fanout);
    let old = fanout.shared.router().unwrap();
    raw_link(&fanout).publish("ü", "x").unwrap();
    let asked = tokio::task::spawn_blocking(move || old.link("late".to_owned(), Default::default()).map(drop));
    is_cut_off(&mut subscription).await;
    rebuilt(&fanout, 1).await;
    hears(&fanout, &mut subscribe(&fanout)).await;
    assert!(matches!(timeout(SOON, asked).await.unwrap().unwrap(), Err(FanoutError::Silent)));
    // The old router comes to itself; nobody hears of it.
    drop(hanging);
    drop(subscription);
    hears(&fanout, &mut subscribe(&fanout)).await;
    assert_eq!(fanout.health().rebuilt, 1);
}

#[tokio::test]
async fn without_a_router_publishing_goes_on_and_is_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    // The first rebuild comes at once, the second not in this test.
    let pace = Pace { between_rebuilds: 20 * SOON, ..QUICK };
    let fanout = metrics::with_local_recorder(&recorder, || Fanout::start_at(pace)).unwrap();
    kill(&fanout);
    rebuilt(&fanout, 1).await;
    let mut subscription = subscribe(&fanout);
    kill(&fanout);
    is_cut_off(&mut subscription).await;
    is_down(&fanout).await;
    assert!(fanout.health().silent_since.is_some());
    assert!(matches!(fanout.subscribe("x", &[]), Err(FanoutError::Silent)));
    let began = Instant::now();
    for _ in 0..2 * QUEUE_MESSAGES {
        fanout.publish("a/b", Bytes::from("x"));
    }
    assert!(began.elapsed() < SOON);
    let rendered = metrics.render();
    let expected = [
        "mqtt_fanout_rebuilt_total 1".to_owned(),
        "mqtt_fanout_serving 0".to_owned(),
        format!("mqtt_fanout_dropped_total{{reason=\"router\"}} {}", 2 * QUEUE_MESSAGES),
    ];
    for line in expected {
        assert!(rendered.contains(&line), "{line:?} not in:\n{rendered}");
    }
    fanout.stop().await;
}

#[tokio::test]
async fn a_fanout_that_is_down_stops() {
    let fanout = Fanout::start_at(Pace { between_rebuilds: 20 * SOON, ..QUICK }).unwrap();
    kill(&fanout);
    rebuilt(&fanout, 1).await;
    kill(&fanout);
    is_down(&fanout).await;
    fanout.stop().await;
    assert!(matches!(fanout.subscribe("x", &[]), Err(FanoutError::Stopped)));
    assert!(timeout(Duration::from_millis(100), fanout.serves()).await.is_err());
}

struct OneService;

impl Policy for OneService {
    fn authenticate(&self, _: &Credentials<'_>) -> Result<Identity, Denied> {
        Ok(Identity::Service { name: "svc".to_owned(), filters: vec!["a/#".to_owned()] })
    }
}

/// Publishes until the client hears it.
async fn client_hears(fanout: &Fanout, client: &mut EventLoop, payload: &'static str) {
    timeout(SOON, async {
        loop {
            fanout.publish("a/b", Bytes::from(payload));
            // The message may have gone to a router that is dying.
            let event = timeout(Duration::from_millis(20), client.poll()).await;
            match event.map(|event| event.expect("the connection lasts")) {
                Ok(Event::Incoming(Packet::Publish(publish))) if publish.payload == payload => return,
                _ => {}
            }
        }
    })
    .await
    .expect("a message");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_client_keeps_its_connection_through_a_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(JournalConfig::new(dir.path())).unwrap();
    let fanout = Fanout::start_at(QUICK).unwrap();
    let sessions = tokio::sync::mpsc::channel(1).0;
    let parts = FrontParts {
        policy: Arc::new(OneService),
        journal,
        clock: Arc::new(|| ServerTime(0)),
        fanout: fanout.clone(),
        retained: None,
        sessions,
    };
    let front = Front::start(FrontConfig::plain("127.0.0.1:0".parse().unwrap()), parts).await.unwrap();
    let mut options = MqttOptions::new("dashboard", "127.0.0.1", front.address(Transport::Tcp).unwrap().port());
    options.set_credentials("svc", "secret");
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("a/#", QoS::AtMostOnce).await.unwrap();
    client_hears(&fanout, &mut events, "before").await;
    kill(&fanout);
    rebuilt(&fanout, 1).await;
    client_hears(&fanout, &mut events, "after").await;
    front.shutdown().await;
}
