//! A front under attack, and a device beside it that is to notice nothing.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use broker::{Limits, Position, Record, TlsFiles, Transport};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::Packet;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::mqtt::{Raw, Running, SOON};
use super::{records, texts};

/// The bystander's name, and that of the device which looks afterwards whether new ones are served.
const BYSTANDER: &str = "bystander";
const WITNESS: &str = "witness";

/// From one message of the bystander to the next. 5 ms: far more often than an appliance.
const EVERY: Duration = Duration::from_millis(5);

/// What 99 of 100 PUBACKs take at most. 1 s: a thousand times the usual, on a machine that is attacking as well.
const PROMPT: Duration = Duration::from_secs(1);

/// Messages of the bystander that an attack must last for, or the 99th of 100 would be none.
const ENOUGH: usize = 100;

/// From one look to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A front with a bystander, and its metrics.
pub struct Siege {
    pub run: Running,
    metrics: PrometheusHandle,
    stop: Arc<AtomicBool>,
    bystander: JoinHandle<Vec<Duration>>,
}

impl Siege {
    pub async fn of(transports: &[Transport], tls: Option<TlsFiles>, change: impl FnOnce(&mut Limits)) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let mut start = pin!(Running::over(transports, tls, change));
        // The recorder holds for this thread while it starts, which never waits.
        let started =
            metrics::with_local_recorder(&recorder, || start.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        let Poll::Ready(run) = started else { panic!("it waits") };
        let stop = Arc::new(AtomicBool::new(false));
        let device = Raw::device(run.addr(), BYSTANDER, None).await;
        let bystander = tokio::spawn(publish_until(Arc::clone(&stop), device));
        Self { run, metrics, stop, bystander }
    }

    /// Over plain TCP.
    pub async fn over_tcp(change: impl FnOnce(&mut Limits)) -> Self {
        Self::of(&[Transport::Tcp], None, change).await
    }

    /// A metric, all its labels added up, or those that begin so.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render();
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// How often clients were refused for this reason, once they are gone.
    pub async fn refused(&self, reason: &str) -> f64 {
        self.left(1).await;
        self.metric(&format!("mqtt_refused_total{{reason=\"{reason}\"}}"))
    }

    /// Waits until only so many connections are left.
    pub async fn left(&self, connections: usize) {
        let began = Instant::now();
        while self.metric("mqtt_connections") > connections as f64 {
            assert!(began.elapsed() < SOON, "{} connections are left", self.metric("mqtt_connections"));
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The attack is over: nobody is left but the bystander, who has noticed nothing; new clients are served; and what
    /// was acknowledged is in the journal, once. Returns what others left there.
    pub async fn lifted(self) -> Vec<Record> {
        // An attack that is over sooner than the bystander has said enough proves nothing.
        let began = Instant::now();
        while !self.bystander.is_finished() && records_of(&self.run, BYSTANDER).await.len() < ENOUGH {
            assert!(began.elapsed() < SOON, "the bystander is stuck");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.left(1).await;
        self.run.still_serves().await;
        self.stop.store(true, Ordering::Relaxed);
        let mut waits = self.bystander.await.expect("the bystander was served throughout");
        let said: Vec<_> = (0..waits.len()).map(|number| number.to_string()).collect();
        assert_eq!(texts(&records_of(&self.run, BYSTANDER).await), said);
        waits.sort();
        let slow = waits[waits.len() * 99 / 100];
        println!(
            "{} messages, 99 of 100 answered within {slow:?}, all within {:?}",
            waits.len(),
            waits[waits.len() - 1]
        );
        assert!(slow < PROMPT, "{slow:?}");
        let others = |record: &Record| ![BYSTANDER, WITNESS].contains(&record.address.device.as_str());
        records(&self.run.journal, Position(0)).await.into_iter().filter(others).collect()
    }
}

async fn records_of(run: &Running, device: &str) -> Vec<Record> {
    let all = records(&run.journal, Position(0)).await;
    all.into_iter().filter(|record| record.address.device.as_str() == device).collect()
}

/// Publishes numbers, one after the other; how long each PUBACK took.
async fn publish_until(stop: Arc<AtomicBool>, mut device: Raw) -> Vec<Duration> {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (topic, mut waits) = (format!("ag/v1/home/{BYSTANDER}/tlm"), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let (began, packet_id) = (Instant::now(), waits.len() as u16 | 1);
        device.publish(&topic, QoS::AtLeastOnce, packet_id, &waits.len().to_string()).await;
        match device.packet().await {
            Some(Packet::PubAck(ack)) => assert_eq!(ack.pkid, packet_id),
            other => panic!("{other:?}"),
        }
        waits.push(began.elapsed());
    }
    waits
}
