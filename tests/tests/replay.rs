//! Days of real, measured appliances through the whole gateway: every row is stored
//! exactly once, also when the gateway is killed in the middle.
//!
//! Data: the appliance power set of the recorded data (one-minute power, one appliance
//! and day a file). No model is judged here, so no split is needed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fettle_tests::{Gateway, Running, binary, recorded_data, wait_for};
use serde_json::{Value, json};

/// Files of each folder (one device and kind of day).
const PER_FOLDER: usize = 2;

/// Unpacks the set and picks files of every folder, so that every layout is among them.
fn days(data: &Path, into: &Path) -> Vec<PathBuf> {
    let archive = data.join("appliance-power-dev.tar.gz");
    let unpacked = Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(into).status().unwrap();
    assert!(unpacked.success(), "tar xzf {}", archive.display());
    let mut folders: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    let mut open = vec![into.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "csv") {
                folders.entry(dir.clone()).or_default().push(path);
            }
        }
    }
    folders
        .into_values()
        .flat_map(|mut files| {
            files.sort();
            files.into_iter().take(PER_FOLDER)
        })
        .collect()
}

/// Row number and power of each data row, read without the simulator's code.
fn rows(file: &Path) -> BTreeMap<u64, Option<f64>> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = header.iter().position(|name| *name == "activePower").unwrap();
    let filled = lines.filter(|line| !line.split(',').all(|cell| cell.trim().is_empty()));
    (1..)
        .zip(filled)
        .map(|(n, line)| (n, line.split(',').nth(column).and_then(|cell| cell.trim().parse().ok())))
        .collect()
}

/// Device ids from the last two levels of the path, as `--id-levels 2` makes them.
fn listed_devices(files: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    files
        .iter()
        .map(|file| {
            let levels: Vec<String> = file
                .with_extension("")
                .components()
                .rev()
                .take(2)
                .map(|level| level.as_os_str().to_string_lossy().into_owned())
                .collect();
            (format!("{}-{}", levels[1], levels[0]), file.clone())
        })
        .collect()
}

#[test]
fn every_recorded_row_is_stored_exactly_once() {
    let Some(data) = recorded_data("appliance-power") else { return };
    let dir = tempfile::tempdir().unwrap();
    let unpacked = dir.path().join("data");
    std::fs::create_dir(&unpacked).unwrap();
    let files = days(&data, &unpacked);
    let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("../device-sim/mappings/appliance-power.toml");
    let devices = listed_devices(&files);
    assert_eq!(devices.len(), files.len(), "every file is a device of its own");

    let state = dir.path().join("state");
    let mut gateway = Gateway::start(&state, "[log]\nfilter = \"warn\"\n").unwrap();
    let mqtt = gateway.mqtt;
    let tokens: BTreeMap<&String, String> = devices
        .keys()
        .map(|id| (id, gateway.register(&json!({"id": id, "tenant": "demo", "type": "power-meter"})).unwrap()))
        .collect();
    let token_file = dir.path().join("tokens.json");
    std::fs::write(&token_file, json!(tokens).to_string()).unwrap();
    let mut replay = Running::start(
        Command::new(binary("device-sim"))
            .arg("replay")
            .args(devices.values())
            .args(["--mapping".as_ref(), mapping.as_os_str()])
            .args(["--tokens".as_ref(), token_file.as_os_str()])
            .args(["--broker", &mqtt.to_string(), "--id-levels", "2"]),
    )
    .unwrap();
    wait_for("a part of the rows", Duration::from_secs(60), || {
        Ok((gateway.metric("messages_total")? > 5_000.0).then_some(()))
    })
    .unwrap();
    gateway.kill_9().unwrap();
    gateway = Gateway::start_on(&state, "[log]\nfilter = \"warn\"\n", mqtt).unwrap();
    assert!(replay.0.wait().unwrap().success(), "the replay did not end well");

    let mut total = 0;
    for (id, file) in &devices {
        total += check_device(&gateway, id, &rows(file));
    }
    println!("{} files, {total} rows, each stored exactly once", devices.len());
    let findings = gateway.get("/api/v1/findings?limit=500").unwrap();
    let list = findings.as_array().or_else(|| findings.as_object()?.values().find_map(Value::as_array)).unwrap();
    println!("{} findings", list.len());
    for finding in list.iter().take(12) {
        println!(
            "  {}: {} ({:.2})",
            finding["device"],
            finding["cause"],
            finding["probability"].as_f64().unwrap_or(0.0)
        );
    }
}

fn check_device(gateway: &Gateway, id: &str, rows: &BTreeMap<u64, Option<f64>>) -> usize {
    let measured = rows.values().flatten().count();
    // The rows were acknowledged; the shard may be a moment behind.
    let points = wait_for(&format!("{measured} rows of {id}"), Duration::from_secs(20), || {
        let answer = gateway.get(&format!("/api/v1/devices/{id}/history?metric=power_w&from_ms=0"))?;
        let points = answer.as_array().or_else(|| answer.as_object()?.values().find_map(Value::as_array)).cloned();
        Ok(points.filter(|points| points.len() >= measured))
    })
    .unwrap();
    assert_eq!(points.len(), measured, "{id}");
    for point in &points {
        let seq = point["seq"].as_u64().unwrap();
        let stored = point["value"].as_f64().unwrap();
        assert_eq!(rows.get(&seq).copied().flatten(), Some(stored), "{id}, row {seq}");
    }
    let distinct: std::collections::BTreeSet<u64> = points.iter().filter_map(|point| point["seq"].as_u64()).collect();
    assert_eq!(distinct.len(), measured, "{id}: a row is stored twice");
    measured
}
