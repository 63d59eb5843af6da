//! Recordings sent to a broker that hangs up.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod broker;

use std::collections::BTreeSet;
use std::path::PathBuf;

use broker::Broker;
use device_sim::replay::{Mapping, ReplayConfig, ReplayError, recordings, run};
use firmware_proto::{BootId, Encoding, Topic, Uplink, decode, topic};
use tokio::sync::watch;

const MAPPING: &str = include_str!("../mappings/appliance-power.toml");

fn config(broker: &Broker, paths: &[PathBuf]) -> ReplayConfig {
    let tenant = "home".parse().unwrap();
    ReplayConfig {
        broker: broker.address,
        mapping: Mapping::parse("appliance-power.toml", MAPPING).unwrap(),
        recordings: recordings(&tenant, paths, 1, |device| format!("token of {device}")).unwrap(),
        speed: 0.0,
        boot_id: None,
        is_historical: true,
        skip_bad_rows: false,
        encoding: Encoding::Protobuf,
        connections: 2,
    }
}

/// A day of minutes, some of them not measured.
fn a_day() -> String {
    let minutes = (0..1440).map(|minute| {
        let watts = if minute % 100 == 99 { String::new() } else { (minute * 3).to_string() };
        format!("3/9/2020 {}:{:02},{watts}\n", minute / 60, minute % 60)
    });
    format!("\u{feff}ctime,activePower\n{}", minutes.collect::<String>())
}

fn files(folder: &tempfile::TempDir, texts: &[(&str, String)]) -> Vec<PathBuf> {
    texts
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_arrives_although_connections_break() {
    let broker = Broker::start(|connection| (connection < 6).then_some(150 + connection)).await;
    let folder = tempfile::tempdir().unwrap();
    let paths = files(&folder, &[("washer_day1.csv", a_day()), ("washer_day2.csv", a_day()), ("dryer.csv", a_day())]);
    let (_stop, stopping) = watch::channel(false);
    let reports = run(config(&broker, &paths), stopping).await.unwrap();
    for report in &reports {
        assert_eq!((report.rows_sent, report.rows_skipped.len(), &report.incomplete), (1440, 0, &None), "{report:?}");
        // An acknowledgement that the break swallowed makes a row come twice: a set.
        let mut seqs = BTreeSet::new();
        for heard in broker.look(|ledger| ledger.heard.clone()).iter().filter(|heard| heard.acknowledged) {
            let (address, topic) = topic::parse(&heard.topic).unwrap();
            if address.device != report.device {
                continue;
            }
            let Topic::Up(kind) = topic else { panic!("{}", heard.topic) };
            let Uplink::Telemetry(message) = decode(&kind, &heard.payload).unwrap() else { panic!("no telemetry") };
            let row = message.stamp.seq.unwrap().0;
            assert_eq!((message.stamp.boot_id, message.stamp.is_historical), (BootId(1), true));
            assert_eq!(message.readings.len(), usize::from((row - 1) % 100 != 99));
            seqs.insert(row);
        }
        assert_eq!(seqs, (1..=1440).collect());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_stops_the_replay_before_anything_is_sent() {
    let broker = Broker::start(|_| None).await;
    let folder = tempfile::tempdir().unwrap();
    let text = "ctime,activePower\n3/9/2020 0:00,5\n3/9/2020 0:01,high\n3/9/2020 0:02,7\n".to_owned();
    let paths = files(&folder, &[("meter.csv", text)]);
    let (_stop, stopping) = watch::channel(false);
    let error = run(config(&broker, &paths), stopping.clone()).await.unwrap_err();
    assert!(matches!(&error, ReplayError::BadRow { bad, .. } if bad.line == 3 && bad.row == 2), "{error}");
    assert!(error.to_string().contains("activePower: \"high\" is no number"), "{error}");
    assert_eq!(broker.look(|ledger| ledger.connections), 0);

    let reports = run(ReplayConfig { skip_bad_rows: true, ..config(&broker, &paths) }, stopping).await.unwrap();
    assert_eq!((reports[0].rows_sent, reports[0].rows_skipped.len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_can_be_stopped_and_says_so() {
    let broker = Broker::start(|_| None).await;
    let folder = tempfile::tempdir().unwrap();
    let paths = files(&folder, &[("meter.csv", a_day())]);
    let (stop, stopping) = watch::channel(false);
    // Ten recorded minutes a second: the first rows come at once, the last in minutes.
    let replay = tokio::spawn(run(ReplayConfig { speed: 600.0, ..config(&broker, &paths) }, stopping));
    broker.until("two rows", |ledger| ledger.heard.len() >= 2).await;
    stop.send_replace(true);
    let reports = replay.await.unwrap().unwrap();
    assert!(reports[0].rows_sent >= 2 && reports[0].rows_sent < 1440);
    assert!(reports[0].incomplete.is_some());
}
