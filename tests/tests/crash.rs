//! kill -9 of the gateway at many moments, with a simulated fleet in a process of its own.
//!
//! `FETTLE_KILLS=50 cargo nextest run --release -p fettle-tests crash` kills more often.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fettle_tests::{Gateway, Running, binary, wait_for};
use serde_json::{Value, json};

const SPEED: u32 = 1_200;
const DEVICES: usize = 24;
const FAULTS: usize = 12;
/// Wall seconds between two kills; a different part of a repair each time.
const BETWEEN_KILLS: [u64; 4] = [5, 3, 7, 4];
const RECOVERY: Duration = Duration::from_secs(3);

/// What must survive: ids of findings, repairs and work orders, with their version.
type Kept = BTreeMap<(&'static str, String), i64>;

fn kept(gateway: &Gateway) -> anyhow::Result<Kept> {
    let mut kept = Kept::new();
    for what in ["findings", "repairs", "work-orders"] {
        let list = gateway.get(&format!("/api/v1/{what}?limit=500"))?;
        for item in items(&list) {
            let id = item["id"].as_str().unwrap_or_default().to_owned();
            kept.insert((what, id), item["version"].as_i64().unwrap_or(0));
        }
    }
    Ok(kept)
}

/// The rows of a list answer.
fn items(list: &Value) -> &[Value] {
    let rows = list.as_array().or_else(|| list.as_object()?.values().find_map(Value::as_array));
    rows.map_or(&[], Vec::as_slice)
}

/// Registers the simulator's devices and writes its manifest with their passwords.
fn manifest(gateway: &Gateway, file: &Path) -> Vec<String> {
    let out = Command::new(binary("device-sim"))
        .args(["manifest", "--count", &DEVICES.to_string(), "--seed", "5"])
        .output()
        .unwrap();
    let mut specs: Value = serde_json::from_slice(&out.stdout).unwrap();
    let mut ids = Vec::new();
    for spec in specs.as_array_mut().unwrap() {
        let device = json!({
            "id": spec["device"], "tenant": spec["tenant"], "type": spec["kind"], "area": "north", "lat": 36.1, "lon": 120.4
        });
        spec["token"] = gateway.register(&device).unwrap().into();
        ids.push(spec["device"].as_str().unwrap().to_owned());
    }
    std::fs::write(file, specs.to_string()).unwrap();
    ids
}

fn staff(gateway: &Gateway) {
    let post = |path: &str, body: Value| {
        let (status, answer) = gateway.post(path, &body).unwrap();
        assert!(status < 300, "{path}: {status} {answer}");
    };
    post(
        "/api/v1/locations",
        json!({"id": "central", "kind": "central", "name": "Central", "lat": 36.1, "lon": 120.4}),
    );
    post(
        "/api/v1/locations",
        json!({"id": "van-1", "kind": "van", "name": "Van", "parent": "central", "lat": 36.1, "lon": 120.4}),
    );
    let skills = ["refrigeration", "electronics", "gas", "mechanics", "appliances"];
    post(
        "/api/v1/technicians",
        json!({
            "id": "T-1", "name": "Chen Yu", "lat": 36.1, "lon": 120.4, "skills": skills, "areas": ["north"],
            "capacity": 8, "rating": 4.5, "van": "van-1"
        }),
    );
}

#[test]
fn nothing_is_lost_and_nothing_happens_twice() {
    let kills: usize = std::env::var("FETTLE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let dir = tempfile::tempdir().unwrap();
    let (state, file, truth) = (dir.path().join("state"), dir.path().join("fleet.json"), dir.path().join("truth.json"));
    let anchor_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let config = format!("[clock]\nspeed = {SPEED}.0\nanchor_ms = {anchor_ms}\n[log]\nfilter = \"warn\"\n");
    let mut gateway = Gateway::start(&state, &config).unwrap();
    let mqtt = gateway.mqtt;
    let ids = manifest(&gateway, &file);
    staff(&gateway);
    let length: u64 = 15 + (0..kills).map(|n| BETWEEN_KILLS[n % BETWEEN_KILLS.len()]).sum::<u64>() + 15;
    let mut fleet = Running::start(
        Command::new(binary("device-sim"))
            .arg("fleet")
            .args(["--manifest".as_ref(), file.as_os_str()])
            .args(["--truth".as_ref(), truth.as_os_str()])
            .args(["--broker", &mqtt.to_string(), "--speed", &SPEED.to_string()])
            .args(["--anchor-ms", &anchor_ms.to_string(), "--seed", "5", "--faults", &FAULTS.to_string()])
            .args(["--for", &format!("{length}s")]),
    )
    .unwrap();
    wait_for("the first finding", Duration::from_secs(60), || Ok(kept(&gateway)?.into_iter().next())).unwrap();

    let mut slowest = Duration::ZERO;
    for n in 0..kills {
        let next = Instant::now() + Duration::from_secs(BETWEEN_KILLS[n % BETWEEN_KILLS.len()]);
        wait_for("the next kill", Duration::from_secs(60), || Ok((Instant::now() >= next).then_some(()))).unwrap();
        let before = kept(&gateway).unwrap();
        gateway.kill_9().unwrap();
        let killed = Instant::now();
        gateway = Gateway::start_on(&state, &config, mqtt).unwrap();
        slowest = slowest.max(killed.elapsed());
        let after = kept(&gateway).unwrap();
        for (key, version) in before {
            assert!(
                after.get(&key).is_some_and(|now| *now >= version),
                "kill {n}: {key:?} at {version} is gone or older"
            );
        }
    }
    println!("{kills} kills, slowest recovery {slowest:?}");
    assert!(slowest < RECOVERY, "recovery took {slowest:?}");
    assert!(fleet.0.wait().unwrap().success());

    let truth: Value = serde_json::from_slice(&std::fs::read(&truth).unwrap()).unwrap();
    let mut executed = 0;
    for device in truth["devices"].as_array().unwrap() {
        for (command, times) in device["executions"].as_object().unwrap() {
            assert_eq!(times, 1, "{} carried out {command} more than once", device["device"]);
            executed += 1;
        }
        assert_eq!(device["unsafe_executions"], json!([]), "{device}");
        assert_eq!(device["touched_lockout"], json!([]), "{device}");
    }
    let repairs = gateway.get("/api/v1/repairs?limit=500").unwrap();
    assert!(
        executed > 0 && executed <= items(&repairs).len() * 2,
        "{executed} commands, {} repairs",
        items(&repairs).len()
    );
    let orders = gateway.get("/api/v1/work-orders?limit=500").unwrap();
    let of_device: Vec<&Value> = items(&orders).iter().map(|order| &order["device"]).collect();
    assert_eq!(
        of_device.len(),
        of_device.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(),
        "one order a device"
    );
    for id in &ids {
        every_row_once(&gateway, id);
    }
}

/// No stored message twice.
fn every_row_once(gateway: &Gateway, id: &str) {
    let mut from = 0;
    let mut seen = BTreeSet::new();
    loop {
        let answer = gateway.get(&format!("/api/v1/devices/{id}/history?metric=power_w&from_ms={from}")).unwrap();
        let points = items(&answer);
        let Some(last) = points.last() else { break };
        for point in points {
            let key = (point["boot_id"].as_u64(), point["seq"].as_u64());
            assert!(seen.insert(key), "{id}: {key:?} is stored twice");
        }
        from = last["at_ms"].as_i64().unwrap() + 1;
    }
    assert!(!seen.is_empty(), "{id} has no history");
}
