//! The main job, as a newcomer runs it, and its page in a real browser.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use fettle_tests::{Running, binary, wait_for};
use serde_json::Value;

#[test]
fn a_minute_of_demo_holds_its_promises() {
    let out =
        Command::new(binary("gateway")).args(["demo", "--for", "60s", "--seed", "11", "--json"]).output().unwrap();
    let summary: Value = serde_json::from_slice(&out.stdout).unwrap();
    println!("{summary:#}");
    assert!(out.status.success(), "{summary:#}\n{}", String::from_utf8_lossy(&out.stderr));
    let number = |key: &str| summary[key].as_u64().unwrap_or_else(|| panic!("{key} is no number: {summary:#}"));
    assert_eq!(number("devices"), 60);
    assert!(number("faults_injected") >= 20);
    assert!(summary["faults_by_kind"].as_object().unwrap().len() >= 10);
    assert_eq!(number("faults_handled"), number("faults_injected"));
    assert!(number("correct_top1") * 100 >= number("faults_injected") * 80);
    assert!(number("false_findings_on_healthy") <= 2);
    assert_eq!(number("unsafe_actions"), 0);
    assert_eq!(number("work_orders_ready"), number("work_orders"));
}

#[test]
fn the_page_shows_the_fleet_in_a_browser() {
    let mut demo = Running::start(
        Command::new(binary("gateway")).args(["demo", "--devices", "6", "--seed", "2"]).stderr(Stdio::piped()),
    )
    .unwrap();
    // Kept open to the end: a demo that cannot print ends.
    let mut lines = BufReader::new(demo.0.stderr.take().unwrap()).lines();
    let page =
        lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.strip_prefix("status page")?.trim().to_owned()));
    let page = page.expect("the demo prints its status page");
    let profile = tempfile::tempdir().unwrap();
    let shown = wait_for("the six devices on the page", Duration::from_secs(180), || {
        let out = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--virtual-time-budget=4000", "--dump-dom", &page])
            .stderr(Stdio::null())
            .output()?;
        let dom = String::from_utf8_lossy(&out.stdout).into_owned();
        Ok(["AC-0001", "AC-0002", "RF-0001", "RF-0002", "GW-0001", "GW-0002"]
            .iter()
            .all(|id| dom.contains(id))
            .then_some(dom))
    });
    shown.unwrap();
    drop(lines);
}
