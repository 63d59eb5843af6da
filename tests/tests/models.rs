//! Learnt models from end to end: history of a simulated fleet, `gateway models`, and a running gateway.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use device_sim::{ApplianceKind, Device, DeviceSpec, fault, manifest};
use fettle_tests::{Gateway, binary, wait_for};
use firmware_proto::{
    DeviceId, DeviceTime, Encoding, ReadingKey, ServerTime, Topic, Uplink, UplinkKind, Value as Reading, encode,
};
use gateway::history::{DeviceRow, HistoryStore, Row};
use gateway::store::Store;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

const FLEET: usize = 16;
const DAYS: i64 = 6;
const MODEL: &str = "refrigerator/cooling_strays";
const WAIT: Duration = Duration::from_secs(60);

/// A state directory with the history of a fleet of refrigerators that ends some days ago.
struct Fleet {
    state: tempfile::TempDir,
    devices: Vec<(DeviceSpec, Device)>,
    passwords: Vec<String>,
    /// What each device said when it was switched on.
    births: HashMap<DeviceId, Uplink>,
    end_ms: i64,
}

impl Fleet {
    async fn new(seed: u64) -> Self {
        let state = tempfile::tempdir().unwrap();
        let specs = manifest(FLEET * 3, seed).into_iter().filter(|spec| spec.kind == ApplianceKind::Refrigerator);
        let specs: Vec<DeviceSpec> = specs.take(FLEET).collect();
        assert_eq!(specs.len(), FLEET);
        let gateway = Gateway::start(state.path(), "").unwrap();
        let register = |spec: &DeviceSpec| {
            let device = json!({"id": spec.device, "tenant": spec.address().tenant, "type": "refrigerator", "model": spec.kind.model()});
            gateway.register(&device).unwrap()
        };
        let passwords = specs.iter().map(register).collect();
        gateway.terminate().unwrap();
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let end_ms = now_ms.div_euclid(DAY_MS) * DAY_MS - 3 * DAY_MS;
        let start = DeviceTime(end_ms - DAYS * DAY_MS);
        let devices = specs.into_iter().map(|spec| (spec.clone(), Device::new(&spec, start))).collect();
        let mut fleet = Self { state, devices, passwords, births: HashMap::new(), end_ms };
        fleet.live().await;
        fleet
    }

