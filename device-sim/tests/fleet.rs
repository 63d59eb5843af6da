//! A fleet against a broker that hangs up.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod broker;

use std::collections::{BTreeMap, BTreeSet};

use broker::{Broker, Heard};
use device_sim::{DeviceSpec, FaultPlan, Fleet, FleetConfig, manifest};
use firmware_proto::{
    Command, CommandResult, DeviceTime, Downlink, Encoding, Fence, MessageOrder, Outcome, Phase, Rejection, ScaledTime,
    Topic, Uplink, ValueMap, body_hash, decode, encode, topic,
};

fn specs(count: usize) -> Vec<DeviceSpec> {
    let mut specs = manifest(count, 5);
    for spec in &mut specs {
        spec.token = format!("token of {}", spec.device);
    }
    specs
}

fn fleet(broker: &Broker, specs: &[DeviceSpec], speed: f64) -> Fleet {
    let anchor_ms = ScaledTime::REAL.now_ms();
    let time = ScaledTime { anchor_ms, speed };
    Fleet::start(FleetConfig { broker: broker.address, time, specs: specs.to_vec(), plan: FaultPlan::default() })
}

/// Acknowledged messages by device.
fn read(heard: &[Heard]) -> BTreeMap<String, Vec<Uplink>> {
    let mut messages: BTreeMap<String, Vec<Uplink>> = BTreeMap::new();
    for heard in heard.iter().filter(|heard| heard.acknowledged) {
        let (address, topic) = topic::parse(&heard.topic).unwrap();
        let Topic::Up(kind) = topic else { panic!("{} is no uplink", heard.topic) };
        messages.entry(address.device.to_string()).or_default().push(decode(&kind, &heard.payload).unwrap());
    }
    messages
}

fn order(uplink: &Uplink) -> MessageOrder {
    uplink.stamp().unwrap().order().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_says_who_it_is_then_what_it_measures() {
    let broker = Broker::start(|_| None).await;
    let specs = specs(3);
    let fleet = fleet(&broker, &specs, 2000.0);
    broker.until("messages", |ledger| ledger.heard.len() > 100).await;
    let truths = fleet.stop().await;
    assert_eq!(truths.len(), 3);
    assert!(truths.iter().all(|truth| truth.produced == truth.acknowledged && truth.dropped == 0), "{truths:?}");
    let messages = broker.look(|ledger| read(&ledger.heard));
    for (device, messages) in &messages {
        assert!(matches!(messages[..3], [Uplink::Birth(_), Uplink::State(_), Uplink::Telemetry(_)]), "{device}");
        let orders: Vec<_> = messages.iter().map(|uplink| order(uplink).seq.0).collect();
        assert_eq!(orders, (1..=messages.len() as u64).collect::<Vec<_>>(), "{device}");
    }
    broker.look(|ledger| {
        let spec = &specs[0];
        assert!(ledger.users.contains(&(spec.device.to_string(), spec.device.to_string(), spec.token.clone())));
        assert!(ledger.wills.contains(&format!("ag/v1/demo/{}/death", spec.device)));
        assert!(ledger.subscriptions.contains(&format!("ag/v1/demo/{}/cmd/req/+", spec.device)));
    });
    broker.until("goodbyes", |ledger| ledger.goodbyes == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_hangs_up() {
    let broker = Broker::start(|connection| (connection < 12).then_some(40 + 17 * connection)).await;
    let fleet = fleet(&broker, &specs(3), 4000.0);
    broker.until("twelve broken connections", |ledger| ledger.connections > 13).await;
    let so_far = broker.look(|ledger| ledger.heard.len());
    broker.until("messages afterwards", |ledger| ledger.heard.len() > so_far + 300).await;
    let truths = fleet.stop().await;
    let messages = broker.look(|ledger| read(&ledger.heard));
    for truth in &truths {
        let orders: BTreeSet<_> = messages[truth.device.as_str()].iter().map(order).collect();
        assert_eq!(orders.len() as u64, truth.produced, "{}: every message arrived", truth.device);
        assert!(truth.reconnects > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_and_rejections_counted() {
    let broker = Broker::start(|_| None).await;
    let specs = specs(1);
    let fleet = fleet(&broker, &specs, 1000.0);
    let address = specs[0].address();
    let filter = address.command_filter();
    broker.until("subscription", |ledger| ledger.subscriptions.contains(&filter)).await;
    let command = Command {
        command_id: "0190b6a4-0000-7000-8000-000000000001".parse().unwrap(),
        fence: Fence(7),
        not_after_ms: DeviceTime(i64::MAX),
        body_hash: body_hash("self_test", &ValueMap::new()),
        expected_config_version: None,
        action: "self_test".into(),
        arguments: ValueMap::new(),
    };
    let request = address.topic(&Topic::Command(command.command_id));
    let payload = encode(&Downlink::Command(command.clone()), Encoding::Protobuf);
    broker.send(address.device.as_str(), request.clone(), payload.clone());
    broker.send(address.device.as_str(), request, payload);
    let rejection = Rejection { seq: None, field: "readings".into(), reason: "test".into() };
    let rejection = encode(&Downlink::Rejection(rejection), Encoding::Json);
    broker.send(address.device.as_str(), address.topic(&Topic::Error), rejection);
    let finished = |result: &CommandResult| result.phase == Phase::Finished && result.outcome == Outcome::Succeeded;
    let results = |heard: &[Heard]| {
        let read = read(heard);
        let of_device = read.get(address.device.as_str()).cloned().unwrap_or_default();
        of_device
            .into_iter()
            .filter_map(|uplink| if let Uplink::Result(result) = uplink { Some(result) } else { None })
            .collect::<Vec<_>>()
    };
    broker.until("result", |ledger| results(&ledger.heard).iter().any(finished)).await;
    let truths = fleet.stop().await;
    assert_eq!(truths[0].truth.executions.get(&command.command_id), Some(&1));
    assert_eq!(truths[0].rejections, 1);
}