    /// Days of history; the first device's compressor fails, which a technician confirms.
    async fn live(&mut self) {
        let worn = fault(ApplianceKind::Refrigerator, "compressor_valve_worn").unwrap();
        let (broken, found) = (self.end_ms - 20 * HOUR_MS, self.end_ms - 8 * HOUR_MS);
        self.devices[0].1.inject_at(DeviceTime(broken), worn).unwrap();
        let history = HistoryStore::open(&self.state.path().join("history"), &HashMap::new()).await.unwrap();
        for (spec, device) in &mut self.devices {
            let mut aliases = BTreeMap::new();
            let mut position = 0;
            while device.now() < DeviceTime(self.end_ms) {
                let until = device.now().plus_ms(DAY_MS);
                let uplinks = device.advance(until);
                let births = uplinks.iter().filter(|uplink| matches!(uplink, Uplink::Birth(_)));
                self.births.extend(births.map(|birth| (spec.device.clone(), birth.clone())));
                let rows = uplinks.into_iter().filter_map(|uplink| row(uplink, &mut aliases, &mut position));
                let owner = spec.device.clone();
                history
                    .push(0, rows.map(|row| DeviceRow { device: owner.clone(), r#type: "refrigerator".into(), row }));
            }
            history.flush(0, 0, ServerTime(self.end_ms)).await.unwrap();
        }
        history.close().await;
        let store = Store::open(&self.state.path().join("state.db")).await.unwrap();
        let mut write = store.write().await.unwrap();
        let sql = "INSERT INTO work_order (id, number, device, source, cause, title, state, priority, why, skill, area, \
                   sop, posterior, evidence, kit, assignment, confirmed, created_ms, updated_ms, closed_ms, version) \
                   VALUES ('w', 1, $1, 'customer', $2, '', 'completed', 'normal', '', 'cooling', '', '', '[]', '[]', '[]', \
                   '{}', $2, $3, $4, $4, 1)";
        let order = sqlx::query(sql).bind(self.devices[0].0.device.as_str()).bind("compressor_valve_worn");
        order.bind(found).bind(self.end_ms).execute(&mut *write).await.unwrap();
        write.commit().await.unwrap();
        store.close().await;
    }

    fn models(&self, args: &[&str]) -> Output {
        let state = self.state.path().to_str().unwrap();
        Command::new(binary("gateway")).arg("models").args(args).args(["--state", state]).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.models(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.models(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn train(&self) -> (String, Value) {
        let trained = self.json(&["train", MODEL]);
        (trained[0]["version"].as_str().unwrap_or_else(|| panic!("{trained}")).to_owned(), trained[0].clone())
    }

    fn stage(&self, version: &str) -> String {
        let all = self.json(&["list"]);
        let found = all.as_array().unwrap().iter().find(|shelved| shelved["version"] == version).unwrap();
        found["stage"].as_str().unwrap().to_owned()
    }

    fn file(&self, version: &str) -> std::path::PathBuf {
        self.state.path().join("models").join(format!("{version}.json"))
    }
}

/// A telemetry message as history has it.
fn row(uplink: Uplink, aliases: &mut BTreeMap<u32, String>, position: &mut u64) -> Option<Row> {
    let message = match uplink {
        Uplink::Birth(birth) => {
            *aliases = birth.aliases.into_iter().map(|(name, alias)| (alias, name)).collect();
            return None;
        }
        Uplink::Telemetry(message) => message,
        _ => return None,
    };
    *position += 1;
    let time = message.stamp.device_time_ms?;
    let readings = message.readings.into_iter().map(|reading| match reading.key {
        ReadingKey::Name(name) => (name, reading.value),
        ReadingKey::Alias(alias) => (aliases[&alias].clone(), reading.value),
    });
    let readings: Vec<(String, Reading)> = readings.collect();
    Some(Row { time, received: ServerTime(time.ms()), order: message.stamp.order(), position: *position, readings })
}

fn health(gateway: &Gateway, name: &str) -> Value {
    let health = gateway.get("/api/v1/health").unwrap();
    let components = health["components"].as_array().unwrap();
    components.iter().find(|component| component["name"] == name).unwrap()["detail"].clone()
}

/// Sends what a device says, as fast as it is acknowledged.
fn send(gateway: &Gateway, spec: &DeviceSpec, said: &[Uplink], encoding: Encoding, password: &str) {
    let id = spec.device.as_str();
    let mut options = MqttOptions::new(id, gateway.mqtt.ip().to_string(), gateway.mqtt.port());
    options.set_credentials(id, password);
    let (client, mut connection) = Client::new(options, said.len() + 1);
    let mut waiting = 0;
    for uplink in said {
        let kind = match uplink {
            Uplink::Birth(_) => UplinkKind::Birth,
            Uplink::Telemetry(_) => UplinkKind::Telemetry,
            _ => continue,
        };
        let topic = spec.address().topic(&Topic::Up(kind));
        client.publish(topic, QoS::AtLeastOnce, false, encode(uplink, encoding)).unwrap();
        waiting += 1;
    }
    for event in connection.iter() {
        if let Event::Incoming(Packet::PubAck(_)) = event.unwrap() {
            waiting -= 1;
            if waiting == 0 {
                return;
            }
        }
    }
}

#[test]
fn a_model_is_trained_watched_promoted_and_rolled_back() {
    let mut fleet = tokio::runtime::Runtime::new().unwrap().block_on(Fleet::new(11));

    // Trained: judged on devices it was not trained on, and on the fault that was confirmed.
    let (first, trained) = fleet.train();
    let evaluation = &trained["evaluation"];
    assert_eq!(evaluation["devices"], FLEET / 4, "{trained}");
    let days = evaluation["device_days"].as_f64().unwrap();
    let strange = evaluation["false_alarms"][0]["days"].as_f64().unwrap();
    assert!(days >= (FLEET / 4) as f64 * (DAYS - 1) as f64 && strange <= 0.1 * days, "{trained}");
    assert_eq!(evaluation["cases"][0]["cause"], "compressor_valve_worn");
    assert!(evaluation["cases"][0]["lead_hours"].as_f64().is_some_and(|hours| hours > 0.0), "{trained}");
    assert!(trained["training_set"]["left_out_days"].as_u64().unwrap() >= 1, "{trained}");
    assert_eq!(fleet.stage(&first), "shadow");

    // In shadow it is watched; promoted, it speaks, without a restart.
    let gateway = Gateway::start(fleet.state.path(), "").unwrap();
    assert_eq!(health(&gateway, "models"), "0 speaking, 1 in shadow");
    assert_eq!(health(&gateway, "learning"), "closed cases: 1; models taught: 1");
    fleet.json(&["promote", &first]);
    wait_for("promotion", WAIT, || Ok((health(&gateway, "models") == "1 speaking, 0 in shadow").then_some(())))
        .unwrap();

    // A device that fails afterwards is told of with the model's own statement.
    let worn = fault(ApplianceKind::Refrigerator, "compressor_valve_worn").unwrap();
    let (spec, device) = &mut fleet.devices[1];
    device.inject_at(DeviceTime(fleet.end_ms + DAY_MS), worn).unwrap();
    let mut said = vec![fleet.births[&spec.device].clone()];
    said.extend(device.advance(DeviceTime(fleet.end_ms + 2 * DAY_MS)));
    send(&gateway, spec, &said, device.encoding(), &fleet.passwords[1]);
    assert_eq!(gateway.metric("messages_rejected_total").unwrap(), 0.0);
    wait_for("alarm", WAIT, || Ok((gateway.metric("model_alarms_total")? >= 1.0).then_some(()))).unwrap();
    let finding = wait_for("finding", WAIT, || {
        let found = gateway.get(&format!("/api/v1/findings?device={}", spec.device))?;
        Ok(found["items"].as_array().and_then(|items| items.first().cloned()))
    });
    let finding = finding.unwrap();
    let mut evidence = finding["evidence"].as_array().unwrap().iter();
    let told = evidence.find(|told| told["symptom"] == "cooling_strays").unwrap_or_else(|| panic!("{finding}"));
    assert!(told["state"] == "present" && told["why"].as_str().unwrap().contains(&first), "{told}");

    // A second version; rolling back brings the first one back, byte for byte.
    let bytes = std::fs::read(fleet.file(&first)).unwrap();
    let (second, _) = fleet.train();
    assert_ne!(first, second);
    fleet.json(&["promote", &second]);
    assert_eq!((fleet.stage(&first).as_str(), fleet.stage(&second).as_str()), ("shadow", "speaking"));
    assert_eq!(fleet.json(&["rollback", MODEL])["version"], first.as_str());
    assert_eq!((fleet.stage(&first).as_str(), fleet.stage(&second).as_str()), ("speaking", "shadow"));
    assert_eq!(std::fs::read(fleet.file(&first)).unwrap(), bytes);
    assert_eq!(fleet.json(&["rollback", MODEL])["version"], Value::Null);
    assert!(fleet.refused(&["rollback", MODEL]).contains("nothing to roll back"));

    // Judged by what came after it was trained.
    let compared = fleet.json(&["evaluate", &second, "--days", "30"]);
    assert_eq!(compared["versions"][0]["version"], second.as_str(), "{compared}");

    // What is wrong is said, and with what would be right.
    assert!(fleet.refused(&["promote", "0123456789ab"]).contains(&first));
    assert!(fleet.refused(&["train", "toaster"]).contains(MODEL));
    damage(&fleet.file(&second));
    assert!(fleet.refused(&["promote", &second]).contains("hash"));
}

fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_state_directory_without_history_is_told_of() {
    let state = tempfile::tempdir().unwrap();
    let models = |args: &[&str]| {
        Command::new(binary("gateway")).arg("models").args(args).arg("--state").arg(state.path()).output().unwrap()
    };
    let missing = models(&["list"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("--state"));
    Gateway::start(state.path(), "").unwrap().terminate().unwrap();
    assert!(String::from_utf8_lossy(&models(&["list"]).stdout).contains("gateway models train"));
    let nothing = models(&["train"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stdout).contains("devices"), "{nothing:?}");
}
